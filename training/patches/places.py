"""Where patches lie in a frame: even origins, in photosites of full `raw_image` space; pure.

Even origins keep the colour pattern: the colour of a photosite follows from its place in the patch.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.patches.errors import PatchError

Area = tuple[int, int, int, int]
"""Top, left, height and width of a part of the sensor, in photosites."""

Origins = NDArray[np.int64]
"""Even (row, column) of each patch's first photosite, shape (patches, 2)."""


def _even_span(start: int, length: int, patch_size: int) -> tuple[int, int]:
    """Return the first even coordinate of one side of an area, and what is left of the side."""
    if patch_size < 2 or patch_size % 2:
        raise PatchError(f"patch size {patch_size}: must be even, to keep the colour pattern")
    first = start + start % 2
    left = start + length - first
    if left < patch_size:
        raise PatchError(f"patch size {patch_size}: does not fit in a side of {length} photosites")
    return first, left


def grid_origins(visible: Area, patch_size: int, limit: int | None = None) -> NDArray[np.int64]:
    """Return the origins of non-overlapping patches that tile the visible part of a frame.

    Parameters
    ----------
    visible
        Top, left, height and width of the part to tile.
    patch_size
        Side of a patch in photosites, even.
    limit
        At most this many patches, spread evenly over the tiling; all of them by default.

    Returns
    -------
    ndarray
        Even (row, column) of each patch's first photosite, shape (patches, 2), centred.

    Raises
    ------
    PatchError
        When the patch size is odd or larger than the part.
    """
    starts = []
    for start, length in zip(visible[:2], visible[2:], strict=True):
        first, left = _even_span(start, length, patch_size)
        margin = left % patch_size // 4 * 2
        starts.append(first + margin + patch_size * np.arange(left // patch_size, dtype=np.int64))
    origins = np.stack(np.meshgrid(*starts, indexing="ij"), axis=-1).reshape(-1, 2)
    if limit is not None and limit < len(origins):
        origins = origins[np.linspace(0, len(origins) - 1, limit).round().astype(np.int64)]
    return origins


def random_origins(
    generator: np.random.Generator, visible: Area, patch_size: int, count: int
) -> NDArray[np.int64]:
    """Return ``count`` even origins, shape (count, 2), drawn uniformly where a patch fits.

    Raises
    ------
    PatchError
        When the patch size is odd or larger than the visible part.
    """
    first, counts = even_choices(visible, patch_size)
    sides = [
        low + 2 * generator.integers(choices, size=count)
        for low, choices in zip(first.tolist(), counts.tolist(), strict=True)
    ]
    return np.stack(sides, axis=-1)


def five_crop_origins(visible: Area, patch_size: int) -> Origins:
    """Return the four corners and the middle of the visible part, shape (5, 2), row-major.

    Raises
    ------
    PatchError
        When the patch size is odd or larger than the visible part.
    """
    first, steps = even_choices(visible, patch_size)
    low, high = first, first + 2 * (steps - 1)
    middle = first + 2 * ((steps - 1) // 2)
    places = [low, (low[0], high[1]), middle, (high[0], low[1]), high]
    return np.array(places, np.int64)


def tile_origins(visible: Area, patch_size: int) -> Origins:
    """Return patches that cover the whole visible part, shape (patches, 2), row-major.

    The last of a row or column overlaps the one before where they do not fit exactly. As origins
    are even, one row or column of photosites at an odd border of the visible part is left out.

    Raises
    ------
    PatchError
        When the patch size is odd or larger than the visible part.
    """
    first, steps = even_choices(visible, patch_size)
    starts = []
    for low, count in zip(first.tolist(), steps.tolist(), strict=True):
        high = low + 2 * (count - 1)
        starts.append(np.append(np.arange(low, high, patch_size, dtype=np.int64), high))
    return np.stack(np.meshgrid(*starts, indexing="ij"), axis=-1).reshape(-1, 2)


def even_choices(visible: Area, patch_size: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first even (row, column) at which a patch fits, and how many there are of each.

    Every origin ``first + 2 * n`` with ``0 <= n < count`` keeps the patch within the visible part.

    Raises
    ------
    PatchError
        When the patch size is odd or larger than the visible part.
    """
    first, counts = [], []
    for start, length in zip(visible[:2], visible[2:], strict=True):
        low, left = _even_span(start, length, patch_size)
        first.append(low)
        counts.append((left - patch_size) // 2 + 1)
    return np.array(first, np.int64), np.array(counts, np.int64)
