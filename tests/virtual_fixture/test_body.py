"""A virtual body: what it takes shows its age as its truth file says, and nothing else."""

import io
import json
import re
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import rawpy
import simplejpeg
import yaml
from numpy.typing import NDArray

from fixtures.ageing import AgeingParameters
from fixtures.body import (
    BodyDescription,
    ExposureSettings,
    Surroundings,
    VirtualBody,
    body_from_mapping,
)
from fixtures.errors import DescriptionError, OutsideLifetimeError, UnsupportedSettingError
from fixtures.scenes import scene_named
from fixtures.sensor import SensorParameters
from fixtures.truth import truth_path

MADE = datetime(2020, 1, 1, tzinfo=UTC)
LATE = datetime(2024, 1, 1, tzinfo=UTC)
DARK = Surroundings(civil_time=LATE, cap_on=True)
QUARTER = ExposureSettings(Fraction(1, 4))
FLAT = scene_named("flat-panel")


def description(**changes: Any) -> BodyDescription:
    settings: dict[str, Any] = {
        "serial": "7100001",
        "manufactured_at": MADE,
        "seed": 11,
        "width": 320,
        "height": 256,
        "ageing": AgeingParameters(
            defects_per_year=5.0,
            acceleration_count=8.0,
            acceleration_amplitude=6.0,
            horizon_years=5.0,
        ),
    }
    return BodyDescription(**(settings | changes))


def body(folder: Path, **changes: Any) -> VirtualBody:
    return VirtualBody(description(**changes), folder)


def mean_frame(
    camera: VirtualBody, settings: ExposureSettings, surroundings: Surroundings, frames: int = 12
) -> NDArray[np.float64]:
    """Return the mean of some frames above black."""
    numbers = [
        camera.render(settings, surroundings, shot).astype(np.float64) for shot in range(frames)
    ]
    mean: NDArray[np.float64] = np.mean(numbers, axis=0) - 512.0
    return mean


def test_a_shot_is_a_dng_and_a_jpeg_of_the_sensor_s_size(tmp_path: Path) -> None:
    camera = body(tmp_path)
    lit = Surroundings(civil_time=LATE, scene=scene_named("brick-ball-daylight"))
    raw_file, jpeg_file = camera.take(QUARTER, lit, 3)
    assert (raw_file.role, raw_file.extension) == ("raw", "DNG")
    assert (jpeg_file.role, jpeg_file.extension) == ("jpeg", "JPG")
    with rawpy.imread(io.BytesIO(raw_file.data)) as raw:
        assert np.array_equal(raw.raw_image, camera.render(QUARTER, lit, 3))
    assert simplejpeg.decode_jpeg_header(jpeg_file.data)[:2] == (256, 320)


@pytest.mark.parametrize(("raw", "jpeg"), [(True, False), (False, True)])
def test_only_the_wanted_files_are_made(tmp_path: Path, raw: bool, jpeg: bool) -> None:
    settings = ExposureSettings(Fraction(1, 4), raw=raw, jpeg=jpeg)
    files = body(tmp_path).take(settings, DARK, 0)
    assert [file.role for file in files] == (["raw"] if raw else ["jpeg"])


def test_the_same_shot_is_the_same_bytes_whatever_came_before(tmp_path: Path) -> None:
    lit = Surroundings(civil_time=LATE, scene=scene_named("brick-ball-daylight"))
    first, second = body(tmp_path / "a"), body(tmp_path / "b")
    for shot in range(3):
        first.take(QUARTER, DARK, shot)
    assert first.take(QUARTER, lit, 7) == second.take(QUARTER, lit, 7)
    assert first.take(QUARTER, lit, 7) != first.take(QUARTER, lit, 8)
    assert body(tmp_path / "c", seed=12).take(QUARTER, lit, 7) != first.take(QUARTER, lit, 7)


def test_the_truth_lists_what_dark_frames_show(tmp_path: Path) -> None:
    camera = body(tmp_path)
    truth = json.loads(truth_path(tmp_path, "7100001").read_text())
    assert truth["acceleration_count"] == 8.0
    assert truth["acceleration_amplitude"] == 6.0
    assert truth["gain_e_per_dn_at_iso100"] == 3.0
    settings = ExposureSettings(Fraction(4), iso=400)
    frame = mean_frame(camera, settings, DARK)
    shown = np.zeros(frame.shape, dtype=bool)
    checked = 0
    for defect in truth["defects"]:
        arisen = defect["onset"] is None or datetime.fromisoformat(defect["onset"]) <= LATE
        place = (defect["row"], defect["column"])
        shown[place] = arisen
        if defect["kind"] in ("hot", "partially-stuck"):
            own = 4 * (4 * defect["dark_rate_dn_per_s"] + defect["offset_dn"])
            expected = min(own, 16_383 - 512) if arisen else 0.0
            spread = np.sqrt((expected * 4 / 3 + 60) / 12)
            assert frame[place] == pytest.approx(expected + 5.3, abs=6 * spread + 8)
            checked += arisen
    assert checked > 50
    # No other photosite rises above what read noise and fixed offsets do in a mean of 12 frames.
    assert frame[~shown].max() < 20


def test_defects_arise_between_two_times(tmp_path: Path) -> None:
    camera = body(tmp_path)
    settings = ExposureSettings(Fraction(4), iso=400)
    early = Surroundings(civil_time=MADE + timedelta(days=30), cap_on=True)
    before, after = (mean_frame(camera, settings, moment) for moment in (early, DARK))
    truth = json.loads(truth_path(tmp_path, "7100001").read_text())["defects"]
    risen = {tuple(place) for place in np.argwhere(after - before > 100).tolist()}
    arisen = {
        (defect["row"], defect["column"])
        for defect in truth
        if defect["onset"] is not None
        and early.civil_time < datetime.fromisoformat(defect["onset"]) <= LATE
    }
    steady = {
        (defect["row"], defect["column"])
        for defect in truth
        if (defect["row"], defect["column"]) in arisen
        and defect["kind"] in ("hot", "partially-stuck")
        and 16 * defect["dark_rate_dn_per_s"] + 4 * defect["offset_dn"] > 150
    }
    blinking = {
        (defect["row"], defect["column"]) for defect in truth if defect["kind"] == "blinking"
    }
    assert len(steady) > 40
    assert steady <= risen <= arisen | blinking


def test_the_cap_and_darkness_take_the_scene_away(tmp_path: Path) -> None:
    camera = body(tmp_path)
    capped = Surroundings(civil_time=LATE, scene=FLAT, cap_on=True)
    unlit = Surroundings(civil_time=LATE, scene=FLAT, lamp_level=0.0)
    dark = camera.render(QUARTER, DARK, 0)
    assert np.array_equal(camera.render(QUARTER, capped, 0), dark)
    assert np.array_equal(camera.render(QUARTER, unlit, 0), dark)


def test_light_follows_exposure_aperture_and_lamp(tmp_path: Path) -> None:
    camera = body(tmp_path)
    lit = Surroundings(civil_time=LATE, scene=FLAT)
    full = np.median(mean_frame(camera, ExposureSettings(Fraction(1, 8)), lit, 4))
    half = np.median(mean_frame(camera, ExposureSettings(Fraction(1, 16)), lit, 4))
    stopped = np.median(mean_frame(camera, ExposureSettings(Fraction(1, 8), f_number=16.0), lit, 4))
    dimmed = Surroundings(civil_time=LATE, scene=FLAT, lamp_level=0.5)
    dim = np.median(mean_frame(camera, ExposureSettings(Fraction(1, 8)), dimmed, 4))
    assert half == pytest.approx(full / 2, rel=0.01)
    assert dim == pytest.approx(full / 2, rel=0.01)
    assert stopped == pytest.approx(full / 4, rel=0.02)


def test_a_mid_grey_is_well_exposed_at_the_documented_settings(tmp_path: Path) -> None:
    camera = body(tmp_path)
    greyed = Surroundings(civil_time=LATE, scene=FLAT, lamp_level=0.18 / 0.5)
    frame = mean_frame(camera, QUARTER, greyed, 2)
    green = frame[100:156, 120:200][0::2, 1::2]
    assert np.median(green) == pytest.approx(0.18 * 15_871, rel=0.05)


def test_flat_fields_show_vignetting_and_dust(tmp_path: Path) -> None:
    clean = body(tmp_path / "clean", sensor=SensorParameters(dust_spots=0))
    dusty = body(tmp_path / "dusty", sensor=SensorParameters(dust_spots=5))
    lit = Surroundings(civil_time=LATE, scene=FLAT)
    depth = {}
    for f_number, exposure in ((5.6, Fraction(1, 16)), (22.0, Fraction(1))):
        settings = ExposureSettings(exposure, f_number=f_number)
        without = mean_frame(clean, settings, lit)[0::2, 1::2]
        ratio = mean_frame(dusty, settings, lit)[0::2, 1::2] / without
        depth[f_number] = 1.0 - np.percentile(ratio, 0.5)
        corners = np.median(without[:12, :12]) / np.median(without[56:72, 70:90])
        assert 0.6 < corners < 0.9
    assert depth[22.0] > 2 * depth[5.6]


def test_fixed_patterns_are_the_body_s_own(tmp_path: Path) -> None:
    lit = Surroundings(civil_time=LATE, scene=FLAT)

    def pattern(camera: VirtualBody, moment: Surroundings) -> NDArray[np.float64]:
        frame = mean_frame(camera, QUARTER, moment, 16)[0::2, 1::2]
        smooth = (np.roll(frame, 1, 0) + np.roll(frame, -1, 0) + np.roll(frame, 1, 1)) / 3
        return np.clip(frame / smooth - 1.0, -0.05, 0.05).ravel()

    same, other = body(tmp_path / "a"), body(tmp_path / "b", seed=99)
    first = pattern(same, lit)
    earlier = Surroundings(civil_time=MADE, scene=FLAT)
    assert np.corrcoef(first, pattern(same, earlier))[0, 1] > 0.7
    assert abs(np.corrcoef(first, pattern(other, lit))[0, 1]) < 0.06


@pytest.mark.parametrize("prnu", [0.0, 0.01, 0.03])
def test_a_flat_field_shows_the_share_of_unequal_response(tmp_path: Path, prnu: float) -> None:
    sensor = SensorParameters(dust_spots=0, prnu=prnu, dsnu_e=0.0, read_noise_e=2.0)
    sound = AgeingParameters(defects_per_year=0.0, initial_defects=0)
    camera = body(tmp_path, sensor=sensor, ageing=sound)
    lit = Surroundings(civil_time=LATE, scene=FLAT)
    residuals = []
    for shots in (range(8), range(8, 16)):
        frames = [camera.render(QUARTER, lit, shot)[0::2, 1::2] - 512.0 for shot in shots]
        green = np.mean(frames, axis=0)
        smooth = cv2.blur(green, (11, 11))
        residuals.append((green / smooth - 1.0)[6:-6, 6:-6])
    # The two means share the pattern alone; the box takes 1/121 of its variance away.
    shared_variance = np.mean(residuals[0] * residuals[1]) / (1 - 1 / 121)
    assert shared_variance == pytest.approx(prnu**2, rel=0.06, abs=2e-6)


def test_stuck_photosites_are_white_and_dead_ones_dim(tmp_path: Path) -> None:
    ageing = AgeingParameters(defects_per_year=20.0, share_stuck=0.25, share_dead=0.25)
    camera = body(tmp_path, ageing=ageing, sensor=SensorParameters(dust_spots=0))
    lit = mean_frame(camera, QUARTER, Surroundings(civil_time=LATE, scene=FLAT), 4)
    dark = mean_frame(camera, QUARTER, DARK, 4)
    kinds = []
    for defect in camera.population.defects:
        row, column = defect.row, defect.column
        if defect.onset is not None and defect.onset > LATE:
            continue
        if defect.kind == "stuck":
            assert lit[row, column] == dark[row, column] == 16_383 - 512
        elif defect.kind == "dead":
            same_filter = lit[row % 2 :: 2, column % 2 :: 2]
            around = same_filter[
                max(0, row // 2 - 3) : row // 2 + 4, max(0, column // 2 - 3) : column // 2 + 4
            ]
            share = lit[row, column] / np.median(around)
            assert share == pytest.approx(defect.response, abs=0.05)
        kinds.append(defect.kind)
    assert kinds.count("stuck") > 5
    assert kinds.count("dead") > 5


def test_blinking_photosites_switch_between_two_levels(tmp_path: Path) -> None:
    ageing = AgeingParameters(
        defects_per_year=2.0,
        share_blinking=1.0,
        share_partially_stuck=0.0,
        share_stuck=0.0,
        share_dead=0.0,
        dark_rate_median_e_per_s=800.0,
        dark_rate_log_sd=0.2,
    )
    camera = body(tmp_path, ageing=ageing)
    settings = ExposureSettings(Fraction(4))
    frames = np.array([camera.render(settings, DARK, shot) for shot in range(120)]) - 512.0
    for defect in camera.population.defects:
        assert defect.blinking is not None
        if defect.onset is not None and defect.onset > LATE:
            continue
        full = defect.dark_rate_e_per_s * 4.0 / 3.0
        series = frames[:, defect.row, defect.column]
        high = np.abs(series - full) < full / 4
        low = np.abs(series - full * defect.blinking.low_level) < full / 4
        assert np.all(high ^ low)
        assert high.any() and low.any()


def test_the_default_model_is_no_nikon_1_to_libgphoto2() -> None:
    # camlibs/ptp2 takes models that begin with J or V, or with S and a digit, for a Nikon 1.
    assert not re.match(r"[JV]|S\d", description().model)


def test_a_frame_does_not_depend_on_the_light_kept_in_memory(tmp_path: Path) -> None:
    camera = body(tmp_path)
    lit = [
        Surroundings(civil_time=LATE, scene=scene_named(f"{b}-ball-daylight"))
        for b in ("brick", "wood")
    ]
    once = [camera.render(QUARTER, each, 1) for each in lit]
    again = [camera.render(QUARTER, each, 1) for each in lit]
    assert not np.array_equal(once[0], once[1])
    assert all(np.array_equal(a, b) for a, b in zip(once, again, strict=True))


def test_the_camera_s_clock_may_differ_from_the_civil_time(tmp_path: Path) -> None:
    skewed = Surroundings(civil_time=LATE, cap_on=True, camera_clock_offset_s=-3600.0)
    (raw_file, _) = body(tmp_path).take(QUARTER, skewed, 0)
    assert b"2023:12:31 23:00:00" in raw_file.data


def test_a_description_comes_from_yaml() -> None:
    text = """
    serial: "0042"
    seed: 3
    manufactured_at: 2020-01-01T02:00:00+02:00
    width: 512
    height: 384
    cfa: GBRG
    ageing: {defects_per_year: 4, acceleration_count: 30}
    sensor: {quantum_efficiency: [0.3, 0.5, 0.4], read_noise_e: 2}
    """
    read = body_from_mapping(yaml.safe_load(text))
    assert read.manufactured_at == MADE
    assert (read.serial, read.width, read.cfa) == ("0042", 512, "GBRG")
    assert read.ageing == AgeingParameters(defects_per_year=4.0, acceleration_count=30.0)
    assert read.sensor.quantum_efficiency == (0.3, 0.5, 0.4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colour": "red"}, "unknown field colour"),
        ({"serial": 42}, "serial: 42 is not of type str"),
        ({"serial": "../../etc"}, "serial: "),
        ({"make": "Kamera-Größe"}, "make: "),
        ({"width": 321}, "width: 321"),
        ({"height": 20}, "height: 20"),
        ({"cfa": "RGBW"}, "cfa: 'RGBW'"),
        ({"seed": True}, "seed: True"),
        ({"manufactured_at": "2020-01-01"}, "manufactured_at: .*zone"),
        ({"manufactured_at": "yesterday"}, "manufactured_at: 'yesterday'"),
        ({"pixel_pitch_um": 0}, "pixel_pitch_um: 0"),
        ({"ageing": {"speed": 3}}, "ageing: unknown field speed"),
        ({"ageing": {"initial_defects": 2.5}}, "ageing.initial_defects: 2.5"),
        ({"sensor": {"gain_e_per_dn_at_iso100": float("nan")}}, "not a finite number"),
        ({"sensor": {"quantum_efficiency": [0.5, 0.5]}}, "a list of 3 values"),
        ({"sensor": "good"}, "sensor: a mapping"),
        ({"sensor": {"prnu": 10**400}}, "sensor.prnu: the number is too large"),
        ({"sensor": {"full_well_e": 0}}, "sensor.full_well_e: 0.0 is not positive"),
        ({"ageing": {"share_dead": -1}}, "ageing.share_dead: -1.0 is negative"),
        ({"manufactured_at": "0001-01-01T00:00:00+09:00"}, "manufactured_at: .*calendar"),
    ],
)
def test_what_is_wrong_with_a_description_is_named(change: dict[str, Any], message: str) -> None:
    mapping = {"serial": "1", "seed": 1, "manufactured_at": "2020-01-01T00:00:00Z"} | change
    with pytest.raises(DescriptionError, match=message) as caught:
        body_from_mapping(mapping)
    assert caught.value.exit_code == 2


def test_a_missing_field_is_named() -> None:
    with pytest.raises(DescriptionError, match="field manufactured_at is missing"):
        body_from_mapping({"serial": "1", "seed": 1})


@pytest.mark.parametrize(
    "settings",
    [
        {"exposure": Fraction(0)},
        {"exposure": Fraction(1), "iso": 0},
        {"exposure": Fraction(1), "f_number": 0.1},
        {"exposure": Fraction(1), "raw": False, "jpeg": False},
        {"exposure": Fraction(1), "jpeg_quality": 101},
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedSettingError):
        ExposureSettings(**settings)


def test_times_without_zone_or_outside_the_life_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedSettingError, match="no zone"):
        Surroundings(civil_time=datetime(2022, 1, 1))  # noqa: DTZ001
    camera = body(tmp_path)
    with pytest.raises(OutsideLifetimeError):
        camera.take(QUARTER, Surroundings(civil_time=datetime(2040, 1, 1, tzinfo=UTC)), 0)
    with pytest.raises(UnsupportedSettingError, match="negative"):
        camera.take(QUARTER, DARK, -1)
