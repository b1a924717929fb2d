"""Whether defects lie uniformly over the sensor, by statistics that correct for its edges; pure.

The hypothesis is that every set of so many photosites of the area is equally probable. Pairs of
defects (Ripley's K with translation correction) tell clusters, quadrats and rings tell slow
gradients, and columns and rows are looked at one by one. Except for those, whose tails are exact,
all compare with the same photosites drawn anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import spatial, stats

from training.defects.errors import LedgerError

Floats = NDArray[np.float64]
Places = NDArray[np.int64]
Verdict = Literal["uniform", "not uniform", "inconclusive"]

_SMALLEST_RADIUS = 2.0
_RADII = 24
_NEIGHBOURS = 10.0
_TESTS = 5
_MOST_QUADRATS, _MOST_RINGS = 16, 6
_NEEDED_POWER = 0.8
_SMALLEST_SIDE = 16


@dataclass(frozen=True)
class Area:
    """A rectangle of photosites, such as a sensor without its masked margins.

    Attributes
    ----------
    top, left
        First row and first column.
    height, width
        Rows and columns, at least 16 of each.
    """

    top: int
    left: int
    height: int
    width: int

    def __post_init__(self) -> None:
        """Refuse an area too small to be tested."""
        if min(self.height, self.width) < _SMALLEST_SIDE or min(self.top, self.left) < 0:
            raise LedgerError(
                f"an area of {self.height} x {self.width} photosites from row {self.top}, column"
                f" {self.left}: at least {_SMALLEST_SIDE} each way are needed, from 0 on"
            )

    @property
    def photosites(self) -> int:
        """How many there are."""
        return self.height * self.width


@dataclass(frozen=True)
class Line:
    """A column or a row with more defects than chance allows.

    Attributes
    ----------
    index
        Its number on the sensor.
    count
        Its defects.
    p_value
        Probability that any line of the area has so many, at most (Bonferroni).
    """

    index: int
    count: int
    p_value: float


@dataclass(frozen=True)
class LFunction:
    """Besag's L(r) = sqrt(K(r) / pi), which is r where defects lie at random.

    Attributes
    ----------
    radii
        Distances in photosites.
    observed, mean
        L of the defects and its mean over the draws.
    low, high
        Global envelope: at level alpha the observed L leaves it nowhere if positions are random.
    """

    radii: tuple[float, ...]
    observed: tuple[float, ...]
    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True)
class Uniformity:
    """What the positions of defects say.

    Attributes
    ----------
    count
        Defects within the area.
    outside
        Defects left out, as they lie outside it.
    clark_evans
        Mean distance to the nearest defect over that expected (Donnelly's edge correction): 1 at
        random, less in clusters, more in a lattice. None for fewer than two defects.
    l_function
        With its envelope; None for fewer than two defects.
    l_p, quadrat_p, ring_p
        Monte-Carlo p-values of the L function, of counts in equal quadrats, and of counts in
        equal frames about the middle of the area.
    column_p, row_p
        Bonferroni's bounds for the fullest column and row.
    columns, rows
        Those whose bound is below alpha / 5.
    p_value
        Five times the smallest of the five, at most 1 (Bonferroni).
    smallest_p
        Smallest that so many draws could have given by positions other than lines.
    power
        Probability of noticing, by quadrats alone, that one half of the area has twice the
        defects of the other (noncentral chi-squared, an approximation).
    alpha
        Level.
    verdict
        Not uniform: p below alpha. Uniform: p is not, and the power is at least 0.8. Else
        inconclusive.
    """

    count: int
    outside: int
    clark_evans: float | None
    l_function: LFunction | None
    l_p: float
    quadrat_p: float
    ring_p: float
    column_p: float
    row_p: float
    columns: tuple[Line, ...]
    rows: tuple[Line, ...]
    p_value: float
    smallest_p: float
    power: float
    alpha: float
    verdict: Verdict


def uniformity_of(
    rows: ArrayLike,
    columns: ArrayLike,
    area: Area,
    *,
    seed: int,
    simulations: int = 999,
    alpha: float = 0.05,
) -> Uniformity:
    """Test whether defects lie uniformly over an area.

    Parameters
    ----------
    rows, columns
        Photosites of distinct defects, integers of shape (defects,).
    area
        Where defects can be: without masked margins.
    seed
        Of the Monte-Carlo draws.
    simulations
        How many; p-values are (1 + as extreme ones) / (1 + simulations).
    alpha
        Level.

    Raises
    ------
    LedgerError
        If two defects share a photosite.
    """
    every = np.stack([np.asarray(rows, np.int64), np.asarray(columns, np.int64)], axis=1)
    if len(np.unique(every, axis=0)) != len(every):
        raise LedgerError("two defects share a photosite: give each once")
    places = every - (area.top, area.left)
    inside = ((places >= 0) & (places < (area.height, area.width))).all(axis=1)
    places = places[inside]
    count = len(places)
    column_p, crowded_columns = _crowded(places[:, 1], area.width, area.height, alpha, area.left)
    row_p, crowded_rows = _crowded(places[:, 0], area.height, area.width, alpha, area.top)
    l_p = quadrat_p = ring_p = 1.0
    function = nearest = None
    if count >= 2:
        radii = _radii(count, area)
        generator = np.random.default_rng(seed)
        quadrats, rings = _quadrats_a_side(count), _rings(count)
        l_values = np.empty((1 + simulations, len(radii)))
        spreads = np.empty((1 + simulations, 2))
        for number in range(1 + simulations):
            some = places if number == 0 else _random_places(count, area, generator)
            l_values[number] = np.sqrt(ripley_k(some, area, radii) / np.pi)
            spreads[number] = (
                _chi_squared(quadrat_counts(some, area, quadrats)),
                _chi_squared(ring_counts(some, area, rings)),
            )
        l_p, function = _l_test(radii, l_values, alpha)
        quadrat_p, ring_p = (
            float(np.count_nonzero(spread >= spread[0] - 1e-9) / len(spread))
            for spread in spreads.T
        )
        nearest = clark_evans(places, area)
    p_value = min(1.0, _TESTS * min(l_p, quadrat_p, ring_p, column_p, row_p))
    power = _power(count, alpha / _TESTS)
    verdict: Verdict = "inconclusive"
    if p_value < alpha:
        verdict = "not uniform"
    elif power >= _NEEDED_POWER:
        verdict = "uniform"
    return Uniformity(
        count=count,
        outside=len(every) - count,
        clark_evans=nearest,
        l_function=function,
        l_p=l_p,
        quadrat_p=quadrat_p,
        ring_p=ring_p,
        column_p=column_p,
        row_p=row_p,
        columns=crowded_columns,
        rows=crowded_rows,
        p_value=p_value,
        smallest_p=min(1.0, _TESTS / (1 + simulations)) if count >= 2 else 1.0,
        power=power,
        alpha=alpha,
        verdict=verdict,
    )


def ripley_k(places: ArrayLike, area: Area, radii: ArrayLike) -> Floats:
    """Return Ripley's K with translation correction, unbiased for a given number of points.

    Ohser, On estimators for the reduced second moment measure of point processes, Mathematische
    Operationsforschung und Statistik 14 (1983); Stoyan and Stoyan, Fractals, Random Shapes and
    Point Fields (1994), eq. 15.11. Each pair weighs by the share of the area that its shift
    leaves within. Random points have the mean pi * r^2.

    Parameters
    ----------
    places
        Row and column from the area's corner, shape (points, 2); two points at least.
    area
        The rectangle.
    radii
        Distances in photosites, below either side of the area.
    """
    points = np.asarray(places, np.float64)
    distances = np.asarray(radii, np.float64)
    pairs = spatial.cKDTree(points).query_pairs(float(distances.max()), output_type="ndarray")
    shifts = np.abs(points[pairs[:, 0]] - points[pairs[:, 1]])
    weights = 1 / ((area.height - shifts[:, 0]) * (area.width - shifts[:, 1]))
    bins = np.searchsorted(distances, np.hypot(shifts[:, 0], shifts[:, 1]))
    within = np.cumsum(np.bincount(bins, weights, minlength=len(distances))[: len(distances)])
    count = len(points)
    return np.asarray(2 * area.photosites**2 * within / (count * (count - 1)))


def clark_evans(places: ArrayLike, area: Area) -> float:
    """Return the mean distance to the nearest neighbour over that of random points.

    Clark and Evans, Ecology 35 (1954); the expected distance in a rectangle of area A and
    perimeter P is 0.5 sqrt(A/N) + (0.0514 + 0.0412 / sqrt(N)) P/N, after Donnelly (1978), as
    spatstat has it.

    Parameters
    ----------
    places
        Row and column, shape (points, 2); two points at least.
    area
        The rectangle.
    """
    points = np.asarray(places, np.float64)
    count = len(points)
    nearest = np.asarray(spatial.cKDTree(points).query(points, k=2)[0])
    perimeter = 2 * (area.height + area.width)
    expected = (
        0.5 * np.sqrt(area.photosites / count)
        + (0.0514 + 0.0412 / np.sqrt(count)) * perimeter / count
    )
    return float(nearest[:, 1].mean() / expected)


def quadrat_counts(places: Places, area: Area, a_side: int) -> Places:
    """Return the points in each of ``a_side`` x ``a_side`` equal rectangles, row by row."""
    cells = places * a_side // (area.height, area.width)
    return np.bincount(cells[:, 0] * a_side + cells[:, 1], minlength=a_side**2)


def ring_counts(places: Places, area: Area, rings: int) -> Places:
    """Return the points in frames of equal area about the middle, from the innermost outwards."""
    off_middle = np.abs((places + 0.5) / (area.height, area.width) * 2 - 1).max(axis=1)
    return np.bincount(
        np.minimum((off_middle**2 * rings).astype(np.int64), rings - 1), minlength=rings
    )


def _radii(count: int, area: Area) -> Floats:
    """Return distances up to a quarter of the area, fewer where defects are dense."""
    dense = np.sqrt(area.photosites * _NEIGHBOURS / (np.pi * count))
    largest = max(min(min(area.height, area.width) / 4, dense), 2 * _SMALLEST_RADIUS)
    return np.geomspace(_SMALLEST_RADIUS, largest, _RADII)


def _quadrats_a_side(count: int) -> int:
    """Return how many quadrats a side hold twenty defects each, two to four."""
    return int(np.sqrt(np.clip(count / 20, 4, _MOST_QUADRATS)))


def _rings(count: int) -> int:
    return int(np.clip(count // 20, 2, _MOST_RINGS))


def _random_places(count: int, area: Area, generator: np.random.Generator) -> Places:
    """Return distinct photosites of an area, all sets equally probable."""
    flat = generator.choice(area.photosites, count, replace=False, shuffle=False)
    return np.stack(np.divmod(flat, area.width), axis=1)


def _chi_squared(counts: Places) -> float:
    expected = counts.mean()
    return float(((counts - expected) ** 2).sum() / expected)


def _l_test(radii: Floats, l_values: Floats, alpha: float) -> tuple[float, LFunction]:
    """Return p of the largest studentised deviation of L, and L with its global envelope.

    Myllymaeki and others, Global envelope tests for spatial processes, JRSS B 79 (2017). Mean and
    spread include the observed L, so that it is exchangeable with the drawn ones.

    Parameters
    ----------
    radii
        Distances, shape (radii,).
    l_values
        L at them, shape (1 + simulations, radii), the observed one first.
    alpha
        Level of the envelope.
    """
    mean, spread = l_values.mean(axis=0), l_values.std(axis=0)
    safe = np.where(spread > 0, spread, 1.0)
    deviations = np.abs((l_values - mean) / safe).max(axis=1)
    p_value = float(np.count_nonzero(deviations >= deviations[0] - 1e-9) / len(deviations))
    reach = float(np.quantile(deviations, 1 - alpha, method="higher")) * spread
    return p_value, LFunction(
        *(
            tuple(float(one) for one in values)
            for values in (radii, l_values[0], mean, mean - reach, mean + reach)
        )
    )


def _crowded(
    indices: Places, lines: int, length: int, alpha: float, first: int
) -> tuple[float, tuple[Line, ...]]:
    """Return p of the fullest line and the lines that hold too many defects.

    The tail of one line is exact (hypergeometric: its photosites among all).
    """
    counts = np.bincount(indices, minlength=lines)
    tails = stats.hypergeom.sf(counts - 1, lines * length, length, len(indices))
    bounds = np.minimum(1.0, lines * tails)
    found = np.flatnonzero(bounds < alpha / _TESTS)
    return float(bounds.min()), tuple(
        Line(first + int(index), int(counts[index]), float(bounds[index])) for index in found
    )


def _power(count: int, alpha: float) -> float:
    """Return the power of the quadrats against halves of which one has twice the defects."""
    freedom = _quadrats_a_side(count) ** 2 - 1
    # shares of 2/3 and 1/3 where 1/2 is expected: sum of squares over expectation is count / 9
    return float(stats.ncx2.sf(stats.chi2.isf(alpha, freedom), freedom, max(count, 1e-9) / 9))
