"""Whether two sets of dark frames come from one sensor: fixed pattern and hot pixels; pure.

Without light there is no photo-response. What tells bodies apart in the dark is the offset of
every photosite and where the hot ones are. The statistics are standard; their use here is
reconstructed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from training.defects.backgrounds import robust_spread, without_background
from training.defects.diagnostics import period_of
from training.defects.errors import DefectError

Verdict = Literal["same-body", "another-body", "cannot-tell"]

SAME_P = 1e-6
"""Agreement less probable than this by chance identifies a body."""
FEWEST_HOT_PIXELS = 10
"""So many hot pixels have to be missing before a body is another one."""

_CLIP_SIGMAS = 3.0
_RECURRING_SHARE = 0.5  # of a body's hot pixels are there again, short of mapping


@dataclass(frozen=True)
class HotPixelOverlap:
    """How many hot pixels two sets share.

    Attributes
    ----------
    first, second
        Hot pixels of each.
    common
        Those of both.
    expected
        How many places would coincide by chance.
    p
        Probability of as many by chance (hypergeometric).
    """

    first: int
    second: int
    common: int
    expected: float
    p: float


@dataclass(frozen=True)
class PatternCorrelation:
    """How alike two fixed patterns are.

    Attributes
    ----------
    correlation
        Of the photosites' offsets from their neighbourhood, hot ones clipped.
    photosites
        How many were compared.
    p
        Probability of as much by chance.
    """

    correlation: float
    photosites: int
    p: float


@dataclass(frozen=True)
class DarkPattern:
    """Whether two sets of dark frames come from one body.

    Attributes
    ----------
    verdict
        ``same-body``, ``another-body`` or ``cannot-tell``.
    overlap
        Of the hot pixels.
    correlation
        Of the fixed patterns; None where no frames were compared.
    reason
        Why it cannot be told; None otherwise.
    """

    verdict: Verdict
    overlap: HotPixelOverlap
    correlation: PatternCorrelation | None
    reason: str | None


def hot_pixel_overlap(first: ArrayLike, second: ArrayLike, photosites: int) -> HotPixelOverlap:
    """Compare the places of hot pixels, such as those of two extractions.

    If n1 and n2 places were drawn at random from N, the number in common would follow the
    hypergeometric distribution of mean ``n1 n2 / N``.

    Parameters
    ----------
    first, second
        Places, ``row * columns + column``, integers of shape (hot pixels,).
    photosites
        N, all photosites of the sensor.

    Raises
    ------
    DefectError
        If a place lies outside the sensor.
    """
    one, other = (np.unique(np.asarray(places, np.int64)) for places in (first, second))
    for places in (one, other):
        if len(places) and not 0 <= places[0] <= places[-1] < photosites:
            raise DefectError(f"a hot pixel lies outside a sensor of {photosites} photosites")
    common = len(np.intersect1d(one, other, assume_unique=True))
    return HotPixelOverlap(
        first=len(one),
        second=len(other),
        common=common,
        expected=len(one) * len(other) / photosites,
        p=float(stats.hypergeom.sf(common - 1, photosites, len(one), len(other))),
    )


def pattern_correlation(
    first: NDArray[np.floating], second: NDArray[np.floating], cfa: str
) -> PatternCorrelation:
    """Correlate the fixed patterns of two mean dark frames.

    Each plane is freed of the medians of its rows and columns and of its 5 x 5 neighbourhood, and
    clipped at three robust standard deviations, so that hot pixels count no more than others and
    the test is independent of theirs. Without a common pattern, Fisher's ``atanh(r) sqrt(N - 3)``
    is standard normal.

    Parameters
    ----------
    first, second
        Means of dark frames of like settings, float of shape (rows, columns).
    cfa
        As in `DarkFrame`.

    Raises
    ------
    DefectError
        If the sizes differ.
    """
    if first.shape != second.shape:
        raise DefectError(f"dark frames of the sizes {first.shape} and {second.shape} differ")
    period = period_of(cfa)
    products, squares, photosites = 0.0, np.zeros(2), 0
    for row in range(period):
        for column in range(period):
            place = (slice(row, None, period), slice(column, None, period))
            one, other = _pattern(first[place]), _pattern(second[place])
            products += float(np.vdot(one, other))
            squares += [float(np.vdot(one, one)), float(np.vdot(other, other))]
            photosites += one.size
    correlation = products / float(np.sqrt(squares.prod())) if squares.all() else 0.0
    bounded = float(np.clip(correlation, -1 + 1e-15, 1 - 1e-15))
    z = float(np.arctanh(bounded)) * np.sqrt(max(photosites - 3, 0))
    return PatternCorrelation(correlation, photosites, float(stats.norm.sf(z)))


def same_dark_pattern(
    overlap: HotPixelOverlap, correlation: PatternCorrelation | None = None
) -> DarkPattern:
    """Tell whether two sets of dark frames come from one body.

    The same body if hot pixels coincide or fixed patterns agree with less than `SAME_P` by chance.
    Another one if so few of the hot pixels of the set with fewer recur that half of them recurring
    is less probable than `SAME_P`, and the fixed patterns do not agree. Mapping hot pixels out
    looks the same where no fixed pattern can be compared, so then it cannot be told.

    Parameters
    ----------
    overlap
        From `hot_pixel_overlap`.
    correlation
        From `pattern_correlation`, where mean frames are at hand.
    """
    verdict: Verdict = "cannot-tell"
    reason: str | None = None
    fewer = min(overlap.first, overlap.second)
    missing = fewer >= FEWEST_HOT_PIXELS and (
        float(stats.binom.cdf(overlap.common, fewer, _RECURRING_SHARE)) < SAME_P
    )
    if overlap.p < SAME_P or (correlation is not None and correlation.p < SAME_P):
        verdict = "same-body"
    elif missing and correlation is not None:
        verdict = "another-body"
    elif missing:
        reason = "its hot pixels are gone: another body, or were they mapped out?"
    else:
        reason = f"{fewer} hot pixels are too few to tell"
    return DarkPattern(verdict, overlap, correlation, reason)


def _pattern(plane: NDArray[np.floating]) -> NDArray[np.float64]:
    values = without_background(np.array(plane, np.float32))
    limit = _CLIP_SIGMAS * robust_spread(values)
    clipped = np.clip(values, -limit, limit).astype(np.float64)
    return clipped - clipped.mean()
