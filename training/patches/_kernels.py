"""The loop that cuts a patch, compiled."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray


@numba.njit(cache=True, nogil=True)
def cut(
    pixels: NDArray[Any],
    row: int,
    column: int,
    black: NDArray[np.float32],
    scale: np.float32,
    takes_root: bool,
    out: NDArray[np.float32],
) -> None:
    """Copy a patch out of (channels, rows, columns), less black, scaled, into (channels, ...).

    `black` has the shape (2, 2); the patch begins at an even row and column of the sensor.
    """
    channels, rows, columns = out.shape
    levels = np.empty((2, columns), np.float32)
    for y in range(2):
        for x in range(columns):
            levels[y, x] = black[y, x % 2]
    for channel in range(channels):
        for y in range(rows):
            source = pixels[channel, row + y, column : column + columns]
            level = levels[y % 2]
            target = out[channel, y]
            for x in range(columns):
                target[x] = (np.float32(source[x]) - level[x]) * scale
            if takes_root:
                for x in range(columns):
                    target[x] = np.sqrt(max(target[x], np.float32(0)))


@numba.njit(cache=True, nogil=True)
def cut_planes(
    pixels: NDArray[Any],
    row: int,
    column: int,
    black: NDArray[np.float32],
    scale: np.float32,
    takes_root: bool,
    out: NDArray[np.float32],
) -> None:
    """Copy a patch of a (1, rows, columns) mosaic into its four planes, else as `cut` does."""
    _, rows, columns = out.shape
    levels = np.empty((2, 2 * columns), np.float32)
    for y in range(2):
        for x in range(2 * columns):
            levels[y, x] = black[y, x % 2]
    signal = np.empty(2 * columns, np.float32)
    for y in range(2 * rows):
        source = pixels[0, row + y, column : column + 2 * columns]
        level = levels[y % 2]
        for x in range(2 * columns):
            signal[x] = (np.float32(source[x]) - level[x]) * scale
        if takes_root:
            for x in range(2 * columns):
                signal[x] = np.sqrt(max(signal[x], np.float32(0)))
        left, right = out[y % 2 * 2, y // 2], out[y % 2 * 2 + 1, y // 2]
        for x in range(columns):
            left[x] = signal[2 * x]
            right[x] = signal[2 * x + 1]
