"""The series of photosites over the trusted images, and how likely each onset makes them.

In parts that fit into memory; nothing here knows a timeslot or a questioned image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.estimators.acceptance import best_onsets
from training.estimators.images import Images
from training.estimators.known_defects import KnownDefect
from training.estimators.noise_model import NoiseModel
from training.estimators.onset_likelihood import (
    BetaPrior,
    SplitSums,
    best_beta,
    profile_log_likelihood,
    split_sums,
)
from training.estimators.residuals import residuals_at
from training.estimators.scene_scales import of_images, scene_groups, scene_scales
from training.estimators.timeline import Timeline

Floats = NDArray[np.float64]
Places = NDArray[np.int64]

NOTHING_KNOWN = KnownDefect(0, 0)
"""Of a photosite's onset and amplitude; its place counts for nothing."""

_RESPONSE_SPREAD = 0.5
_AMPLITUDE_SPREAD = 20.0
"""Prior standard deviation of a defect's signal, in units of the noise: hardly any limit."""

_LEDGER_SPREAD = 0.5
"""Of what a ledger says of D and c, relative: scenes are warmer or colder than dark fields."""

_BYTES_OF_SAMPLE = 400
"""Of one photosite in one image: covariates, their products, sums of both sides."""


_REWEIGHTINGS = 2
_SHARE_KEPT = 0.6
"""Of the ratio that is left on average without a scene. In five simulated scenes with edges that
moved, defects kept at least 0.8 of it and edges at most 0.5."""


@dataclass(frozen=True)
class MeasuredSeries:
    """What some photosites show over the images.

    Attributes
    ----------
    sums
        For the likelihood of every onset.
    scene_scales
        By how much each scatters more in each scene than in most, shape (scenes, pixels).
    """

    sums: SplitSums
    scene_scales: Floats


class PhotositeSeries:
    """Reads photosites in all trusted images.

    Parameters
    ----------
    images
        In the order of time.
    scales
        By how much each scatters more than the model, shape (images,).
    noise
        Of photosites without defect.
    typical_noise_dn
        The noise's standard deviation in the middle of all samples.
    timeline
        Of the images.
    memory_bytes
        What one part may take, about.
    """

    def __init__(
        self,
        images: Images,
        scales: Floats,
        noise: NoiseModel,
        typical_noise_dn: float,
        timeline: Timeline,
        memory_bytes: int,
    ) -> None:
        self._images, self._scales, self._noise = images, scales, noise
        self.groups = scene_groups(images.scenes)
        self._typical, self._timeline = typical_noise_dn, timeline
        self._at_once = max(int(memory_bytes // (_BYTES_OF_SAMPLE * len(images))), 1)

    def read(self, places: Places) -> MeasuredSeries:
        """Return the sums of every onset of some photosites, and their scales in each scene.

        First every sample counts by its expected noise; then those of scenes in which a photosite
        departs from its likeliest onset and amplitude count for less.
        """
        return self._weighted(*residuals_at(self._images, places))

    def hangs_on_one_scene(self, places: Places, ratios: Floats) -> NDArray[np.bool_]:
        """Tell which photosites lose their likelihood ratio without one of the scenes.

        A defect is in all scenes, of which each adds its share to the ratio; an edge that moved is
        in one. What only one scene shows cannot be told from an edge of it.
        """
        scenes = len(self.groups.names)
        if not scenes or not len(places):
            return np.zeros(len(places), np.bool_)
        residuals, light = residuals_at(self._images, places)
        least = np.full(len(places), np.inf)
        for scene in range(scenes):
            without = np.where((self.groups.numbers == scene)[:, None], np.nan, residuals)
            left = self._ratios(self._weighted(without.astype(np.float32), light).sums)[1]
            least = np.minimum(least, left)
        return least < _SHARE_KEPT * (1 - 1 / scenes) * ratios

    def _weighted(
        self, residuals: NDArray[np.float32], light: NDArray[np.float32]
    ) -> MeasuredSeries:
        values, lights = residuals.astype(np.float64), light.astype(np.float64)
        factors = self._images.exposure_factors
        noise = self._noise.deviation(light) * self._scales[:, None]
        sums = split_sums(values, lights, factors, noise)
        pixels = values.shape[1]
        scales = np.ones((len(self.groups.names), pixels))
        if len(scales) and pixels:
            prior = self.prior([NOTHING_KNOWN] * pixels)
            for _ in range(_REWEIGHTINGS):
                onsets, _ = self._ratios(sums)
                beta = best_beta(sums, prior, onsets)
                explained = lights * beta[:, 0] + factors[:, None] * beta[:, 1] + beta[:, 2]
                begun = np.arange(len(values))[:, None] >= onsets
                scales = scene_scales((values - begun * explained) / noise, self.groups)
                sums = split_sums(values, lights, factors, noise * of_images(scales, self.groups))
        return MeasuredSeries(sums, scales)

    def _ratios(self, sums: SplitSums) -> tuple[NDArray[np.int64], Floats]:
        prior = self.prior([NOTHING_KNOWN] * sums.before.shape[1])
        return best_onsets(profile_log_likelihood(sums, prior), sums, self._timeline.separable)

    def prior(self, defects: Sequence[KnownDefect]) -> BetaPrior:
        """Return what is known of each defect's amplitude beforehand."""
        factor = float(np.median(self._images.exposure_factors))
        loose = _AMPLITUDE_SPREAD * self._typical
        mean, spread = np.zeros((len(defects), 3)), np.empty((len(defects), 3))
        spread[:] = _RESPONSE_SPREAD, loose / factor, loose
        for place, one in enumerate(defects):
            for term, value, unit in (
                (1, one.dark_rate_dn_per_s, self._typical / factor),
                (2, one.offset_dn, self._typical),
            ):
                if value is not None:
                    mean[place, term] = value
                    spread[place, term] = np.hypot(_LEDGER_SPREAD * value, unit)
        return BetaPrior(mean, spread)

    def ratios(self, places: Places) -> tuple[NDArray[np.int64], Floats]:
        """Return the likeliest onset of each photosite and its log-likelihood ratio."""
        onsets, ratios = [np.empty(0, np.int64)], [np.empty(0)]
        for start in range(0, len(places), self._at_once):
            part = places[start : start + self._at_once]
            onset, ratio = self._ratios(self.read(part).sums)
            onsets.append(onset)
            ratios.append(ratio)
        return np.concatenate(onsets), np.concatenate(ratios)
