"""Loops over photosites, compiled; plane numbers are (row % 2) * 2 + column % 2, 0 for ``MONO``."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray


@numba.njit(cache=True, nogil=True)
def plane_histograms(mosaic: NDArray[np.uint16], period: int) -> NDArray[np.int64]:
    """Count the values of each plane: int64 of shape (period^2, 65536)."""
    counts = np.zeros((period * period, 65536), np.int64)
    for row in range(mosaic.shape[0]):
        first = (row % period) * period
        for column in range(mosaic.shape[1]):
            counts[first + column % period, mosaic[row, column]] += 1
    return counts


@numba.njit(cache=True, nogil=True)
def neighbour_maximum_counts(
    mosaic: NDArray[np.uint16], step: int, row_step: int
) -> NDArray[np.int64]:
    """Count photosites one below, at and one above the largest of their eight neighbours.

    Neighbours are `step` apart; of the rows every `row_step`-th is counted.
    """
    counts = np.zeros(3, np.int64)
    rows, columns = mosaic.shape
    for row in range(step, rows - step, row_step):
        for column in range(step, columns - step):
            value = np.int64(mosaic[row, column])
            largest = np.int64(-1)
            for y in (-step, 0, step):
                for x in (-step, 0, step):
                    if y == 0 and x == 0:
                        continue
                    largest = max(largest, np.int64(mosaic[row + y, column + x]))
                if largest > value + 1:
                    break
            difference = value - largest
            if -1 <= difference <= 1:
                counts[difference + 1] += 1
    return counts


@numba.njit(cache=True, nogil=True)
def add_cell(
    stack: NDArray[np.uint16],
    blacks: NDArray[np.float32],
    period: int,
    limits: NDArray[np.float32],
    sigmas: float,
    weights: NDArray[np.float32],
    sums: NDArray[np.float32],
) -> None:
    """Add a cell's means, transients left out, to the weighted sums of a band.

    Parameters
    ----------
    stack
        uint16 of shape (frames, rows, columns); the band begins at an even row.
    blacks
        float32 of shape (frames, planes).
    period
        2 with colour filters, 1 without.
    limits
        Least excess of a transient per plane, digital numbers.
    sigmas
        Least excess in standard deviations of the other repeats.
    weights
        Factors of the mean in each of the sums.
    sums
        float32 of shape (2, rows, columns), changed in place.
    """
    count, rows, columns = stack.shape
    for row in range(rows):
        first = (row % period) * period
        for column in range(columns):
            plane = first + column % period
            total = np.float32(0.0)
            squares = np.float32(0.0)
            largest = np.float32(-1e30)
            for frame in range(count):
                value = np.float32(stack[frame, row, column]) - blacks[frame, plane]
                total += value
                squares += value * value
                largest = max(largest, value)
            mean = total / count
            if count > 1:
                rest = (total - largest) / (count - 1)
                excess = largest - rest
                if excess > limits[plane]:
                    spread = (squares - largest * largest) / (count - 1) - rest * rest
                    if excess * excess > sigmas * sigmas * spread:
                        mean = rest
            sums[0, row, column] += weights[0] * mean
            sums[1, row, column] += weights[1] * mean
