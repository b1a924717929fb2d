"""Writing a shot overlaps with the next: what is in memory is bounded, sealed and never forgotten.

A named pipe in the place of a shot's file makes a disk that stands still until somebody reads.
"""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from capture.cameras.gphoto2_camera import Gphoto2Camera
from capture.cameras.protocol import CameraSettings
from capture.errors import (
    CameraError,
    CameraTimeoutError,
    CaptureError,
    FilesMissingError,
    SettingNotAppliedError,
)
from datastore.metadata import read_metadata
from tests.capture.conftest import MARGIN_S, NIKON, quick_camera
from tests.support.virtual import RunningFixture

RAW = CameraSettings(Fraction(1, 30), 800, 8.0, "raw")


@pytest.fixture
def camera(virtual: RunningFixture, tmp_path: Path) -> Iterator[Gphoto2Camera]:
    """Return an open camera whose card is empty at the end."""
    with closing(quick_camera(virtual.cameras[NIKON], NIKON, tmp_path)) as opened:
        opened.open()
        yield opened
        virtual.set_faults(NIKON)
        opened.open()
        for left in opened.files.list_card():
            opened.files.delete(left.folder, left.name)


def stuck_shot(spool_folder: Path) -> tuple[str, Path]:
    """Return a shot that cannot be written until its pipe is read."""
    shot = str(uuid.uuid4())
    pipe = spool_folder / f"{shot}.0.raw.dng.part"
    os.mkfifo(pipe)
    return shot, pipe


def drain(pipe: Path, after_s: float = 0.0) -> None:
    time.sleep(after_s)
    pipe.read_bytes()


def test_the_camera_goes_on_while_shots_are_written(camera: Gphoto2Camera, tmp_path: Path) -> None:
    stuck, pipe = stuck_shot(tmp_path)
    second, third = str(uuid.uuid4()), str(uuid.uuid4())
    camera.settings.apply(RAW)
    first_release = camera.trigger.release(stuck, RAW)
    assert 0 < first_release.released_after_s < first_release.free_after_s
    camera.settings.apply(replace(RAW, iso=400))
    camera.trigger.release(second, replace(RAW, iso=400))
    assert list(tmp_path.glob("*.json")) == []
    with ThreadPoolExecutor(2) as threads:
        # two shots are in memory: the next waits for the disk, and orders at work bar no answer
        late = threads.submit(camera.trigger.release, third, replace(RAW, iso=400))
        waiting = threads.submit(camera.files.delivered, second)
        time.sleep(0.2)
        assert not late.done() and not waiting.done()
        drain(pipe)
        with pytest.raises(CaptureError, match="Invalid argument"):
            camera.files.delivered(stuck)
        assert late.result(MARGIN_S).free_after_s > 0.2
        assert read_metadata(waiting.result(MARGIN_S).files[0].path).iso == 400
    assert camera.is_open
    assert camera.files.delivered(third).files[0].bytes > 0
    assert list(tmp_path.glob(f"{stuck}*")) == []


def test_a_disk_that_stands_still_meets_a_deadline(camera: Gphoto2Camera, tmp_path: Path) -> None:
    stuck, _ = stuck_shot(tmp_path)
    camera.settings.apply(RAW)
    camera.trigger.release(stuck, RAW)
    worker = camera.worker_pid
    began = time.monotonic()
    with pytest.raises(CameraTimeoutError, match="still on the card"):
        camera.files.delivered(stuck)
    assert MARGIN_S < time.monotonic() - began < 2 * MARGIN_S
    assert not camera.is_open
    assert not Path(f"/proc/{worker}").exists()
    with pytest.raises(FilesMissingError, match="still on the camera's card"):
        camera.files.delivered(stuck)


@pytest.mark.parametrize("end", ["close", "failure"])
def test_what_is_in_memory_is_sealed_before_the_worker_ends(
    camera: Gphoto2Camera, virtual: RunningFixture, tmp_path: Path, end: str
) -> None:
    stuck, pipe = stuck_shot(tmp_path)
    waiting = str(uuid.uuid4())
    camera.settings.apply(RAW)
    for shot in (stuck, waiting):
        camera.trigger.release(shot, RAW)
    reader = threading.Thread(target=drain, args=(pipe, 0.8))
    reader.start()
    if end == "close":
        camera.close()
    else:
        virtual.set_faults(NIKON, "settings-ignored")
        with pytest.raises(SettingNotAppliedError):
            camera.settings.apply(replace(RAW, iso=1600))
    reader.join()
    assert not camera.is_open
    assert camera.files.delivered(waiting).files[0].bytes > 0


def test_a_worker_that_dies_takes_only_what_is_still_on_the_card(
    camera: Gphoto2Camera, tmp_path: Path
) -> None:
    stuck, _ = stuck_shot(tmp_path)
    camera.settings.apply(RAW)
    camera.trigger.release(stuck, RAW)
    assert camera.worker_pid is not None
    os.kill(camera.worker_pid, 9)
    with pytest.raises(CameraError, match="still on the camera's card"):
        camera.files.delivered(stuck)
    camera.open()
    assert len(camera.files.list_card()) == 1
