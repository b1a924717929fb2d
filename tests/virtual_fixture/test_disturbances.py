"""What disturbs a virtual camera is in its frames in the size that was asked for."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import exifread
import numpy as np
import pytest
from numpy.typing import NDArray

from fixtures.ageing import AgeingParameters
from fixtures.body import BodyDescription, ExposureSettings, Surroundings, VirtualBody
from fixtures.disturbance import Disturbance
from fixtures.errors import DescriptionError
from fixtures.scenes import scene_named
from tests.support.virtual import ControlRefusedError, RunningFixture

Frame = NDArray[np.float64]
RunSteps = Callable[..., list[dict[str, Any]]]

NIKON, GENERIC = "7100001", "7100002"
QUARTER = ExposureSettings(Fraction(1, 4))
LONG = ExposureSettings(Fraction(4), iso=800)
LIT = Surroundings(
    civil_time=datetime(2024, 1, 1, tzinfo=UTC), scene=scene_named("brick-ball-daylight")
)
DARK = replace(LIT, cap_on=True)
BLACK = 512.0


@pytest.fixture(scope="module")
def body(tmp_path_factory: pytest.TempPathFactory) -> VirtualBody:
    """A body of 512 x 384 photosites with many hot ones."""
    description = BodyDescription(
        serial="1",
        manufactured_at=datetime(2020, 1, 1, tzinfo=UTC),
        seed=5,
        width=512,
        height=384,
        ageing=AgeingParameters(acceleration_count=10.0, acceleration_amplitude=5.0),
    )
    return VirtualBody(description, tmp_path_factory.mktemp("body"))


def frame(
    body: VirtualBody, settings: ExposureSettings, around: Surroundings, shot: int = 0, **sizes: Any
) -> Frame:
    surroundings = replace(around, disturbance=Disturbance(**sizes))
    return body.render(settings, surroundings, shot).astype(np.float64) - BLACK


def green(values: Frame) -> Frame:
    """Return one of the green planes of an RGGB frame."""
    return values[::2, 1::2]


def test_without_sizes_nothing_is_disturbed(body: VirtualBody) -> None:
    for settings, around in [(QUARTER, LIT), (LONG, DARK)]:
        undisturbed = body.take(settings, around, 3)
        assert body.take(settings, replace(around, disturbance=Disturbance()), 3) == undisturbed
        named = replace(
            around, lamp_red_factor=1.0, disturbance=Disturbance(light_leak_from="left")
        )
        assert body.take(settings, named, 3) == undisturbed


@pytest.mark.parametrize("shift", [(0.25, -0.4), (1.0, 0.0), (-3.5, 2.25), (12.0, -9.0)])
def test_a_bump_shifts_the_scene_by_its_photosites(
    body: VirtualBody, shift: tuple[float, float]
) -> None:
    moved = frame(body, QUARTER, LIT, 1, shift_rows=shift[0], shift_columns=shift[1])
    still = frame(body, QUARTER, LIT, 0)
    inner = (slice(12, -12), slice(12, -12))
    # Blurred, so that the fixed patterns, which stay, weigh little.
    first = np.asarray(cv2.GaussianBlur(green(still), (0, 0), 1.5))[inner]
    second = np.asarray(cv2.GaussianBlur(green(moved), (0, 0), 1.5))[inner]
    window = cv2.createHanningWindow(first.shape[::-1], cv2.CV_64F)
    (right, down), _ = cv2.phaseCorrelate(green(still)[inner], green(moved)[inner], window)
    whole = (round(down), round(right))
    back = np.roll(second, (-whole[0], -whole[1]), axis=(0, 1))
    clear = (slice(10, -10), slice(10, -10))
    middle = (first + back) / 2
    gradients = np.stack([np.gradient(middle, axis=0), np.gradient(middle, axis=1)])
    slopes = gradients[(slice(None), *clear)].reshape(2, -1).T
    rest = np.linalg.lstsq(slopes, (first - back)[clear].ravel())[0]
    measured = 2 * (np.array(whole) + rest)
    # The planes of one colour have every other row and column.
    assert measured == pytest.approx(shift, abs=0.1)


def test_a_bump_leaves_the_sensor_where_it_is(body: VirtualBody) -> None:
    hot = frame(body, LONG, DARK, 0)
    assert np.array_equal(hot, frame(body, LONG, DARK, 0, shift_rows=5.0, defocus_sigma=3.0))


def test_defocus_takes_detail_away_step_by_step(body: VirtualBody) -> None:
    detail = [
        float(np.var(np.diff(green(frame(body, QUARTER, LIT, 0, defocus_sigma=sigma)), axis=1)))
        for sigma in (0.0, 0.5, 1.0, 2.0, 4.0)
    ]
    assert all(after < before for before, after in pairwise(detail))
    sharp = frame(body, QUARTER, LIT, 0)
    blurred = frame(body, QUARTER, LIT, 0, defocus_sigma=2.0)
    assert blurred.mean() == pytest.approx(sharp.mean(), rel=0.01)


@pytest.mark.parametrize(("red", "blue"), [(1.02, 0.97), (1.3, 0.7)])
def test_the_lamps_colour_changes_red_and_blue_alone(
    body: VirtualBody, red: float, blue: float
) -> None:
    flat = replace(LIT, scene=scene_named("flat-panel"))
    coloured = replace(flat, lamp_red_factor=red, lamp_blue_factor=blue)
    settings = ExposureSettings(Fraction(1, 10))
    ratio = frame(body, settings, coloured, 0), frame(body, settings, flat, 1)
    for place, factor in [((0, 0), red), ((0, 1), 1.0), ((1, 0), 1.0), ((1, 1), blue)]:
        planes = [np.median(values[place[0] :: 2, place[1] :: 2]) for values in ratio]
        assert planes[0] / planes[1] == pytest.approx(factor, rel=0.005)


@pytest.mark.parametrize("rate", [2.0, 50.0, 1000.0])
def test_stray_light_reaches_the_sensor_under_the_cap(body: VirtualBody, rate: float) -> None:
    leaky = frame(body, LONG, DARK, 0, light_leak_e_per_s=rate, light_leak_from="left")
    added = leaky - frame(body, LONG, DARK, 0)
    columns = np.median(added, axis=0)
    dn_per_e_per_s = 4 * 8 / 3.0
    assert columns[:8].mean() == pytest.approx(rate * dn_per_e_per_s, rel=0.1, abs=12)
    assert columns[252:260].mean() == pytest.approx(rate * dn_per_e_per_s / 4, rel=0.1, abs=12)
    assert abs(columns[-8:].mean()) < 12


def test_stray_light_adds_to_the_scene_whatever_the_lamp(body: VirtualBody) -> None:
    for lamp_level in (0.0, 0.5):
        around = replace(LIT, lamp_level=lamp_level)
        leaky = frame(body, QUARTER, around, 0, light_leak_e_per_s=4000, light_leak_from="bottom")
        added = np.median(leaky - frame(body, QUARTER, around, 0), axis=1)
        assert added[-4:].mean() == pytest.approx(4000 / 4 / 3, rel=0.1)
        assert abs(added[:4].mean()) < 15


def hot_places(body: VirtualBody) -> NDArray[np.intp]:
    """Return the photosites far above their neighbours in a mean of dark frames."""
    mean = np.mean([frame(body, LONG, DARK, shot) for shot in range(3)], axis=0)
    return np.argwhere((mean > 800) & (mean < 12_000))


def test_noise_reduction_removes_the_defects_and_doubles_the_variance(body: VirtualBody) -> None:
    places = tuple(hot_places(body).T)
    assert places[0].size >= 8
    plain = frame(body, LONG, DARK, 0)
    reduced = frame(body, LONG, DARK, 0, long_exposure_noise_reduction="always")
    assert abs(np.median(reduced[places])) < 0.1 * np.median(plain[places])
    as_set = replace(LONG, long_exposure_noise_reduction=True)
    assert np.array_equal(reduced, frame(body, as_set, DARK, 0))
    # Fixed offsets of 1 electron go away, the noise of 4 comes twice.
    spread = [float(np.diff(np.percentile(values, [16, 84]))[0]) for values in (plain, reduced)]
    assert spread[1] / spread[0] == pytest.approx(np.sqrt(2), rel=0.06)
    short = ExposureSettings(Fraction(1, 2))
    always = {"long_exposure_noise_reduction": "always"}
    assert np.array_equal(frame(body, short, DARK, 0, **always), frame(body, short, DARK, 0))


@pytest.mark.parametrize(("manner", "said"), [("as-set", 0), ("always", 1), ("always-unsaid", 0)])
def test_the_dng_file_says_that_noise_was_reduced(
    body: VirtualBody, tmp_path: Path, manner: str, said: int
) -> None:
    around = replace(DARK, disturbance=Disturbance(long_exposure_noise_reduction=manner))
    path = tmp_path / "shot.dng"
    path.write_bytes(body.take(LONG, around, 0)[0].data)
    with path.open("rb") as opened:
        tags = exifread.process_file(opened, details=False)
    values = [tag.values[0] for tag in tags.values() if tag.tag == 0xC6F7]
    assert [float(value) for value in values] == [1.0] * said


def neighbour_excess(values: Frame) -> Frame:
    """Return each green photosite less the largest of its eight neighbours of the same colour."""
    plane = green(values)
    windows = np.lib.stride_tricks.sliding_window_view(plane, (3, 3)).reshape(-1, 9)
    excess: Frame = windows[:, 4] - np.delete(windows, 4, axis=1).max(axis=1)
    return excess


def test_suppression_replaces_what_stands_alone(body: VirtualBody) -> None:
    plain = neighbour_excess(frame(body, LONG, DARK, 0))
    assert plain.max() > 1000
    for manner in ("largest-neighbour", "range-of-neighbours"):
        suppressed = neighbour_excess(frame(body, LONG, DARK, 0, hot_pixel_suppression=manner))
        # A spike at nought: what was above its neighbours is now equal to the largest.
        assert (suppressed == 0).mean() > 4 * (plain == 0).mean()
        assert suppressed.max() < 0.2 * plain.max()
    margin = neighbour_excess(frame(body, LONG, DARK, 0, hot_pixel_suppression="margin"))
    assert margin.max() < 0.6 * plain.max()
    assert (margin == 0).mean() < 1.2 * (plain == 0).mean()
    short = ExposureSettings(Fraction(1, 5), iso=800)
    filtered = frame(body, short, DARK, 0, hot_pixel_suppression="largest-neighbour")
    assert np.array_equal(filtered, frame(body, short, DARK, 0))


@pytest.mark.parametrize(
    "sizes",
    [
        {"shift_rows": 65.0},
        {"defocus_sigma": -0.1},
        {"light_leak_e_per_s": float("nan")},
        {"light_leak_from": "middle"},
        {"hot_pixel_suppression": "on"},
        {"long_exposure_noise_reduction": "never"},
        {"battery_percent": 101},
    ],
)
def test_impossible_sizes_are_refused_by_name(sizes: dict[str, Any]) -> None:
    with pytest.raises(DescriptionError, match=next(iter(sizes))):
        Disturbance(**sizes)


def test_disturbances_are_put_and_shown(fixture: RunningFixture) -> None:
    asked = {"shift_rows": 0.5, "light_leak_from": "left", "battery_percent": 40}
    fixture.put("/disturbances", {NIKON: asked})
    shown = fixture.get()["disturbances"]
    assert asked.items() <= shown[NIKON].items()
    assert shown[GENERIC]["shift_rows"] == 0.0
    colour = {"lamp_level": 0.5, "lamp_red_factor": 1.1, "lamp_blue_factor": 0.9}
    assert colour.items() <= fixture.put("/lamp", colour).items()
    assert fixture.put("/lamp", {"lamp_level": 0.5})["lamp_red_factor"] == 1.0
    for path, body, message in [
        ("/disturbances", {"42": {}}, "camera '42' is unknown"),
        ("/disturbances", {NIKON: {"tilt": 1}}, "unknown field tilt"),
        ("/disturbances", {NIKON: {"defocus_sigma": -1}}, "defocus_sigma: -1"),
        ("/lamp", {"lamp_level": 1, "lamp_red_factor": -1}, "lamp_red_factor: -1"),
    ]:
        with pytest.raises(ControlRefusedError, match=message):
            fixture.put(path, body)
    fixture.put("/disturbances", {NIKON: {}})
    assert fixture.get()["disturbances"][NIKON]["shift_rows"] == 0.0
