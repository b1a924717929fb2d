"""Cameras: a worker process per body, over the wire to virtual cameras of both profiles."""

from __future__ import annotations

import hashlib
import os
import resource
import signal
import socket
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from capture.cameras._process import WorkerProcess
from capture.cameras.gphoto2_camera import Gphoto2Camera, port_path
from capture.cameras.opening import open_patiently
from capture.cameras.protocol import CameraSettings
from capture.errors import (
    AddressError,
    CameraBusyError,
    CameraError,
    CameraLostError,
    CameraTimeoutError,
    DiskFullError,
    FilesMissingError,
    ForeignFileError,
    SettingNotAppliedError,
    SettingNotOfferedError,
    WrongSerialError,
)
from capture.spool import Spool
from datastore.frames import check_file, read_frame
from datastore.metadata import read_metadata
from tests.capture.conftest import GENERIC, MARGIN_S, NIKON, quick_camera, shoot
from tests.support.virtual import RunningFixture

RAW = CameraSettings(Fraction(1, 30), 800, 8.0, "raw")
BOTH = replace(RAW, image_quality="raw+jpeg")
SERIALS = [NIKON, GENERIC]


@pytest.fixture(params=SERIALS, ids=["nikon", "generic"])
def camera(
    request: pytest.FixtureRequest, virtual: RunningFixture, tmp_path: Path
) -> Iterator[Gphoto2Camera]:
    """Return an open camera of each profile."""
    serial = str(request.param)
    with closing(quick_camera(virtual.cameras[serial], serial, tmp_path)) as opened:
        opened.open()
        yield opened


@pytest.fixture
def nikon(virtual: RunningFixture, tmp_path: Path) -> Iterator[Gphoto2Camera]:
    """Return one open camera, where the profile does not matter."""
    with closing(quick_camera(virtual.cameras[NIKON], NIKON, tmp_path)) as opened:
        opened.open()
        yield opened


def serial_of(camera: Gphoto2Camera, virtual: RunningFixture) -> str:
    return next(s for s, address in virtual.cameras.items() if address == camera.address)


def test_a_shot_brings_the_files_that_were_asked_for(
    camera: Gphoto2Camera, virtual: RunningFixture
) -> None:
    for settings, roles in ((BOTH, {"raw", "jpeg"}), (RAW, {"raw"})):
        read_back = camera.settings.apply(settings)
        assert read_back.iso == 800
        assert read_back.f_number == 8.0
        assert read_back.exposure_s == pytest.approx(1 / 30, abs=5e-5)
        assert read_back.image_quality == settings.image_quality
        delivery = shoot(camera, str(uuid.uuid4()), settings)
        assert {file.role for file in delivery.files} == roles
        for file in delivery.files:
            data = file.path.read_bytes()
            assert len(data) == file.bytes
            assert hashlib.sha256(data).hexdigest() == file.sha256
            assert check_file(file.path) == []
            metadata = read_metadata(file.path)
            assert metadata.iso == 800
            assert metadata.serial == serial_of(camera, virtual)
            camera.files.delete(file.camera_folder, file.camera_name)
    assert camera.files.list_card() == ()


def test_settings_reach_the_exposure(camera: Gphoto2Camera, virtual: RunningFixture) -> None:
    virtual.put("/cap", {"cap_on": False})
    levels = []
    for exposure in (Fraction(1, 1000), Fraction(1, 125)):
        settings = replace(RAW, exposure=exposure, iso=100)
        camera.settings.apply(settings)
        delivery = shoot(camera, str(uuid.uuid4()), settings)
        levels.append(float(read_frame(delivery.files[0].path).mosaic.mean()))
        camera.files.delete(delivery.files[0].camera_folder, delivery.files[0].camera_name)
    assert levels[1] > levels[0] + 10


def test_a_choice_that_is_not_offered_is_refused_and_changes_nothing(
    camera: Gphoto2Camera,
) -> None:
    before = camera.settings.apply(RAW)
    with pytest.raises(SettingNotOfferedError, match=r"iso 150.*160") as caught:
        camera.settings.apply(replace(RAW, iso=150, exposure=Fraction(4)))
    assert caught.value.exit_code == 2
    assert camera.is_open
    assert camera.settings.apply(RAW) == before


def test_an_ignored_setting_is_noticed(camera: Gphoto2Camera, virtual: RunningFixture) -> None:
    camera.settings.apply(RAW)
    virtual.set_faults(serial_of(camera, virtual), "settings-ignored")
    with pytest.raises(SettingNotAppliedError, match="iso"):
        camera.settings.apply(replace(RAW, iso=1600))
    assert not camera.is_open


@pytest.mark.parametrize(
    ("camera", "fault", "error"),
    [
        (GENERIC, "busy-on-capture", CameraBusyError),
        (NIKON, "missing-raw", FilesMissingError),
        (NIKON, "close-mid-transfer", CameraLostError),
        (GENERIC, "stall-mid-transfer", CameraLostError),
        # the library itself asks a Nikon again until the deadline
        pytest.param(
            NIKON,
            "busy-on-capture",
            (CameraBusyError, FilesMissingError),
            marks=pytest.mark.prove,
        ),
        pytest.param(NIKON, "silent-capture", FilesMissingError, marks=pytest.mark.prove),
        pytest.param(GENERIC, "silent-capture", FilesMissingError, marks=pytest.mark.prove),
        pytest.param(GENERIC, "missing-raw", FilesMissingError, marks=pytest.mark.prove),
        pytest.param(GENERIC, "close-mid-transfer", CameraLostError, marks=pytest.mark.prove),
        pytest.param(NIKON, "stall-mid-transfer", CameraLostError, marks=pytest.mark.prove),
    ],
    indirect=["camera"],
)
def test_a_fault_is_named_and_the_next_shot_is_sound(
    camera: Gphoto2Camera,
    virtual: RunningFixture,
    fault: str,
    error: type[CameraError] | tuple[type[CameraError], ...],
    tmp_path: Path,
) -> None:
    camera.settings.apply(BOTH)
    virtual.set_faults(serial_of(camera, virtual), {"kind": fault, "count": None})
    failed = str(uuid.uuid4())
    began = time.monotonic()
    with pytest.raises(error) as caught:
        shoot(camera, failed, BOTH)
    assert time.monotonic() - began < 3 * MARGIN_S
    assert camera.address.removeprefix("ptpip:") in str(caught.value)
    assert Spool(tmp_path).read(failed) is None
    assert not camera.is_open
    virtual.set_faults(serial_of(camera, virtual))
    camera.open()
    camera.settings.apply(BOTH)
    delivery = shoot(camera, str(uuid.uuid4()), BOTH)
    assert [check_file(file.path) for file in delivery.files] == [[], []]
    for left in camera.files.list_card():
        camera.files.delete(left.folder, left.name)


@pytest.mark.parametrize(
    ("serial", "fault", "error"),
    [
        (NIKON, "stale-file", ForeignFileError),
        pytest.param(NIKON, "endless-busy", CameraTimeoutError, marks=pytest.mark.prove),
        (GENERIC, "hang", CameraError),
        (GENERIC, "late-capture-answer", CameraLostError),
    ],
)
def test_whatever_a_camera_does_ends_within_the_deadline(
    virtual: RunningFixture, tmp_path: Path, serial: str, fault: str, error: type[CameraError]
) -> None:
    with closing(quick_camera(virtual.cameras[serial], serial, tmp_path)) as camera:
        camera.open()
        camera.settings.apply(RAW)
        shoot(camera, str(uuid.uuid4()), RAW)
        virtual.set_faults(serial, fault)
        began = time.monotonic()
        with pytest.raises(error):
            shoot(camera, str(uuid.uuid4()), RAW)
        assert time.monotonic() - began < 3 * MARGIN_S
        assert not camera.is_open
        virtual.set_faults(serial)
        open_patiently(camera, patience_s=10.0)
        settings = replace(RAW, iso=200)
        camera.settings.apply(settings)
        delivery = shoot(camera, str(uuid.uuid4()), settings)
        assert [read_metadata(file.path).iso for file in delivery.files] == [200]
        for left in camera.files.list_card():
            camera.files.delete(left.folder, left.name)


@pytest.mark.prove
def test_after_a_late_answer_no_file_of_another_shot_is_taken(
    nikon: Gphoto2Camera, virtual: RunningFixture
) -> None:
    nikon.settings.apply(RAW)
    virtual.set_faults(serial_of(nikon, virtual), {"kind": "late-answer", "delay_s": 3.5})
    with pytest.raises(CameraError):
        nikon.settings.apply(replace(RAW, iso=1600))
    virtual.set_faults(serial_of(nikon, virtual))
    time.sleep(1.5)
    nikon.open()
    for iso in (100, 200, 400):
        settings = replace(RAW, iso=iso)
        nikon.settings.apply(settings)
        delivery = shoot(nikon, str(uuid.uuid4()), settings)
        assert [read_metadata(file.path).iso for file in delivery.files] == [iso]
        nikon.files.delete(delivery.files[0].camera_folder, delivery.files[0].camera_name)


def test_the_wrong_body_at_an_address_is_refused(virtual: RunningFixture, tmp_path: Path) -> None:
    camera = quick_camera(virtual.cameras[GENERIC], NIKON, tmp_path)
    with pytest.raises(WrongSerialError, match=f"camera {NIKON} was expected.*{GENERIC}"):
        camera.open()
    assert not camera.is_open


def test_an_unreachable_address_is_named(tmp_path: Path) -> None:
    with closing(socket.socket()) as unused:
        unused.bind(("127.0.0.9", 0))
        port = unused.getsockname()[1]
        camera = quick_camera(f"ptpip:127.0.0.9:{port}", NIKON, tmp_path)
        with pytest.raises(CameraLostError, match=rf"127\.0\.0\.9:{port}.*is on"):
            camera.open()


def test_a_silent_listener_meets_a_deadline(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.9", 0))) as silent:
        address = f"ptpip:127.0.0.9:{silent.getsockname()[1]}"
        began = time.monotonic()
        with pytest.raises(CameraError, match=r"127\.0\.0\.9"):
            quick_camera(address, NIKON, tmp_path).open()
        assert time.monotonic() - began < 2 * MARGIN_S + 2


def test_a_camera_that_another_client_holds_is_busy(
    nikon: Gphoto2Camera, virtual: RunningFixture, tmp_path: Path
) -> None:
    rival = quick_camera(nikon.address, serial_of(nikon, virtual), tmp_path)
    with pytest.raises(CameraBusyError, match="another program"):
        rival.open()
    nikon.settings.apply(RAW)


def test_a_killed_worker_is_noticed_and_replaced(nikon: Gphoto2Camera) -> None:
    first = nikon.worker_pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    with pytest.raises(CameraLostError, match="died"):
        nikon.settings.apply(RAW)
    nikon.open()
    assert nikon.worker_pid != first
    nikon.settings.apply(RAW)


def test_a_stopped_worker_meets_its_deadline_and_is_killed(nikon: Gphoto2Camera) -> None:
    worker = nikon.worker_pid
    assert worker is not None
    os.kill(worker, signal.SIGSTOP)
    with pytest.raises(CameraTimeoutError, match="no answer to apply"):
        nikon.settings.apply(RAW)
    assert not Path(f"/proc/{worker}").exists()


def test_an_interrupted_order_leaves_no_answer_for_the_next(nikon: Gphoto2Camera) -> None:
    worker = nikon.worker_pid
    assert worker is not None

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    os.kill(worker, signal.SIGSTOP)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        with pytest.raises(KeyboardInterrupt):
            nikon.settings.offered()
    finally:
        signal.signal(signal.SIGALRM, before)
    assert not nikon.is_open
    assert not Path(f"/proc/{worker}").exists()
    nikon.open()
    assert nikon.settings.apply(RAW).iso == 800


def test_patience_waits_for_a_busy_camera_and_for_nothing_that_cannot_change(
    nikon: Gphoto2Camera, tmp_path: Path
) -> None:
    with closing(quick_camera(nikon.address, NIKON, tmp_path)) as rival:
        threading.Timer(0.7, nikon.close).start()
        began = time.monotonic()
        assert open_patiently(rival, patience_s=10.0).serial == NIKON
        assert 0.5 < time.monotonic() - began < 6.0
        with closing(quick_camera(nikon.address, GENERIC, tmp_path)) as stranger:
            rival.close()
            began = time.monotonic()
            with pytest.raises(WrongSerialError):
                open_patiently(stranger, patience_s=30.0)
            assert time.monotonic() - began < 6.0


def test_a_worker_wants_recycling_after_its_share_of_shots(
    virtual: RunningFixture, tmp_path: Path
) -> None:
    camera = Gphoto2Camera(virtual.cameras[NIKON], NIKON, tmp_path, MARGIN_S, recycle_after=2)
    with closing(camera):
        for _ in range(2):
            camera.open()
            camera.settings.apply(RAW)
            workers = set()
            for wanted in (False, True):
                delivery = shoot(camera, str(uuid.uuid4()), RAW)
                assert camera.wants_recycling is wanted
                workers.add(camera.worker_pid)
                camera.files.delete(delivery.files[0].camera_folder, delivery.files[0].camera_name)
            assert len(workers) == 1
            camera.close()
            assert not camera.wants_recycling


def test_the_homes_of_killed_workers_are_removed_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def started() -> tuple[WorkerProcess, Path]:
        before = set(tmp_path.iterdir())
        worker = WorkerProcess()
        (home,) = set(tmp_path.iterdir()) - before
        return worker, home

    killed, abandoned = started()
    living, held = started()
    os.kill(killed.pid, signal.SIGKILL)
    os.waitid(os.P_PID, killed.pid, os.WEXITED | os.WNOWAIT)
    other, _ = started()
    # so young a home may be that of a worker which is about to start
    assert abandoned.exists()
    an_hour_ago = time.time() - 3600
    for home in (abandoned, held):
        os.utime(home, (an_hour_ago, an_hour_ago))
    (tmp_path / "agetrace-camera-link").symlink_to(abandoned)
    last, _ = started()
    assert not abandoned.exists()
    assert held.exists()
    living.order("close", 10.0)
    for worker in (killed, living, other, last):
        worker.end(orderly=True)
    assert [path.name for path in tmp_path.iterdir()] == ["agetrace-camera-link"]


def test_an_interrupt_at_the_terminal_does_not_reach_the_worker(nikon: Gphoto2Camera) -> None:
    worker = nikon.worker_pid
    assert worker is not None
    assert os.getpgid(worker) != os.getpgid(0)
    os.kill(worker, signal.SIGINT)
    assert nikon.settings.apply(RAW).iso == 800


def test_a_full_disk_is_named_and_leaves_nothing_half(nikon: Gphoto2Camera, tmp_path: Path) -> None:
    nikon.settings.apply(RAW)
    worker = nikon.worker_pid
    assert worker is not None
    resource.prlimit(worker, resource.RLIMIT_FSIZE, (50_000, 50_000))
    shot = str(uuid.uuid4())
    with pytest.raises(DiskFullError, match="free some space") as caught:
        shoot(nikon, shot, RAW)
    assert caught.value.exit_code == 1
    assert list(tmp_path.glob(f"{shot}*")) == []
    nikon.open()
    (on_card,) = nikon.files.list_card()
    delivery = nikon.files.fetch(shot, [on_card])
    assert check_file(delivery.files[0].path) == []
    nikon.files.delete(on_card.folder, on_card.name)


def test_the_worker_ends_with_its_parent_side(nikon: Gphoto2Camera) -> None:
    worker = nikon.worker_pid
    nikon.close()
    assert not Path(f"/proc/{worker}").exists()
    assert not nikon.is_open
    nikon.close()


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("ptpip:192.168.1.5", "ptpip:192.168.1.5:15740:15740"),
        ("ptpip:127.0.0.2:1234", "ptpip:127.0.0.2:1234:1234"),
        ("ptpip:127.0.0.2:1234:1234", "ptpip:127.0.0.2:1234:1234"),
        ("usb:001,004", "usb:001,004"),
    ],
)
def test_addresses_become_port_paths(address: str, expected: str) -> None:
    assert port_path(address) == expected


@pytest.mark.parametrize(
    "address",
    ["ptpip:camera.local:15740", "ptpip:127.0.0.2:0", "ptpip:127.0.0.2:1:2", "ptpip:1.2.3.4:x",
     "127.0.0.2:15740", "serial:/dev/ttyS0", ""],
)  # fmt: skip
def test_unusable_addresses_are_refused(address: str) -> None:
    with pytest.raises(AddressError, match="ptpip:IP:PORT") as caught:
        port_path(address)
    assert caught.value.exit_code == 2
