"""When a photosite's onset is believed: the likelihood ratio and its threshold; pure.

The ratio compares the best onset within the images with the better of two stories without age: the
photosite is a defect in none of them, or in all of them. Its threshold is calibrated on photosites
drawn at random, almost all of which are no defects: the upper tail of their ratios is exponential
for normal noise (half a chi-squared variable), and close to it for real one. Its scale is fitted to
the ratios between two quantiles, the few largest of which, maybe true defects, count only as
larger; it is then continued to the rate that gives the allowed false alarms over all photosites
that are tried. Trying 10^7 photosites directly, as large sensors need, would take as many controls.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.estimators.onset_likelihood import SplitSums

Floats = NDArray[np.float64]

LEAST_SAMPLES = 5
"""On either side of an onset; fewer would let single outliers pass for a defect."""

_TAIL_FROM = 0.8
_TAIL_UNTIL = 0.975
_LEAST_CONTROLS = 50
_NORMAL_SCALE = 1.0
"""Of the tail for normal noise."""


@dataclass(frozen=True)
class Threshold:
    """A likelihood ratio that defect-free photosites rarely reach.

    Attributes
    ----------
    log_ratio
        The threshold, natural logarithm.
    tail_from, tail_scale
        Where the tail begins, and its exponential scale.
    controls
        Photosites that it was calibrated on.
    false_alarm_rate
        Of one photosite.
    """

    log_ratio: float
    tail_from: float
    tail_scale: float
    controls: int
    false_alarm_rate: float


def best_onsets(
    log_likelihood: Floats, sums: SplitSums, separable: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], Floats]:
    """Return each photosite's likeliest onset within the images, and its log-likelihood ratio.

    Parameters
    ----------
    log_likelihood
        Of each onset, shape (images + 1, pixels).
    sums
        They came from.
    separable
        Onsets to choose among, shape (images + 1,).

    Returns
    -------
    onsets, ratios
        Shape (pixels,); the ratio is -inf where too few samples leave no onset to choose.
    """
    allowed = separable[:, None] & (sums.before >= LEAST_SAMPLES) & (sums.after >= LEAST_SAMPLES)
    within = np.where(allowed, log_likelihood, -np.inf)
    onsets = within.argmax(axis=0)
    best = np.take_along_axis(within, onsets[None], axis=0)[0]
    return onsets.astype(np.int64), best - np.maximum(log_likelihood[0], log_likelihood[-1])


def calibrate(ratios: Floats, false_alarm_rate: float) -> Threshold:
    """Return the threshold that a defect-free photosite passes with a small probability.

    Parameters
    ----------
    ratios
        Log-likelihood ratios of photosites drawn at random, shape (controls,).
    false_alarm_rate
        Such as 0.1 / 10^7.
    """
    known = np.sort(ratios[np.isfinite(ratios)])
    if len(known) < _LEAST_CONTROLS:
        # too few to tell their tail: the one of normal noise, from 0
        log_ratio = -_NORMAL_SCALE * np.log(false_alarm_rate)
        return Threshold(float(log_ratio), 0.0, _NORMAL_SCALE, len(known), false_alarm_rate)
    begin, end = (float(np.quantile(known, share)) for share in (_TAIL_FROM, _TAIL_UNTIL))
    tail = known[known > begin]
    inner = tail[tail <= end]
    excess = np.minimum(tail, end) - begin  # the largest are known only to be larger
    scale = max(float(excess.sum()) / max(len(inner), 1), _NORMAL_SCALE)
    reached = begin + scale * float(np.log(len(tail) / len(known) / false_alarm_rate))
    return Threshold(max(reached, 0.0), begin, scale, len(known), false_alarm_rate)
