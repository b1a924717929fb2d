"""How the light of a frame differs from a reference's: level, colours, pattern, clipping; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from datastore.frames.blocks import BlockMeans
from datastore.frames.cells import visible_cells
from datastore.frames.frame import MONOCHROME, Frame

_LEAST_SHARE_OF_MEDIAN: Final = 0.1
_LEAST_LEVEL_DN: Final = 1.5
_FULL_SHARE: Final = 0.85  # of the range: fuller blocks may hold clipped photosites
_LEAST_BLOCKS: Final = 32
_BLOCK_STEP: Final = 2  # every second block down and across tells as much and costs a quarter
_TRIM_SIGMAS: Final = 3.0
_MAD_TO_SIGMA: Final = 1.4826  # of a normal distribution
_TILES_DOWN: Final = 3
_TILES_ACROSS: Final = 4
_LEAST_BLOCKS_OF_TILE: Final = 12
_HISTOGRAM_BINS: Final = 1024
_HISTOGRAM_ROW_STEP: Final = 8


@dataclass(frozen=True)
class LightChange:
    """Change of the light against a reference, in stops (powers of two).

    Attributes
    ----------
    stops
        Of all planes together, exposure taken out.
    plane_stops
        Of each plane.
    red_stops, blue_stops
        Change of red and of blue against green; None without colour filters.
    pattern_stops
        Span of the change over 3 x 4 parts of the frame; None where fewer than two tell.
    uncertainty_stops
        One standard deviation of `pattern_stops`' parts; that of the others is smaller.
    """

    stops: float
    plane_stops: tuple[float, ...]
    red_stops: float | None
    blue_stops: float | None
    pattern_stops: float | None
    uncertainty_stops: float


def light_change(
    frame: BlockMeans,
    reference: BlockMeans,
    *,
    cfa: str,
    exposure_ratio: float,
    range_dn: float,
    shift_blocks: tuple[int, int] = (0, 0),
) -> LightChange | None:
    """Compare the light of two frames of one scene; None where too few blocks have light.

    Per plane log2 of the ratio of block means, averaged with the reference's level as weight after
    values beyond three robust standard deviations were left out; the exposure ratio is taken off
    (reconstructed).

    Parameters
    ----------
    frame, reference
        Block means of equal block size.
    cfa
        As in `Frame`.
    exposure_ratio
        Exposure product of the frame over that of the reference.
    range_dn
        White less black level.
    shift_blocks
        By how many whole blocks the frame's content is shifted.
    """
    seen, held = _overlap(frame.means, reference.means, shift_blocks)
    seen, held = seen[:, ::_BLOCK_STEP, ::_BLOCK_STEP], held[:, ::_BLOCK_STEP, ::_BLOCK_STEP]
    level = held.mean(axis=0)
    usable = (level >= _LEAST_SHARE_OF_MEDIAN * np.median(level)) & (
        held.min(axis=0) * min(exposure_ratio, 1.0) >= _LEAST_LEVEL_DN
    )
    usable &= (held.max(axis=0) <= _FULL_SHARE * range_dn) & (
        seen.max(axis=0) <= _FULL_SHARE * range_dn
    )
    usable &= seen.min(axis=0) > 0
    if np.count_nonzero(usable) < _LEAST_BLOCKS:
        return None
    stops = np.log2(seen[:, usable] / held[:, usable]) - np.log2(exposure_ratio)
    weights = level[usable]
    planes = np.array([_robust_mean(values, weights) for values in stops])
    overall = float(planes.mean())
    pattern, uncertainty = _pattern(stops.mean(axis=0), usable)
    colours = (
        None
        if cfa == MONOCHROME
        else {
            colour: float(np.mean([planes[i] for i in range(4) if cfa[i] == colour]))
            for colour in "RGB"
        }
    )
    return LightChange(
        overall,
        tuple(float(value) for value in planes),
        None if colours is None else colours["R"] - colours["G"],
        None if colours is None else colours["B"] - colours["G"],
        pattern,
        uncertainty,
    )


def level_histogram(frame: Frame) -> NDArray[np.int64]:
    """Count photosites by level, 1024 bins over 0 to the white level, of every eighth row pair.

    The last bin holds photosites at or above the white level.
    """
    cells = visible_cells(frame)
    rows = np.arange(cells.shape[0]) // 2 % _HISTOGRAM_ROW_STEP == 0
    values = cells[rows].ravel().astype(np.uint32) * (_HISTOGRAM_BINS - 1) // frame.white_level
    counts = np.bincount(np.minimum(values, _HISTOGRAM_BINS - 1), minlength=_HISTOGRAM_BINS)
    return counts.astype(np.int64)


def expected_white_share(
    histogram: NDArray[np.int64], gain: float, black_level: float, white_level: int
) -> float:
    """Return the share of photosites that would clip if the light grew by a factor.

    Parameters
    ----------
    histogram
        Of the reference, from `level_histogram`.
    gain
        Factor on levels above black. Below 1 what the reference clipped may have come out of it:
        then this is an upper bound.
    black_level, white_level
        Of the reference.
    """
    limit = black_level + (white_level - black_level) / max(gain, 1e-9)
    # one bin early: photon noise carries levels near white across
    first = int(min(limit / white_level, 1.0) * (_HISTOGRAM_BINS - 1)) - 1
    return float(histogram[max(first, 0) :].sum() / max(histogram.sum(), 1))


def _overlap(
    frame: NDArray[np.float32], reference: NDArray[np.float32], shift: tuple[int, int]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    seen = [slice(None)]
    held = [slice(None)]
    for moved in shift:
        seen.append(slice(max(moved, 0), min(moved, 0) or None))
        held.append(slice(max(-moved, 0), min(-moved, 0) or None))
    return frame[tuple(seen)], reference[tuple(held)]


def _robust_mean(values: NDArray[np.float32], weights: NDArray[np.float32]) -> float:
    median = np.median(values)
    spread = _MAD_TO_SIGMA * np.median(np.abs(values - median))
    kept = np.abs(values - median) <= max(_TRIM_SIGMAS * float(spread), 1e-6)
    return float(np.average(values[kept], weights=weights[kept]))


def _pattern(stops: NDArray[np.float32], usable: NDArray[np.bool_]) -> tuple[float | None, float]:
    """Return the span of the medians of the frame's parts, and the uncertainty of one."""
    change = np.full(usable.shape, np.nan, np.float32)
    change[usable] = stops
    medians = []
    errors = []
    for rows in np.array_split(change, _TILES_DOWN):
        for tile in np.array_split(rows, _TILES_ACROSS, axis=1):
            values = tile[np.isfinite(tile)]
            if len(values) < _LEAST_BLOCKS_OF_TILE:
                continue
            medians.append(float(np.median(values)))
            spread = _MAD_TO_SIGMA * float(np.median(np.abs(values - medians[-1])))
            errors.append(1.2533 * spread / np.sqrt(len(values)))  # of a median of normal values
    if len(medians) < 2:
        return None, float("inf")
    return max(medians) - min(medians), float(np.max(errors))
