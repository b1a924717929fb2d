"""What a fit by maximum likelihood keeps, and how it is stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from training.estimators.acceptance import Threshold
from training.estimators.dating import AgeingPixels
from training.estimators.noise_model import NoiseModel
from training.estimators.onset_likelihood import Posterior
from training.estimators.timeline import Timeline

Floats = NDArray[np.float64]
Places = NDArray[np.int64]


@dataclass(frozen=True)
class Found:
    """What a search found.

    Attributes
    ----------
    places, onsets, ratios
        Of the accepted photosites: (row, column), number of images before the onset, log-ratio.
    threshold
        Of the ratio.
    tried, candidates
        Photosites that were searched, and those that the full likelihood was computed for.
    """

    places: Places
    onsets: NDArray[np.int64]
    ratios: Floats
    threshold: Threshold
    tried: int
    candidates: int


@dataclass(frozen=True)
class FittedLikelihood:
    """What a fit keeps.

    Attributes
    ----------
    timeline
        Order and times of the trusted images.
    numbers
        Number of each one's timeslot, in that order.
    noise
        Of photosites without defect.
    controls
        Photosites without known defect that are looked at in every image.
    pixels
        Photosites that tell age.
    scene_scales
        By scene, by how much each pixel scatters more in it.
    onsets, ratios
        Likeliest onset of each pixel, and its log-ratio.
    is_known
        Whether the ledger has it.
    found
        By the search.
    """

    timeline: Timeline
    numbers: NDArray[np.int64]
    noise: NoiseModel
    controls: Places
    pixels: AgeingPixels
    scene_scales: dict[str, Floats]
    onsets: NDArray[np.int64]
    ratios: Floats
    is_known: NDArray[np.bool_]
    found: Found

    def settings(self) -> dict[str, Any]:
        """Return single numbers and names, as JSON."""
        return {
            "noise": dict(self.noise.__dict__),
            "threshold": dict(self.found.threshold.__dict__),
            "tried": self.found.tried,
            "candidates": self.found.candidates,
            "scenes": list(self.scene_scales),
        }

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return arrays by name."""
        pixels, posterior = self.pixels, self.pixels.with_defect
        arrays: dict[str, NDArray[Any]] = {
            "order": self.timeline.order,
            "positions": self.timeline.positions,
            "separable": self.timeline.separable,
            "numbers": self.numbers,
            "controls": self.controls,
            "places": pixels.places,
            "log_onsets": pixels.log_onsets,
            "mean": posterior.mean,
            "covariance": posterior.covariance,
            "samples": posterior.samples,
            "variance": posterior.variance,
            "samples_before": pixels.samples_before,
            "variance_before": pixels.variance_before,
            "onsets": self.onsets,
            "ratios": self.ratios,
            "is_known": self.is_known,
            "found_places": self.found.places,
            "found_onsets": self.found.onsets,
            "found_ratios": self.found.ratios,
        }
        if self.timeline.times is not None:
            arrays["times"] = self.timeline.times
        if self.scene_scales:
            arrays["scene_scales"] = np.stack(list(self.scene_scales.values()))
        return arrays

    @classmethod
    def of(cls, settings: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Return the fit of what `settings` and `arrays` gave."""
        posterior = Posterior(
            arrays["mean"], arrays["covariance"], arrays["samples"], arrays["variance"]
        )
        return cls(
            Timeline(
                arrays["order"], arrays["positions"], arrays["separable"], arrays.get("times")
            ),
            arrays["numbers"],
            NoiseModel(**settings["noise"]),
            arrays["controls"],
            AgeingPixels(
                arrays["places"],
                arrays["log_onsets"],
                posterior,
                arrays["samples_before"],
                arrays["variance_before"],
            ),
            {
                name: arrays["scene_scales"][number]
                for number, name in enumerate(settings["scenes"])
            },
            arrays["onsets"],
            arrays["ratios"],
            arrays["is_known"],
            Found(
                arrays["found_places"],
                arrays["found_onsets"],
                arrays["found_ratios"],
                Threshold(**settings["threshold"]),
                settings["tried"],
                settings["candidates"],
            ),
        )
