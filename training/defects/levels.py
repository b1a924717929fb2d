"""Means over repeats and local backgrounds: from frames to one residual map per cell."""

from __future__ import annotations

import cv2
import numba
import numpy as np
from numpy.typing import NDArray

MAD_TO_SIGMA = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""


@numba.njit(cache=True, parallel=True)
def _trimmed_mean(stack, black, out):  # type: ignore[no-untyped-def]
    frames, rows, columns = stack.shape
    for row in numba.prange(rows):
        for column in range(columns):
            plane = (row & 1) * 2 + (column & 1)
            total = 0.0
            lowest = np.inf
            highest = -np.inf
            for frame in range(frames):
                value = stack[frame, row, column] - black[frame, plane]
                total += value
                lowest = min(lowest, value)
                highest = max(highest, value)
            if frames > 2:
                out[row, column] = (total - lowest - highest) / (frames - 2)
            else:
                out[row, column] = total / frames


def trimmed_mean(stack: NDArray[np.uint16], black: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the mean over repeats without each photosite's highest and lowest value.

    One transient among the repeats, such as a cosmic ray, leaves no trace; fewer than three
    repeats are averaged plainly.

    Parameters
    ----------
    stack
        uint16 of shape (frames, rows, columns); a memory-mapped file is read row by row.
    black
        Black level of each frame at the four places of the 2x2 cell, shape (frames, 4), DN.

    Returns
    -------
    ndarray
        float32 of shape (rows, columns), DN above black.
    """
    out = np.empty(stack.shape[1:], np.float32)
    _trimmed_mean(stack, black, out)
    return out


def robust_sigma(values: NDArray[np.floating]) -> float:
    """Return 1.4826 times the median absolute deviation from the median."""
    centre = np.median(values)
    return float(MAD_TO_SIGMA * np.median(np.abs(values - centre)))


def local_residual(plane: NDArray[np.float32], neighbourhood: int) -> NDArray[np.float32]:
    """Return a colour plane less its local background and its row and column levels.

    The background is the median of the neighbourhood, which follows glow; the medians of each row
    and column of what remains remove banding.

    Parameters
    ----------
    plane
        float32 of shape (rows, columns), photosites of one colour.
    neighbourhood
        Side of the window, 3 or 5.
    """
    contiguous = np.ascontiguousarray(plane)
    residual = contiguous - cv2.medianBlur(contiguous, neighbourhood)
    residual -= np.median(residual, axis=1, keepdims=True)
    residual -= np.median(residual, axis=0, keepdims=True)
    return residual.astype(np.float32, copy=False)
