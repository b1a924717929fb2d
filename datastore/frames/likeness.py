"""What a frame looks like in 256 bits, and how many of them differ between two; pure functions.

Owns the definition of the perceptual hash; a change of it is a new `DEFINITION`. It knows no
catalogue, and nothing here takes more than a few milliseconds for 24 megapixels.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from datastore.frames.frame import MONOCHROME, Frame

DEFINITION: Final = "likeness-1"
"""Names the definition by which a frame was hashed."""

BITS: Final = 256

GRID: Final = 32
_PARTS_DOWN: Final = 3
_PARTS_ACROSS: Final = 2
_SAMPLED_ROWS: Final = 192
_RED_WEIGHT, _GREEN_WEIGHT, _BLUE_WEIGHT = 0.299, 0.587, 0.114  # luma of ITU-R BT.601
_GAMMA: Final = 0.45  # as in a JPEG's luma
_FLOOR: Final = 0.1  # of the mean, added before the logarithm
_ASPECT: Final = 1.5  # of most sensors: both directions are resolved alike
_LEAST_LIGHT_SHARE: Final = 1 / 512
_LEAST_LUMA_SHARE: Final = 1 / 32
_NO_LIGHT: Final = 1e-9
_MOST_OWN_BITS: Final = 48

Grid = NDArray[np.float64]


def perceptual_hash(picture: Frame | NDArray[np.uint8]) -> str | None:
    """Return what a frame looks like as 64 hexadecimal digits, None where it shows nothing.

    The visible area's cells are averaged, plane by plane, over a grid of 32 x 32, each of its
    fields being the mean of the middle two of six parts, which single hot photosites do not move.
    The planes, each relative to its mean, make a luma like that of a JPEG (weights of ITU-R BT.601,
    exponent 0.45). The bits are the signs of the 256 lowest frequencies of the discrete cosine
    transform of its logarithm, without the mean (reconstructed, after Zauner, "Implementation and
    benchmarking of perceptual image hash functions", 2010).

    None for frames that are dark (mean light below 1/512 of the range, of a JPEG's luma below
    1/32), that show an even surface or nothing but noise (the two green planes disagree in more
    than 48 bits), or that have fewer than 32 x 32 cells.

    Parameters
    ----------
    picture
        A frame, or a JPEG's luma, uint8 of shape (rows, columns).
    """
    if isinstance(picture, Frame):
        return _hash_of_frame(picture)
    return _hash_of_luma(picture)


def differing_bits(first: str, second: str) -> int:
    """Return in how many of 256 bits two hashes differ; unrelated frames do in about 128."""
    return (int(first, 16) ^ int(second, 16)).bit_count()


def _hash_of_frame(frame: Frame) -> str | None:
    from datastore.frames.cells import black_of, visible_cells

    black = black_of(frame)
    range_dn = max(frame.white_level - float(black.mean()), 1.0)
    grids = plane_grids(visible_cells(frame))
    if grids is None:
        return None
    grids = np.maximum(grids - black[:, None, None], 0.0)
    means = grids.mean(axis=(1, 2))
    if means.mean() < _LEAST_LIGHT_SHARE * range_dn:
        return None
    coded = (grids / np.maximum(means, _NO_LIGHT)[:, None, None]) ** _GAMMA
    first, second = (1, 2) if frame.cfa in (MONOCHROME, "RGGB", "BGGR") else (0, 3)
    return _hash(np.tensordot(_luma_weights(frame.cfa), coded, 1), coded[first], coded[second])


def _hash_of_luma(luma: NDArray[np.uint8]) -> str | None:
    rows, columns = luma.shape[0] // 2 * 2, luma.shape[1] // 2 * 2
    grids = plane_grids(luma[:rows, :columns])
    if grids is None or grids.mean() < _LEAST_LUMA_SHARE * np.iinfo(np.uint8).max:
        return None
    return _hash(grids.mean(axis=0), grids[1], grids[2])


def _luma_weights(cfa: str) -> NDArray[np.float64]:
    """Return what each plane counts in the luma; they add up to 1."""
    if cfa == MONOCHROME:
        return np.full(4, 0.25)
    weight = {"R": _RED_WEIGHT, "G": _GREEN_WEIGHT, "B": _BLUE_WEIGHT}
    return np.array([weight[letter] / cfa.count(letter) for letter in cfa])


def plane_grids(cells: NDArray[np.uint16] | NDArray[np.uint8]) -> Grid | None:
    """Return means of the four planes on a grid, which single hot photosites do not move.

    Parameters
    ----------
    cells
        Whole cells of 2 x 2, uint16 or uint8 of shape (rows, columns).

    Returns
    -------
    ndarray or None
        float64, shape (4, 32, 32): each field is the mean of the middle two of its six parts. None
        of frames with fewer than 32 x 32 cells.
    """
    rows, columns = cells.shape[0] // 2, cells.shape[1] // 2
    down, across = (
        min(most, side // GRID) for most, side in ((_PARTS_DOWN, rows), (_PARTS_ACROSS, columns))
    )
    if not down or not across:
        return None
    step = max(1, rows // _SAMPLED_ROWS)
    starts_across = np.arange(GRID * across) * columns // (GRID * across)
    widths = np.diff(starts_across, append=columns)
    sampled = -(-rows // step)
    starts_down = np.arange(GRID * down) * sampled // (GRID * down)
    heights = np.diff(starts_down, append=sampled)
    grids = []
    for plane in range(4):
        lines = cells[plane // 2 :: 2, plane % 2 :: 2][::step]
        sums = np.add.reduceat(lines, starts_across, axis=1, dtype=np.uint32)
        means = np.add.reduceat(sums / widths, starts_down, axis=0) / heights[:, None]
        parts = means.reshape(GRID, down, GRID, across).swapaxes(1, 2).reshape(GRID, GRID, -1)
        parts.sort(axis=-1)
        count = down * across
        grids.append(parts[..., (count - 1) // 2 : count // 2 + 1].mean(axis=-1))
    return np.stack(grids)


def _hash(luma: Grid, first: Grid, second: Grid) -> str | None:
    """Return the hash of a luma, None where two of its ingredients disagree about the bits."""
    own = np.count_nonzero(_bits(first) != _bits(second))
    return None if own > _MOST_OWN_BITS else np.packbits(_bits(luma)).tobytes().hex()


def _bits(grid: Grid) -> NDArray[np.bool_]:
    import cv2

    frequencies = cv2.dct(np.log(grid + _FLOOR * grid.mean()))
    down, across = np.indices(frequencies.shape)
    order = np.argsort(np.hypot(down, across / _ASPECT).ravel(), kind="stable")
    return frequencies.ravel()[order[1 : BITS + 1]] > 0
