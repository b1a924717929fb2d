"""Where a JPEG lies on the sensor, found by comparing it with the RAW file of the same shot; pure.

Cameras cut the borders off their pictures, and files do not say how much in any common way. Both
files of one shot show the same photons, so that the places where they agree tell (reconstructed).
"""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from datastore.frames import Frame

_PART: Final = 1024
_BORDER: Final = 8
_LEAST_CORRELATION: Final = 0.8
_LEAST_LEAD: Final = 1e-4
"""By how much the best place must be better than any that is no neighbour of it."""

_SMOOTHING: Final = np.array([0.25, 0.5, 0.25], np.float32)


def find_crop_offset(frame: Frame, luma: NDArray[np.uint8]) -> tuple[int, int] | None:
    """Return the (row, column) in full `raw_image` space of a JPEG's first pixel.

    The middle of the JPEG is compared with the mosaic at every offset that its size allows. Both
    are compared by the square root of light, smoothed so that each colour of the cell has the same
    weight everywhere.

    Parameters
    ----------
    frame
        Of the RAW file.
    luma
        Of the JPEG of the same shot, shape (rows, columns).

    Returns
    -------
    tuple or None
        None where the JPEG is larger than the mosaic, turned, resized or corrected for distortion,
        or the shot shows too little to tell.
    """
    rows, columns = luma.shape
    spare_rows, spare_columns = np.subtract(frame.mosaic.shape, luma.shape).tolist()
    if min(spare_rows, spare_columns) < 0 or min(rows, columns) <= 4 * _BORDER:
        return None
    height, width = (min(side - 2 * _BORDER, _PART) for side in (rows, columns))
    top, left = (rows - height) // 2, (columns - width) // 2
    area = frame.mosaic[top : top + height + spare_rows, left : left + width + spare_columns]
    light = np.sqrt(_smooth(area.astype(np.float32) - min(frame.black_level or (0.0,))).clip(0))
    part = _smooth(luma.astype(np.float32))[top : top + height, left : left + width]
    alike: NDArray[Any] = cv2.matchTemplate(_detail(light), _detail(part), cv2.TM_CCOEFF_NORMED)
    alike = np.nan_to_num(alike, nan=0.0, posinf=0.0, neginf=0.0)
    row, column = np.unravel_index(int(alike.argmax()), alike.shape)
    best = float(alike[row, column])
    others = alike.copy()
    others[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2] = -1
    if best < _LEAST_CORRELATION or float(others.max()) > best - _LEAST_LEAD:
        return None
    return int(row), int(column)


def _smooth(image: NDArray[np.float32]) -> NDArray[np.float32]:
    smoothed: NDArray[Any] = cv2.sepFilter2D(image, cv2.CV_32F, _SMOOTHING, _SMOOTHING)
    return smoothed


def _detail(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Leave out what is coarse, where tone curves and lens shading differ."""
    blurred: NDArray[Any] = cv2.GaussianBlur(image, (0, 0), 8.0)
    return image - blurred
