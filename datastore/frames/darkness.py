"""How dark a dark field is: its levels, and the smooth pattern that leaking light leaves; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from datastore.frames.blocks import block_means
from datastore.frames.cells import black_of, visible_cells
from datastore.frames.frame import Frame
from datastore.frames.planes import black_of_counts

_SAMPLE_PHOTOSITES: Final = 400_000
_LIMIT_SIGMAS: Final = 4.0
_MAD_TO_SIGMA: Final = 1.4826  # of a normal distribution
_TILES_DOWN: Final = 8
_TILES_ACROSS: Final = 12
_LEAST_NOISE_DN: Final = 0.29  # of rounding to whole numbers


@dataclass(frozen=True)
class Darkness:
    """What a dark field is like.

    Attributes
    ----------
    level_dn
        Robust mean of each plane.
    excess_dn
        The brightest plane's level above the file's black level; None where it states none.
    noise_dn
        Robust standard deviation of each plane.
    pattern_dn
        Span of the smooth pattern: a surface of second degree fitted to the means of 8 x 12 parts,
        pooled over the planes.
    pattern_uncertainty_dn
        One standard deviation of that span, from how the parts scatter about the surface.
    zero_share
        Share of photosites at zero.
    """

    level_dn: tuple[float, ...]
    excess_dn: float | None
    noise_dn: tuple[float, ...]
    pattern_dn: float
    pattern_uncertainty_dn: float
    zero_share: float


def measure_darkness(frame: Frame) -> Darkness:
    """Measure a dark field; hot photosites count as the limit of the noise.

    Values further than four robust standard deviations from their plane's median count as that
    limit, so that ten thousand hot photosites shift a part's mean by less than a hundredth of a
    digital number, while light on a whole part shows in full (reconstructed).

    Parameters
    ----------
    frame
        Of at least 48 x 32 visible photosites.
    """
    cells = visible_cells(frame)
    centres, noises = zip(*(_centre(cells[i // 2 :: 2, i % 2 :: 2]) for i in range(4)), strict=True)
    # rounded outwards: bounds that cut the noise unevenly would shift the mean
    reach = [max(round(_LIMIT_SIGMAS * noise), 2) for noise in noises]
    limits = np.array(
        [[round(c) - r, round(c) + r] for c, r in zip(centres, reach, strict=True)], np.int64
    )
    side = max(1, min(cells.shape[0] // (2 * _TILES_DOWN), cells.shape[1] // (2 * _TILES_ACROSS)))
    blocks = block_means(frame, min(side, 16), limits)
    black = black_of(frame)
    plane_levels = [float(plane.mean(dtype=np.float64)) for plane in blocks.means]
    pooled = np.mean(
        [plane - level for plane, level in zip(blocks.means, plane_levels, strict=True)], axis=0
    )
    pattern, uncertainty = _smooth_span(_tile_means(pooled))
    excess_dn = max(centre - float(level) for centre, level in zip(centres, black, strict=True))
    return Darkness(
        level_dn=tuple(centres),
        excess_dn=None if frame.black_level is None else excess_dn,
        noise_dn=tuple(noises),
        pattern_dn=pattern,
        pattern_uncertainty_dn=uncertainty,
        zero_share=blocks.zero_share,
    )


def _centre(plane: NDArray[np.uint16]) -> tuple[float, float]:
    """Return the robust level and noise of a plane, from a sample of its rows."""
    step = max(1, plane.size // _SAMPLE_PHOTOSITES)
    counts = np.bincount(plane[::step].ravel(), minlength=1 << 16)
    levels = np.flatnonzero(counts)
    level = black_of_counts(counts[: levels[-1] + 1])
    distance = np.abs(levels - level)
    order = np.argsort(distance, kind="stable")
    cumulative = np.cumsum(counts[levels[order]])
    deviation = distance[order][np.searchsorted(cumulative, cumulative[-1] / 2)]
    return level, max(_MAD_TO_SIGMA * float(deviation), _LEAST_NOISE_DN)


def _tile_means(image: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array(
        [
            [tile.mean() for tile in np.array_split(rows, _TILES_ACROSS, axis=1)]
            for rows in np.array_split(image, _TILES_DOWN)
        ]
    )


def _smooth_span(tiles: NDArray[np.float64]) -> tuple[float, float]:
    """Fit 1, x, y, x^2, xy, y^2 to tiles; return the surface's span and its uncertainty."""
    y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in tiles.shape), indexing="ij")
    basis = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1).reshape(-1, 6)
    values = tiles.ravel()
    weights = np.ones(len(values))
    surface = values
    spread = 0.0
    for _ in range(3):  # parts with a defect column or a glowing corner must not bend it all
        root = np.sqrt(weights)[:, None]
        fitted, *_ = np.linalg.lstsq(basis * root, values * root[:, 0], rcond=None)
        surface = basis @ fitted
        residuals = values - surface
        spread = _MAD_TO_SIGMA * float(np.median(np.abs(residuals)))
        weights = np.minimum(1.0, 2.5 * spread / np.maximum(np.abs(residuals), 1e-12))
    error = spread * np.sqrt(2 * basis.shape[1] / len(values))
    return float(surface.max() - surface.min()), float(error)
