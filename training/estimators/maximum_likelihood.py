"""Age by maximum likelihood over the onsets of defects (Fridrich and Goljan 2011).

Reconstructed: the publication says that defects' parameters, onsets included, are estimated from
time-ordered images of the camera and the defects then detected in the questioned image, both by
maximum likelihood; the equations here are ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from training.estimators.acceptance import Threshold, calibrate
from training.estimators.date_estimate import Controls, DateEstimate, PixelEvidence, iso
from training.estimators.dating import (
    AgeingPixels,
    PixelAnswers,
    ageing_pixels,
    central_interval,
    is_excluded,
    pixel_answers,
    timeslot_log_likelihood,
)
from training.estimators.errors import EstimatorError
from training.estimators.images import Images
from training.estimators.known_defects import KnownDefect, onset_limits, places_of
from training.estimators.noise_model import NoiseModel, fit_noise, image_scales
from training.estimators.onset_likelihood import (
    integrated_log_likelihood,
    posterior_of,
)
from training.estimators.photosite_series import NOTHING_KNOWN, PhotositeSeries
from training.estimators.places import strongest, without
from training.estimators.protocol import (
    ProbabilisticEstimator,
    Probabilities,
    Timeslots,
    require_confidence,
    require_same_sensor,
)
from training.estimators.residuals import residuals_at
from training.estimators.screening import conspicuous_photosites
from training.estimators.timeline import Timeline, log_prior_of_onsets, timeline_of

Floats = NDArray[np.float64]
Places = NDArray[np.int64]

_MOST_CONTROLS = 4096
_CONTROLS_OF_AN_IMAGE = 512
_LEAST_EVIDENCE = float(np.log(3.0))


@dataclass(frozen=True)
class _Fit:
    """What a fit keeps."""

    timeline: Timeline
    numbers: NDArray[np.int64]
    noise: NoiseModel
    controls: Places
    pixels: AgeingPixels
    onsets: NDArray[np.int64]
    ratios: Floats
    is_known: NDArray[np.bool_]
    threshold: Threshold
    tried: int
    candidates: int


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
        When there is nothing to use (no search and no ledger), or a parameter is impossible.
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
        self.known = tuple(known)
        self.searches = searches
        self.false_alarms = false_alarms
        self.most_candidates = most_candidates
        self.memory_bytes = memory_bytes
        self.seed = seed
        self._fitted: _Fit | None = None

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
            after, before = _around(kept.timeline, onset)
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
            "photosites_searched": kept.tried,
            "candidates": kept.candidates,
            "threshold": dict(kept.threshold.__dict__),
            "noise": dict(kept.noise.__dict__),
            "defects": defects,
        }

    def date(self, images: Images, confidence: float = 0.95) -> list[DateEstimate]:
        """Return when each image was taken; needs trusted images with times.

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
        return [
            self._dated(kept, *one, confidence)
            for one in zip(*self._answers(kept, images), strict=True)
        ]

    def _fit(self, images: Images, timeslots: Timeslots, numbers: NDArray[np.int64]) -> None:
        timeline = timeline_of(images, timeslots[numbers])
        ordered = images.subset(timeline.order)
        controls = self._drawn_controls(images)
        residuals, light = residuals_at(ordered, controls)
        noise = fit_noise(residuals, light)
        scales = image_scales(residuals, light, noise)
        typical = float(np.median(noise.deviation(light)[~np.isnan(light)]))
        series = PhotositeSeries(ordered, scales, noise, typical, timeline, self.memory_bytes)
        useful = [one for one in self.known if not one.pre_existing]
        found, tried = np.empty((0, 2), np.int64), 0
        if self.searches:
            found, tried = conspicuous_photosites(
                ordered,
                scales,
                timeline.separable,
                noise,
                most=self.most_candidates,
                memory_bytes=self.memory_bytes,
            )
            found = without(found, places_of(self.known))
        # those of the ledger are believed; the search tries all photosites of the sensor
        rate = self.false_alarms / max(tried, len(controls))
        threshold = calibrate(series.ratios(controls)[1], min(rate, 0.5))
        onsets, ratios = series.ratios(found)
        accepted = np.flatnonzero(ratios > threshold.log_ratio)
        is_mosaic = images.frames[0].pixels.dtype == np.uint16
        accepted = accepted[strongest(found[accepted], ratios[accepted], 2 if is_mosaic else 3)]
        places = np.concatenate([places_of(useful), found[accepted]])
        after, before = onset_limits([*useful, *([NOTHING_KNOWN] * len(accepted))])
        sums = series.sums(places)
        prior = series.prior([*useful, *([NOTHING_KNOWN] * len(accepted))])
        log_onsets = integrated_log_likelihood(sums, prior) + log_prior_of_onsets(
            timeline, after, before
        )
        log_onsets -= np.logaddexp.reduce(log_onsets, axis=0)
        known_onsets = log_onsets[:, : len(useful)].argmax(axis=0).astype(np.int64)
        self._fitted = _Fit(
            timeline,
            numbers[timeline.order],
            noise,
            controls[:_CONTROLS_OF_AN_IMAGE],
            ageing_pixels(places, log_onsets, posterior_of(sums, prior), sums),
            np.concatenate([known_onsets, onsets[accepted]]),
            np.concatenate([series.ratios(places[: len(useful)])[1], ratios[accepted]]),
            np.arange(len(places)) < len(useful),
            threshold,
            tried,
            len(found),
        )

    def _judge(self, images: Images) -> tuple[Probabilities, NDArray[np.bool_]]:
        kept = self._kept()
        classes = len(self.timeslots_)
        _, _, answers, _ = self._answers(kept, images)
        logs = np.stack(
            [
                timeslot_log_likelihood(one.log_likelihood.sum(axis=1), kept.numbers, classes)
                for one in answers
            ]
        )
        odds = np.exp(logs - logs.max(axis=1, keepdims=True))
        abstained = np.ptp(logs, axis=1) < _LEAST_EVIDENCE
        return odds / odds.sum(axis=1, keepdims=True), abstained

    def _answers(
        self, kept: _Fit, images: Images
    ) -> tuple[list[Any], list[Any], list[PixelAnswers], list[Controls]]:
        """Return for each image its samples, the noise in them, its answers and its controls."""
        controls = residuals_at(images, kept.controls)
        scales = image_scales(*controls, kept.noise)
        residuals, light = residuals_at(images, kept.pixels.places)
        samples, noises, answers, judged = [], [], [], []
        for number, scale in enumerate(scales.tolist()):
            filled = np.nan_to_num(light[number], nan=0.0)
            noise = kept.noise.deviation(filled) * scale
            factor = float(images.exposure_factors[number])
            samples.append((residuals[number], filled, factor))
            noises.append(noise)
            answers.append(
                pixel_answers(kept.pixels, residuals[number], light[number], factor, noise)
            )
            relative = controls[0][number] / (kept.noise.deviation(controls[1][number]) * scale)
            usable = relative[~np.isnan(relative)]
            beyond = float((np.abs(usable) > 3).mean()) if len(usable) else 0.0
            judged.append(Controls(len(usable), scale, beyond))
        return samples, noises, answers, judged

    def _dated(
        self,
        kept: _Fit,
        samples: tuple[NDArray[np.float32], NDArray[np.float32], float],
        noise: Floats,
        answers: PixelAnswers,
        controls: Controls,
        confidence: float,
    ) -> DateEstimate:
        times = kept.timeline.times
        assert times is not None
        curve = answers.log_likelihood.sum(axis=1)
        by_class = timeslot_log_likelihood(curve, kept.numbers, len(self.timeslots_))
        abstained = bool(np.ptp(by_class) < _LEAST_EVIDENCE)
        low: np.datetime64 | None = None
        high: np.datetime64 | None = None
        most_likely: tuple[np.datetime64 | None, np.datetime64 | None] = (None, None)
        if not abstained:
            begin, end = central_interval(curve, kept.timeline.positions, confidence)
            low = kept.timeline.time_of(begin) if is_excluded(curve, 0, confidence) else None
            high = kept.timeline.time_of(end) if is_excluded(curve, -1, confidence) else None
            most_likely = _between_onsets(kept.timeline, kept.onsets, int(curve.argmax()))
        evidence = self._evidence(kept, samples, noise, answers)
        return DateEstimate(
            low,
            high,
            confidence,
            most_likely,
            abstained,
            times,
            curve - curve.max(),
            evidence,
            controls,
        )

    def _evidence(
        self,
        kept: _Fit,
        samples: tuple[NDArray[np.float32], NDArray[np.float32], float],
        noise: Floats,
        answers: PixelAnswers,
    ) -> tuple[PixelEvidence, ...]:
        residuals, light, factor = samples
        every = np.arange(len(kept.pixels))
        beta = kept.pixels.with_defect.mean[kept.onsets, every]
        expected = beta[:, 0] * light + beta[:, 1] * factor + beta[:, 2]
        found = []
        for place in np.argsort(-np.abs(answers.log_ratio), kind="stable").tolist():
            after, before = _around(kept.timeline, int(kept.onsets[place]))
            found.append(
                PixelEvidence(
                    int(kept.pixels.places[place, 0]),
                    int(kept.pixels.places[place, 1]),
                    after,
                    before,
                    _finite(residuals[place]),
                    float(expected[place]),
                    float(noise[place]),
                    float(answers.log_ratio[place] / np.log(10)),
                )
            )
        return tuple(found)

    def _drawn_controls(self, images: Images) -> Places:
        """Draw photosites of the visible area, none of them a known defect."""
        top, left, height, width = images.frames[0].visible
        generator = np.random.default_rng(self.seed)
        count = min(_MOST_CONTROLS, height * width)
        drawn = generator.choice(height * width, count, replace=False)
        places = np.stack([top + drawn // width, left + drawn % width], axis=1)
        return without(places.astype(np.int64), places_of(self.known))

    def _kept(self) -> _Fit:
        _ = self.timeslots_  # raises before a fit, and after one that failed
        assert self._fitted is not None
        return self._fitted


def _around(timeline: Timeline, onset: int) -> tuple[np.datetime64 | None, np.datetime64 | None]:
    """Return the times of the images before and from an onset on."""
    if timeline.times is None:
        return None, None
    return (
        timeline.times[onset - 1] if onset > 0 else None,
        timeline.times[onset] if onset < len(timeline.times) else None,
    )


def _between_onsets(
    timeline: Timeline, onsets: NDArray[np.int64], image: int
) -> tuple[np.datetime64 | None, np.datetime64 | None]:
    """Return the neighbouring onsets around the time of an image, each at its early end."""
    earlier, later = onsets[onsets <= image], onsets[onsets > image]
    low = _around(timeline, int(earlier.max()))[0] if len(earlier) else None
    high = _around(timeline, int(later.min()))[1] if len(later) else None
    return low, high


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
