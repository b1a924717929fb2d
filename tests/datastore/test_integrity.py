"""Damaged files are found out, each by name, where decoders would give silent garbage."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
import simplejpeg

from datastore.frames import (
    DecodingStoppedError,
    DecodingWorker,
    ExpectedFile,
    FrameError,
    UnsupportedFrameError,
    check_file,
    examine_file,
    read_frame,
)
from tests.support.frame_files import (
    dark_mosaic,
    dng,
    manifest,
    needs_shared_data,
    real_file,
)


def names(path: Path, expected: ExpectedFile | None = None) -> list[str]:
    findings = check_file(path, expected)
    for finding in findings:
        assert finding.sentence.endswith(".")
    return [finding.name for finding in findings]


def picture_bytes(shape: tuple[int, int] = (480, 640)) -> bytes:
    picture = np.random.default_rng(1).integers(0, 256, (*shape, 3), dtype=np.uint8)
    data: bytes = simplejpeg.encode_jpeg(picture)
    return data


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "frame.dng"


@needs_shared_data
@pytest.mark.parametrize("row", manifest("raw", "dark", "jpeg"), ids=lambda row: row["path"])
def test_sound_real_files_have_no_findings(row: dict[str, str]) -> None:
    examination = examine_file(real_file(row))
    assert examination.findings == []
    assert examination.role == ("jpeg" if row["kind"] == "jpeg" else "raw")


@needs_shared_data
@pytest.mark.parametrize("row", manifest("rawhead"), ids=lambda row: row["path"])
def test_real_files_without_their_image_have_findings(row: dict[str, str]) -> None:
    expected = {"DNG.dng": ["header-only"], "fixture.rw2": ["unreadable"]}
    path = real_file(row)
    assert names(path) == expected.get(path.name, ["thumbnail-sized"])


def test_a_sound_frame_has_none_and_tells_its_dimensions(path: Path) -> None:
    path.write_bytes(dng(dark_mosaic()))
    examination = examine_file(
        path, ExpectedFile(path.stat().st_size, "Agetrace", "Fixture 1", 384, 256)
    )
    assert examination.findings == []
    assert (examination.role, examination.width, examination.height) == ("raw", 384, 256)
    assert (examination.cfa, examination.white_level) == ("RGGB", 4095)


def test_a_truncated_frame_is_found_by_its_extents(path: Path) -> None:
    whole = dng(dark_mosaic())
    for share in (0.3, 0.9, 0.999):
        path.write_bytes(whole[: int(len(whole) * share)])
        (finding,) = check_file(path)
        assert finding.name == "extent-outside"
        assert finding.numbers == {"extents_end": len(whole), "bytes": path.stat().st_size}
    path.write_bytes(whole[:100])
    assert names(path) == ["unreadable"]


def test_a_zero_filled_second_half_is_found(path: Path) -> None:
    whole = dng(dark_mosaic())
    path.write_bytes(whole[: len(whole) // 2] + b"\0" * (len(whole) - len(whole) // 2))
    read_frame(path)  # no decoder notices
    (finding,) = check_file(path)
    assert finding.name == "zero-tail"
    assert 120 <= int(finding.numbers["zero_rows"]) <= 129


def test_lost_rows_in_the_middle_are_found(path: Path) -> None:
    mosaic = dark_mosaic()
    mosaic[100:104] = 0
    path.write_bytes(dng(mosaic))
    (finding,) = check_file(path)
    assert (finding.name, finding.numbers["zero_rows"]) == ("zero-rows", 4)


def test_an_image_of_nothing_but_zeros_is_found(path: Path) -> None:
    path.write_bytes(dng(np.zeros((256, 384), np.uint16)))
    assert names(path) == ["all-zero"]


def test_a_dark_frame_of_black_level_zero_may_have_rows_of_zeros(path: Path) -> None:
    mosaic = np.random.default_rng(1).poisson(0.002, (256, 384)).astype(np.uint16)
    assert (mosaic.sum(axis=1) == 0).any()
    path.write_bytes(dng(mosaic, black_level=0))
    assert names(path) == []


@pytest.mark.parametrize("content", ["zeros", "noise", "text"])
def test_a_file_of_the_right_size_but_no_header_is_found(path: Path, content: str) -> None:
    size = len(dng(dark_mosaic()))
    random = np.random.default_rng(1).bytes(size)
    data = {"zeros": b"\0" * size, "noise": random, "text": b"no image\n" * (size // 9)}
    path.with_suffix(".CR2").write_bytes(data[content])
    assert names(path.with_suffix(".CR2")) == ["unknown-format"]


def test_an_empty_file_is_found(path: Path) -> None:
    path.touch()
    assert names(path) == ["empty"]


def test_a_frame_without_a_make_is_found(path: Path) -> None:
    tag = (271).to_bytes(2, "little") + b"\x02\0"
    whole = dng(dark_mosaic())
    assert whole.count(tag) == 1
    # a private tag in the place of Make keeps the directory in order
    path.write_bytes(whole.replace(tag, (270).to_bytes(2, "little") + b"\x02\0"))
    assert names(path) == ["no-make"]


@pytest.mark.parametrize(
    ("expected", "name"),
    [
        (ExpectedFile(width=400), "wrong-dimensions"),
        (ExpectedFile(height=300), "wrong-dimensions"),
        (ExpectedFile(make="Example"), "wrong-make"),
        (ExpectedFile(model="Fixture 2"), "wrong-model"),
        (ExpectedFile(bytes=1000), "wrong-length"),
    ],
)
def test_a_frame_of_another_body_or_length_is_found(
    path: Path, expected: ExpectedFile, name: str
) -> None:
    path.write_bytes(dng(dark_mosaic()))
    assert names(path, expected) == [name]


def test_a_jpeg_cut_short_is_found(tmp_path: Path) -> None:
    path = tmp_path / "picture.jpg"
    whole = picture_bytes()
    path.write_bytes(whole)
    assert names(path) == []
    path.write_bytes(whole + b"\0" * 1000)  # cameras pad
    assert names(path) == []
    path.write_bytes(whole[: len(whole) // 2])
    assert names(path) == ["no-end-of-image", "unreadable"]
    path.write_bytes(whole[: len(whole) // 2] + b"\xff\xd9")
    assert names(path) == ["unreadable"]


def test_a_thumbnail_passes_only_for_a_camera_of_known_dimensions(tmp_path: Path) -> None:
    path = tmp_path / "picture.jpg"
    path.write_bytes(picture_bytes((96, 128)))
    assert names(path) == ["thumbnail-sized"]
    assert names(path, ExpectedFile(width=128, height=96)) == []


@needs_shared_data
def test_a_fits_file_cut_short_is_found(tmp_path: Path) -> None:
    pytest.importorskip("astropy", reason="the extra `fits` is not installed")
    row = next(row for row in manifest("dark") if row["path"].endswith(".fit"))
    path = tmp_path / "dark.fit"
    path.write_bytes(real_file(row).read_bytes()[:1_000_000])
    (finding,) = check_file(path)
    assert finding.name == "unreadable"
    assert "cut short" in finding.sentence


@needs_shared_data
def test_a_fits_file_with_a_zero_filled_end_is_found_though_its_zero_is_32768(
    tmp_path: Path,
) -> None:
    pytest.importorskip("astropy", reason="the extra `fits` is not installed")
    row = next(row for row in manifest("dark") if row["path"].endswith(".fit"))
    path = tmp_path / "dark.fit"
    whole = real_file(row).read_bytes()
    path.write_bytes(whole[:2_000_000] + b"\0" * (len(whole) - 2_000_000))
    assert names(path) == ["constant-tail"]


@needs_shared_data
def test_lost_tiles_of_a_compressed_frame_are_found(tmp_path: Path) -> None:
    row = next(row for row in manifest("raw") if row["path"].endswith("sample3.dng"))
    whole = bytearray(real_file(row).read_bytes())
    whole[5_000_000:5_100_000] = bytes(100_000)
    path = tmp_path / "frame.dng"
    path.write_bytes(whole)
    read_frame(path)  # no decoder notices
    (finding,) = check_file(path)
    assert finding.name == "broken-tiles"
    assert finding.numbers["tiles"] == 204


def test_rows_that_are_clipped_throughout_are_no_damage(path: Path) -> None:
    mosaic = dark_mosaic()
    mosaic[:50] = 4095
    path.write_bytes(dng(mosaic))
    assert names(path) == []


@needs_shared_data
@pytest.mark.parametrize("row", manifest("raw", "dark", "jpeg")[::4], ids=lambda row: row["path"])
def test_damage_to_real_headers_never_escapes_as_another_error(
    row: dict[str, str], tmp_path: Path
) -> None:
    whole = real_file(row).read_bytes()
    path = tmp_path / "damaged"
    generator = np.random.default_rng(1)
    with DecodingWorker() as worker:
        for _ in range(10):
            broken = bytearray(whole)
            for _ in range(4):
                broken[generator.integers(min(len(whole), 6000))] = int(generator.integers(256))
            path.write_bytes(broken)
            for finding in worker.examine_file(path).findings:
                assert finding.sentence.endswith(".")


def test_no_bit_flip_in_a_header_ends_the_process_or_escapes_as_another_error(path: Path) -> None:
    whole = dng(dark_mosaic(shape=(32, 48)))
    header = len(whole) - 32 * 48 * 2
    generator = np.random.default_rng(1)
    with DecodingWorker() as worker:
        for _ in range(300):
            broken = bytearray(whole)
            broken[generator.integers(8, header)] ^= 1 << int(generator.integers(8))
            path.write_bytes(broken)
            for finding in worker.examine_file(path).findings:
                assert finding.sentence


@pytest.fixture
def worker() -> Iterator[DecodingWorker]:
    with DecodingWorker(deadline_s=5, memory_bytes=2 << 30) as running:
        yield running


def test_a_worker_gives_the_same_frame_and_the_same_errors(
    worker: DecodingWorker, path: Path
) -> None:
    path.write_bytes(dng(dark_mosaic()))
    ours, theirs = read_frame(path), worker.read_frame(path)
    np.testing.assert_array_equal(ours.mosaic, theirs.mosaic)
    assert theirs.mosaic.flags.writeable
    assert (ours.cfa, ours.white_level, ours.black_level, ours.visible) == (
        theirs.cfa,
        theirs.white_level,
        theirs.black_level,
        theirs.visible,
    )
    assert worker.examine_file(path) == examine_file(path)
    with pytest.raises(FrameError, match="No such file"):
        worker.read_frame(path.with_name("gone"))
    path.write_bytes(picture_bytes())
    with pytest.raises(UnsupportedFrameError, match="no mosaic"):
        worker.read_frame(path)


def decoders() -> list[psutil.Process]:
    """Return the processes of ours that decode files."""
    return [
        child
        for child in psutil.Process().children()
        if "datastore.frames._serving" in child.cmdline()
    ]


def test_a_decoder_that_never_ends_is_killed_and_the_next_file_is_read(tmp_path: Path) -> None:
    endless, sound = tmp_path / "endless.dng", tmp_path / "sound.dng"
    os.mkfifo(endless)  # opening it waits for ever
    sound.write_bytes(dng(dark_mosaic()))
    with DecodingWorker(deadline_s=1.5) as worker:
        assert worker.examine_file(sound).findings == []
        start = time.monotonic()
        with pytest.raises(DecodingStoppedError, match=r"deadline of 1\.5 s"):
            worker.read_frame(endless)
        assert time.monotonic() - start < 10
        assert worker.examine_file(sound).findings == []
    assert decoders() == []


def test_a_decoder_that_crashes_is_an_error_of_that_file_alone(
    worker: DecodingWorker, tmp_path: Path
) -> None:
    endless, sound = tmp_path / "endless.dng", tmp_path / "sound.dng"
    os.mkfifo(endless)
    sound.write_bytes(dng(dark_mosaic()))
    worker.examine_file(sound)
    (process,) = decoders()
    crash = threading.Timer(0.3, os.kill, (process.pid, signal.SIGSEGV))
    crash.start()
    (finding,) = worker.examine_file(endless).findings
    crash.join()
    assert finding.name == "decoder-stopped"
    assert "-11" in finding.sentence
    assert worker.examine_file(sound).findings == []


def test_a_decoder_that_wants_too_much_memory_is_refused_it(tmp_path: Path) -> None:
    import tifffile

    path = tmp_path / "huge.tif"
    tifffile.imwrite(path, shape=(30_000, 30_000), dtype=np.uint16)  # 1.8 GB, sparse
    with DecodingWorker(memory_bytes=1 << 30) as worker:
        with pytest.raises(DecodingStoppedError, match="bytes of memory"):
            worker.read_frame(path)
        sound = tmp_path / "sound.dng"
        sound.write_bytes(dng(dark_mosaic()))
        assert worker.examine_file(sound).findings == []
