"""One session of libgphoto2 with a camera: opened, its failures translated, closed.

Used in camera workers alone. Knows nothing of settings or files; every failure is raised as a
CaptureError, because the library's own errors do not leave the process that saw them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gphoto2

from capture.cameras._holders import device_of, holders_of
from capture.cameras._translation import translation
from capture.errors import CameraError


class Connection:
    """An open session with a camera.

    Parameters
    ----------
    address
        Port path of libgphoto2, `ptpip:IP:PORT:PORT` or `usb:BUS,DEVICE`.

    Attributes
    ----------
    address
        As given.
    camera
        The library's own object; call it within `translated`.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self.camera: Any = gphoto2.Camera()
        ports = gphoto2.PortInfoList()
        with self.translated("looking for its port"):
            ports.load()
            self.camera.set_port_info(ports[ports.lookup_path(address)])
            if address.startswith("ptpip:"):
                abilities = gphoto2.CameraAbilitiesList()
                abilities.load()
                self.camera.set_abilities(abilities[abilities.lookup_model("PTP/IP Camera")])
        try:
            with self.translated("opening it"):
                self.camera.init()
        except CameraError:
            self.close()
            raise

    @contextmanager
    def translated(self, doing: str) -> Iterator[None]:
        """Raise the library's errors as ours; `doing` completes "failed while ..."."""
        try:
            yield
        except gphoto2.GPhoto2Error as error:
            raise self.translation(error, doing) from None

    def translation(self, error: Any, doing: str) -> CameraError:
        """Return one of the library's errors as ours."""
        device = device_of(self.address)
        return translation(
            self.address,
            doing,
            error.code,
            error.string,
            holders=[] if device is None else holders_of(device),
        )

    def close(self) -> None:
        """End the session with the camera; never raises."""
        try:
            self.camera.exit()
        except gphoto2.GPhoto2Error:
            pass
        finally:
            guard_standard_input()


def autodetect() -> list[tuple[str, str]]:
    """Return model, as the driver knows it, and address of every camera on USB."""
    try:
        found = gphoto2.Camera.autodetect()
    except gphoto2.GPhoto2Error as error:
        raise CameraError(f"USB cannot be searched: {error.string} ({error.code})") from None
    return [(found.get_name(index), found.get_value(index)) for index in range(len(found))]


def guard_standard_input() -> None:
    """Put /dev/null back on descriptor 0, which libgphoto2 closes with every PTP/IP session."""
    try:
        os.fstat(0)
    except OSError:
        descriptor = os.open(os.devnull, os.O_RDONLY)
        if descriptor != 0:
            os.dup2(descriptor, 0)
            os.close(descriptor)
