"""Backgrounds and spreads of a plane of same-coloured photosites; pure.

What a defect stands out from is its neighbourhood: rows and columns that the electronics shift,
glow that grows towards an edge, and noise that glow and lenses make larger in one place than in
another.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Plane = NDArray[np.float32]
Grid = NDArray[np.float64]

TILE = 64
"""Photosites of a plane along the side of a tile, within which the noise is one."""

_WINDOW = 5
_SPREAD_QUANTILE = 0.95
_SPREAD_SIGMAS = 1.959964  # of a normal distribution's absolute value at that quantile
_SPIKED_SIGMAS = 1.942444  # the same where one value in 25 is its own background, and so is zero
_SPREAD_SAMPLE = 1_000_000
_GOLDEN = 2_654_435_761
_TILE_SAMPLE = 1024  # spread of a tile to 4 %, of its neighbourhood to 1.5 %
_LINE_SAMPLE = 500  # median of a row to 6 % of the noise of one photosite


def without_background(values: Plane, work: Plane | None = None) -> Plane:
    """Subtract rows, columns and the local level from a plane, in place, and return it.

    The median of each row, then that of each column, then that of the 5 x 5 photosites around each
    one. Medians of rows and columns are those of some hundreds of their photosites
    (reconstructed).

    Parameters
    ----------
    values
        float32 of shape (rows, columns), in one piece.
    work
        Memory of the same shape to work in: new memory costs more than the work. Its own if None.
    """
    rows, columns = values.shape
    values -= _middles(values[:, some_of(columns, _LINE_SAMPLE)])[:, None]
    values -= _middles(np.ascontiguousarray(values[some_of(rows, _LINE_SAMPLE)].T))
    values -= cv2.medianBlur(values, _WINDOW, dst=work)
    return values


def _middles(lines: Plane) -> Plane:
    """Return the median of each line, the upper one of two; the lines are reordered."""
    middle = lines.shape[1] // 2
    # one selection costs a third of what numpy's median does
    lines.partition(middle, axis=1)
    return lines[:, middle]


def some_of(size: int, sample: int) -> NDArray[np.int64]:
    """Return about `sample` of so many places, in order: all of them where there are few.

    Multiples of a number near the golden ratio of 2^32 (Knuth): spread evenly, and in step with no
    pattern of a sensor, such as its focus pixels, as every so-manyth place would be.
    """
    if size <= sample:
        return np.arange(size)
    return np.sort(np.arange(sample, dtype=np.int64) * _GOLDEN % size)


def robust_spread(values: NDArray[np.floating], sample: int = _SPREAD_SAMPLE) -> float:
    """Return the standard deviation of the sound majority of values about zero.

    From a quantile of the absolute values of about `sample` of them: subtracting a local median
    leaves a spike at zero, which makes the median absolute deviation too small.
    """
    flat = values.ravel()
    sampled = np.abs(flat[some_of(flat.size, sample)])
    place = min(int(_SPREAD_QUANTILE * len(sampled)), len(sampled) - 1)
    return float(np.partition(sampled, place)[place]) / _SPREAD_SIGMAS


def tiles_of(shape: tuple[int, int]) -> tuple[int, int]:
    """Return how many tiles a plane has down and across; one where it is small."""
    rows, columns = shape
    return max(1, round(rows / TILE)), max(1, round(columns / TILE))


def tile_spreads(values: Plane, tiles: tuple[int, int]) -> Grid:
    """Return the robust spread of each tile of a plane, smoothed over three by three tiles.

    Parameters
    ----------
    values
        float32 of shape (rows, columns), free of background: the median of 25 is taken off.
    tiles
        How many there are down and across.

    Returns
    -------
    float64 of shape (tiles down, tiles across)
    """
    sides, edges = [], []
    for size, number in zip(values.shape, tiles, strict=True):
        bounds = np.linspace(0, size, number + 1).astype(int)
        edges.append(bounds[:-1])
        sides.append(int(np.diff(bounds).min()))
    sample = _TILE_SAMPLE if tiles != (1, 1) else _SPREAD_SAMPLE
    down, across = np.divmod(some_of(sides[0] * sides[1], sample), sides[1])
    found = np.abs(
        values[(edges[0][:, None] + down)[:, None, :], (edges[1][:, None] + across)[None, :, :]]
    )
    place = min(int(_SPREAD_QUANTILE * found.shape[2]), found.shape[2] - 1)
    found.partition(place, axis=2)
    spreads = found[:, :, place].astype(np.float64) / _SPIKED_SIGMAS
    return ndimage.median_filter(spreads, size=3, mode="nearest")


def everywhere(grid: Grid, shape: tuple[int, int], work: Plane | None = None) -> Plane:
    """Return what a grid of tiles says of every photosite of a plane.

    Linear between the middles of tiles, and beyond the outermost ones, as glow is strongest at the
    border; never below half of the least tile. `work` is memory for it, new where None.
    """
    down, across = (
        _weights(np.arange(size), size, tiles)
        for size, tiles in zip(shape, grid.shape, strict=True)
    )
    values = np.matmul(down.astype(np.float32), (grid @ across.T).astype(np.float32), out=work)
    return np.maximum(values, np.float32(grid.min() / 2), out=values)


def at_places(
    grid: Grid, shape: tuple[int, int], rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> Grid:
    """Return what a grid of tiles says of some photosites of a plane, as `everywhere` does."""
    down = _weights(rows, shape[0], grid.shape[0])
    across = _weights(columns, shape[1], grid.shape[1])
    values: Grid = np.einsum("ij,jk,ik->i", down, grid, across, optimize=True)
    return np.maximum(values, grid.min() / 2)


def _weights(places: NDArray[np.int64], size: int, tiles: int) -> Grid:
    """Return what each tile along a line counts at each place, shape (places, tiles)."""
    if tiles == 1:
        return np.ones((len(places), 1))
    at = (places + 0.5) * tiles / size - 0.5
    low = np.clip(np.floor(at).astype(np.int64), 0, tiles - 2)
    weights = np.zeros((len(places), tiles))
    everyone = np.arange(len(places))
    weights[everyone, low] = 1 - (at - low)
    weights[everyone, low + 1] = at - low
    return weights
