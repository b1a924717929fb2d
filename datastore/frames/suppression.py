"""Signs in a dark field that the camera removed defects by itself; pure functions.

Two filters are known to delete hot photosites even from RAW files. Nikon bodies (from 1/4 s on)
and Sony bodies (from about 3 s or in bulb mode on) replace a photosite that exceeds its neighbours
by the largest of them: an unfiltered frame has, in the scatter of a photosite against that largest
one, a vertical arm of lone hot photosites; a filtered one has none, but a spike where both are
equal. Nikon compares with the eight nearest of the same colour, Sony's greens are also compared
with the four greens of the other rows ([pub] diagnostic; its statistics here are reconstructed).
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


@dataclass(frozen=True)
class DefectSigns:
    """What a dark field shows of its hot photosites.

    Attributes
    ----------
    spike_sigmas
        Significance of the excess of photosites that equal the largest of their eight neighbours,
        against those that equal the smallest.
    green_spike_sigmas
        The same for greens and the eight greens nearest to them, four of the other rows; None
        without colour filters.
    hot, lone_hot, equal_hot
        Photosites that lie far above their plane's level; of these, those that also lie far above
        all neighbours, and those that equal the largest neighbour.
    cold
        Photosites that lie as far below.
    photosites
        How many were compared for the spikes.
    """

    spike_sigmas: float
    green_spike_sigmas: float | None
    hot: int
    lone_hot: int
    equal_hot: int
    cold: int
    photosites: int


def measure_defect_signs(
    frame: Frame, levels_dn: tuple[float, ...], noise_dn: tuple[float, ...]
) -> DefectSigns:
    """Look for signs of suppression and of subtraction in a dark field.

    The differences from the largest neighbour spread smoothly about zero, so the count at zero
    follows from its neighbours by a cubic. Where values have gaps, as
    cameras leave that multiply them, both the differences from the largest and those from the
    smallest neighbour peak at zero; a filter against hot photosites touches the first alone, so
    the two peaks are compared.

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
    row_step = cells.size // _SAMPLE_PHOTOSITES // 2 * 2 + 1  # odd: meets rows of both colours
    counts, outliers, compared = _count_differences(cells, period, row_step, greens, limits, reach)
    hot, lone, equal, cold = (int(n) for n in outliers)
    return DefectSigns(
        spike_sigmas=_spike(counts[0], counts[1]),
        green_spike_sigmas=_spike(counts[2], counts[3]) if period == 2 else None,
        hot=hot,
        lone_hot=lone,
        equal_hot=equal,
        cold=cold,
        photosites=int(compared),
    )


def _spike(largest: NDArray[np.int64], smallest: NDArray[np.int64]) -> float:
    """Return the significance by which one spectrum of differences peaks at zero, and not both.

    Parameters
    ----------
    largest, smallest
        How many photosites lie by -2, -1, 0, 1, 2 above the largest neighbour, and below the
        smallest.
    """
    expected, variance = _expected_at_zero(largest)
    mirrored, mirrored_variance = _expected_at_zero(smallest)
    # what peaks on both sides is a property of the numbers, not of a filter
    factor = max(1.0, float(smallest[2]) / mirrored)
    relative = mirrored_variance / mirrored**2 + 1.0 / max(float(smallest[2]), 1.0)
    variance = factor**2 * (variance + expected**2 * relative) + float(largest[2])
    return float((largest[2] - factor * expected) / np.sqrt(max(variance, 1.0)))


def _expected_at_zero(counts: NDArray[np.int64]) -> tuple[float, float]:
    """Return the count at zero by a cubic through its four neighbours, and its variance."""
    inner, outer = float(counts[1] + counts[3]), float(counts[0] + counts[4])
    return max((4 * inner - outer) / 6, 1.0), (16 * inner + outer) / 36


@numba.njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _largest_of_ring(
    cells: NDArray[np.uint16], row: int, column: int, straight: int, diagonal: int, sign: int
) -> np.int64:
    """Return the largest of eight neighbours, all times a sign: -1 gives the smallest."""
    largest = np.int64(-65_536)
    for y, x in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        value = sign * np.int64(cells[row + y * straight, column + x * straight])
        largest = max(largest, value)
    for y, x in ((-1, -1), (-1, 1), (1, -1), (1, 1)):
        value = sign * np.int64(cells[row + y * diagonal, column + x * diagonal])
        largest = max(largest, value)
    return largest


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _count_differences(
    cells: NDArray[np.uint16],
    period: int,
    row_step: int,
    greens: NDArray[np.bool_],
    limits: NDArray[np.float64],
    reach: NDArray[np.float64],
) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """Count differences from the largest and smallest neighbour, outliers and photosites.

    Differences of -2 to 2, int64 of shape (4, 5): above the largest and below the smallest of the
    eight neighbours of the same plane; the same for greens with four straight and four diagonal
    neighbours. Outliers: hot, lone, equal, cold.
    """
    counts = np.zeros((4, 5), np.int64)
    outliers = np.zeros(4, np.int64)
    compared = 0
    rows, columns = cells.shape
    for row in range(2, rows - 2):
        for side in range(2):
            plane = (row % 2) * 2 + side
            low, high = limits[plane, 0], limits[plane, 1]
            for column in range(2 + side, columns - 2, 2):
                value = np.int64(cells[row, column])
                if low <= value <= high:
                    continue
                outliers[3] += value < low
                if value > high:
                    difference = value - _largest_of_ring(cells, row, column, period, period, 1)
                    outliers[0] += 1
                    outliers[1] += difference > reach[plane]
                    outliers[2] += difference == 0
        if row % row_step:
            continue
        for column in range(period, columns - period):
            plane = (row % 2) * 2 + column % 2
            value = np.int64(cells[row, column])
            compared += 1
            for side in range(2):
                sign = 1 - 2 * side
                # most photosites lie between their neighbours, which two of them tell already
                first = sign * np.int64(cells[row, column - period])
                second = sign * np.int64(cells[row, column + period])
                if max(first, second) > sign * value + 2:
                    continue
                difference = sign * value - _largest_of_ring(
                    cells, row, column, period, period, sign
                )
                if -2 <= difference <= 2:
                    counts[side, difference + 2] += 1
                if greens[plane]:
                    difference = sign * value - _largest_of_ring(cells, row, column, 2, 1, sign)
                    if -2 <= difference <= 2:
                        counts[2 + side, difference + 2] += 1
    return counts, outliers, compared
