"""A camera through libgphoto2 in a worker process of its own, with deadlines; imports no gphoto2.

After any failure the worker is killed: a session with a camera that went wrong once may deliver the
previous shot's file for ever after. `open` starts a fresh one.
"""

from __future__ import annotations

import ipaddress
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from capture.cameras._process import WorkerProcess
from capture.cameras.protocol import CameraIdentity, CameraSettings, CardFile, Delivery, ReadBack
from capture.errors import (
    AddressError,
    CameraLostError,
    CaptureError,
    RequestError,
    SpoolError,
    WrongSerialError,
)
from capture.spool import Spool

MARGIN_S: Final = 15.0
"""How much longer than the exposure and its noise reduction a camera may take, in seconds."""


def port_path(address: str) -> str:
    """Return the port path of libgphoto2 for an address.

    Parameters
    ----------
    address
        `ptpip:IP`, `ptpip:IP:PORT` or a path such as `usb:001,004`.

    Raises
    ------
    AddressError
        If the address has another form.
    """
    kind, _, rest = address.partition(":")
    if kind == "usb":
        return address
    ip, *ports = rest.split(":")
    try:
        if kind != "ptpip":
            raise ValueError("it begins with neither ptpip: nor usb:")
        ipaddress.IPv4Address(ip)
        numbers = {int(port) for port in ports or ["15740"]}
        if len(numbers) != 1 or len(ports) > 2 or not 0 < min(numbers) < 65536:
            raise ValueError("its port is no number from 1 to 65535")
    except ValueError as error:
        raise AddressError(
            f"camera address {address!r} cannot be used ({error}): write ptpip:IP:PORT with a"
            " numeric IPv4 address, or usb:BUS,DEVICE"
        ) from None
    # given once, the port would be used for commands only and events be looked for at 15740
    port = numbers.pop()
    return f"ptpip:{ip}:{port}:{port}"


class Gphoto2Camera:
    """One camera body at an address; see `capture.cameras.protocol.Camera`.

    Parameters
    ----------
    address
        Where it answers.
    serial
        The serial that must answer there; None takes whatever does.
    spool_folder
        Where its files go.
    margin_s
        Added to every deadline, in seconds.
    """

    def __init__(
        self, address: str, serial: str | None, spool_folder: Path, margin_s: float = MARGIN_S
    ) -> None:
        self.address = address
        self._serial = serial
        self._port_path = port_path(address)
        self._spool = Spool(spool_folder)
        self._margin_s = margin_s
        self._worker: WorkerProcess | None = None
        # an interrupted session closes its cameras while their last orders may still be at work
        self._lock = threading.RLock()

    @property
    def is_open(self) -> bool:
        """Whether a worker holds the camera open."""
        return self._worker is not None

    @property
    def worker_pid(self) -> int | None:
        """Process number of the worker, None while the camera is closed."""
        return None if self._worker is None else self._worker.pid

    def open(self) -> CameraIdentity:
        """Open the camera anew, verify its serial and bring it to the state that sessions need.

        Raises
        ------
        CameraLostError
            If nothing answers at the address.
        WrongSerialError
            If another body answers.
        SettingNotAppliedError
            If the camera cannot be brought to that state.
        """
        self.close()
        self._worker = WorkerProcess()
        identity = CameraIdentity(
            **self._order(
                "open", address=self._port_path, spool_folder=str(self._spool.folder.resolve())
            )
        )
        if self._serial is not None and identity.serial != self._serial:
            self.close()
            raise WrongSerialError(
                f"camera {self._serial} was expected at {self.address}, but"
                f" {identity.serial or 'a camera without a serial'} answers there: check the"
                " fixture's description and which camera hangs on which address"
            )
        self._order("prepare")
        return identity

    def offered(self) -> dict[str, tuple[str, ...]]:
        """Return the choices of every setting that a recipe can ask for, by field."""
        return {field: tuple(choices) for field, choices in self._order("offered").items()}

    def clock_s(self) -> float | None:
        """Return the camera's own clock as seconds since 1970, its wall time taken for UTC."""
        clock: float | None = self._order("clock")
        return clock

    def apply(self, settings: CameraSettings) -> ReadBack:
        """Apply settings and return what the camera shows afterwards.

        Raises
        ------
        SettingNotOfferedError
            If the camera does not offer one; the camera stays open and nothing was set.
        SettingNotAppliedError
            If it took one without an error and shows another value.
        """
        return ReadBack(**self._order("apply", wishes=settings.fields()))

    def shoot(self, shot_uuid: str, settings: CameraSettings) -> Delivery:
        """Release the shutter once and bring all files of the shot into the spool, durably.

        Raises
        ------
        FilesMissingError, ForeignFileError
            If the files that came are not those of the shot.
        CameraError
            If the camera failed or took too long.
        DiskFullError
            If the spool has no room.
        """
        # twice, because noise reduction in the camera repeats the exposure with closed shutter
        deadline_s = 2 * float(settings.exposure) + self._margin_s
        self._order(
            "shoot",
            deadline_s + self._margin_s,
            shot_uuid=shot_uuid,
            image_quality=settings.image_quality,
            deadline_s=deadline_s,
        )
        return self._delivery(shot_uuid)

    def list_card(self) -> tuple[CardFile, ...]:
        """Return the files on the memory card."""
        return tuple(CardFile(**file) for file in self._order("list_card"))

    def fetch(self, shot_uuid: str, files: Sequence[CardFile]) -> Delivery:
        """Bring files of the card into the spool as those of a shot, durably."""
        self._order(
            "fetch", shot_uuid=shot_uuid, files=[[file.folder, file.name] for file in files]
        )
        return self._delivery(shot_uuid)

    def delete(self, folder: str, name: str) -> None:
        """Delete a file from the card; a file that is not there is as good as deleted."""
        self._order("delete", folder=folder, name=name)

    def close(self) -> None:
        """Close the camera and end its worker; closing a closed one does nothing."""
        with self._lock:
            if self._worker is None:
                return
            try:
                self._order("close")
            except CaptureError:
                return
            worker, self._worker = self._worker, None
            worker.end(orderly=True)

    def _delivery(self, shot_uuid: str) -> Delivery:
        shot = self._spool.read(shot_uuid)
        if shot is None:
            raise SpoolError(f"the files of shot {shot_uuid} are not in {self._spool.folder}")
        return Delivery(shot.files, float(shot.facts["released_after_s"]))

    def _naming_the_camera(self, message: str) -> str:
        """Say which camera a worker's message speaks of: it knows only the port's name."""
        known = "the camera" if self._serial is None else f"camera {self._serial}"
        named = message.replace(
            f"the camera at {self._port_path}", f"{known} at {self.address}"
        ).replace(self._port_path, self.address)
        return named if self.address in named else f"{known} at {self.address}: {named}"

    def _order(self, order: str, timeout_s: float | None = None, /, **arguments: Any) -> Any:
        with self._lock:
            if self._worker is None:
                raise CameraLostError(f"the camera at {self.address} is closed: open it first")
            try:
                return self._worker.order(order, timeout_s or self._margin_s, **arguments)
            except RequestError:
                raise
            except CaptureError as error:
                worker, self._worker = self._worker, None
                worker.end(orderly=False)
                raise type(error)(self._naming_the_camera(str(error))) from None
