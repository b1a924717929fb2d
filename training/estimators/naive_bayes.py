"""Age by naive Bayes over residuals of photosites (after Joechl and Uhl 2020; reconstructed).

They classify the age of images by the values of known defects; features and densities are ours.
Photosites are taken as independent given the timeslot, which those of one session are not quite:
its probabilities are rather too sure, the more so as photosites are chosen by the same images.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from training.estimators.errors import EstimatorError
from training.estimators.images import Images
from training.estimators.known_defects import KnownDefect, places_of
from training.estimators.measured_noise import measure_noise
from training.estimators.noise_model import NoiseModel
from training.estimators.protocol import ProbabilisticEstimator, Probabilities, Timeslots
from training.estimators.relevant_defects import relevant_places
from training.estimators.residual_features import ResidualFeatures, learn_features
from training.estimators.state import EstimatorState

Floats = NDArray[np.float64]
Density = Literal["gaussian", "kernel"]

PRIOR_SAMPLES = 4.0
"""Samples' worth of the noise that a class's own spread is shrunk towards."""

LEAST_EVIDENCE = float(np.log(3.0))
"""Of the likeliest timeslot against the unlikeliest; less is barely worth mentioning (Jeffreys)."""

LEAST_BANDWIDTH = 0.5
"""In units of the noise: a residual says nothing finer."""

_CONTROLS_OF_AN_IMAGE = 512


class NaiveBayes(ProbabilisticEstimator):
    """Tells timeslots by the residuals of single photosites, each with a density of its own.

    Parameters
    ----------
    known
        Defects of the camera's ledger in the frames' coordinates; those that were there from the
        beginning tell no age and are left out.
    searches
        Whether relevant photosites are searched for in the trusted images.
    seed
        Of controls and relabellings.

    Raises
    ------
    EstimatorError
        When there is neither a search nor a ledger.
    """

    name: ClassVar[str] = "naive-bayes"
    density: ClassVar[Density] = "gaussian"

    def __init__(
        self,
        known: Sequence[KnownDefect] = (),
        *,
        searches: bool = True,
        seed: int = 0,
    ) -> None:
        if not searches and not known:
            raise EstimatorError("no ledger and no search: give known defects, or let it search")
        self.known = tuple(known)
        self.searches = searches
        self.seed = seed
        self._reader: ResidualFeatures | None = None
        self._features: Floats = np.empty((0, 0))
        self._numbers: NDArray[np.int64] = np.empty(0, np.int64)

    @property
    def places_(self) -> NDArray[np.int64]:
        """(row, column) of the photosites that it reads, int64 of shape (pixels, 2)."""
        return self._kept().places

    def facts(self) -> dict[str, Any]:
        """Return what the fit rests on."""
        reader = self._kept()
        return {
            "estimator": self.name,
            "density": self.density,
            "camera": self._camera,
            "timeslots": self.timeslots_.tolist(),
            "images": len(self._numbers),
            "defects": [
                {"row": row, "column": column, "by_exposure": by_exposure}
                for (row, column), by_exposure in zip(
                    reader.places.tolist(), reader.by_exposure.tolist(), strict=True
                )
            ],
        }

    def to_state(self) -> EstimatorState:
        """Return what the fit keeps: features of the trusted images, from which all follows."""
        reader = self._kept()
        settings = {
            "known": [one.to_json() for one in self.known],
            "searches": self.searches,
            "seed": self.seed,
            "camera": self._camera,
            "size": list(self._size),
            "median_factor": reader.median_factor,
            "noise": dict(reader.noise.__dict__),
        }
        arrays = {
            "timeslots": self.timeslots_,
            "places": reader.places,
            "by_exposure": reader.by_exposure,
            "controls": reader.controls,
            "features": self._features,
            "numbers": self._numbers,
        }
        return EstimatorState(self.name, settings, arrays)

    @classmethod
    def from_state(cls, state: EstimatorState) -> Self:
        """Return the fitted estimator of a state."""
        given, arrays = state.settings, state.arrays
        made = cls(
            [KnownDefect.from_json(one) for one in given["known"]],
            searches=given["searches"],
            seed=given["seed"],
        )
        made._reader = ResidualFeatures(
            arrays["places"],
            arrays["by_exposure"],
            given["median_factor"],
            arrays["controls"],
            NoiseModel(**given["noise"]),
        )
        made._features, made._numbers = arrays["features"], arrays["numbers"]
        made._camera, made._size = given["camera"], (given["size"][0], given["size"][1])
        made._timeslots = arrays["timeslots"]
        return made

    def _fit(self, images: Images, timeslots: Timeslots, numbers: NDArray[np.int64]) -> None:
        # in an order of their own, so that that of the images does not matter
        order = np.lexsort(
            (images.exposure_factors, images.scenes, images.sessions, numbers)
            if images.times is None
            else (images.exposure_factors, images.scenes, images.sessions, images.times)
        )
        images, numbers = images.subset(order), numbers[order]
        useful = places_of([one for one in self.known if not one.pre_existing])
        noise = measure_noise(images, places_of(self.known), self.seed)
        places = useful
        if self.searches:
            places = relevant_places(images, timeslots, numbers, noise, self.known, self.seed)
        controls = noise.controls[:_CONTROLS_OF_AN_IMAGE]
        self._reader, self._features = learn_features(
            images, numbers, places, controls, noise.model
        )
        self._numbers = numbers

    def _judge(self, images: Images) -> tuple[Probabilities, NDArray[np.bool_]]:
        features = self._kept().read(images)
        logs = log_likelihood(
            features, self._features, self._numbers, len(self.timeslots_), self.density
        )
        odds = np.exp(logs - logs.max(axis=1, keepdims=True))
        return odds / odds.sum(axis=1, keepdims=True), np.ptp(logs, axis=1) < LEAST_EVIDENCE

    def _kept(self) -> ResidualFeatures:
        _ = self.timeslots_  # raises before a fit, and after one that failed
        assert self._reader is not None
        return self._reader


def log_likelihood(
    asked: Floats,
    learned: Floats,
    numbers: NDArray[np.int64],
    classes: int,
    density: Density,
    *,
    prior_samples: float = PRIOR_SAMPLES,
    least_bandwidth: float = LEAST_BANDWIDTH,
) -> Floats:
    """Return the log-likelihood of each class, summed over the features.

    Parameters
    ----------
    asked, learned
        Features in units of their noise, shape (images, pixels); NaN where missing, which says
        nothing. Those that some class never shows are left out.
    numbers
        Class of each learned image, from 0.
    classes
        How many there are.
    density
        Of the features of a class.
    prior_samples
        Samples of variance 1 that the Gaussian's variance counts in.
    least_bandwidth
        Of the kernels.

    Returns
    -------
    numpy.ndarray
        float64 of shape (images, classes).
    """
    logs = np.zeros((len(asked), classes))
    # of a photosite that some class never shows nothing can be compared
    shown = [(~np.isnan(learned[numbers == number])).any(axis=0) for number in range(classes)]
    usable = np.logical_and.reduce(shown)
    asked, learned = asked[:, usable], learned[:, usable]
    for number in range(classes):
        own = learned[numbers == number]
        single = (
            _log_gaussian(asked, own, prior_samples)
            if density == "gaussian"
            else _log_kernel(asked, own, least_bandwidth)
        )
        logs[:, number] = np.where(np.isnan(asked), 0.0, single).sum(axis=1)
    return logs


def _log_gaussian(asked: Floats, own: Floats, prior_samples: float) -> Floats:
    known = ~np.isnan(own)
    counts = known.sum(axis=0)
    mean = np.where(known, own, 0.0).sum(axis=0) / np.maximum(counts, 1)
    squares = np.where(known, (own - mean) ** 2, 0.0).sum(axis=0)
    variance = (squares + prior_samples) / np.maximum(counts + prior_samples, 1e-12)
    logs: Floats = -0.5 * ((asked - mean) ** 2 / variance + np.log(2 * np.pi * variance))
    return logs


def _log_kernel(asked: Floats, own: Floats, least_bandwidth: float) -> Floats:
    logs = np.zeros_like(asked)
    for pixel in range(asked.shape[1]):
        values = own[:, pixel]
        values = values[~np.isnan(values)]
        spread = float(values.std(ddof=1)) if len(values) > 1 else 0.0
        # Silverman's rule as scipy has it
        bandwidth = max(spread * (0.75 * len(values)) ** -0.2, least_bandwidth)
        distance = (asked[:, pixel, None] - values) / bandwidth
        logs[:, pixel] = logsumexp(-0.5 * distance**2, axis=1) - np.log(
            len(values) * bandwidth * np.sqrt(2 * np.pi)
        )
    return logs


class KernelNaiveBayes(NaiveBayes):
    """Naive Bayes with sums of normal kernels (Silverman's bandwidth) for densities."""

    name: ClassVar[str] = "naive-bayes-kernel"
    density: ClassVar[Density] = "kernel"
