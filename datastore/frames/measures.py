"""What a frame shows as a whole: levels, clipped share, sharpness, likeness; pure functions.

Owns the definitions; a change of one of them is a new `DEFINITION`. Nothing here takes more than a
few milliseconds for 24 megapixels, so that every frame is measured where it is decoded anyway.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from datastore.frames.frame import MONOCHROME, Frame
from datastore.frames.likeness import perceptual_hash
from datastore.frames.planes import robust_black

DEFINITION: Final = "measures-1"
"""Names the definitions by which a frame was measured."""

_LEAST_STRIP: Final = 8
_LEAST_MASKED: Final = 4096
_BORDER: Final = 4  # light reaches the first masked photosites
_SAMPLE_STEP: Final = 16
_DARKEST_PERCENT: Final = 5.0
_MAD_TO_SIGMA: Final = 1.4826  # of a normal distribution
_MASKED_SIGMAS: Final = 3.0

_PARTS_DOWN: Final = 3
_PARTS_ACROSS: Final = 4
_PART_CELLS: Final = 96
_LEAST_PART_CELLS: Final = 24
_LEAST_PARTS: Final = 3
_LEAST_LIGHT_SHARE: Final = 1 / 64  # of the range
_JPEG_WHITE: Final = 255


@dataclass(frozen=True, slots=True)
class FrameMeasures:
    """Measures of one file's frame; None where one makes no sense or could not be taken.

    Attributes
    ----------
    black_level_dn
        Digital number of a photosite that sees no light, mean over the planes.
    mean_dn
        Mean of the visible photosites, black not subtracted (JPEG: mean luma).
    clipped_share
        Share of them at or above the white level (JPEG: luma 255).
    sharpness
        Contrast of the finest details, see `detail_contrast`; compares frames of one camera and
        scene.
    temperature_c
        Of the camera, as the file tells it.
    perceptual_hash
        What the frame looks like, see `datastore.frames.likeness`, which owns its definition.
    """

    black_level_dn: float | None = None
    mean_dn: float | None = None
    clipped_share: float | None = None
    sharpness: float | None = None
    temperature_c: float | None = None
    perceptual_hash: str | None = None

    def at_temperature(self, temperature_c: float | None) -> FrameMeasures:
        """Return the measures of a frame with the temperature that its file tells."""
        return replace(self, temperature_c=temperature_c)


def measure_frame(frame: Frame) -> FrameMeasures:
    """Measure a mosaic on its visible photosites, and its black level on masked ones."""
    visible = visible_area(frame)
    if not visible.size:
        return FrameMeasures()
    black = (0.0,) * 4 if frame.black_level is None else frame.black_level
    first, second = (1, 2) if frame.cfa in (MONOCHROME, "RGGB", "BGGR") else (0, 3)
    top, left = frame.visible[0] % 2, frame.visible[1] % 2
    return FrameMeasures(
        black_level_dn=measure_black(frame),
        mean_dn=_mean(visible),
        clipped_share=_share_at_least(visible, frame.white_level),
        sharpness=detail_contrast(
            visible[top:, left:],
            planes=(first, second),
            black_level=(black[first], black[second]),
            white_level=frame.white_level,
        ),
        perceptual_hash=perceptual_hash(frame),
    )


def measure_luma(luma: NDArray[np.uint8]) -> FrameMeasures:
    """Measure a JPEG's luma; a picture has no black level.

    Parameters
    ----------
    luma
        uint8 of shape (rows, columns).
    """
    if not luma.size:
        return FrameMeasures()
    return FrameMeasures(
        mean_dn=_mean(luma),
        clipped_share=_share_at_least(luma, _JPEG_WHITE),
        sharpness=detail_contrast(
            luma, planes=(0, 3), black_level=(0.0, 0.0), white_level=_JPEG_WHITE
        ),
        perceptual_hash=perceptual_hash(luma),
    )


def visible_area(frame: Frame) -> NDArray[np.uint16]:
    """Return the photosites that see light, as a view."""
    top, left, height, width = frame.visible
    return frame.mosaic[top : top + height, left : left + width]


def measure_black(frame: Frame) -> float | None:
    """Return a frame's black level in digital numbers, mean over its planes.

    That of the masked photosites above or left of the visible area, whichever are more: the
    trimmed mean of `datastore.frames.robust_black`, four photosites away from the light. Cameras
    also have margins that see light, so masked ones count as such only if their level is no
    higher than that of the darkest twentieth of the visible ones, within three robust standard
    deviations (reconstructed).

    Without them it is the level that the file states. Decoders give zero for files that state
    none, so zero in every plane is None, too.
    """
    masked = _masked_area(frame)
    if masked is not None:
        level = float(np.mean(robust_black(masked, frame.cfa)))
        sample = masked[:: max(1, masked.shape[0] // 256)]
        noise = _MAD_TO_SIGMA * float(np.median(np.abs(sample.astype(np.float32) - level)))
        darkest = np.percentile(
            visible_area(frame)[::_SAMPLE_STEP, ::_SAMPLE_STEP], _DARKEST_PERCENT
        )
        if level <= float(darkest) + _MASKED_SIGMAS * max(noise, 1.0):
            return level
    if frame.black_level is None or not any(frame.black_level):
        return None
    return float(np.mean(frame.black_level))


def detail_contrast(
    area: NDArray[np.uint16] | NDArray[np.uint8],
    *,
    planes: tuple[int, int],
    black_level: tuple[float, float],
    white_level: int,
) -> float | None:
    """Return the contrast of the finest details of a frame, a pure number.

    The root of the mean of `datastore.frames.cells.detail_energy` (the product of two planes'
    Laplacians, in units of the mean level) over twelve parts of at most 96 x 96 cells, three down
    and four across; 0 where only noise is left (reconstructed). None where fewer than three parts
    have light, at least 1/64 of the range and less than a fiftieth of it full: dark fields have no
    sharpness.

    Parameters
    ----------
    area
        Visible photosites of shape (rows, columns), beginning with a whole cell.
    planes
        Two planes whose noise is independent, as indices of `datastore.frames.cfa_planes`.
    black_level
        Of these two planes.
    white_level
        Digital number of a full photosite.
    """
    from datastore.frames.cells import detail_energy, is_full, plane_above

    range_dn = white_level - float(np.mean(black_level))
    energies = []
    for part in _parts(area):
        means = [part[plane // 2 :: 2, plane % 2 :: 2].mean() for plane in planes]
        if float(np.mean(means) - np.mean(black_level)) < _LEAST_LIGHT_SHARE * range_dn:
            continue
        first, second = (
            plane_above(part, plane, level)
            for plane, level in zip(planes, black_level, strict=True)
        )
        if not is_full((first, second), range_dn):
            energies.append(detail_energy(first, second))
    if len(energies) < _LEAST_PARTS:
        return None
    return float(np.sqrt(max(float(np.mean(energies)), 0.0)))


def _parts(
    area: NDArray[np.uint16] | NDArray[np.uint8],
) -> list[NDArray[np.uint16] | NDArray[np.uint8]]:
    """Return parts of equal size in the middles of a grid's fields; none of a tiny frame."""
    rows, columns = area.shape[0] // 2, area.shape[1] // 2
    side = min(_PART_CELLS, rows // _PARTS_DOWN, columns // _PARTS_ACROSS)
    if side < _LEAST_PART_CELLS:
        return []
    found = []
    for down in range(_PARTS_DOWN):
        for across in range(_PARTS_ACROSS):
            top = rows * (2 * down + 1) // (2 * _PARTS_DOWN) - side // 2
            left = columns * (2 * across + 1) // (2 * _PARTS_ACROSS) - side // 2
            found.append(area[2 * top : 2 * (top + side), 2 * left : 2 * (left + side)])
    return found


def _masked_area(frame: Frame) -> NDArray[np.uint16] | None:
    """Return the larger of the strips above and left of the visible area, None where small."""
    top, left, _, _ = frame.visible
    above = frame.mosaic[: max(top - _BORDER, 0)]
    beside = frame.mosaic[:, : max(left - _BORDER, 0)]
    larger = max(above, beside, key=lambda strip: strip.size)
    if min(larger.shape) < _LEAST_STRIP or larger.size < _LEAST_MASKED:
        return None
    return larger


def _mean(values: NDArray[np.uint16] | NDArray[np.uint8]) -> float:
    import cv2

    # ten times as fast as NumPy's, and exact: it adds whole numbers
    return float(cv2.mean(values)[0])


def _share_at_least(values: NDArray[np.uint16] | NDArray[np.uint8], level: int) -> float:
    rows = values.max(axis=1) >= level
    if np.count_nonzero(rows) < len(rows) / 4:
        # as in most frames: looking at few rows once more is quicker
        return float(np.count_nonzero(values[rows] >= level) / values.size)
    return float(np.count_nonzero(values >= level) / values.size)
