"""Prepared frames: shots that cost no rendering, and are files of their own all the same."""

import io
import statistics
import time
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import exifread
import numpy as np
import rawpy
import simplejpeg

from fixtures.body import BodyDescription, ExposureSettings, Surroundings, VirtualBody
from fixtures.prepared import PreparedBody

LATE = Surroundings(civil_time=datetime(2024, 1, 1, tzinfo=UTC))


def prepared(folder: Path, frames: int, width: int, height: int) -> PreparedBody:
    description = BodyDescription(
        serial="1",
        manufactured_at=datetime(2020, 1, 1, tzinfo=UTC),
        seed=5,
        width=width,
        height=height,
    )
    return PreparedBody(VirtualBody(description, folder), frames, LATE)


def test_each_shot_is_a_file_of_its_own_with_its_settings(tmp_path: Path) -> None:
    body = prepared(tmp_path, 2, 320, 256)
    settings = ExposureSettings(Fraction(4), iso=1600)
    shots = [body.take(settings, LATE, number) for number in range(5)]
    assert len({shot[0].data for shot in shots}) == len({shot[1].data for shot in shots}) == 5
    later = body.take(settings, replace(LATE, camera_clock_offset_s=3600.0), 0)
    for file, hour in [(shots[0][0], 0), (shots[0][1], 0), (later[0], 1), (later[1], 1)]:
        tags = exifread.process_file(io.BytesIO(file.data), details=False)
        assert tags["EXIF ISOSpeedRatings"].values[0] == 1600
        assert tags["EXIF ExposureTime"].values[0] == 4
        assert str(tags["EXIF DateTimeOriginal"]) == f"2024:01:01 0{hour}:00:00"
    frames = []
    for shot in shots[:3]:
        with rawpy.imread(io.BytesIO(shot[0].data)) as raw:
            frames.append(raw.raw_image.copy())
        assert simplejpeg.decode_jpeg(shot[1].data).shape == (256, 320, 3)
    assert not np.array_equal(frames[0], frames[1])
    assert np.array_equal(frames[0], frames[2])


def test_a_shot_of_25_megabytes_costs_milliseconds(tmp_path: Path) -> None:
    body = prepared(tmp_path, 1, 4096, 3072)
    settings = ExposureSettings(Fraction(1, 100), jpeg=False)
    seconds = []
    for number in range(7):
        begun = time.perf_counter()
        (raw,) = body.take(settings, LATE, number)
        seconds.append(time.perf_counter() - begun)
        assert len(raw.data) > 25_000_000
    # rendering such a frame takes seconds; the bound leaves room for a busy machine
    assert statistics.median(seconds) < 0.1
