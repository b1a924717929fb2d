"""Loops over photosites, compiled; plane numbers are (row % 2) * 2 + column % 2, 0 for ``MONO``.

Each loop runs along a row, over arrays that lie in one piece, so that it compiles to vector
instructions: a stack of twenty 24-megapixel frames is a billion bytes.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray


@numba.njit(cache=True, nogil=True)
def frame_totals(mosaic: NDArray[np.uint16], white_level: int) -> NDArray[np.int64]:
    """Return the sum of a frame, and how many photosites are at zero and at the white level."""
    total = zeros = full = np.int64(0)
    for row in range(mosaic.shape[0]):
        line = mosaic[row]
        # sums of one row fit 32 bits, of which twice as many are added at once
        row_total = row_zeros = row_full = np.uint32(0)
        for column in range(line.shape[0]):
            value = line[column]
            row_total += np.uint32(value)
            row_zeros += np.uint32(value == 0)
            row_full += np.uint32(value >= white_level)
        total += np.int64(row_total)
        zeros += np.int64(row_zeros)
        full += np.int64(row_full)
    return np.array([total, zeros, full])


@numba.njit(cache=True, nogil=True)
def plane_histograms(mosaic: NDArray[np.uint16], period: int, step: int) -> NDArray[np.int64]:
    """Count the values of each plane in every `step`-th of its rows: int64, (period^2, 65536)."""
    counts = np.zeros((period * period, 65536), np.int64)
    for start in range(0, mosaic.shape[0], period * step):
        for row in range(start, min(start + period, mosaic.shape[0])):
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
    around = np.empty(columns, np.uint16)
    beside = np.empty(columns, np.uint16)
    for row in range(step, rows - step, row_step):
        above, own, below = mosaic[row - step], mosaic[row], mosaic[row + step]
        for column in range(columns):
            beside[column] = max(above[column], below[column])
        for column in range(columns):
            around[column] = max(beside[column], own[column])
        under = equal = over = np.int64(0)
        for column in range(step, columns - step):
            sides = max(around[column - step], around[column + step])
            difference = np.int32(own[column]) - np.int32(max(sides, beside[column]))
            under += difference == -1
            equal += difference == 0
            over += difference == 1
        counts[0] += under
        counts[1] += equal
        counts[2] += over
    return counts


# no value is NaN or infinite here, which lets the largest be found by vector instructions;
# the order of additions stays as written
@numba.njit(cache=True, nogil=True, fastmath={"nnan", "ninf", "nsz"}, error_model="numpy")
def add_cell(
    stack: NDArray[np.uint16],
    levels: NDArray[np.float32],
    limits: NDArray[np.float32],
    sigmas: float,
    weights: NDArray[np.float32],
    first_row: int,
    sums: NDArray[np.float32],
) -> None:
    """Add a cell's means, transients left out, to the weighted sums of its photosites.

    Parameters
    ----------
    stack
        uint16 of shape (frames, rows, columns): a band of the frames.
    levels
        Black level of each frame along a row, float32 of shape (period, frames, columns); which
        of the `period` it is depends on the row.
    limits
        Least excess of a transient along a row, digital numbers, float32 of (period, columns).
    sigmas
        Least excess in standard deviations of the other repeats.
    weights
        Factors of the mean in each of the sums.
    first_row
        Row of the sensor at which the band begins, a multiple of the period.
    sums
        float32 of shape (sums, planes, rows, columns) by planes, changed in place.
    """
    count, rows, columns = stack.shape
    period = levels.shape[0]
    base = np.empty(columns, np.float32)
    total = np.empty(columns, np.float32)
    squares = np.empty(columns, np.float32)
    largest = np.empty(columns, np.float32)
    others = np.float32(max(count - 1, 1))
    allowed = np.float32(sigmas * sigmas)
    for row in range(rows):
        phase = (first_row + row) % period
        line, level = stack[0, row], levels[phase, 0]
        for column in range(columns):
            base[column] = np.float32(line[column]) - level[column]
            total[column] = np.float32(0)
            squares[column] = np.float32(0)
            largest[column] = np.float32(0)
        # differences from the first repeat: squares of the values would lose the small ones
        for frame in range(1, count):
            line, level = stack[frame, row], levels[phase, frame]
            for column in range(columns):
                value = np.float32(line[column]) - level[column] - base[column]
                total[column] += value
                squares[column] += value * value
                largest[column] = value if value > largest[column] else largest[column]
        limit = limits[phase]
        for column in range(columns):
            rest = (total[column] - largest[column]) / others
            excess = largest[column] - rest
            spread = (squares[column] - largest[column] * largest[column]) / others - rest * rest
            transient = excess > limit[column] and excess * excess > allowed * spread
            mean = rest if transient else total[column] / np.float32(count)
            base[column] += mean
        place = (first_row + row) // period
        for side in range(period):
            plane = phase * period + side
            own = base[side::period]
            for number in range(sums.shape[0]):
                target, weight = sums[number, plane, place], weights[number]
                for column in range(own.shape[0]):
                    target[column] += weight * own[column]
