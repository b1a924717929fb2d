"""Measures on mosaics, per plane of same-coloured photosites; pure functions that read no file."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from datastore.frames.frame import MONOCHROME

_LEVELS = 1 << 16
_MAD_TO_SIGMA = 1.4826  # of a normal distribution
_TRIM_SIGMAS = 3.0
_NEIGHBOURS = tuple((y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0))


def cfa_planes(
    mosaic: NDArray[np.uint16],
) -> tuple[NDArray[np.uint16], NDArray[np.uint16], NDArray[np.uint16], NDArray[np.uint16]]:
    """Return the four planes of a mosaic as views, indexed by (row % 2) * 2 + column % 2.

    Parameters
    ----------
    mosaic
        uint16 of shape (rows, columns). With odd sizes the planes differ in shape by one.
    """
    return mosaic[::2, ::2], mosaic[::2, 1::2], mosaic[1::2, ::2], mosaic[1::2, 1::2]


def robust_black(mosaic: NDArray[np.uint16], cfa: str) -> tuple[float, float, float, float]:
    """Estimate the black level of each plane of a dark frame.

    The mean of the photosites within three robust standard deviations (1.4826 x median absolute
    deviation, at least one digital number) of the plane's median. Unlike the median it resolves
    fractions of a digital number; unlike the mean over masked photosites that LibRaw forms, one
    hot column does not move it (reconstructed).

    Parameters
    ----------
    mosaic
        uint16 of shape (rows, columns), at least 2 x 2, of a frame that saw no light.
    cfa
        As in `Frame`; a monochrome sensor has one level, given four times.

    Returns
    -------
    tuple of four floats
        Digital numbers for the planes 0 to 3 of `cfa_planes`.
    """
    if cfa == MONOCHROME:
        level = _trimmed_mean(mosaic)
        return level, level, level, level
    first, second, third, fourth = (_trimmed_mean(plane) for plane in cfa_planes(mosaic))
    return first, second, third, fourth


def _trimmed_mean(plane: NDArray[np.uint16]) -> float:
    return black_of_counts(np.bincount(plane.ravel(), minlength=_LEVELS))


def black_of_counts(counts: NDArray[np.int64]) -> float:
    """Return the black level of a plane from the counts of its values, as `robust_black` does.

    Parameters
    ----------
    counts
        How many photosites have the value 0, 1, 2, ..., int64.
    """
    # of 65,536 possible values a dark frame has a few hundred
    levels = np.flatnonzero(counts)
    counts = counts[levels]
    median = _weighted_median(levels, counts)
    distance = np.abs(levels - median)
    order = np.argsort(distance, kind="stable")
    deviation = _weighted_median(distance[order], counts[order])
    kept = counts * (distance <= max(_TRIM_SIGMAS * _MAD_TO_SIGMA * deviation, 1.0))
    return float(kept @ levels / kept.sum())


def _weighted_median(values: NDArray[np.int64], counts: NDArray[np.int64]) -> int:
    """Return the lower median of sorted values that occur `counts` times."""
    cumulative = np.cumsum(counts)
    return int(values[np.searchsorted(cumulative, (cumulative[-1] + 1) // 2)])


def clipped_share(mosaic: NDArray[np.uint16], white_level: int) -> float:
    """Return the share of photosites at or above the white level, from 0 to 1."""
    return float(np.count_nonzero(mosaic >= white_level) / mosaic.size)


def neighbour_maximum(mosaic: NDArray[np.uint16], cfa: str) -> NDArray[np.int32]:
    """Return each photosite's value less the maximum of its eight same-coloured neighbours.

    Cameras that replace a hot pixel by the largest of its neighbours leave a spike at zero among
    the positive values of a dark frame; unfiltered frames have none ([pub] diagnostic of
    the "star eater" literature on Sony and Nikon bodies).

    Parameters
    ----------
    mosaic
        uint16 of shape (rows, columns).
    cfa
        As in `Frame`: neighbours are two photosites apart, one for ``MONO``.

    Returns
    -------
    ndarray
        int32 of the mosaic's shape; photosites at the border have fewer neighbours.
    """
    step = 1 if cfa == MONOCHROME else 2
    padded = np.pad(mosaic.astype(np.int32), step, constant_values=-1)
    rows, columns = mosaic.shape
    largest = np.full(mosaic.shape, -1, dtype=np.int32)
    for y, x in _NEIGHBOURS:
        top, left = step * (1 + y), step * (1 + x)
        np.maximum(largest, padded[top : top + rows, left : left + columns], out=largest)
    return mosaic.astype(np.int32) - largest
