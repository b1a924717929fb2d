"""Diagnostics of single dark frames: black, noise, clipping, signs of suppression in camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datastore.frames.planes import black_of_counts
from training.defects._kernels import (
    frame_totals,
    neighbour_maximum_counts,
    plane_histograms,
)

MONOCHROME = "MONO"
_MAD_TO_SIGMA = 1.4826  # of a normal distribution
_TRIM_SIGMAS = 4.0
_QUANTISATION = 1 / np.sqrt(12.0)  # standard deviation of rounding to whole numbers
_BLACK_SAMPLE = 500_000  # photosites of a plane: its level to 0.2 % of the noise
_NOISE_SAMPLE = 100_000  # of a plane: its noise to 0.2 %
_NEIGHBOUR_SAMPLE = 2_000_000


@dataclass(frozen=True)
class FrameDiagnostics:
    """What one dark frame is like.

    Attributes
    ----------
    identifier
        Name of the frame.
    black_dn
        Own robust black level of each plane.
    noise_dn
        Standard deviation of each plane, from differences of same-coloured neighbours; at least
        that of rounding.
    mean_dn
        Plain mean of the frame.
    clipped_share, zero_share
        Shares of photosites at the white level and at zero.
    suppression_sigmas
        Significance of a spike where a photosite equals the largest of its eight same-coloured
        neighbours, as cameras leave it that replace hot pixels; None where the noise is too small
        for whole numbers to resolve it.
    """

    identifier: str
    black_dn: tuple[float, ...]
    noise_dn: tuple[float, ...]
    mean_dn: float
    clipped_share: float
    zero_share: float
    suppression_sigmas: float | None


def period_of(cfa: str) -> int:
    """Return the distance of same-coloured neighbours: 2, or 1 for ``MONO``."""
    return 1 if cfa == MONOCHROME else 2


def diagnose(
    mosaic: NDArray[np.uint16], cfa: str, white_level: int, identifier: str
) -> FrameDiagnostics:
    """Measure one dark frame.

    Parameters
    ----------
    mosaic
        uint16 of shape (rows, columns).
    cfa, white_level, identifier
        As in `DarkFrame`.
    """
    period = period_of(cfa)
    plane_size = mosaic.size // period**2
    histograms = plane_histograms(mosaic, period, max(1, plane_size // _BLACK_SAMPLE))
    total, zeros, full = (int(one) for one in frame_totals(mosaic, white_level))
    noise = tuple(
        _difference_noise(mosaic[row::period, column::period])
        for row in range(period)
        for column in range(period)
    )
    suppression = None
    if min(noise) >= 1.0:
        below, equal, above = neighbour_maximum_counts(
            mosaic, period, _row_step(mosaic.size)
        ).tolist()
        # a smooth distribution has at zero the mean of what it has on either side
        suppression = (equal - (below + above) / 2) / np.sqrt(max(1.5 * equal, 1.0))
    return FrameDiagnostics(
        identifier=identifier,
        black_dn=tuple(black_of_counts(counts) for counts in histograms),
        noise_dn=noise,
        mean_dn=total / mosaic.size,
        clipped_share=full / mosaic.size,
        zero_share=zeros / mosaic.size,
        suppression_sigmas=suppression,
    )


def _row_step(size: int) -> int:
    # an odd step meets rows of both colours
    return size // _NEIGHBOUR_SAMPLE // 2 * 2 + 1


def _difference_noise(plane: NDArray[np.uint16]) -> float:
    """Return the standard deviation of a plane's noise; gradients and offsets cancel."""
    stride = max(1, plane.size // _NOISE_SAMPLE)
    differences = np.diff(plane[::stride].astype(np.float32), axis=1).ravel()
    scale = max(_MAD_TO_SIGMA * float(np.median(np.abs(differences))), 1.0)
    kept = differences[np.abs(differences) <= _TRIM_SIGMAS * scale]
    return max(float(np.std(kept)) / np.sqrt(2.0), float(_QUANTISATION))
