"""Discovery: cameras on USB and at addresses, who they are, and who holds one."""

from __future__ import annotations

import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from capture.cameras._holders import device_of, holders_of
from capture.cameras._translation import translation
from capture.cameras.discovery import FoundCamera, discover
from capture.errors import AddressError, CameraBusyError
from tests.capture.conftest import GENERIC, MARGIN_S, NIKON, quick_camera
from tests.support.virtual import RunningFixture


def test_cameras_are_identified_at_their_addresses(virtual: RunningFixture, tmp_path: Path) -> None:
    with closing(socket.socket()) as unused:
        unused.bind(("127.0.0.9", 0))
        nothing = f"ptpip:127.0.0.9:{unused.getsockname()[1]}"
        with closing(quick_camera(virtual.cameras[GENERIC], GENERIC, tmp_path)) as rival:
            rival.open()
            found = discover([*virtual.cameras.values(), nothing], margin_s=MARGIN_S)
    free, held, silent = found
    assert free == FoundCamera(virtual.cameras[NIKON], "Agetrace", "Fixture 1", NIKON, "1.00", None)
    assert (held.serial, silent.serial) == (None, None)
    assert held.reason is not None and "another program" in held.reason
    assert silent.reason is not None and f"at {nothing} failed" in silent.reason
    assert discover([virtual.cameras[GENERIC]], margin_s=MARGIN_S)[0].serial == GENERIC


def test_a_camera_on_usb_is_found(tmp_path: Path) -> None:
    # the driver's own virtual camera, the only one on USB that needs no hardware
    found = discover(margin_s=MARGIN_S, environment={"VCAMERADIR": str(tmp_path)})
    assert [(camera.address, camera.serial) for camera in found] == [("usb:001,001", "0.1")]


def test_an_address_that_cannot_be_is_refused() -> None:
    with pytest.raises(AddressError):
        discover(["camera.local"])


def test_the_process_that_holds_a_camera_is_named(tmp_path: Path) -> None:
    device = tmp_path / "004"
    device.touch()
    script = f"import time; held = open({str(device)!r}); print(flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as holder:
        try:
            assert holder.stdout is not None
            holder.stdout.readline()
            (named,) = holders_of(device)
        finally:
            holder.kill()
    assert str(holder.pid) in named and "python" in named
    assert holders_of(device) == []
    error = translation("usb:001,004", "opening it", -53, "Could not claim", holders=[named])
    assert isinstance(error, CameraBusyError) and named in str(error)
    assert "gvfs" in str(translation("usb:001,004", "opening it", -53, "Could not claim"))


def test_devices_are_those_of_usb_addresses() -> None:
    assert device_of("usb:001,004") == Path("/dev/bus/usb/001/004")
    assert device_of("usb:") is None
    assert device_of("ptpip:127.0.0.2:1:1") is None
