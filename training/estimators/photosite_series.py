"""The series of photosites over the trusted images, and how likely each onset makes them.

In parts that fit into memory; nothing here knows a timeslot or a questioned image.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from training.estimators.acceptance import best_onsets
from training.estimators.images import Images
from training.estimators.known_defects import KnownDefect
from training.estimators.noise_model import NoiseModel
from training.estimators.onset_likelihood import (
    BetaPrior,
    SplitSums,
    profile_log_likelihood,
    split_sums,
)
from training.estimators.residuals import residuals_at
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
        self._typical, self._timeline = typical_noise_dn, timeline
        self._at_once = max(int(memory_bytes // (_BYTES_OF_SAMPLE * len(images))), 1)

    def sums(self, places: Places) -> SplitSums:
        """Return the sums of every onset of some photosites."""
        residuals, light = residuals_at(self._images, places)
        return split_sums(
            residuals.astype(np.float64),
            light.astype(np.float64),
            self._images.exposure_factors,
            self._noise.deviation(light) * self._scales[:, None],
        )

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
            sums = self.sums(part)
            likelihood = profile_log_likelihood(sums, self.prior([NOTHING_KNOWN] * len(part)))
            onset, ratio = best_onsets(likelihood, sums, self._timeline.separable)
            onsets.append(onset)
            ratios.append(ratio)
        return np.concatenate(onsets), np.concatenate(ratios)
