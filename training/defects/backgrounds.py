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

TILE = 128
"""Photosites of a plane along the side of a tile, within which the noise is one."""

_WINDOW = 5
_SPREAD_QUANTILE = 0.95
_SPREAD_SIGMAS = 1.959964  # of a normal distribution's absolute value at that quantile
_SPREAD_SAMPLE = 1_000_000
_TILE_SAMPLE = 4096  # spread of a tile to 1.9 %, of its neighbourhood to 0.8 %
_LINE_SAMPLE = 500  # median of a row to 6 % of the noise of one photosite


def without_background(values: Plane) -> Plane:
    """Subtract rows, columns and the local level from a plane, in place, and return it.

    The median of each row, then that of each column, then that of the 5 x 5 photosites around each
    one. Medians of rows and columns are those of some hundreds of their photosites, evenly
    spread (reconstructed).

    Parameters
    ----------
    values
        float32 of shape (rows, columns), in one piece.
    """
    rows, columns = values.shape
    values -= np.median(values[:, :: max(1, columns // _LINE_SAMPLE)], axis=1, keepdims=True)
    values -= np.median(values[:: max(1, rows // _LINE_SAMPLE)].T, axis=1)
    values -= cv2.medianBlur(values, _WINDOW)
    return values


def robust_spread(values: NDArray[np.floating], sample: int = _SPREAD_SAMPLE) -> float:
    """Return the standard deviation of the sound majority of values about zero.

    From a quantile of the absolute values of about `sample` of them: subtracting a local median
    leaves a spike at zero, which makes the median absolute deviation too small.
    """
    flat = values.ravel()
    sampled = np.abs(flat[:: max(1, flat.size // sample)])
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
        float32 of shape (rows, columns), free of background.
    tiles
        How many there are down and across.

    Returns
    -------
    float64 of shape (tiles down, tiles across)
    """
    down, across = tiles
    row_edges = np.linspace(0, values.shape[0], down + 1).astype(int)
    column_edges = np.linspace(0, values.shape[1], across + 1).astype(int)
    found = np.empty((down, across))
    for row in range(down):
        for column in range(across):
            tile = values[
                row_edges[row] : row_edges[row + 1], column_edges[column] : column_edges[column + 1]
            ]
            found[row, column] = robust_spread(tile, _TILE_SAMPLE if found.size > 1 else tile.size)
    return ndimage.median_filter(found, size=3, mode="nearest")


def everywhere(grid: Grid, shape: tuple[int, int]) -> Plane:
    """Return what a grid of tiles says of every photosite of a plane, between tiles linearly."""
    if grid.size == 1:
        return np.full(shape, grid[0, 0], np.float32)
    rows, columns = shape
    resized = cv2.resize(grid.astype(np.float32), (columns, rows), interpolation=cv2.INTER_LINEAR)
    return np.asarray(resized, np.float32)


def at_places(
    grid: Grid, shape: tuple[int, int], rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> Grid:
    """Return what a grid of tiles says of some photosites of a plane, as `everywhere` does."""
    down, across = grid.shape
    places = np.stack(
        [(rows + 0.5) * down / shape[0] - 0.5, (columns + 0.5) * across / shape[1] - 0.5]
    )
    values: Grid = ndimage.map_coordinates(grid, places, order=1, mode="nearest")
    return values
