"""The facts of a shot as two independent readers of EXIF find them in both of its files."""

import io
from datetime import datetime, timedelta, timezone
from fractions import Fraction
from pathlib import Path
from typing import Any

import exifread
import numpy as np
import pytest

from fixtures.dng import dng_bytes
from fixtures.errors import UnsupportedSettingError
from fixtures.exif import ShotFacts, exif_tags
from fixtures.jpeg import jpeg_bytes
from tests.support.camera_files import LEVELS, exiftool_facts, needs_exiftool, shot_facts

FRAME = np.full((128, 192), 3000, dtype=np.uint16)


def files_of(facts: ShotFacts) -> dict[str, bytes]:
    return {
        "DNG": dng_bytes(FRAME, "RGGB", LEVELS, facts),
        "JPG": jpeg_bytes(FRAME, "RGGB", LEVELS, facts, 90),
    }


def by_exiftool(folder: Path, facts: ShotFacts) -> list[dict[str, Any]]:
    paths = []
    for extension, data in files_of(facts).items():
        path = folder / f"shot.{extension}"
        path.write_bytes(data)
        paths.append(path)
    return exiftool_facts(*paths)


@needs_exiftool
def test_exiftool_reads_the_facts_of_both_files(tmp_path: Path) -> None:
    for read in by_exiftool(tmp_path, shot_facts()):
        assert read["Make"] == "Agetrace"
        assert read["Model"] == "Fixture 1"
        assert read["Software"] == "Ver.1.07"
        assert str(read["SerialNumber"]) == "7100001"
        assert read["ModifyDate"] == "2019:03:04 05:06:07"
        assert read["DateTimeOriginal"] == read["CreateDate"] == "2019:03:04 05:06:07"
        assert read["SubSecDateTimeOriginal"] == "2019:03:04 05:06:07.089+00:00"
        assert read["ExposureTime"] == pytest.approx(1 / 250, rel=1e-6)
        assert read["ISO"] == 800
        assert read["FNumber"] == 5.6
        assert read["AmbientTemperature"] == 23.5
        assert read["Orientation"] == 1
        assert (read["ImageWidth"], read["ImageHeight"]) == (192, 128)


@needs_exiftool
@pytest.mark.parametrize("minutes", [330, -210, 0, 14 * 60])
def test_times_carry_the_zone_of_the_cameras_clock(tmp_path: Path, minutes: int) -> None:
    zone = timezone(timedelta(minutes=minutes))
    moment = datetime(2024, 2, 29, 23, 59, 59, 999_900, tzinfo=zone)
    for read in by_exiftool(tmp_path, shot_facts(camera_time=moment)):
        told = datetime.strptime(read["SubSecDateTimeOriginal"], "%Y:%m:%d %H:%M:%S.%f%z")
        assert abs(told - moment) < timedelta(milliseconds=1)
        assert told.utcoffset() == timedelta(minutes=minutes)


@needs_exiftool
@pytest.mark.parametrize("temperature_c", [-12.25, 0.0, 41.125])
def test_temperatures_below_and_above_zero_are_kept(tmp_path: Path, temperature_c: float) -> None:
    for read in by_exiftool(tmp_path, shot_facts(temperature_c=temperature_c)):
        assert read["AmbientTemperature"] == pytest.approx(temperature_c, abs=1e-3)


@needs_exiftool
def test_an_iso_beyond_the_short_tag_is_told_by_the_long_one(tmp_path: Path) -> None:
    for read in by_exiftool(tmp_path, shot_facts(iso=102_400)):
        assert read["RecommendedExposureIndex"] == 102_400
        assert read["ISO"] == 65_535


@pytest.mark.parametrize("extension", ["DNG", "JPG"])
def test_exifread_reads_the_facts_of_both_files(extension: str) -> None:
    tags = exifread.process_file(io.BytesIO(files_of(shot_facts())[extension]), details=False)
    assert str(tags["Image Make"]) == "Agetrace"
    assert str(tags["Image Model"]) == "Fixture 1"
    assert str(tags["EXIF BodySerialNumber"]) == "7100001"
    assert str(tags["EXIF DateTimeOriginal"]) == "2019:03:04 05:06:07"
    assert str(tags["EXIF OffsetTimeOriginal"]) == "+00:00"
    assert str(tags["EXIF SubSecTimeOriginal"]) == "089"
    assert tags["EXIF ISOSpeedRatings"].values == [800]
    assert tags["Image Orientation"].values == [1]
    assert float(tags["EXIF FNumber"].values[0]) == 5.6


@pytest.mark.parametrize(
    "exposure", [Fraction(1, 8000), Fraction(1, 3), Fraction(4), Fraction(13, 10), Fraction(900)]
)
def test_exposures_are_the_same_rational(exposure: Fraction) -> None:
    for data in files_of(shot_facts(exposure=exposure)).values():
        tags = exifread.process_file(io.BytesIO(data), details=False)
        ratio = tags["EXIF ExposureTime"].values[0]
        assert Fraction(ratio.num, ratio.den) == exposure


@pytest.mark.parametrize("exposure", [Fraction(1, 10**8), Fraction(0), Fraction(2**33)])
def test_exposures_that_fit_no_rational_are_refused(exposure: Fraction) -> None:
    with pytest.raises(UnsupportedSettingError, match="exposure"):
        exif_tags(shot_facts(exposure=exposure))


def test_a_clock_without_a_zone_is_refused() -> None:
    naive = datetime(2020, 1, 1)  # noqa: DTZ001
    with pytest.raises(ValueError, match="camera_time has no zone"):
        exif_tags(shot_facts(camera_time=naive))
