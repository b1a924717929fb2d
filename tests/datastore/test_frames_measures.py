"""Measures of frames against known shifts, blurs, lights and leaks."""

from __future__ import annotations

import itertools
from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from datastore.frames import Frame, neighbour_maximum
from datastore.frames.blocks import block_means
from datastore.frames.cells import green_cells, visible_cells
from datastore.frames.darkness import measure_darkness
from datastore.frames.focus import Sharpness, measure_sharpness
from datastore.frames.light import LightChange, expected_white_share, level_histogram, light_change
from datastore.frames.registration import (
    PART_CELLS,
    Shift,
    choose_parts,
    measure_shift,
)
from datastore.frames.suppression import measure_defect_signs
from fixtures.processing import suppress_hot_pixels
from tests.support.disturbed_frames import (
    DisturbedCamera,
    Shot,
    subtracted,
    suppressed,
    suppressed_greens,
    with_mosaic,
)

SCENE = Shot("gravel-mug-daylight", exposure_s=1 / 30, iso=400)
BLOCK_CELLS = 2
RANGE_DN = 15_871.0


@pytest.fixture(scope="module")
def camera() -> DisturbedCamera:
    return DisturbedCamera(3, defects_per_year=300)


@pytest.fixture(scope="module")
def reference(camera: DisturbedCamera) -> Frame:
    return camera.take(SCENE)


def shift_of(frame: Frame, reference: Frame) -> Shift | None:
    blocks = block_means(reference, BLOCK_CELLS)
    rows, columns = (n // 2 for n in visible_cells(reference).shape)
    parts = {
        part: green_cells(reference, part.row, part.column, PART_CELLS, PART_CELLS)
        for part in choose_parts(blocks, (rows, columns))
    }
    return measure_shift(frame, block_means(frame, BLOCK_CELLS), blocks, parts)


def sharpness_of(frame: Frame, reference: Frame) -> Sharpness | None:
    rows, columns = (n // 2 for n in visible_cells(reference).shape)
    parts = choose_parts(block_means(reference, BLOCK_CELLS), (rows, columns))
    planes = {p: green_cells(reference, p.row, p.column, PART_CELLS, PART_CELLS) for p in parts}
    return measure_sharpness(frame, planes, Shift(0.0, 0.0, 0.0, is_ambiguous=False))


def change_of(frame: Frame, reference: Frame, exposure_ratio: float = 1.0) -> LightChange:
    change = light_change(
        block_means(frame, BLOCK_CELLS),
        block_means(reference, BLOCK_CELLS),
        cfa=frame.cfa,
        exposure_ratio=exposure_ratio,
        range_dn=RANGE_DN,
    )
    assert change is not None
    return change


@pytest.mark.parametrize(
    "shot",
    [
        replace(SCENE, shift=(0.0, 0.0)),
        replace(SCENE, shift=(0.4, -0.6)),
        replace(SCENE, shift=(-3.0, 5.5)),
        replace(SCENE, shift=(50.0, -70.0)),
        replace(SCENE, shift=(2.0, 2.0), exposure_s=1 / 500, iso=100),
        replace(SCENE, shift=(2.0, 2.0), lamp=0.5, colour=(1.3, 1.0, 0.8)),
        replace(SCENE, shift=(2.0, 2.0), years=15.0),
    ],
)
def test_a_known_shift_is_measured(camera: DisturbedCamera, reference: Frame, shot: Shot) -> None:
    shift = shift_of(camera.take(shot), reference)
    assert shift is not None
    assert (shift.rows, shift.columns) == pytest.approx(shot.shift, abs=0.2)


def test_a_fine_checkerboard_does_not_seem_to_jump_by_a_period() -> None:
    generator = np.random.default_rng(5)
    rows, columns = np.indices((768, 1152))

    def board(moved: int) -> Frame:
        light = 2000.0 + 1500.0 * (((rows - moved) // 32 + columns // 32) % 2)
        light = cv2.GaussianBlur(light, (0, 0), 1.0)
        noise = generator.normal(0, 20, light.shape)
        mosaic = np.round(light + noise + 512).astype(np.uint16)
        return Frame(mosaic, "RGGB", 16383, (512.0,) * 4, (0, 0, 768, 1152))

    still = shift_of(board(0), board(0))
    assert still is not None
    assert still.photosites < 0.2
    moved = shift_of(board(3), board(0))
    assert moved is not None
    assert moved.rows == pytest.approx(3, abs=0.2)
    assert still.is_ambiguous and moved.is_ambiguous


def test_frames_without_common_detail_are_not_aligned(camera: DisturbedCamera) -> None:
    dark = camera.take(Shot(exposure_s=1 / 30, iso=400))
    assert shift_of(camera.take(SCENE), dark) is None


def test_blur_lowers_sharpness_steadily_and_brightness_does_not(
    camera: DisturbedCamera, reference: Frame
) -> None:
    ratios = []
    for defocus in (0.0, 0.4, 0.8, 1.2, 2.0, 3.0):
        sharpness = sharpness_of(camera.take(replace(SCENE, defocus=defocus)), reference)
        assert sharpness is not None
        ratios.append(sharpness.ratio)
    assert ratios[0] == pytest.approx(1.0, abs=0.02)
    assert all(before > after for before, after in itertools.pairwise(ratios))
    assert ratios[-1] < 0.3
    for other in (
        replace(SCENE, lamp=0.3),
        replace(SCENE, exposure_s=1 / 500, iso=1600),
        replace(SCENE, years=15.0),
    ):
        sharpness = sharpness_of(camera.take(other), reference)
        assert sharpness is not None
        assert sharpness.ratio == pytest.approx(1.0, abs=0.05)


def test_a_change_of_light_is_measured_in_stops(camera: DisturbedCamera, reference: Frame) -> None:
    dimmed = change_of(camera.take(replace(SCENE, lamp=0.8)), reference)
    assert dimmed.stops == pytest.approx(np.log2(0.8), abs=0.01)
    assert dimmed.red_stops == pytest.approx(0.0, abs=0.01)
    exposed = replace(SCENE, exposure_s=1 / 250, iso=1600)
    same = change_of(camera.take(exposed), reference, exposed.exposure_product / (400 / 30))
    assert same.stops == pytest.approx(0.0, abs=0.01)
    redder = change_of(camera.take(replace(SCENE, colour=(1.1, 1.0, 0.9))), reference)
    assert redder.red_stops == pytest.approx(np.log2(1.1), abs=0.01)
    assert redder.blue_stops == pytest.approx(np.log2(0.9), abs=0.01)
    fallen = change_of(camera.take(replace(SCENE, side_stops=0.4)), reference)
    assert fallen.pattern_stops == pytest.approx(0.3, abs=0.03)  # between the outer quarters


def test_what_will_clip_follows_from_the_reference(
    camera: DisturbedCamera, reference: Frame
) -> None:
    brighter = block_means(camera.take(replace(SCENE, lamp=8.0)), BLOCK_CELLS)
    expected = expected_white_share(level_histogram(reference), 8.0, 512.0, 16_383)
    assert brighter.white_share > 0.01
    assert expected == pytest.approx(brighter.white_share, rel=0.15)


def test_a_leak_of_a_few_digital_numbers_is_measured(camera: DisturbedCamera) -> None:
    dark = Shot(exposure_s=1.0, iso=800, years=10.0)
    even = measure_darkness(camera.take(dark))
    assert even.pattern_dn < 0.5
    assert even.excess_dn == pytest.approx(8 / 3, abs=0.5)  # 1 e/s of dark current
    leaking = measure_darkness(camera.take(replace(dark, leak_dn=8.0)))
    assert leaking.pattern_dn == pytest.approx(8.0, rel=0.2)
    assert leaking.excess_dn is not None and leaking.excess_dn < 8.0


def test_filters_against_hot_photosites_stand_out(camera: DisturbedCamera) -> None:
    dark = camera.take(Shot(exposure_s=1.0, iso=800, years=5.0))

    def peaks(frame: Frame) -> tuple[float, float]:
        darkness = measure_darkness(frame)
        signs = measure_defect_signs(frame, darkness.level_dn, darkness.noise_dn)
        assert signs.green_peaks is not None
        return signs.peaks, signs.green_peaks

    assert peaks(dark) == pytest.approx((1.0, 1.0), abs=0.15)
    assert peaks(suppressed(dark))[0] == pytest.approx(0.0, abs=0.01)
    assert peaks(suppressed_greens(dark))[1] == pytest.approx(0.0, abs=0.01)
    within_range = suppress_hot_pixels(dark.mosaic, "range-of-neighbours", 512)
    assert peaks(replace(dark, mosaic=within_range))[0] == pytest.approx(0.0, abs=0.01)
    multiplied = with_mosaic(dark, dark.mosaic.astype(np.int64) * 3 // 2)
    assert min(peaks(replace(multiplied, black_level=(768.0,) * 4))) > 0.8


def test_a_subtracted_dark_frame_leaves_cold_photosites(camera: DisturbedCamera) -> None:
    shot = Shot(exposure_s=4.0, iso=800, years=5.0)
    frames = [camera.take(shot) for _ in range(2)]

    def colds(frame: Frame) -> tuple[int, int]:
        darkness = measure_darkness(frame)
        signs = measure_defect_signs(frame, darkness.level_dn, darkness.noise_dn)
        return signs.cold, signs.hot

    cold, hot = colds(frames[0])
    assert cold == 0 and hot > 200
    cold, hot = colds(subtracted(*frames))
    assert cold > 20
    assert 0.3 < cold / (cold + hot) < 0.7


def test_hot_photosites_are_counted_exactly() -> None:
    generator = np.random.default_rng(2)
    mosaic: NDArray[np.uint16] = np.round(generator.normal(512, 6, (400, 600))).astype(np.uint16)
    places = generator.choice(198 * 298, 50, replace=False)
    mosaic[2 + 2 * (places // 298), 2 + 2 * (places % 298)] = 3000
    frame = Frame(mosaic, "RGGB", 16383, (512.0,) * 4, (0, 0, 400, 600))
    darkness = measure_darkness(frame)
    assert measure_defect_signs(frame, darkness.level_dn, darkness.noise_dn).hot == 50


def test_defect_signs_and_block_means_are_those_that_numpy_counts() -> None:
    generator = np.random.default_rng(8)
    values = np.round(generator.normal(600, 6, (301, 407)))
    outliers = generator.random(values.shape) < 0.003
    values[outliers] = generator.integers(0, 65_536, outliers.sum())
    mosaic = values.astype(np.uint16)
    frame = Frame(mosaic, "GBRG", 16383, (600.0,) * 4, (1, 1, 299, 405))
    cells = visible_cells(frame)
    assert cells.shape == (298, 404)

    signs = measure_defect_signs(frame, (600.0,) * 4, (6.0,) * 4)
    inner = (slice(2, -2), slice(2, -2))
    above = neighbour_maximum(cells, "GBRG")[inner]
    hot = cells[inner] > 648
    assert signs.hot == np.count_nonzero(hot)
    assert signs.lone_hot == np.count_nonzero(hot & (above > 48))
    assert signs.equal_hot == np.count_nonzero(hot & (above == 0))
    assert signs.cold == np.count_nonzero(cells[inner] < 552)
    assert signs.photosites == above.size
    assert signs.peaks == pytest.approx(9 * np.count_nonzero(above > 0) / above.size)

    limits = np.array([[590, 610], [-5, 600], [600, 70_000], [580, 590]])
    blocks = block_means(frame, 9, limits)
    for plane, (low, high) in enumerate(limits):
        held = np.clip(cells[plane // 2 :: 2, plane % 2 :: 2].astype(np.int64), low, high)
        expected = held[:144, :198].reshape(16, 9, 22, 9).mean(axis=(1, 3)) - 600
        np.testing.assert_allclose(blocks.means[plane], expected, rtol=0, atol=1e-3)
    assert blocks.white_share == np.count_nonzero(cells >= 16383) / cells.size
    assert blocks.zero_share == np.count_nonzero(cells == 0) / cells.size
