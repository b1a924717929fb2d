"""By how much a frame is shifted against a reference of the same scene; pure functions.

Coarse to fine: the block means of the whole frame are correlated to find the shift to within a
block, then parts of the green photosites at full resolution are aligned by least squares. Works on
square roots of the levels, in which photon noise is even, so that dark parts do not drown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from datastore.frames.blocks import BlockMeans
from datastore.frames.cells import (
    Image,
    black_of,
    despiked,
    green_cells,
    is_full,
    visible_cells,
)
from datastore.frames.frame import Frame

PART_CELLS: Final = 96
_PARTS_DOWN: Final = 3
_PARTS_ACROSS: Final = 4
_MARGIN_CELLS: Final = 8
_CELL_PHOTOSITES: Final = 2

_DETAIL_BLOCKS: Final = 6.0  # scale above which the coarse correlation ignores structure
_SEARCH_SHARE: Final = 0.25  # of the frame's sides
_ALIKE_SHARE: Final = 0.95  # of the best correlation: as good a place
_LEAST_SIGNIFICANCE: Final = 8.0
_LEAST_CORRELATION: Final = 0.2

_DETAIL_CELLS: Final = 8.0
_SMOOTHINGS_CELLS: Final = (3.0, 1.5, 1.2)
_RESIDUAL_SIGMAS: Final = 4.0
_MAD_TO_SIGMA: Final = 1.4826  # of a normal distribution


@dataclass(frozen=True)
class Part:
    """A part of a frame at full resolution.

    Attributes
    ----------
    row, column
        Of its first cell.
    """

    row: int
    column: int


@dataclass(frozen=True)
class Coarse:
    """Where block means correlate best.

    Attributes
    ----------
    rows, columns
        Shift in blocks, to fractions.
    correlation
        Of the details there, from -1 to 1; noise lowers it.
    significance
        The same in units of what noise alone would give in the area searched, at most.
    is_ambiguous
        Whether another shift fits as well, as in periodic scenes; the smallest was taken.
    """

    rows: float
    columns: float
    correlation: float
    significance: float
    is_ambiguous: bool


@dataclass(frozen=True)
class Shift:
    """The shift of a frame's content against the reference, in photosites.

    Attributes
    ----------
    rows, columns
        Positive downwards and to the right.
    uncertainty
        One standard deviation along the worse direction.
    is_ambiguous
        As in `Coarse`.
    """

    rows: float
    columns: float
    uncertainty: float
    is_ambiguous: bool

    @property
    def photosites(self) -> float:
        """Length of the shift."""
        return float(np.hypot(self.rows, self.columns))


def is_clipped(frame: Frame, planes: tuple[Image, Image]) -> bool:
    """Return whether more than a fiftieth of a part of a frame is full, which hides its detail."""
    return is_full(planes, frame.white_level - float(black_of(frame).mean()))


def choose_parts(blocks: BlockMeans, cells_shape: tuple[int, int]) -> tuple[Part, ...]:
    """Choose parts to compare at full resolution: in each of 3 x 4 regions the most detailed.

    Parameters
    ----------
    blocks
        Of the reference.
    cells_shape
        Rows and columns of cells of the frame.
    """
    detail = np.square(_details(blocks))
    side = max(1, round(PART_CELLS / blocks.block_cells))
    energy = cv2.boxFilter(detail, -1, (side, side), borderType=cv2.BORDER_CONSTANT)
    parts = []
    margin = _MARGIN_CELLS + 2
    limits = [n - PART_CELLS - margin for n in cells_shape]
    if min(limits) < margin:
        return ()
    for down in range(_PARTS_DOWN):
        for across in range(_PARTS_ACROSS):
            rows = slice(*(energy.shape[0] * i // _PARTS_DOWN for i in (down, down + 1)))
            columns = slice(*(energy.shape[1] * i // _PARTS_ACROSS for i in (across, across + 1)))
            region = energy[rows, columns]
            best = np.unravel_index(int(region.argmax()), region.shape)
            places = [
                int(np.clip((start + int(i)) * blocks.block_cells - PART_CELLS // 2, margin, limit))
                for start, i, limit in zip((rows.start, columns.start), best, limits, strict=True)
            ]
            parts.append(Part(*places))
    return tuple(dict.fromkeys(parts))


def coarse_shift(frame: BlockMeans, reference: BlockMeans) -> Coarse:
    """Find the shift of a frame's block means by the correlation of their details.

    Normalised cross-correlation by Fourier transform of Hann-windowed details (Lewis 1995); the
    maximum is refined by parabolas. Among maxima that are as good as the best the one of the
    smallest shift is taken: a periodic scene must not seem to have jumped by a period.
    """
    images = [_details(blocks) for blocks in (frame, reference)]
    window = np.outer(*(np.hanning(n + 2)[1:-1] for n in images[0].shape)).astype(np.float32)
    first, second = (image * window for image in images)
    scale = float(np.sqrt(np.sum(first**2, dtype=float) * np.sum(second**2, dtype=float)))
    if scale == 0.0:
        return Coarse(0.0, 0.0, 0.0, 0.0, is_ambiguous=False)
    spectrum = np.fft.rfft2(first) * np.conj(np.fft.rfft2(second))
    correlation = np.fft.fftshift(np.fft.irfft2(spectrum, first.shape)) / scale
    middle = tuple(n // 2 for n in correlation.shape)
    reach = tuple(max(2, int(n * _SEARCH_SHARE)) for n in correlation.shape)
    near = correlation[
        middle[0] - reach[0] : middle[0] + reach[0] + 1,
        middle[1] - reach[1] : middle[1] + reach[1] + 1,
    ].astype(np.float32)
    is_peak = near >= cv2.dilate(near, np.ones((3, 3), np.uint8))
    is_peak[[0, -1], :] = is_peak[:, [0, -1]] = False
    if not is_peak.any():
        return Coarse(0.0, 0.0, 0.0, 0.0, is_ambiguous=False)
    best = float(near[is_peak].max())
    places = np.argwhere(is_peak & (near >= _ALIKE_SHARE * best))
    distances = np.hypot(places[:, 0] - reach[0], places[:, 1] - reach[1])
    row, column = (int(i) for i in places[distances.argmin()])
    return Coarse(
        row - reach[0] + _vertex(near[row - 1 : row + 2, column]),
        column - reach[1] + _vertex(near[row, column - 1 : column + 2]),
        best,
        best * np.sqrt(near.size) / 2,
        is_ambiguous=len(places) > 1,
    )


def fine_shift(
    frame: Frame, reference_parts: dict[Part, tuple[Image, Image]], start_cells: tuple[float, float]
) -> Shift | None:
    """Align parts of a frame with those of the reference; None where nothing can be aligned.

    Gauss-Newton over all parts together (Lucas and Kanade 1981) on smoothed square roots, relative
    to their own mean, from coarse to fine smoothing; residuals beyond four robust standard
    deviations do not count. The uncertainty is that of the least-squares fit.

    Parameters
    ----------
    frame
        The frame.
    reference_parts
        Both planes of parts of the reference.
    start_cells
        Shift to begin with, rows and columns in cells.
    """
    moved: NDArray[np.float64] = np.array(start_cells, dtype=np.float64)
    pairs = []
    height, width = (n // 2 for n in visible_cells(frame).shape)
    whole = np.round(moved).astype(int)
    margin = _MARGIN_CELLS
    for part, planes in reference_parts.items():
        top, left = part.row + whole[0] - margin, part.column + whole[1] - margin
        side = PART_CELLS + 2 * margin
        if top < 0 or left < 0 or top + side > height or left + side > width:
            continue
        seen = green_cells(frame, int(top), int(left), side, side)
        if not is_clipped(frame, seen):
            pairs.append((_roots(*planes), _roots(*seen)))
    if not pairs:
        return None
    beginning = whole.astype(float)
    inverse: NDArray[np.floating[Any]] = np.eye(2)
    variance = 0.0
    for smoothing in _SMOOTHINGS_CELLS:
        prepared = [
            _aligned(reference, other, moved - beginning, smoothing) for reference, other in pairs
        ]
        down, across, difference = (np.concatenate(rows) for rows in zip(*prepared, strict=True))
        spread = _MAD_TO_SIGMA * float(np.median(np.abs(difference)))
        kept = np.abs(difference) <= max(_RESIDUAL_SIGMAS * spread, 1e-9)
        gradients = np.stack([down[kept], across[kept]]).astype(np.float64)
        normal = gradients @ gradients.T
        if np.linalg.cond(normal) > 1e8:
            return None
        inverse = np.linalg.inv(normal)
        step = inverse @ (gradients @ difference[kept].astype(np.float64))
        variance = float(np.mean(difference[kept] ** 2)) * smoothing**2 * 4 * np.pi
        moved = moved - np.clip(step, -2.0, 2.0)
        if np.abs(moved - beginning).max() > margin - 2:
            return None
    worst = float(np.sqrt(variance * np.linalg.eigvalsh(inverse).max()))
    rows, columns = (float(v) * _CELL_PHOTOSITES for v in moved)
    return Shift(rows, columns, worst * _CELL_PHOTOSITES, is_ambiguous=False)


def measure_shift(
    frame: Frame,
    blocks: BlockMeans,
    reference_blocks: BlockMeans,
    reference_parts: dict[Part, tuple[Image, Image]],
) -> Shift | None:
    """Measure the shift of a frame against a reference; None where its content does not tell."""
    coarse = coarse_shift(blocks, reference_blocks)
    if coarse.significance < _LEAST_SIGNIFICANCE or coarse.correlation < _LEAST_CORRELATION:
        return None
    start = (coarse.rows * blocks.block_cells, coarse.columns * blocks.block_cells)
    fine = fine_shift(frame, reference_parts, start)
    if fine is None:
        side = float(blocks.block_cells * _CELL_PHOTOSITES)
        return Shift(coarse.rows * side, coarse.columns * side, side / 2, coarse.is_ambiguous)
    return Shift(fine.rows, fine.columns, fine.uncertainty, coarse.is_ambiguous)


def _details(blocks: BlockMeans) -> Image:
    """Return the structure of block means below a scale, hot blocks bounded, in square roots."""
    medians = np.median(blocks.means, axis=(1, 2), keepdims=True)
    relative = np.asarray(np.mean(blocks.means / np.maximum(medians, 1.0), axis=0), np.float32)
    image: Image = np.sqrt(np.maximum(despiked(relative), 0.0))
    smooth = cv2.GaussianBlur(image, (0, 0), _DETAIL_BLOCKS)
    return np.asarray(image - smooth, dtype=np.float32)


def _vertex(values: NDArray[np.float32]) -> float:
    """Return where the parabola through three values has its extremum, within half a step."""
    before, here, after = (float(v) for v in values)
    bend = before - 2 * here + after
    return 0.0 if bend >= 0 else float(np.clip((before - after) / (2 * bend), -0.5, 0.5))


def _roots(first: Image, second: Image) -> Image:
    mean = (first + second) / 2
    level = max(float(mean.mean()), 1e-3)
    return np.sqrt(np.maximum(mean / level, 0.0)).astype(np.float32)


def _aligned(
    reference: Image, seen: Image, moved: NDArray[np.float64], smoothing: float
) -> tuple[Image, Image, Image]:
    """Return gradients of a part down and across, and what the moved frame differs by."""
    side, margin = reference.shape[0], _MARGIN_CELLS
    back = np.array([[1, 0, moved[1]], [0, 1, moved[0]]], np.float64)
    moved_back = cv2.warpAffine(
        seen,
        back,
        (seen.shape[1], seen.shape[0]),
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    held, came = (
        np.asarray(cv2.GaussianBlur(image, (0, 0), smoothing), np.float32)
        - np.asarray(cv2.GaussianBlur(image, (0, 0), _DETAIL_CELLS), np.float32)
        for image in (reference, moved_back[margin : margin + side, margin : margin + side])
    )
    inside = slice(4, -4)
    down, across = (
        ((np.roll(held, -1, axis) - np.roll(held, 1, axis)) / 2)[inside, inside].ravel()
        for axis in (0, 1)
    )
    return down, across, (came - held)[inside, inside].ravel()
