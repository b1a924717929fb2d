"""What single photosites hold beside the scene: they less the median of their neighbourhood.

As Fridrich and Goljan (2011) suppress the scene: W = Y - med3x3(Y), the centre included. Neighbours
are those of the same colour, two photosites away on a mosaic. Beyond the border of the visible area
lie its mirrored photosites.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.estimators.errors import EstimatorError
from training.estimators.images import Images
from training.patches.inputs import CachedFrame
from training.patches.places import Area

_SATURATED_SHARE = 0.98
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)

Values = NDArray[np.float32]


@dataclass(frozen=True)
class ResidualStrip:
    """Some rows of the visible area in all images.

    Attributes
    ----------
    first_row, first_column
        Of the strip, in the frames' own coordinates.
    residuals, light
        W and I as of `residuals_at`, float32 of shape (images, rows, columns).
    """

    first_row: int
    first_column: int
    residuals: Values
    light: Values


def residuals_at(images: Images, coordinates: NDArray[np.int64]) -> tuple[Values, Values]:
    """Return residual and light of some photosites in every image, one frame at a time.

    Parameters
    ----------
    images
        Of one size and one kind.
    coordinates
        (row, column) of photosites within the visible area, int64 of shape (pixels, 2).

    Returns
    -------
    W, I
        float32 of shape (images, pixels): the value less the median of its 3 x 3 neighbourhood,
        and that median above the black level, in DN; NaN where value or median is saturated.
        Colours are weighed to luma (ITU-R BT.601) first.

    Raises
    ------
    EstimatorError
        When frames differ in size, visible area or kind, or a photosite lies outside.
    """
    places = np.asarray(coordinates, np.int64).reshape(-1, 2)
    residuals = np.empty((len(images), len(places)), np.float32)
    light = np.empty_like(residuals)
    first: CachedFrame | None = None
    for number, frame in enumerate(images.frames):
        if first is None:
            first = frame
            _require_within(places, frame.visible)
            around = _neighbourhoods(frame, places)
        _require_alike(first, frame, number)
        values = _values(frame, around)
        middle = np.partition(values, 4, axis=1)[:, 4]
        black = np.array(frame.black_levels, np.float32)[places[:, 0] % 2 * 2 + places[:, 1] % 2]
        residuals[number], light[number] = _split(values[:, 4], middle, black, frame.white_level)
    return residuals, light


def residual_strips(images: Images, rows_per_strip: int) -> Iterator[ResidualStrip]:
    """Iterate over the visible area in strips of rows, of which each is read in all images.

    A strip takes 8 bytes for each photosite and image.

    Parameters
    ----------
    images
        As of `residuals_at`.
    rows_per_strip
        At least 1; the last strip may have fewer.

    Raises
    ------
    EstimatorError
        As `residuals_at`, or when there are no images or rows.
    """
    if rows_per_strip < 1:
        raise EstimatorError(f"rows_per_strip {rows_per_strip}: give at least 1")
    if not len(images):
        raise EstimatorError("there are no images: give at least one")
    first = images.frames[0]
    top, left, height, width = first.visible
    for start in range(top, top + height, rows_per_strip):
        stop = min(start + rows_per_strip, top + height)
        residuals = np.empty((len(images), stop - start, width), np.float32)
        light = np.empty_like(residuals)
        for number, frame in enumerate(images.frames):
            _require_alike(first, frame, number)
            residuals[number], light[number] = _of_rows(frame, start, stop)
        yield ResidualStrip(start, left, residuals, light)


def _neighbourhoods(
    frame: CachedFrame, places: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return rows and columns of the nine photosites around each, the centre as the fifth."""
    step = _step(frame)
    top, left, height, width = frame.visible
    offsets = np.array([-step, 0, step])
    rows = _mirrored(places[:, :1] + np.repeat(offsets, 3), top, top + height, step)
    columns = _mirrored(places[:, 1:] + np.tile(offsets, 3), left, left + width, step)
    return rows, columns


def _of_rows(frame: CachedFrame, start: int, stop: int) -> tuple[Values, Values]:
    """Return residual and light of some rows of the visible area."""
    step = _step(frame)
    top, left, height, width = frame.visible
    rows = _mirrored(np.arange(start - step, stop + step), top, top + height, step)
    columns = _mirrored(np.arange(left - step, left + width + step), left, left + width, step)
    values = _values(frame, (rows[:, None], columns[None]))
    middle = np.empty_like(values)
    for row in range(step):
        for column in range(step):
            plane = values[row::step, column::step]
            middle[row::step, column::step] = cv2.medianBlur(np.ascontiguousarray(plane), 3)
    inner = (slice(step, -step), slice(step, -step))
    cell = np.array(frame.black_levels, np.float32).reshape(2, 2)
    black = cell[np.ix_(np.arange(start, stop) % 2, np.arange(left, left + width) % 2)]
    return _split(values[inner], middle[inner], black, frame.white_level)


def _split(own: Values, middle: Values, black: Values, white_level: int) -> tuple[Values, Values]:
    residual, light = own - middle, middle - black
    saturated = np.maximum(own, middle) >= _SATURATED_SHARE * white_level
    residual[saturated] = np.nan
    light[saturated] = np.nan
    return residual, light


def _step(frame: CachedFrame) -> int:
    """Return the distance of neighbours of one colour."""
    return 2 if frame.pixels.dtype == np.uint16 else 1


def _mirrored(places: NDArray[np.int64], first: int, stop: int, step: int) -> NDArray[np.int64]:
    """Put places before the first and behind the last on the other side of their centre."""
    inside = np.where(places < first, places + 2 * step, places)
    inside = np.where(places >= stop, places - 2 * step, inside)
    return inside.clip(first, stop - 1)


def _values(frame: CachedFrame, places: tuple[NDArray[np.int64], NDArray[np.int64]]) -> Values:
    """Return values at some places, luma of colours."""
    values = frame.pixels[places].astype(np.float32)
    return np.asarray(values @ _LUMA) if frame.pixels.ndim == 3 else values


def _require_alike(first: CachedFrame, frame: CachedFrame, number: int) -> None:
    if frame.pixels.shape != first.pixels.shape or frame.visible != first.visible:
        raise EstimatorError(
            f"frame {number} has shape {frame.pixels.shape} and visible area {frame.visible},"
            f" the first {first.pixels.shape} and {first.visible}: give images of one size"
        )
    if frame.pixels.dtype != first.pixels.dtype:
        raise EstimatorError(
            f"frame {number} is of {frame.pixels.dtype}, the first of {first.pixels.dtype}: give"
            " RAW images or JPEG images, not both"
        )


def _require_within(places: NDArray[np.int64], visible: Area) -> None:
    top, left, height, width = visible
    beyond = (places < (top, left)) | (places >= (top + height, left + width))
    wrong = np.flatnonzero(beyond.any(axis=1))
    if len(wrong):
        row, column = places[wrong[0]]
        raise EstimatorError(
            f"photosite ({row}, {column}) lies outside the visible area {visible} of the frames"
        )
