"""The loops that cut a patch, compiled; black levels have the shape (2, 2), origins are even."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray


@numba.njit(cache=True, nogil=True)
def _take_root(values: NDArray[np.float32]) -> None:
    for x in range(len(values)):
        values[x] = np.sqrt(max(values[x], np.float32(0)))


@numba.njit(cache=True, nogil=True)
def _levels_of_rows(black: NDArray[np.float32], columns: int) -> NDArray[np.float32]:
    """Return the black level of each place of an even and an odd row, shape (2, columns)."""
    levels = np.empty((2, columns), np.float32)
    for y in range(2):
        for x in range(columns):
            levels[y, x] = black[y, x % 2]
    return levels


@numba.njit(cache=True, nogil=True)
def cut(
    pixels: NDArray[np.uint16],
    row: int,
    column: int,
    black: NDArray[np.float32],
    scale: np.float32,
    takes_root: bool,
    out: NDArray[np.float32],
) -> None:
    """Copy a patch of (rows, columns), less black, scaled, into one of (1, rows, columns)."""
    _, rows, columns = out.shape
    levels = _levels_of_rows(black, columns)
    for y in range(rows):
        source = pixels[row + y, column : column + columns]
        level = levels[y % 2]
        target = out[0, y]
        for x in range(columns):
            target[x] = (np.float32(source[x]) - level[x]) * scale
        if takes_root:
            _take_root(target)


@numba.njit(cache=True, nogil=True)
def cut_planes(
    pixels: NDArray[np.uint16],
    row: int,
    column: int,
    black: NDArray[np.float32],
    scale: np.float32,
    takes_root: bool,
    out: NDArray[np.float32],
) -> None:
    """Copy a patch of (rows, columns) into the four planes of its colour cell, else as `cut`."""
    _, rows, columns = out.shape
    levels = _levels_of_rows(black, 2 * columns)
    signal = np.empty(2 * columns, np.float32)
    for y in range(2 * rows):
        source = pixels[row + y, column : column + 2 * columns]
        level = levels[y % 2]
        for x in range(2 * columns):
            signal[x] = (np.float32(source[x]) - level[x]) * scale
        if takes_root:
            _take_root(signal)
        left, right = out[y % 2 * 2, y // 2], out[y % 2 * 2 + 1, y // 2]
        for x in range(columns):
            left[x] = signal[2 * x]
            right[x] = signal[2 * x + 1]


@numba.njit(cache=True, nogil=True)
def cut_colours(
    pixels: NDArray[np.uint8],
    row: int,
    column: int,
    black: NDArray[np.float32],
    scale: np.float32,
    takes_root: bool,
    out: NDArray[np.float32],
) -> None:
    """Copy a patch of (rows, columns, 3) into (3, rows, columns), else as `cut`; no black."""
    _, rows, columns = out.shape
    _, width, _ = pixels.shape
    lines = pixels.reshape(-1, 3 * width)
    for y in range(rows):
        source = lines[row + y, 3 * column : 3 * (column + columns)]
        red, green, blue = out[0, y], out[1, y], out[2, y]
        for x in range(columns):
            red[x] = np.float32(source[3 * x]) * scale
            green[x] = np.float32(source[3 * x + 1]) * scale
            blue[x] = np.float32(source[3 * x + 2]) * scale
        if takes_root:
            _take_root(red)
            _take_root(green)
            _take_root(blue)
