"""The examiners of a session: shared by its cameras, no more than needed, each file on its own."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import psutil

from capture.cameras.protocol import CameraSettings
from capture.checks import CheckThresholds
from capture.examination import CameraFacts, ExaminedShot, Examiners, ShotFacts
from capture.spool import Spool, SpooledFile
from tests.support.frame_files import dark_mosaic, dng

CAMERA = CameraFacts(
    camera_id=1,
    serial="7100001",
    make="Agetrace",
    model="Fixture 1",
    simulated=True,
    address="ptpip:127.0.0.1",
    width=None,
    height=None,
)
SHOT = ShotFacts(
    kind="dark-field",
    requested=CameraSettings(Fraction(1, 30), 100, None, "raw"),
    read_back=None,
    earliest=None,
    latest=None,
    skew=None,
    thresholds=CheckThresholds(),
    scene=None,
)


def decoders() -> list[psutil.Process]:
    """Return the processes of ours that decode files."""
    return [
        child
        for child in psutil.Process().children()
        if child.status() != psutil.STATUS_ZOMBIE and "datastore.frames._serving" in child.cmdline()
    ]


def spooled(folder: Path) -> SpooledFile:
    """Return a sound dark field in a spool."""
    data = memoryview(dng(dark_mosaic()))
    return Spool(folder).receive(str(uuid.uuid4()), 0, data, "/card", "A.DNG")


def examine(examiners: Examiners, file: SpooledFile) -> ExaminedShot:
    return examiners.examine([file], CAMERA, SHOT)


def test_shots_one_after_another_share_one_process(tmp_path: Path) -> None:
    with Examiners(3) as examiners:
        first = decoders()
        assert len(first) == 1, "it starts before the first shot"
        for _ in range(3):
            shot = examine(examiners, spooled(tmp_path))
            assert shot.is_intact
            assert "dark-level" in {result.name for result in shot.checks}
        assert decoders() == first
    assert decoders() == []


def test_an_examination_whose_process_ends_is_made_again_and_holds_up_no_other(
    tmp_path: Path,
) -> None:
    file = spooled(tmp_path)
    with Examiners(2) as examiners, ThreadPoolExecutor(1) as threads:
        assert examine(examiners, file).is_intact
        (first,) = decoders()
        first.suspend()
        delayed = threads.submit(examine, examiners, file)
        assert examine(examiners, file).is_intact
        (second,) = set(decoders()) - {first}
        assert not delayed.done()
        first.kill()
        assert delayed.result().is_intact
        (third,) = set(decoders()) - {second}
        assert third != first
    assert decoders() == []
