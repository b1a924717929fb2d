"""Checks: settings side by side, dark fields that are dark, files that belong to their shot."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction

import numpy as np
import pytest

from capture import checks
from capture.cameras.protocol import CameraSettings, ReadBack
from capture.checks import CheckResult, CheckThresholds, ClockSkew
from capture.checks.dark import check_dark_field
from datastore.frames import Frame
from datastore.metadata import FileMetadata

REQUESTED = CameraSettings(Fraction(1, 30), 800, 8.0, "raw")
READ_BACK = ReadBack(1 / 30, 800, 8.0, "raw", False)
EXIF = FileMetadata(reader="exiftool", exposure_s=1 / 30, iso=800, f_number=8.0)
NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
EXACT = ClockSkew(timedelta(0), timedelta(0))


def test_equal_settings_have_no_findings() -> None:
    assert checks.check_settings(REQUESTED, READ_BACK, EXIF) == []
    assert checks.check_settings(REQUESTED, None, FileMetadata(reader="none")) == []


@pytest.mark.parametrize(
    ("metadata", "name"),
    [
        (FileMetadata("x", exposure_s=1 / 25, iso=800, f_number=8.0), "exif-exposure"),
        (FileMetadata("x", exposure_s=1 / 30, iso=1000, f_number=8.0), "exif-iso"),
        (FileMetadata("x", exposure_s=1 / 30, iso=800, f_number=9.0), "exif-f_number"),
        (FileMetadata("x", long_exposure_noise_reduction=True), "noise-reduction-on"),
    ],
)
def test_a_neighbouring_setting_in_the_file_is_found(metadata: FileMetadata, name: str) -> None:
    assert [f.name for f in checks.check_settings(REQUESTED, READ_BACK, metadata)] == [name]


@pytest.mark.parametrize(
    ("nominal", "written"),
    [("1/30", 1 / 32), ("1/60", 1 / 64), ("1/8000", 0.0001), ("15", 16.0), ("1/3", 0.3333)],
)
def test_what_cameras_write_for_a_nominal_exposure_is_the_same(
    nominal: str, written: float
) -> None:
    requested = CameraSettings(Fraction(nominal), 100, None, "raw")
    metadata = FileMetadata("x", exposure_s=written, iso=100, f_number=2.8)
    assert checks.check_settings(requested, None, metadata) == []


def dark_frame(level: float, hot: int = 0) -> Frame:
    generator = np.random.default_rng(1)
    mosaic = generator.normal(level, 4, (100, 120)).round().astype(np.uint16)
    mosaic.ravel()[generator.permutation(mosaic.size)[:hot]] = 16383
    return Frame(mosaic, "RGGB", 16383, (512.0,) * 4, (0, 0, 100, 120))


def dark_level(frame: Frame) -> CheckResult:
    results = {result.name: result for result in check_dark_field(frame, CheckThresholds())}
    return results["dark-level"]


def test_hot_photosites_do_not_make_a_dark_field_bright() -> None:
    result = dark_level(dark_frame(515, hot=600))
    assert result.passed
    assert result.value == pytest.approx(3, abs=0.7)


@pytest.mark.parametrize("level", [1000, 2000, 12000])
def test_light_on_a_dark_field_is_found_with_its_amount(level: float) -> None:
    result = dark_level(dark_frame(level))
    assert not result.passed
    assert result.value == pytest.approx(level - 512, abs=1)


def test_light_on_one_colour_only_is_found() -> None:
    frame = dark_frame(512)
    frame.mosaic[::2, ::2] += 900
    assert not dark_level(frame).passed


@pytest.mark.parametrize(
    ("text", "belongs"),
    [
        ("2024:03:01 12:00:00", True),
        ("2024:03:01 12:00:04.9", True),
        ("2024:03:01 11:59:58", False),
        ("2024:03:01 12:00:08", False),
        (None, True),
        ("0000:00:00 00:00:00", True),
    ],
)
def test_a_file_belongs_to_the_shot_of_its_time(text: str | None, belongs: bool) -> None:
    metadata = FileMetadata("x", taken_at_local=text)
    found = checks.foreign_time(metadata, NOON, NOON + timedelta(seconds=5), EXACT)
    assert (found is None) == belongs


def test_a_wrong_camera_clock_is_no_reason() -> None:
    ahead = timedelta(hours=2, seconds=7)
    skew = ClockSkew.measured((NOON + ahead).timestamp(), NOON, NOON)
    metadata = FileMetadata("x", taken_at_local="2024:03:01 14:00:07")
    assert checks.foreign_time(metadata, NOON, NOON, skew) is None
    assert checks.foreign_time(metadata, NOON, NOON, EXACT) is not None


def test_a_file_of_another_body_is_foreign() -> None:
    assert checks.foreign_body(FileMetadata("x", serial="B"), "A") is not None
    assert checks.foreign_body(FileMetadata("x", serial="A"), "A") is None
    assert checks.foreign_body(FileMetadata("x"), "A") is None
