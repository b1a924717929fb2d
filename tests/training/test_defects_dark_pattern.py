"""Bodies told apart in the dark: simulated sensors of known truth and a real camera."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import special

from datastore.frames import read_frame
from tests.support.simulated_darks import Sensor, dark_frames, make_sensor
from training.defects.dark_pattern import (
    SAME_P,
    hot_pixel_overlap,
    pattern_correlation,
    same_dark_pattern,
)
from training.defects.errors import DefectError
from training.defects.extraction import Extraction, extract

DARKS = Path(__file__).parents[2] / "../shared/data/dark/sbig-st8"
SHAPE = (192, 256)


def session(
    seed: int, sensor: Sensor, defects: bool = True
) -> tuple[Extraction, NDArray[np.floating]]:
    """The extraction of a session and the mean of its frames."""
    generator = np.random.default_rng(seed)
    active = np.full(len(sensor.places), defects)
    frames = dark_frames(generator, sensor, repeats=4, active=active)
    return extract(frames), np.mean([frame.read() for frame in frames], axis=0)


def places(extraction: Extraction) -> NDArray[np.int64]:
    return extraction.row * SHAPE[1] + extraction.column


@pytest.fixture(scope="module")
def sensors() -> list[Sensor]:
    return [make_sensor(np.random.default_rng(seed), SHAPE) for seed in (1, 2)]


def test_sessions_of_one_body_agree(sensors: list[Sensor]) -> None:
    (first, mean), (second, other) = session(3, sensors[0]), session(4, sensors[0])
    overlap = hot_pixel_overlap(places(first), places(second), mean.size)
    assert overlap.common > 0.8 * min(overlap.first, overlap.second)
    assert overlap.p < 1e-100
    correlation = pattern_correlation(mean, other, "RGGB")
    assert correlation.correlation > 0.2
    assert correlation.p < SAME_P
    assert same_dark_pattern(overlap).verdict == "same-body"


def test_sessions_of_two_bodies_do_not(sensors: list[Sensor]) -> None:
    (first, mean), (second, other) = session(3, sensors[0]), session(4, sensors[1])
    overlap = hot_pixel_overlap(places(first), places(second), mean.size)
    assert overlap.p > 1e-3
    correlation = pattern_correlation(mean, other, "RGGB")
    assert correlation.p > 1e-3
    assert same_dark_pattern(overlap, correlation).verdict == "another-body"
    # the hot pixels alone might have been mapped out
    alone = same_dark_pattern(overlap)
    assert alone.verdict == "cannot-tell"
    assert alone.reason is not None
    assert "mapped out" in alone.reason


def test_body_is_known_by_its_pattern_after_mapping(sensors: list[Sensor]) -> None:
    (first, mean), (_, other) = session(3, sensors[0]), session(4, sensors[0], defects=False)
    overlap = hot_pixel_overlap(places(first), [], mean.size)
    correlation = pattern_correlation(mean, other, "RGGB")
    assert same_dark_pattern(overlap).verdict == "cannot-tell"
    assert same_dark_pattern(overlap, correlation).verdict == "same-body"


def test_few_hot_pixels_cannot_tell() -> None:
    judged = same_dark_pattern(hot_pixel_overlap([1, 2, 3], [4, 5, 6], 10_000))
    assert judged.verdict == "cannot-tell"
    assert judged.reason is not None
    assert "too few" in judged.reason


@pytest.mark.parametrize(
    ("first", "second", "common", "photosites"), [(5, 8, 2, 50), (9, 4, 4, 30)]
)
def test_chance_of_an_overlap_is_counted_out(
    first: int, second: int, common: int, photosites: int
) -> None:
    overlap = hot_pixel_overlap(
        np.arange(first), np.arange(first - common, first - common + second), photosites
    )
    assert overlap.common == common
    ways = [
        special.comb(first, k) * special.comb(photosites - first, second - k)
        for k in range(common, min(first, second) + 1)
    ]
    assert overlap.p == pytest.approx(sum(ways) / special.comb(photosites, second))
    assert overlap.expected == pytest.approx(first * second / photosites)


@pytest.mark.parametrize("cfa", ["RGGB", "MONO"])
def test_unrelated_patterns_correlate_by_chance(cfa: str) -> None:
    generator = np.random.default_rng(5)
    frames = generator.normal(512, 3, (200, 2, 60, 80))
    p = [pattern_correlation(first, second, cfa).p for first, second in frames]
    assert 0.4 < np.mean(p) < 0.6
    assert min(p) > 1e-4


def test_what_bodies_share_does_not_count() -> None:
    generator = np.random.default_rng(6)
    shared = np.linspace(0, 40, 80)[None, :] + 10 * generator.standard_normal((60, 1))
    frames = generator.normal(512, 3, (2, 60, 80)) + shared
    assert pattern_correlation(frames[0], frames[1], "RGGB").p > 1e-4


def test_refuses_what_cannot_be_compared() -> None:
    with pytest.raises(DefectError, match="sizes"):
        pattern_correlation(np.zeros((4, 4)), np.zeros((4, 6)), "MONO")
    with pytest.raises(DefectError, match="outside"):
        hot_pixel_overlap([3], [100], 100)


@pytest.mark.shared_data
@pytest.mark.skipif(not DARKS.is_dir(), reason="needs ../shared/data/dark/sbig-st8")
def test_real_dark_frames_of_one_camera_agree() -> None:
    first, second = (read_frame(DARKS / f"calib-00{number}-d.fit").mosaic for number in (1, 2))
    correlation = pattern_correlation(first.astype(float), second.astype(float), "MONO")
    assert correlation.correlation > 0.1
    hot = [np.flatnonzero(one > np.quantile(one, 0.999)) for one in (first, second)]
    overlap = hot_pixel_overlap(hot[0], hot[1], first.size)
    assert same_dark_pattern(overlap, correlation).verdict == "same-body"
    # moved by some photosites it is no more like itself than another camera
    moved = np.roll(second, (7, 5), axis=(0, 1))
    apart = same_dark_pattern(
        hot_pixel_overlap(hot[0], np.flatnonzero(moved > np.quantile(moved, 0.999)), first.size),
        pattern_correlation(first.astype(float), moved.astype(float), "MONO"),
    )
    assert apart.verdict == "another-body"
