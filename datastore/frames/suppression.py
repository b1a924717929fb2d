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

from datastore.frames.blocks import visible_cells
from datastore.frames.frame import MONOCHROME, Frame

_SAMPLE_PHOTOSITES: Final = 800_000
_OUTLIER_SIGMAS: Final = 8.0
_LEAST_OUTLIER_DN: Final = 8.0
_NEIGHBOURS: Final = 8


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


@numba.njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _largest_of_ring(
    cells: NDArray[np.uint16], row: int, column: int, straight: int, diagonal: int
) -> np.int64:
    """Return the largest of four straight and four diagonal neighbours at given distances."""
    largest = np.int64(-1)
    for y, x in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        largest = max(largest, np.int64(cells[row + y * straight, column + x * straight]))
    for y, x in ((-1, -1), (-1, 1), (1, -1), (1, 1)):
        largest = max(largest, np.int64(cells[row + y * diagonal, column + x * diagonal]))
    return largest


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
    for row in range(2, rows - 2):
        for side in range(2):
            plane = (row % 2) * 2 + side
            low, high = limits[plane, 0], limits[plane, 1]
            for column in range(2 + side, columns - 2, 2):
                value = np.int64(cells[row, column])
                if low <= value <= high:
                    continue
                if value < low:
                    outliers[3] += 1
                    continue
                difference = value - _largest_of_ring(cells, row, column, period, period)
                outliers[0] += 1
                outliers[1] += difference > reach[plane]
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
        for column in range(2, columns - 2):
            value = np.int64(cells[row, column])
            is_green = greens[(row % 2) * 2 + column % 2]
            counts[1] += 1
            counts[3] += is_green
            # most photosites have a larger neighbour beside them
            if value <= np.int64(cells[row, column - period]):
                continue
            counts[0] += value > _largest_of_ring(cells, row, column, period, period)
            if is_green:
                counts[2] += value > _largest_of_ring(cells, row, column, 2, 1)
    return counts
