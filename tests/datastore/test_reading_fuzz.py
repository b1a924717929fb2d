"""Mutated files are read and examined: always an answer or an error of ours, and never a crash."""

from __future__ import annotations

import json
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
import tifffile

from datastore.frames import DecodingStoppedError, DecodingWorker, FrameError
from datastore.metadata import MetadataReader
from datastore.metadata._facts import json_safe, number, rational, taken_at
from tests.support.frame_files import SHARED_DATA, dark_mosaic, dng

_DEADLINE_S = 10.0
_MOST_REAL_BYTES = 3_000_000
_HEAD_BYTES = 2048
_LARGEST_RECORD = 4_000_000


def real_files() -> list[bytes]:
    """Real files small enough to be mutated often, damaged ones first; none where none are."""
    paths = sorted(
        (
            path
            for path in SHARED_DATA.rglob("*")
            if path.suffix.lower() not in ("", ".csv", ".md", ".txt")
            and path.stat().st_size <= _MOST_REAL_BYTES
        ),
        key=lambda path: (path.parent.name != "damaged", str(path)),
    )
    return [path.read_bytes() for path in paths]


def made_files() -> list[bytes]:
    """One small sound file of each format."""
    mosaic = dark_mosaic()
    tiff = BytesIO()
    tifffile.imwrite(tiff, mosaic, compression="zlib", rowsperstrip=16)
    picture = np.random.default_rng(1).integers(0, 256, (400, 400, 3), dtype=np.uint8)
    cards = ["SIMPLE  =                    T", "BITPIX  =                   16"]
    cards += ["NAXIS   =                    2", "NAXIS1  =                  384"]
    cards += ["NAXIS2  =                  256", "BZERO   =                32768"]
    cards += ["EXPTIME =                  4.0", "DATE-OBS= '2025-06-25T06:12:46'", "END"]
    header = "".join(card.ljust(80) for card in cards).ljust(2880).encode()
    pixels = (mosaic.astype(np.int32) - 32768).astype(">i2").tobytes()
    fits = header + pixels + bytes(-len(pixels) % 2880)
    return [dng(mosaic), tiff.getvalue(), simplejpeg.encode_jpeg(picture), fits]


def mutated(data: bytes, generator: np.random.Generator) -> bytes:
    """Return a file with one to four injuries, mostly near its beginning."""
    changed = bytearray(data)
    for _ in range(int(generator.integers(1, 5))):
        if len(changed) < 16:
            break
        within = len(changed) if generator.random() < 0.3 else min(len(changed), _HEAD_BYTES)
        place = int(generator.integers(0, within - 8))
        kind = int(generator.integers(0, 7))
        if kind == 0:
            changed[place] ^= 1 << int(generator.integers(0, 8))
        elif kind == 1:
            changed[place : place + 4] = generator.bytes(4)
        elif kind == 2:
            changed[place : place + 4] = b"\xff\xff\xff\x7f"
        elif kind == 3:
            changed[place : place + 8] = bytes(8)
        elif kind == 4:
            del changed[place + 8 :]
        elif kind == 5:
            changed[place:place] = generator.bytes(int(generator.integers(1, 64)))
        else:
            source = int(generator.integers(0, len(changed) - 8))
            changed[place : place + 8] = changed[source : source + 8]
    return bytes(changed)


@pytest.fixture(scope="module")
def readers() -> Iterator[list[Callable[[Path], object]]]:
    with (
        DecodingWorker(deadline_s=_DEADLINE_S) as worker,
        MetadataReader(deadline_s=_DEADLINE_S) as first,
        MetadataReader(prefer="exifread", deadline_s=_DEADLINE_S) as second,
    ):
        yield [worker.examine_file, first.read, second.read]


def read_mutations(
    readers: list[Callable[[Path], object]], folder: Path, count: int, seed: int
) -> Counter[str]:
    """Read `count` mutated files, hold every answer against what is promised, count the ends."""
    generator = np.random.default_rng(seed)
    sources = [*made_files(), *real_files()]
    ends: Counter[str] = Counter()
    messages: set[str] = set()
    path = folder / "file"
    for turn in range(count):
        path.write_bytes(mutated(sources[turn % len(sources)], generator))
        for read in readers:
            begun = time.monotonic()
            try:
                answer = asdict(read(path))  # type: ignore[call-overload]
            except FrameError as error:
                stopped = isinstance(error, DecodingStoppedError)
                ends["stopped" if stopped else "refused"] += 1
                messages.add(str(error))
                continue
            finally:
                # starting anew after a stop takes its time, too
                assert time.monotonic() - begun < 2 * _DEADLINE_S
            written = json.dumps(answer, allow_nan=False, default=str)
            assert len(written) < _LARGEST_RECORD
            assert "\\u0000" not in written
            ends["found out" if answer.get("findings") else "answered"] += 1
            measures = answer.get("measures")
            if measures is not None:
                values = [value for value in measures.values() if value is not None]
                assert all(math.isfinite(value) for value in values if not isinstance(value, str))
                assert not values or 0 <= measures["clipped_share"] <= 1
    assert all(str(path) in message for message in messages)
    return ends


def test_mutated_files_get_an_answer_or_an_error(
    readers: list[Callable[[Path], object]], tmp_path: Path
) -> None:
    ends = read_mutations(readers, tmp_path, 40, seed=5)
    assert ends.total() == 120
    assert ends["answered"] > 0 and ends["found out"] > 0


@pytest.mark.prove
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(2))
def test_a_thousand_mutated_files_crash_nothing(
    readers: list[Callable[[Path], object]],
    tmp_path: Path,
    seed: int,
    record_property: Callable[[str, object], None],
) -> None:
    """Damaged headers, tags and image data end in an answer or an error within the deadline."""
    ends = read_mutations(readers, tmp_path, 1000, seed=100 + seed)
    for end, count in sorted(ends.items()):
        record_property(end, count)
    assert ends.total() == 3000


@pytest.mark.parametrize(
    "text",
    [
        "1e999999999",
        "1e-999999999",
        "9" * 5000,
        "1/0",
        "1/" + "9" * 5000,
        "1_0",
        "\x00",
        "nan",
        "٣",
    ],
)
def test_numbers_that_are_bombs_are_none_or_small(text: str) -> None:
    begun = time.monotonic()
    found = rational(text)
    assert found is None or found <= 10**7
    size = number(text)
    assert size is None or math.isfinite(size)
    assert taken_at(text, offset=text, sub_second=text)[0] is None
    assert time.monotonic() - begun < 1


def test_what_is_kept_verbatim_is_bounded_as_a_whole() -> None:
    values = {f"XMP:Tag{i}": ["x" * 900] * 60 for i in range(1000)}
    kept = json_safe(values)
    assert 0 < len(kept) < len(values)
    assert len(json.dumps(kept)) < 1_000_000
    assert list(kept) == list(values)[: len(kept)]
