"""Age by maximum likelihood over the onsets of defects (Fridrich and Goljan 2011).

Reconstructed: the publication says that defects' parameters, onsets included, are estimated from
time-ordered images of the camera and the defects then detected in the questioned image, both by
maximum likelihood; the equations here are ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from training.estimators.acceptance import calibrate
from training.estimators.date_estimate import DateEstimate, iso
from training.estimators.dating import (
    AgeingPixels,
    ageing_pixels,
    central_interval,
    is_excluded,
    timeslot_log_likelihood,
)
from training.estimators.errors import EstimatorError
from training.estimators.fitted_likelihood import FittedLikelihood, Found
from training.estimators.image_answers import (
    ImageAnswer,
    between_onsets,
    evidence_of,
    image_answers,
)
from training.estimators.images import Images
from training.estimators.known_defects import KnownDefect, onset_limits, places_of
from training.estimators.measured_noise import measure_noise
from training.estimators.noise_model import NoiseModel
from training.estimators.onset_likelihood import (
    integrated_log_likelihood,
    posterior_of,
)
from training.estimators.photosite_series import NOTHING_KNOWN, PhotositeSeries
from training.estimators.places import beyond_reach, displaced, strongest, without
from training.estimators.protocol import (
    ProbabilisticEstimator,
    Probabilities,
    Timeslots,
    require_confidence,
    require_same_sensor,
)
from training.estimators.screening import conspicuous_photosites
from training.estimators.state import EstimatorState
from training.estimators.timeline import Timeline, log_prior_of_onsets, timeline_of
from training.patches.inputs import CachedFrame

Floats = NDArray[np.float64]
Places = NDArray[np.int64]

_CONTROLS_OF_AN_IMAGE = 512
_LEAST_EVIDENCE = float(np.log(3.0))
"""Of the likeliest timeslot against the unlikeliest; less is barely worth mentioning (Jeffreys)."""

_MOSAIC_REACH, _LUMA_REACH = 2, 3
"""How far a defect may reach: into medians of its neighbours, or through demosaicing."""


class MaximumLikelihood(ProbabilisticEstimator):
    """Dates images by the onsets of defects, found in the trusted images or in a ledger.

    Parameters
    ----------
    known
        Defects of the camera's ledger in the frames' coordinates. Those that were there from the
        beginning tell no age and are left out; for the others the ledger's interval bounds the
        onset (where images have times), and D and c are where their estimates start from.
    searches
        Whether the whole visible area is searched for more.
    false_alarms
        Expected number of photosites without defect that the search accepts on a whole sensor.
    most_candidates
        Photosites at most that the full likelihood is computed for.
    memory_bytes
        What one step of the search may take, about.
    seed
        Of the control photosites' places.

    Raises
    ------
    EstimatorError
        When there is nothing to use (no search and no ledger), a photosite is given twice, or a
        parameter is impossible.
    """

    name: ClassVar[str] = "maximum-likelihood"

    def __init__(
        self,
        known: Sequence[KnownDefect] = (),
        *,
        searches: bool = True,
        false_alarms: float = 0.1,
        most_candidates: int = 20_000,
        memory_bytes: int = 256 * 2**20,
        seed: int = 0,
    ) -> None:
        if not searches and not known:
            raise EstimatorError("no ledger and no search: give known defects, or let it search")
        if false_alarms <= 0 or most_candidates < 1 or memory_bytes < 1:
            raise EstimatorError(
                f"false_alarms {false_alarms}, most_candidates {most_candidates}, memory_bytes"
                f" {memory_bytes}: all must be above 0"
            )
        places = places_of(known)
        if len(np.unique(places, axis=0)) < len(places):
            raise EstimatorError("some known defects are at the same photosite: give each once")
        self.known = tuple(known)
        self.searches = searches
        self.false_alarms = false_alarms
        self.most_candidates = most_candidates
        self.memory_bytes = memory_bytes
        self.seed = seed
        self._fitted: FittedLikelihood | None = None

    @property
    def places_(self) -> Places:
        """(row, column) of the photosites that it dates by, int64 of shape (pixels, 2)."""
        return self._kept().pixels.places

    @property
    def onsets_(self) -> NDArray[np.int64]:
        """For each of them how many trusted images were taken before its likeliest onset."""
        return self._kept().onsets

    def facts(self) -> dict[str, Any]:
        """Return what the fit rests on: photosites with onset and parameters, and thresholds."""
        kept = self._kept()
        means = kept.pixels.with_defect.mean
        defects = []
        for place, onset in enumerate(kept.onsets.tolist()):
            after, before = kept.timeline.around(onset)
            response, rate, offset = means[onset, place].tolist()
            defects.append(
                {
                    "row": int(kept.pixels.places[place, 0]),
                    "column": int(kept.pixels.places[place, 1]),
                    "images_before": onset,
                    "onset_after": iso(after),
                    "onset_before": iso(before),
                    "response": response,
                    "dark_rate_dn_per_factor": rate,
                    "offset_dn": offset,
                    "log_ratio": _finite(kept.ratios[place]),
                    "from_ledger": bool(kept.is_known[place]),
                }
            )
        return {
            "estimator": self.name,
            "camera": self._camera,
            "timeslots": self.timeslots_.tolist(),
            "images": len(kept.timeline.order),
            "photosites_searched": kept.found.tried,
            "candidates": kept.found.candidates,
            "threshold": dict(kept.found.threshold.__dict__),
            "noise": dict(kept.noise.__dict__),
            "defects": defects,
        }

    def date(
        self, images: Images, confidence: float = 0.95, *, at_neighbours: bool = False
    ) -> list[DateEstimate]:
        """Return when each image was taken; needs trusted images with times.

        Parameters
        ----------
        images
            Questioned ones; their times, if any, are not looked at.
        confidence
            Of the intervals.
        at_neighbours
            Whether sound photosites beside the defects are asked as if they were the defects: a
            control, which should find none.

        Raises
        ------
        NotFittedError
            Before `fit`.
        EstimatorError
            When the trusted images have no times, or as `predict_interval`.
        """
        kept = self._kept()
        require_confidence(confidence)
        if kept.timeline.times is None:
            raise EstimatorError("fitted to images without times: dates need trusted times")
        if not len(images):
            return []
        require_same_sensor(images, self._camera, self._size)
        pixels = kept.pixels
        if at_neighbours:
            # known defects that tell no age are no sound neighbours either
            every = np.unique(np.concatenate([pixels.places, places_of(self.known)]), axis=0)
            frame = images.frames[0]
            places = displaced(pixels.places, every, frame.visible, reach_of(frame))
            pixels = replace(pixels, places=places)
        return [
            self._dated(kept, pixels, one, confidence)
            for one in image_answers(images, pixels, kept.scene_scales, kept.noise, kept.controls)
        ]

    def to_state(self) -> EstimatorState:
        """Return what the fit keeps, to be stored; raises NotFittedError before `fit`."""
        kept = self._kept()
        settings = {
            "known": [one.to_json() for one in self.known],
            "searches": self.searches,
            "false_alarms": self.false_alarms,
            "most_candidates": self.most_candidates,
            "memory_bytes": self.memory_bytes,
            "seed": self.seed,
            "camera": self._camera,
            "size": list(self._size),
            **kept.settings(),
        }
        return EstimatorState(self.name, settings, {"timeslots": self.timeslots_, **kept.arrays()})

    @classmethod
    def from_state(cls, state: EstimatorState) -> Self:
        """Return the fitted estimator of a state."""
        given = state.settings
        made = cls(
            [KnownDefect.from_json(one) for one in given["known"]],
            searches=given["searches"],
            false_alarms=given["false_alarms"],
            most_candidates=given["most_candidates"],
            memory_bytes=given["memory_bytes"],
            seed=given["seed"],
        )
        made._fitted = FittedLikelihood.of(given, state.arrays)
        made._camera, made._size = given["camera"], (given["size"][0], given["size"][1])
        made._timeslots = state.arrays["timeslots"]
        return made

    def _fit(self, images: Images, timeslots: Timeslots, numbers: NDArray[np.int64]) -> None:
        timeline = timeline_of(images, timeslots[numbers])
        ordered = images.subset(timeline.order)
        measured_noise = measure_noise(ordered, places_of(self.known), self.seed)
        controls, noise, scales = (
            measured_noise.controls,
            measured_noise.model,
            measured_noise.scales,
        )
        deviations = noise.deviation(measured_noise.light)
        typical = float(np.median(deviations[~np.isnan(deviations)]))
        series = PhotositeSeries(ordered, scales, noise, typical, timeline, self.memory_bytes)
        found = self._search(series, ordered, scales, noise, timeline, controls)
        useful = [one for one in self.known if not one.pre_existing]
        defects = [*useful, *([NOTHING_KNOWN] * len(found.places))]
        places = np.concatenate([places_of(useful), found.places])
        measured, prior = series.read(places), series.prior(defects)
        sums = measured.sums
        log_onsets = integrated_log_likelihood(sums, prior) + log_prior_of_onsets(
            timeline, *onset_limits(defects)
        )
        log_onsets -= np.logaddexp.reduce(log_onsets, axis=0)
        known_onsets = log_onsets[:, : len(useful)].argmax(axis=0).astype(np.int64)
        known_ratios = series.ratios(places_of(useful))[1]
        self._fitted = FittedLikelihood(
            timeline,
            numbers[timeline.order],
            noise,
            without(controls, places)[:_CONTROLS_OF_AN_IMAGE],
            ageing_pixels(places, log_onsets, posterior_of(sums, prior), sums),
            dict(zip(series.groups.names.tolist(), measured.scene_scales, strict=True)),
            np.concatenate([known_onsets, found.onsets]),
            np.concatenate([known_ratios, found.ratios]),
            np.arange(len(places)) < len(useful),
            found,
        )

    def _search(
        self,
        series: PhotositeSeries,
        ordered: Images,
        scales: Floats,
        noise: NoiseModel,
        timeline: Timeline,
        controls: Places,
    ) -> Found:
        """Find photosites that went bad; none where only the ledger's are asked for."""
        places, tried = np.empty((0, 2), np.int64), 0
        reach = reach_of(ordered.frames[0])
        if self.searches:
            places, tried = conspicuous_photosites(
                ordered,
                scales,
                timeline.separable,
                noise,
                most=self.most_candidates,
                memory_bytes=self.memory_bytes,
            )
            places = beyond_reach(places, places_of(self.known), reach)
        rate = self.false_alarms / max(tried, len(controls))
        threshold = calibrate(series.ratios(controls)[1], min(rate, 0.5))
        onsets, ratios = series.ratios(places)
        accepted = np.flatnonzero(ratios > threshold.log_ratio)
        accepted = accepted[~series.hangs_on_one_scene(places[accepted], ratios[accepted])]
        accepted = accepted[strongest(places[accepted], ratios[accepted], reach)]
        return Found(
            places[accepted], onsets[accepted], ratios[accepted], threshold, tried, len(places)
        )

    def _judge(self, images: Images) -> tuple[Probabilities, NDArray[np.bool_]]:
        kept = self._kept()
        classes = len(self.timeslots_)
        logs = np.stack(
            [
                timeslot_log_likelihood(one.curve, kept.numbers, classes)
                for one in image_answers(
                    images, kept.pixels, kept.scene_scales, kept.noise, kept.controls
                )
            ]
        )
        odds = np.exp(logs - logs.max(axis=1, keepdims=True))
        abstained = np.ptp(logs, axis=1) < _LEAST_EVIDENCE
        return odds / odds.sum(axis=1, keepdims=True), abstained

    def _dated(
        self, kept: FittedLikelihood, pixels: AgeingPixels, answer: ImageAnswer, confidence: float
    ) -> DateEstimate:
        times, curve = kept.timeline.times, answer.curve
        assert times is not None
        by_class = timeslot_log_likelihood(curve, kept.numbers, len(self.timeslots_))
        abstained = bool(np.ptp(by_class) < _LEAST_EVIDENCE)
        low: np.datetime64 | None = None
        high: np.datetime64 | None = None
        most_likely: tuple[np.datetime64 | None, np.datetime64 | None] = (None, None)
        if not abstained:
            begin, end = central_interval(curve, kept.timeline.positions, confidence)
            low = kept.timeline.time_of(begin) if is_excluded(curve, 0, confidence) else None
            high = kept.timeline.time_of(end) if is_excluded(curve, -1, confidence) else None
            most_likely = between_onsets(kept.timeline, kept.onsets, int(curve.argmax()))
        return DateEstimate(
            low,
            high,
            confidence,
            most_likely,
            abstained,
            times,
            curve - curve.max(),
            evidence_of(answer, pixels, kept.onsets, kept.timeline),
            answer.controls,
        )

    def _kept(self) -> FittedLikelihood:
        _ = self.timeslots_  # raises before a fit, and after one that failed
        assert self._fitted is not None
        return self._fitted


def reach_of(frame: CachedFrame) -> int:
    """Return how far a defect reaches into its neighbours' residuals, in photosites."""
    return _MOSAIC_REACH if frame.pixels.dtype == np.uint16 else _LUMA_REACH


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
