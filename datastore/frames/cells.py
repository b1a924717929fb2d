"""The cells of a frame, and parts of its green planes at full resolution; pure functions.

A cell is 2 x 2 photosites, one of each plane of `datastore.frames.cfa_planes`; also on sensors
without colour filters.
"""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from datastore.frames.frame import MONOCHROME, Frame

_FULL_SHARE: Final = 0.95
_CROP: Final = slice(4, -4)

Image = NDArray[np.floating[Any]]


def visible_cells(frame: Frame) -> NDArray[np.uint16]:
    """Return the whole cells of a frame's visible area, as a view with the frame's own planes."""
    top, left, height, width = frame.visible
    bottom, right = top + height, left + width
    top, left = top + top % 2, left + left % 2
    rows, columns = (bottom - top) // 2 * 2, (right - left) // 2 * 2
    return frame.mosaic[top : top + rows, left : left + columns]


def black_of(frame: Frame) -> NDArray[np.float64]:
    """Return the black level of each plane as the file states it, 0 where it states none."""
    return np.asarray(frame.black_level or (0.0,) * 4)


def green_cells(frame: Frame, top: int, left: int, rows: int, columns: int) -> tuple[Image, Image]:
    """Return two equal planes of a part of a frame, above black and without outlying photosites.

    The two green planes, or two of the four of a sensor without colour filters: independent in
    their noise. Cells are counted from the visible area's first.
    """
    first, second = (1, 2) if frame.cfa in (MONOCHROME, "RGGB", "BGGR") else (0, 3)
    cells, black = visible_cells(frame), black_of(frame)
    region = cells[2 * top : 2 * (top + rows), 2 * left : 2 * (left + columns)]
    return plane_above(region, first, black[first]), plane_above(region, second, black[second])


def plane_above(
    region: NDArray[np.uint16] | NDArray[np.uint8], plane: int, black_level: float
) -> Image:
    """Return one plane of some cells, float32 above black and without outlying photosites."""
    values = np.ascontiguousarray(region[plane // 2 :: 2, plane % 2 :: 2])
    return despiked(values.astype(np.float32) - np.float32(black_level))


def despiked(image: Image) -> Image:
    """Bound each value by its eight neighbours, widened by half their span.

    Takes away single hot, dead and struck photosites and leaves noise and edges nearly untouched
    (reconstructed).
    """
    ring = np.ones((3, 3), np.uint8)
    ring[1, 1] = 0
    highest, lowest = cv2.dilate(image, ring), cv2.erode(image, ring)
    slack = (highest - lowest) / 2
    return np.clip(image, lowest - slack, highest + slack)


def is_full(planes: tuple[Image, Image], range_dn: float) -> bool:
    """Return whether more than a fiftieth of a part is full, which hides its detail.

    Parameters
    ----------
    planes
        Of the part, above black.
    range_dn
        White less black level.
    """
    full = _FULL_SHARE * range_dn
    return any(np.count_nonzero(plane >= full) > plane.size / 50 for plane in planes)


def detail_energy(first: Image, second: Image) -> float:
    """Return the energy of the finest details of a part, without that of noise.

    Mean product of the Laplacians of two planes whose noise is independent, over the square of
    the mean level: noise, also the fixed noise of the photo-response, drops out in expectation,
    where the energy of one plane would count it as sharpness (reconstructed).
    """
    level = max(float(first.mean() + second.mean()) / 2, 1e-3)
    details = [cv2.Laplacian(plane, cv2.CV_32F)[_CROP, _CROP] / level for plane in (first, second)]
    return float(np.mean(details[0] * details[1], dtype=np.float64))
