"""Means of a frame over blocks of colour cells, in one pass; the ground of the larger measures.

Cells are those of `datastore.frames.cells`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from datastore.frames.cells import black_of, visible_cells
from datastore.frames.frame import Frame

_EVERYTHING = np.array([[0, 65_535]] * 4, np.int64)


@dataclass(frozen=True)
class BlockMeans:
    """A frame's planes as means over square blocks.

    Attributes
    ----------
    means
        Digital numbers above black, float32 of shape (4, block rows, block columns).
    block_cells
        Side of a block in cells; a cell is two photosites wide.
    white_share, zero_share
        Shares of the photosites at or above the white level, and at zero.
    """

    means: NDArray[np.float32]
    block_cells: int
    white_share: float
    zero_share: float


def block_means(
    frame: Frame, block_cells: int, limits_dn: NDArray[np.int64] | None = None
) -> BlockMeans:
    """Average a frame's planes over blocks; what is left over at the lower right is left out.

    Parameters
    ----------
    frame
        The frame.
    block_cells
        Side of a block in cells.
    limits_dn
        Lowest and highest value of each plane, int64 of shape (4, 2): values beyond count as the
        limit (winsorised), so that hot photosites weigh no more than noise. None takes values
        as they are.
    """
    cells = visible_cells(frame)
    limits = _EVERYTHING if limits_dn is None else limits_dn
    sums, white, zero = _sum_blocks(cells, block_cells, limits, frame.white_level)
    means = sums / float(block_cells**2) - black_of(frame)[:, None, None]
    return BlockMeans(
        means.astype(np.float32),
        block_cells,
        white / cells.size,
        zero / cells.size,
    )


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _sum_blocks(
    cells: NDArray[np.uint16], block: int, limits: NDArray[np.int64], white_level: int
) -> tuple[NDArray[np.int64], int, int]:
    """Return the sums of the four planes over blocks, and how many photosites are white or zero."""
    rows, columns = cells.shape
    block_rows, block_columns = rows // (2 * block), columns // (2 * block)
    sums = np.zeros((4, block_rows, block_columns), np.int64)
    low = np.empty((2, columns), np.uint16)
    high = np.empty((2, columns), np.uint16)
    for plane in range(4):
        low[plane // 2, plane % 2 :: 2] = min(max(limits[plane, 0], 0), 65_535)
        high[plane // 2, plane % 2 :: 2] = min(max(limits[plane, 1], 0), 65_535)
    # down the columns first, photosites side by side: the processor takes many at once
    column_sums = np.empty((2, columns), np.uint32)
    white = 0
    zero = 0
    for block_row in range(block_rows):
        column_sums[:] = 0
        for row in range(block_row * 2 * block, (block_row + 1) * 2 * block):
            _add_line(cells[row], low[row % 2], high[row % 2], column_sums[row % 2])
            more_white, more_zero = _count_extremes(cells[row], white_level)
            white += more_white
            zero += more_zero
        for plane in range(4):
            line = column_sums[plane // 2]
            for block_column in range(block_columns):
                total = np.int64(0)
                start = block_column * 2 * block + plane % 2
                for column in range(start, start + 2 * block, 2):
                    total += line[column]
                sums[plane, block_row, block_column] = total
    for row in range(block_rows * 2 * block, rows):
        more_white, more_zero = _count_extremes(cells[row], white_level)
        white += more_white
        zero += more_zero
    return sums, white, zero


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _add_line(
    line: NDArray[np.uint16],
    low: NDArray[np.uint16],
    high: NDArray[np.uint16],
    sums: NDArray[np.uint32],
) -> None:
    """Add a row of photosites, each held within its limits, to the sums of its columns."""
    for column in range(line.size):
        sums[column] += np.uint32(min(max(line[column], low[column]), high[column]))


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _count_extremes(line: NDArray[np.uint16], white_level: int) -> tuple[int, int]:
    """Return how many photosites of a row are white, and how many are zero."""
    brightest = np.uint16(min(max(white_level, 0), 65_535))
    is_extreme = np.uint16(0)
    for column in range(line.size):
        is_extreme |= np.uint16((line[column] >= brightest) | (line[column] == 0))
    white = 0
    zero = 0
    if is_extreme:  # in few rows of most frames
        for value in line:
            white += value >= white_level
            zero += value == 0
    return white, zero
