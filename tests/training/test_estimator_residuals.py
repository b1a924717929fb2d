"""Residuals at photosites and in strips, against medians of scipy and OpenCV."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from scipy import ndimage

from training.estimators.errors import EstimatorError
from training.estimators.images import Images
from training.estimators.residuals import residual_strips, residuals_at
from training.patches.inputs import CachedFrame

BLACK = (64.0, 65.0, 66.0, 67.0)
VISIBLE = (3, 4, 41, 52)


def images_of(frames: list[CachedFrame]) -> Images:
    names = np.full(len(frames), "one")
    return Images(frames, np.ones(len(frames)), names, names, names)


def mosaics(count: int = 3, *, high: int = 3000) -> Images:
    generator = np.random.default_rng(1)
    return images_of(
        [
            CachedFrame(
                f"mosaic-{number}",
                generator.integers(0, high, (47, 60), dtype=np.uint16),
                BLACK,
                4000,
                VISIBLE,
            )
            for number in range(count)
        ]
    )


def everywhere(visible: tuple[int, int, int, int]) -> np.ndarray:
    top, left, height, width = visible
    rows, columns = np.mgrid[top : top + height, left : left + width]
    return np.stack([rows.ravel(), columns.ravel()], axis=1)


def test_mosaics_are_compared_with_neighbours_of_their_colour() -> None:
    images = mosaics()
    residuals, light = residuals_at(images, everywhere(VISIBLE))
    assert residuals.dtype == light.dtype == np.float32
    top, left, height, width = VISIBLE
    for number, frame in enumerate(images.frames):
        visible = frame.pixels[top : top + height, left : left + width].astype(np.float64)
        median, black = np.empty_like(visible), np.empty_like(visible)
        for row in (0, 1):
            for column in (0, 1):
                plane = (slice(row, None, 2), slice(column, None, 2))
                median[plane] = ndimage.median_filter(visible[plane], 3, mode="mirror")
                black[plane] = BLACK[(row + top) % 2 * 2 + (column + left) % 2]
        np.testing.assert_array_equal(residuals[number], (visible - median).ravel())
        np.testing.assert_array_equal(light[number], (median - black).ravel())


def test_luma_is_compared_with_its_next_neighbours() -> None:
    luma = np.random.default_rng(2).integers(0, 250, (30, 40), dtype=np.uint8)
    images = images_of([CachedFrame("luma", luma, (0.0,) * 4, 255, (0, 0, 30, 40))])
    inner = everywhere((1, 1, 28, 38))
    residuals, light = residuals_at(images, inner)
    median = cv2.medianBlur(luma, 3)[1:-1, 1:-1].ravel().astype(np.float32)
    kept = ~np.isnan(residuals[0])
    assert kept.mean() > 0.95
    np.testing.assert_array_equal(light[0][kept], median[kept])
    own = luma[1:-1, 1:-1].ravel().astype(np.float32)
    np.testing.assert_array_equal(residuals[0][kept], (own - median)[kept])


def test_colours_are_weighed_to_luma_first() -> None:
    grey = np.random.default_rng(3).integers(0, 250, (20, 30), dtype=np.uint8)
    visible = (0, 0, 20, 30)
    colours = images_of(
        [CachedFrame("rgb", np.repeat(grey[..., None], 3, axis=2), (0.0,) * 4, 255, visible)]
    )
    luma = images_of([CachedFrame("luma", grey, (0.0,) * 4, 255, visible)])
    for got, expected in zip(
        residuals_at(colours, everywhere(visible)),
        residuals_at(luma, everywhere(visible)),
        strict=True,
    ):
        np.testing.assert_allclose(got, expected, atol=1e-3)
    red = np.zeros((20, 30, 3), np.uint8)
    red[10, 10, 0] = 100
    one = images_of([CachedFrame("red", red, (0.0,) * 4, 255, visible)])
    assert residuals_at(one, np.array([[10, 10]]))[0][0, 0] == pytest.approx(29.9)


@pytest.mark.parametrize("rows_per_strip", [1, 2, 7, 1000])
def test_strips_hold_what_single_photosites_hold(rows_per_strip: int) -> None:
    images = mosaics(high=4095)
    strips = list(residual_strips(images, rows_per_strip))
    assert [strip.first_row for strip in strips] == list(range(3, 44, rows_per_strip))
    assert {strip.first_column for strip in strips} == {4}
    residuals, light = residuals_at(images, everywhere(VISIBLE))
    shape = (len(images), *VISIBLE[2:])
    np.testing.assert_array_equal(
        np.concatenate([strip.residuals for strip in strips], axis=1), residuals.reshape(shape)
    )
    np.testing.assert_array_equal(
        np.concatenate([strip.light for strip in strips], axis=1), light.reshape(shape)
    )


def test_saturated_photosites_and_neighbourhoods_are_missing() -> None:
    pixels = np.full((20, 20), 1000, np.uint16)
    pixels[4, 4] = 4000  # saturated itself
    pixels[10:16, 10:16] = 4000  # in whose middle the median is saturated, too
    pixels[12, 12] = 500
    images = images_of([CachedFrame("a", pixels, BLACK, 4000, (0, 0, 20, 20))])
    places = np.array([[4, 4], [12, 12], [4, 6], [6, 6]])
    residuals, light = residuals_at(images, places)
    assert np.isnan(residuals[0]).tolist() == [True, True, False, False]
    assert np.isnan(light[0]).tolist() == [True, True, False, False]
    assert residuals[0, 2:].tolist() == [0.0, 0.0]


def test_frames_are_opened_one_at_a_time_and_once() -> None:
    images = mosaics(5)
    opened: list[int] = []

    class Counting(list[CachedFrame]):
        def __getitem__(self, place):  # type: ignore[no-untyped-def, override]
            opened.append(place)
            return super().__getitem__(place)

        def __iter__(self):  # type: ignore[no-untyped-def, override]
            return (self[place] for place in range(len(self)))

    counted = replace(images, frames=Counting(images.frames))
    residuals_at(counted, np.array([[5, 5], [9, 9]]))
    assert opened == [0, 1, 2, 3, 4]


def test_frames_that_do_not_belong_together_are_refused() -> None:
    images = mosaics(2)
    place = np.array([[5, 5]])
    frame = images.frames[1]
    other = replace(frame, pixels=frame.pixels[:-1], visible=(0, 0, 10, 10))
    with pytest.raises(EstimatorError, match="one size"):
        residuals_at(replace(images, frames=[images.frames[0], other]), place)
    luma = replace(frame, pixels=frame.pixels.astype(np.uint8))
    with pytest.raises(EstimatorError, match="not both"):
        list(residual_strips(replace(images, frames=[images.frames[0], luma]), 5))
    with pytest.raises(EstimatorError, match="outside the visible area"):
        residuals_at(images, np.array([[5, 5], [2, 5]]))
    with pytest.raises(EstimatorError, match="at least 1"):
        list(residual_strips(images, 0))
    with pytest.raises(EstimatorError, match="no images"):
        list(residual_strips(images.subset([]), 5))
