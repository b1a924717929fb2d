"""What files say of themselves is read right, by either reader, and made safe."""

from __future__ import annotations

import json
import math
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datastore.frames import DecodingStoppedError, FrameError
from datastore.metadata import FileMetadata, MetadataReader, read_metadata
from datastore.metadata._exiftool import ExifTool, _noise_reduction
from datastore.metadata._facts import clean_text, json_safe, rational, taken_at
from tests.support.frame_files import (
    dark_mosaic,
    dng,
    facts,
    manifest,
    needs_shared_data,
    real_file,
)

needs_exiftool = pytest.mark.skipif(
    shutil.which("exiftool") is None, reason="the exiftool command is not installed"
)
READERS = [
    pytest.param("exiftool", marks=[needs_exiftool, pytest.mark.exiftool]),
    "exifread",
]
# What the manifest holds for these is the number in Pentax' own code table; the standard tag of
# the same files says 200.
PENTAX_ISO = 200


@pytest.fixture(scope="module", params=READERS)
def reader(request: pytest.FixtureRequest) -> Iterator[MetadataReader]:
    with MetadataReader(prefer=request.param) as opened:
        yield opened


@pytest.fixture(scope="module")
def exifread() -> Iterator[MetadataReader]:
    with MetadataReader(prefer="exifread") as opened:
        yield opened


@pytest.fixture(scope="module")
def exiftool() -> Iterator[MetadataReader]:
    with MetadataReader(prefer="exiftool") as opened:
        yield opened


def value(text: str) -> str | None:
    return text or None


@needs_shared_data
@needs_exiftool
@pytest.mark.exiftool
@pytest.mark.parametrize("row", manifest("raw", "jpeg", "rawhead"), ids=lambda row: row["path"])
def test_exiftool_gives_the_figures_of_the_manifest(
    exiftool: MetadataReader, row: dict[str, str]
) -> None:
    metadata = exiftool.read(real_file(row))
    assert metadata.reader == "exiftool"
    assert metadata.make == value(row["make"])
    assert metadata.model == value(row["model"])
    assert metadata.serial == value(row["serial"])
    assert metadata.taken_at_local == value(row["datetime_original"])
    if row["exposure_s"]:
        assert metadata.exposure is not None
        assert metadata.exposure_s == pytest.approx(float(row["exposure_s"]), rel=1e-9)
        assert float(Fraction(metadata.exposure)) == metadata.exposure_s
    else:
        assert metadata.exposure_s is None
    expected_iso = int(row["iso"]) if row["iso"] else None
    assert metadata.iso == (PENTAX_ISO if "PENTAX" in row["make"] else expected_iso)
    temperature = float(row["camera_temp_c"]) if row["camera_temp_c"] else None
    assert metadata.camera_temperature_c == temperature
    if row["lenr"]:
        assert metadata.long_exposure_noise_reduction is (row["lenr"] != "0")


@needs_shared_data
@pytest.mark.parametrize("row", manifest("raw", "jpeg"), ids=lambda row: row["path"])
def test_exifread_errs_in_nothing_that_it_finds(
    exifread: MetadataReader, row: dict[str, str]
) -> None:
    metadata = exifread.read(real_file(row))
    assert metadata.reader == "exifread"
    expected_iso = PENTAX_ISO if "PENTAX" in row["make"] else row["iso"] and int(row["iso"])
    assert metadata.make in (None, row["make"])
    assert metadata.model in (None, row["model"])
    assert metadata.serial in (None, row["serial"])
    assert metadata.taken_at_local in (None, row["datetime_original"])
    assert metadata.iso in (None, expected_iso)
    assert metadata.camera_temperature_c in (
        None,
        float(row["camera_temp_c"]) if row["camera_temp_c"] else None,
    )
    if metadata.exposure_s is not None:
        assert metadata.exposure_s == pytest.approx(float(row["exposure_s"]), rel=1e-9)
    if not row["path"].endswith(".CRW"):  # a format that it does not know
        assert None not in (metadata.make, metadata.model, metadata.exposure_s)


@needs_shared_data
def test_a_time_without_a_zone_names_no_moment_and_one_with_a_zone_does(
    reader: MetadataReader,
) -> None:
    by_name = {Path(row["path"]).name: row for row in manifest("raw")}
    zoneless = reader.read(real_file(by_name["IMG_0848.CR2"]))
    assert (zoneless.taken_at, zoneless.utc_offset) == (None, None)
    assert zoneless.taken_at_local == "2008:02:16 13:51:56"
    zoned = reader.read(real_file(by_name["sample3.dng"]))  # TIFF/EP's TimeZoneOffset is 1 hour
    assert zoned.taken_at == datetime(2014, 3, 9, 12, 25, 51, tzinfo=UTC)
    assert zoned.utc_offset == "+01:00"


@needs_shared_data
def test_fits_headers_are_read() -> None:
    pytest.importorskip("astropy", reason="the extra `fits` is not installed")
    rows = [row for row in manifest("dark") if row["path"].endswith(".fit")]
    with MetadataReader() as reader:
        for row in rows:
            metadata = reader.read(real_file(row))
            moment = datetime.fromisoformat(row["datetime_original"]).replace(tzinfo=UTC)
            assert metadata.taken_at == moment
            assert metadata.exposure_s == float(row["exposure_s"])
            assert metadata.camera_temperature_c == float(row["camera_temp_c"])
            assert metadata.model == "SBIG ST-8 3 CCD Camera"
            assert metadata.verbatim["IMAGETYP"] == row["fits_imagetyp"]
            assert metadata.reader == "fits"


def test_frames_of_the_virtual_camera_say_everything(
    reader: MetadataReader, tmp_path: Path
) -> None:
    moment = datetime(2031, 2, 3, 4, 5, 6, 250_000, tzinfo=timezone(timedelta(hours=-3.5)))
    path = tmp_path / "frame.dng"
    about = facts(serial="0071-A", exposure=Fraction(5, 2), camera_time=moment)
    path.write_bytes(dng(dark_mosaic(), about=about))

    metadata = reader.read(path)

    assert (metadata.make, metadata.model, metadata.serial) == ("Agetrace", "Fixture 1", "0071-A")
    assert metadata.taken_at == moment
    assert metadata.utc_offset == "-03:30"
    assert (metadata.exposure, metadata.exposure_s) == ("5/2", 2.5)
    assert (metadata.iso, metadata.f_number) == (400, 5.6)
    assert metadata.camera_temperature_c == 21.5
    assert metadata.firmware == "Ver.1.00"
    assert metadata.orientation in (1, None)


def test_a_serial_that_looks_like_a_number_stays_as_it_is(
    reader: MetadataReader, tmp_path: Path
) -> None:
    for serial in ("0071", "1.50", "123456789012345678901234"):
        path = tmp_path / "frame.dng"
        path.write_bytes(dng(dark_mosaic(), about=facts(serial=serial)))
        assert reader.read(path).serial == serial


def test_hostile_texts_come_out_printable_and_bounded(
    reader: MetadataReader, tmp_path: Path
) -> None:
    hostile = "../../etc/\x1b[2J\x07<script>\n\r" + "A" * 100_000
    path = tmp_path / "frame.dng"
    path.write_bytes(dng(dark_mosaic(), about=facts(serial=hostile, model=hostile)))
    metadata = reader.read(path)
    for text in (metadata.serial, metadata.model):
        assert text is None or (text.isprintable() and len(text) <= 256)
    assert len(json.dumps(metadata.verbatim, allow_nan=False)) < 100_000


def test_a_file_without_metadata_says_nothing(reader: MetadataReader, tmp_path: Path) -> None:
    path = tmp_path / "text.CR2"
    path.write_text("just a text\n" * 50)
    metadata = reader.read(path)
    assert metadata == FileMetadata(reader=metadata.reader, verbatim=metadata.verbatim)


def test_names_of_files_are_no_arguments(reader: MetadataReader, tmp_path: Path) -> None:
    target = tmp_path / "written"
    for name in ("-ver", "#comment", f"a\n-w\n{target.name}\n", " blank ", "-execute", "ümlaut"):
        path = tmp_path / name
        path.write_bytes(dng(dark_mosaic()))
        assert reader.read(path).serial == "7100001"
        path.unlink()
    assert list(tmp_path.iterdir()) == []


def test_a_missing_file_is_an_error(reader: MetadataReader, tmp_path: Path) -> None:
    with pytest.raises(FrameError, match="No such file"):
        reader.read(tmp_path / "gone.dng")


def test_read_metadata_needs_no_reader(tmp_path: Path) -> None:
    path = tmp_path / "frame.dng"
    path.write_bytes(dng(dark_mosaic()))
    assert read_metadata(path).serial == "7100001"


@needs_exiftool
@pytest.mark.exiftool
def test_exiftool_is_stopped_at_its_deadline_and_started_again(tmp_path: Path) -> None:
    path = tmp_path / "frame.dng"
    path.write_bytes(dng(dark_mosaic()))
    tool = ExifTool("exiftool", deadline_s=1.5)
    try:
        before = set(psutil.Process().children())
        assert tool.read(path).serial == "7100001"
        (process,) = set(psutil.Process().children()) - before
        process.suspend()
        start = time.monotonic()
        with pytest.raises(DecodingStoppedError, match=r"frame\.dng"):
            tool.read(path)
        assert time.monotonic() - start < 10
        assert tool.read(path).serial == "7100001"
    finally:
        tool.close()
    assert not process.is_running()


HOLDER = """
import sys, time
from pathlib import Path
from datastore.metadata import MetadataReader
with MetadataReader(prefer="exiftool") as reader:
    reader.read(Path(sys.argv[1]))
    print("read", flush=True)
    time.sleep(60)
"""


@needs_exiftool
@pytest.mark.exiftool
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="util-linux' setpriv is not installed")
def test_exiftool_ends_with_a_process_that_is_killed(tmp_path: Path) -> None:
    file = tmp_path / "frame.dng"
    file.write_bytes(dng(dark_mosaic()))
    arguments = [sys.executable, "-c", HOLDER, str(file)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"read\n"
        (kept_open,) = psutil.Process(holder.pid).children()
        holder.kill()
    gone, left = psutil.wait_procs([kept_open], timeout=10)
    assert (gone, left) == ([kept_open], [])


def test_an_exiftool_that_dies_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "frame.dng"
    path.write_bytes(dng(dark_mosaic()))
    tool = ExifTool("false", deadline_s=5)
    try:
        with pytest.raises(DecodingStoppedError, match=r"frame\.dng"):
            tool.read(path)
    finally:
        tool.close()


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        ("0.03225806452", "1/31"),
        ("0.002", "1/500"),
        (30, "30"),
        (0.3, "3/10"),
        ("1/8000", "1/8000"),
        (0.06666666667, "1/15"),
        (0, "0"),
        ("inf", None),
        ("undef", None),
        (-1, None),
        ("1/0", None),
    ],
)
def test_an_exposure_time_becomes_the_fraction_that_was_written(
    printed: object, expected: str | None
) -> None:
    found = rational(printed)
    assert (None if found is None else str(found)) == expected


@given(st.integers(1, 10**4), st.integers(1, 10**4))
def test_every_exposure_time_is_found_again_in_ten_digits(top: int, bottom: int) -> None:
    exact = Fraction(top, bottom)
    found = rational(f"{float(exact):.10g}")
    assert found is not None
    assert abs(found - exact) <= exact * Fraction(2, 10**9)
    assert found.denominator <= max(exact.denominator * 10, 10)


@pytest.mark.parametrize(
    ("written", "offset", "expected"),
    [
        ("2020:01:02 03:04:05", "+02:00", datetime(2020, 1, 2, 1, 4, 5, tzinfo=UTC)),
        ("2020:01:02 03:04:05-0530", None, datetime(2020, 1, 2, 8, 34, 5, tzinfo=UTC)),
        ("2020-01-02T03:04:05.25Z", None, datetime(2020, 1, 2, 3, 4, 5, 250_000, tzinfo=UTC)),
        ("2020:01:02 03:04:05", "1 1", datetime(2020, 1, 2, 2, 4, 5, tzinfo=UTC)),
        ("2020:01:02 03:04:05", None, None),
        ("2020:01:02 03:04:05", "+99:00", None),
        ("2020:13:02 03:04:05", "Z", None),
        ("0000:00:00 00:00:00", "Z", None),
        ("0001:01:01 00:00:00", "+14:00", None),
        ("    :  :     :  :  ", "Z", None),
        (None, None, None),
    ],
)
def test_only_a_time_with_a_zone_is_a_moment(
    written: str | None, offset: str | None, expected: datetime | None
) -> None:
    assert taken_at(written, offset=offset)[0] == expected


@settings(max_examples=40)
@given(
    st.dictionaries(
        st.text(),
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary())
        | st.lists(st.integers() | st.floats() | st.text() | st.lists(st.text())),
        max_size=20,
    )
)
def test_whatever_was_read_becomes_plain_json(values: dict[str, Any]) -> None:
    safe = json_safe(values)
    assert json.loads(json.dumps(safe, allow_nan=False)) == safe
    assert "\\u0000" not in json.dumps(safe)


@given(st.text() | st.binary() | st.floats() | st.none())
def test_clean_text_is_printable_bounded_and_not_blank(dirty: object) -> None:
    text = clean_text(dirty)
    assert text is None or (text.isprintable() and text.strip() == text and 0 < len(text) <= 256)
    assert not isinstance(dirty, float) or not math.isnan(dirty) or text == "nan"


@pytest.mark.parametrize("amount", ["1/1", "1/8", "0/1", "0/0", None])
def test_noise_reduction_that_a_dng_alone_declares_is_read(
    reader: MetadataReader, tmp_path: Path, amount: str | None
) -> None:
    """Tag 50935 of Adobe's DNG 1.4: from 0, none, to 1; 0/0 where it is not known."""
    path = tmp_path / "frame.dng"
    data = dng(dark_mosaic(), about=replace(facts(), noise_reduced=amount is not None))
    if amount is not None:
        entry = data.index(struct.pack("<HHI", 50935, 5, 1))
        (place,) = struct.unpack_from("<I", data, entry + 8)
        numbers = struct.pack("<II", *map(int, amount.split("/")))
        data = data[:place] + numbers + data[place + 8 :]
    path.write_bytes(data)
    expected = {"1/1": True, "1/8": True, "0/1": False}
    assert reader.read(path).long_exposure_noise_reduction is expected.get(amount or "")


@needs_shared_data
@pytest.mark.parametrize("row", manifest("raw", "dark"), ids=lambda row: row["path"])
def test_no_real_frame_is_taken_for_one_with_noise_reduction(
    reader: MetadataReader, row: dict[str, str]
) -> None:
    assert reader.read(real_file(row)).long_exposure_noise_reduction is not True


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, None),
        ({"Canon:LongExposureNoiseReduction2": 0}, False),
        ({"Canon:LongExposureNoiseReduction2": 4}, True),  # automatic
        (
            {"Canon:LongExposureNoiseReduction2": 0, "CanonCustom:LongExposureNoiseReduction": 2},
            True,
        ),
        ({"Panasonic:LongExposureNoiseReduction": 1}, False),
        ({"Panasonic:LongExposureNoiseReduction": 2}, True),
        ({"Sony:LongExposureNoiseReduction": 0xFFFF0000}, False),
        ({"Sony:LongExposureNoiseReduction": 0x10001}, True),
        ({"Sony:LongExposureNoiseReduction": 0xFFFFFFFF}, None),
        ({"Nikon:NoiseReduction": "OFF "}, False),
        ({"Nikon:NoiseReduction": "FPNR"}, True),
        ({"SubIFD:NoiseReductionApplied": 0.25}, True),
        ({"SubIFD:NoiseReductionApplied": 0}, False),
        ({"SubIFD:NoiseReductionApplied": "undef"}, None),
        ({"IFD1:NoiseReductionApplied": 1}, None),
        ({"IFD0:NoiseReductionApplied": 0, "Nikon:NoiseReduction": "FPNR"}, True),
    ],
    ids=str,
)
def test_noise_reduction_is_told_by_each_vendors_own_numbers(
    values: dict[str, Any], expected: bool | None
) -> None:
    """The numbers are those of exiftool's tag tables."""
    assert _noise_reduction(values) is expected
