"""A camera through libgphoto2 in a worker process, with deadlines; imports no gphoto2 itself."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final

from capture.cameras._supervisor import Supervisor
from capture.cameras.capabilities import Capabilities
from capture.cameras.protocol import (
    CameraIdentity,
    CameraSettings,
    CardFile,
    Delivery,
    ReadBack,
    Release,
)
from capture.errors import AddressError, FilesMissingError, WrongSerialError
from capture.spool import Spool

MARGIN_S: Final = 15.0
"""How much longer than the exposure and its noise reduction a camera may take, in seconds."""

RECYCLE_AFTER: Final = 300
"""Shots of one worker: libgphoto2 leaks, and cameras that were busy for hundreds of shots hang."""

_INSPECTION_ORDERS: Final = 4
"""An inspection tries every setting out: as many deadlines of a single order as there are."""


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


class Gphoto2Settings:
    """The settings of a camera; see `capture.cameras.protocol.SettingsPart`."""

    def __init__(self, supervisor: Supervisor, margin_s: float) -> None:
        self._supervisor = supervisor
        self._margin_s = margin_s

    def offered(self) -> dict[str, tuple[str, ...]]:
        """Return the choices of every setting that a recipe can ask for, by field."""
        offered = self._supervisor.order("offered")
        return {field: tuple(choices) for field, choices in offered.items()}

    def apply(self, settings: CameraSettings) -> ReadBack:
        """Apply settings and return what the camera shows afterwards.

        Raises
        ------
        SettingNotOfferedError
            If the camera does not offer one; the camera stays open and nothing was set.
        SettingNotAppliedError
            If it took one without an error and shows another value.
        """
        return ReadBack(**self._supervisor.order("apply", wishes=settings.fields()))

    def clock_s(self) -> float | None:
        """Return the camera's own clock as seconds since 1970, its wall time taken for UTC."""
        clock: float | None = self._supervisor.order("clock")
        return clock

    def capabilities(self) -> Capabilities:
        """Find out what the camera can do for a session; its settings are as before.

        Each is set to another choice and back, so this is nothing for a session in progress.
        """
        return Capabilities.from_json(
            self._supervisor.order("capabilities", _INSPECTION_ORDERS * self._margin_s)
        )


class Gphoto2Trigger:
    """The shutter of a camera; see `capture.cameras.protocol.TriggerPart`."""

    def __init__(self, supervisor: Supervisor, margin_s: float) -> None:
        self._supervisor = supervisor
        self._margin_s = margin_s

    def release(self, shot_uuid: str, settings: CameraSettings) -> Release:
        """Release the shutter once; returns when the camera is free for its next exposure.

        Raises
        ------
        FilesMissingError, ForeignFileError
            If the files that came are not those of the shot.
        CameraError
            If the camera failed or took too long.
        """
        # twice, because noise reduction in the camera repeats the exposure with closed shutter
        deadline_s = 2 * float(settings.exposure) + self._margin_s
        facts = self._supervisor.order_shot(
            "release",
            deadline_s + self._margin_s,
            shot_uuid,
            image_quality=settings.image_quality,
            deadline_s=deadline_s,
        )
        return Release(shot_uuid, **facts)


class Gphoto2Files:
    """The files of a camera; see `capture.cameras.protocol.FilesPart`."""

    def __init__(self, supervisor: Supervisor, spool: Spool, margin_s: float) -> None:
        self._supervisor = supervisor
        self._spool = spool
        self._margin_s = margin_s

    def delivered(self, shot_uuid: str) -> Delivery:
        """Wait until a released shot is complete and durable in the spool.

        Any thread may wait while the camera works; the shot may be that of a worker that has ended.

        Raises
        ------
        DiskFullError
            If the spool has no room; the camera goes on, and the files are still on its card.
        CameraTimeoutError
            If the disk takes too long; the worker is killed then.
        FilesMissingError
            If the spool does not have it: its worker was killed before it was written.
        """
        self._supervisor.await_shot(shot_uuid)
        shot = self._spool.read(shot_uuid)
        if shot is None:
            raise FilesMissingError(
                f"shot {shot_uuid} is not in the spool {self._spool.folder}: if it was taken, its"
                " files are still on the camera's card"
            )
        return Delivery(shot.files, float(shot.facts["released_after_s"]))

    def list_card(self) -> tuple[CardFile, ...]:
        """Return the files on the memory card."""
        return tuple(CardFile(**file) for file in self._supervisor.order("list_card"))

    def fetch(self, shot_uuid: str, files: Sequence[CardFile]) -> Delivery:
        """Bring files of the card into the spool as those of a shot, durably."""
        paths = [[file.folder, file.name] for file in files]
        self._supervisor.order_shot("fetch", self._margin_s, shot_uuid, files=paths)
        return self.delivered(shot_uuid)

    def delete(self, folder: str, name: str) -> None:
        """Delete a file from the card; a file that is not there is as good as deleted."""
        self._supervisor.order("delete", folder=folder, name=name)


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
    recycle_after
        After so many shots the camera wants to be opened anew.
    environment
        Variables for the worker's environment besides those of this process.

    Attributes
    ----------
    address
        As given.
    settings, trigger, files
        What can be asked of it while it is open.
    """

    def __init__(
        self,
        address: str,
        serial: str | None,
        spool_folder: Path,
        margin_s: float = MARGIN_S,
        *,
        recycle_after: int = RECYCLE_AFTER,
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.address = address
        self._serial = serial
        self._port_path = port_path(address)
        self._spool = Spool(spool_folder)
        self._recycle_after = recycle_after
        self._supervisor = Supervisor(address, self._port_path, serial, margin_s, environment)
        self.settings = Gphoto2Settings(self._supervisor, margin_s)
        self.trigger = Gphoto2Trigger(self._supervisor, margin_s)
        self.files = Gphoto2Files(self._supervisor, self._spool, margin_s)

    @property
    def is_open(self) -> bool:
        """Whether a worker holds the camera open."""
        return self._supervisor.pid is not None

    @property
    def wants_recycling(self) -> bool:
        """Whether the worker took as many shots as one should: its library leaks."""
        return self.is_open and self._supervisor.shots >= self._recycle_after

    @property
    def worker_pid(self) -> int | None:
        """Process number of the worker, None while the camera is closed."""
        return self._supervisor.pid

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
        self._supervisor.start()
        spool_folder = str(self._spool.folder.resolve())
        identity = CameraIdentity(
            **self._supervisor.order("open", address=self._port_path, spool_folder=spool_folder)
        )
        if self._serial is not None and identity.serial != self._serial:
            self.close()
            raise WrongSerialError(
                f"camera {self._serial} was expected at {self.address}, but"
                f" {identity.serial or 'a camera without a serial'} answers there: check the"
                " fixture's description and which camera hangs on which address"
            )
        self._supervisor.order("prepare")
        return identity

    def close(self) -> None:
        """Close the camera and end its worker; closing a closed one does nothing."""
        self._supervisor.end()
