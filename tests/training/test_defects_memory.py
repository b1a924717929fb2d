"""Extraction's memory is that of a few frames, however many a session has."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("extraction_memory.py")
SHAPE = (2000, 3000)
FRAME_BYTES = 2 * SHAPE[0] * SHAPE[1]


def extracted(count: int, folder: Path, shape: tuple[int, int] = SHAPE) -> dict[str, int]:
    completed = subprocess.run(
        [sys.executable, str(SCRIPT), str(count), *map(str, shape), str(folder)],
        check=True,
        stdout=subprocess.PIPE,
        timeout=500,
    )
    result: dict[str, int] = json.loads(completed.stdout)
    return result


@pytest.mark.prove
@pytest.mark.timeout(900)
def test_peak_memory_does_not_grow_with_the_number_of_frames(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    peaks = {}
    record_property("megapixels a frame", SHAPE[0] * SHAPE[1] / 1e6)
    for count in (20, 40):
        began = time.monotonic()
        result = extracted(count, tmp_path)
        assert 500 <= result["photosites"] <= 510
        peaks[count] = result["peak_bytes"]
        record_property(f"peak MB of {count} frames", result["peak_bytes"] / 1e6)
        record_property(f"seconds of {count} frames", time.monotonic() - began)
    # twenty more frames may not even cost the memory of two
    assert peaks[40] - peaks[20] < 2 * FRAME_BYTES


@pytest.mark.prove
@pytest.mark.timeout(900)
def test_twenty_frames_of_24_megapixels_take_less_than_a_gigabyte_and_a_half(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    result = extracted(20, tmp_path, (4000, 6000))
    record_property("peak MB", result["peak_bytes"] / 1e6)
    assert 500 <= result["photosites"] <= 510
    assert result["peak_bytes"] < 1.5 * 2**30
