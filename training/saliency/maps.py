"""Assembling the maps of crops into maps of frames and classes; pure numpy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def assemble(
    maps: NDArray[np.float32], origins: NDArray[np.int64], shape: tuple[int, int]
) -> NDArray[np.float32]:
    """Lay the maps of one frame's crops over the frame.

    Parameters
    ----------
    maps
        Maps at the crop's size, shape (crops, patch_size, patch_size).
    origins
        (row, column) of each crop's first photosite, shape (crops, 2).
    shape
        Rows and columns of the frame.

    Returns
    -------
    ndarray
        float32, shape ``shape``: the mean where crops overlap, NaN where none lies.
    """
    total, count = np.zeros(shape, np.float64), np.zeros(shape, np.int64)
    side = maps.shape[-1]
    for crop, (row, column) in zip(maps, origins, strict=True):
        total[row : row + side, column : column + side] += crop
        count[row : row + side, column : column + side] += 1
    mean = np.full(shape, np.nan)
    np.divide(total, count, out=mean, where=count > 0)
    return mean.astype(np.float32)


def group_means(
    maps: NDArray[np.float32], groups: NDArray[np.generic]
) -> dict[str, NDArray[np.float32]]:
    """Return the mean map of each group (class, scene, run).

    Parameters
    ----------
    maps
        Maps of one shape, (maps, rows, columns).
    groups
        Name of each map's group, shape (maps,).
    """
    return {
        str(group): maps[groups == group].mean(axis=0, dtype=np.float64).astype(np.float32)
        for group in np.unique(groups)
    }
