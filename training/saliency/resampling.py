"""Shuffles and intervals that the measures of maps share; pure numpy and scipy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import factorial, prod

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from training.statistics import Interval

CONFIDENCE = 0.95


def shuffled_sets(
    sets: Sequence[Sequence[int]], generator: np.random.Generator
) -> list[NDArray[np.int64]]:
    """Draw who holds what anew: holders of equally many labels exchange them, each in any order.

    How many labels a holder has, and how many holders a label, stays the same.

    Parameters
    ----------
    sets
        Labels of each holder, such as the scenes of a session.
    generator
        Source of randomness.

    Returns
    -------
    list of ndarray
        The new labels of each holder.
    """
    drawn = [np.array(one, np.int64) for one in sets]
    for size in sorted(set(map(len, sets))):
        holders = [number for number, one in enumerate(sets) if len(one) == size]
        for holder, other in zip(holders, generator.permutation(holders), strict=True):
            drawn[holder] = generator.permutation(np.array(sets[other], np.int64))
    return drawn


def smallest_share(sets: Sequence[Sequence[int]]) -> float:
    """Return the largest share of all shuffles of sets that only rename the labels.

    Such shuffles change no measure of agreement, and no p-value can be smaller.
    """
    shuffles = prod(factorial(len(one)) for one in sets)
    for size in set(map(len, sets)):
        group = Counter(tuple(sorted(one)) for one in sets if len(one) == size)
        shuffles *= factorial(group.total()) // prod(map(factorial, group.values()))
    labels = {label for one in sets for label in one}
    return min(1.0, factorial(len(labels)) / shuffles)


def jackknife_interval(
    estimate: float | None, left_out: Sequence[Sequence[float | None]]
) -> Interval | None:
    """Return an interval from the estimates with one unit left out at a time (Tukey 1958).

    Parameters
    ----------
    estimate
        The estimate from everything.
    left_out
        For each kind of unit, such as runs and scenes, the estimates without each of them. The
        variances of the kinds add up, which counts what they share twice: rather too wide.

    Returns
    -------
    Interval or None
        At 95 %, by Student's t with one degree of freedom less than the fewest units; None with
        fewer than three units of a kind, or where an estimate is undefined.
    """
    variance = 0.0
    for values in left_out:
        defined = np.array([value for value in values if value is not None])
        count = len(defined)
        if count < 3 or count < len(values):
            return None
        variance += (count - 1) / count * float(np.sum((defined - defined.mean()) ** 2))
    if estimate is None:
        return None
    freedom = min(map(len, left_out)) - 1
    reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, freedom)) * variance**0.5
    return Interval(estimate - reach, estimate + reach, CONFIDENCE)


def central_interval(values: NDArray[np.float64]) -> Interval:
    """Return the central 95 % of values."""
    low, high = np.quantile(values, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Interval(float(low), float(high), CONFIDENCE)
