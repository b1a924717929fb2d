"""Signs in a dark field that the camera removed defects by itself; pure functions.

Filters are known that delete hot photosites even from RAW files: Nikon bodies (from 1/4 s on)
replace a photosite that exceeds its neighbours by the largest of them, Sony bodies (from about 3 s
or in bulb mode on) hold it within the range of its neighbours. In the scatter of a photosite
against its largest neighbour an unfiltered frame has a vertical arm of photosites above, a
filtered one has nothing above the diagonal but a spike on it ([pub] diagnostic; the statistic here
is reconstructed). Some filters compare greens with greens of the other rows too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numba
import numpy as np
from numpy.typing import NDArray

from datastore.frames.cells import visible_cells
from datastore.frames.frame import MONOCHROME, Frame

_SAMPLE_PHOTOSITES: Final = 800_000
_OUTLIER_SIGMAS: Final = 8.0
_LEAST_OUTLIER_DN: Final = 8.0
_NEIGHBOURS: Final = 8
_PIECE: Final = 64
"""Photosites of a row that are looked through at once for any outlier."""


@dataclass(frozen=True)
class DefectSigns:
    """What a dark field shows of its hot photosites.

    Attributes
    ----------
    peaks
        Photosites that exceed all eight neighbours of their plane, over the ninth that is
        expected of any noise: about 1 unfiltered, 0 filtered.
    green_peaks
        The same for greens and the eight greens nearest to them, four of the other rows; None
        without colour filters.
    hot, lone_hot, equal_hot
        Photosites that lie far above their plane's level; of these, those that also lie far above
        all neighbours, and those that equal the largest neighbour.
    cold
        Photosites that lie as far below.
    photosites
        How many were compared for the peaks.
    """

    peaks: float
    green_peaks: float | None
    hot: int
    lone_hot: int
    equal_hot: int
    cold: int
    photosites: int


def measure_defect_signs(
    frame: Frame, levels_dn: tuple[float, ...], noise_dn: tuple[float, ...]
) -> DefectSigns:
    """Look for signs of suppression and of subtraction in a dark field.

    Of nine independent values of one distribution each is the largest equally often, whatever the
    distribution, so a ninth of all photosites exceed their eight neighbours; equal values, which
    coarse numbers bring, lower that a little, a filter takes it to nought.

    Parameters
    ----------
    frame
        The dark field.
    levels_dn, noise_dn
        Robust level and noise of each plane.
    """
    cells = visible_cells(frame)
    period = 1 if frame.cfa == MONOCHROME else 2
    greens = np.array([period == 2 and frame.cfa[i] == "G" for i in range(4)])
    reach = np.maximum(_OUTLIER_SIGMAS * np.array(noise_dn), _LEAST_OUTLIER_DN)
    limits = np.stack([np.array(levels_dn) - reach, np.array(levels_dn) + reach], axis=1)
    hot, lone, equal, cold = (int(n) for n in _count_outliers(cells, period, limits, reach))
    row_step = cells.size // _SAMPLE_PHOTOSITES // 2 * 2 + 1  # odd: meets rows of both colours
    peaks, compared, green_peaks, greens_compared = (
        int(n) for n in _count_peaks(cells, period, row_step, greens)
    )
    expected = 1 / (_NEIGHBOURS + 1)
    return DefectSigns(
        peaks=peaks / max(compared, 1) / expected,
        green_peaks=green_peaks / greens_compared / expected if greens_compared else None,
        hot=hot,
        lone_hot=lone,
        equal_hot=equal,
        cold=cold,
        photosites=compared,
    )


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _largest_neighbour(cells: NDArray[np.uint16], row: int, column: int, step: int) -> np.int64:
    """Return the largest of the eight neighbours at a distance."""
    largest = np.int64(-1)
    for y in (-step, 0, step):
        for x in (-step, 0, step):
            if y != 0 or x != 0:
                largest = max(largest, np.int64(cells[row + y, column + x]))
    return largest


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _count_beyond(
    line: NDArray[np.uint16], low: NDArray[np.uint16], high: NDArray[np.uint16]
) -> int:
    """Count the photosites of a short piece of a row that lie beyond their limits."""
    beyond = np.uint16(0)
    for column in range(line.size):
        value = line[column]
        beyond += np.uint16((value < low[column]) | (value > high[column]))
    return int(beyond)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _count_outliers(
    cells: NDArray[np.uint16],
    period: int,
    limits: NDArray[np.float64],
    reach: NDArray[np.float64],
) -> NDArray[np.int64]:
    """Count hot photosites, of these lone ones and ones that equal a neighbour, and cold ones."""
    outliers = np.zeros(4, np.int64)
    rows, columns = cells.shape
    low = np.empty((2, columns), np.uint16)
    high = np.empty((2, columns), np.uint16)
    for plane in range(4):
        # whole numbers lie beyond a limit where they lie beyond the whole number inside of it
        lowest, highest = np.ceil(limits[plane, 0]), np.floor(limits[plane, 1])
        low[plane // 2, plane % 2 :: 2] = np.uint16(min(max(lowest, 0.0), 65_535.0))
        high[plane // 2, plane % 2 :: 2] = np.uint16(min(max(highest, 0.0), 65_535.0))
    for row in range(2, rows - 2):
        line, lows, highs = cells[row], low[row % 2], high[row % 2]
        for start in range(2, columns - 2, _PIECE):
            end = min(start + _PIECE, columns - 2)
            # many at once: few pieces hold any
            if _count_beyond(line[start:end], lows[start:end], highs[start:end]) == 0:
                continue
            for column in range(start, end):
                value = line[column]
                if value < lows[column]:
                    outliers[3] += 1
                elif value > highs[column]:
                    difference = np.int64(value) - _largest_neighbour(cells, row, column, period)
                    outliers[0] += 1
                    outliers[1] += difference > reach[(row % 2) * 2 + column % 2]
                    outliers[2] += difference == 0
    return outliers


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _count_peaks(
    cells: NDArray[np.uint16], period: int, row_step: int, greens: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Count photosites above all eight neighbours, those compared, and the same for greens."""
    counts = np.zeros(4, np.int64)
    rows, columns = cells.shape
    for row in range(2, rows - 2, row_step):
        counts[0] += _peaks_of_line(cells, row, period, period, 2, 1)
        counts[1] += columns - 4
        for side in range(2):
            if greens[(row % 2) * 2 + side]:
                counts[2] += _peaks_of_line(cells, row, 2, 1, 2 + side, 2)
                counts[3] += len(range(2 + side, columns - 2, 2))
    return counts


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _peaks_of_line(
    cells: NDArray[np.uint16], row: int, straight: int, diagonal: int, first: int, step: int
) -> int:
    """Count photosites of a row above their four straight and four diagonal neighbours.

    Without branches, so that the processor takes many at once.
    """
    end = cells.shape[1] - 2
    line = cells[row, first:end]
    above, below = cells[row - straight, first:end], cells[row + straight, first:end]
    left, right = cells[row, first - straight :], cells[row, first + straight :]
    above_left = cells[row - diagonal, first - diagonal :]
    above_right = cells[row - diagonal, first + diagonal :]
    below_left = cells[row + diagonal, first - diagonal :]
    below_right = cells[row + diagonal, first + diagonal :]
    peaks = 0
    for i in range(0, line.size, step):
        value = line[i]
        peaks += (
            (value > above[i])
            & (value > below[i])
            & (value > left[i])
            & (value > right[i])
            & (value > above_left[i])
            & (value > above_right[i])
            & (value > below_left[i])
            & (value > below_right[i])
        )
    return peaks
