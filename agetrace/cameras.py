"""Cameras of a home: where each is mounted, which are connected, and holding one for a command."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from agetrace.errors import RequestError
from datastore.equipment import current_revision
from datastore.errors import LeaseHeldError
from datastore.tables import Camera, Fixture, Shot

if TYPE_CHECKING:
    from sqlalchemy.orm import Session as Transaction

    from agetrace.settings import Home
    from capture.cameras.gphoto2_camera import Gphoto2Camera
    from capture.cameras.protocol import CameraIdentity
    from datastore.catalogue import Catalogue

_SCHEMES = ("ptpip:", "usb:")
_COMMAND_S = 240.0
"""Longest time for which a command holds a camera without saying so again."""


@dataclass(frozen=True)
class Place:
    """An address, and the camera that is mounted there.

    Attributes
    ----------
    address
        As the fixture's description or the user writes it.
    fixture, camera
        Name and row; None for an address of no fixture.
    """

    address: str
    fixture: str | None = None
    camera: Camera | None = None

    @property
    def serial(self) -> str | None:
        """The serial that is expected to answer."""
        return None if self.camera is None else self.camera.serial


def mounted_cameras(transaction: Transaction) -> list[Place]:
    """Return the cameras of the fixtures as they are now, by fixture and serial."""
    names = transaction.scalars(select(Fixture.name).order_by(Fixture.name))
    return [
        Place(mount.address, name, mount.camera)
        for name in list(names)
        for mount in sorted(
            current_revision(transaction, name).mounts, key=lambda mount: mount.camera.serial
        )
    ]


def find_place(transaction: Transaction, text: str) -> Place:
    """Return where a camera is that an address or a serial names.

    Raises
    ------
    RequestError
        If no fixture mounts a camera of this serial, or several do.
    capture.errors.AddressError
        If the address has a form that cannot be opened.
    """
    from capture.cameras.gphoto2_camera import port_path

    mounted = mounted_cameras(transaction)
    if text.startswith(_SCHEMES):
        path = port_path(text)
        return next((place for place in mounted if port_path(place.address) == path), Place(text))
    found = [place for place in mounted if place.serial == text]
    if len({place.address for place in found}) == 1:
        return found[0]
    if found:
        places = ", ".join(place.address for place in found)
        raise RequestError(f"several cameras have the serial {text}: give an address ({places})")
    known = ", ".join(str(place.serial) for place in mounted) or "none"
    raise RequestError(
        f"no fixture mounts a camera {text} (mounted are {known}): give its address, ptpip:IP:PORT"
        " or usb:BUS,DEVICE"
    )


@contextmanager
def held_camera(
    home: Home, catalogue: Catalogue, place: Place, *, whichever: bool = False
) -> Iterator[tuple[Gphoto2Camera, CameraIdentity]]:
    """Open a camera that no session uses, and keep sessions away from it for the block.

    Parameters
    ----------
    home, catalogue
        Where leases and test shots go.
    place
        Where it is.
    whichever
        Take another body than the mounted one, too.

    Raises
    ------
    datastore.errors.LeaseHeldError
        If a session uses it.
    capture.errors.CaptureError
        If it cannot be opened, or another body answers.
    """
    from capture.cameras.gphoto2_camera import Gphoto2Camera

    with ExitStack() as stack:
        if place.serial is not None:
            stack.enter_context(_leased(catalogue, place.serial))
        home.spool_root.mkdir(parents=True, exist_ok=True)
        folder = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="inspection-", dir=home.spool_root)
        )
        expected = None if whichever else place.serial
        camera = Gphoto2Camera(place.address, expected, Path(folder))
        stack.callback(camera.close)
        identity = camera.open()
        if identity.serial not in ("", place.serial):
            stack.enter_context(_leased(catalogue, identity.serial))
        yield camera, identity


@contextmanager
def _leased(catalogue: Catalogue, serial: str) -> Iterator[None]:
    from capture.leasing import lease_equipment

    lease = lease_equipment(catalogue, [f"camera:{serial}"])
    try:
        lease.hold(_COMMAND_S)
        yield
    finally:
        lease.release()


def list_cameras(transaction: Transaction) -> list[dict[str, Any]]:
    """Return every registered camera as JSON values, by make, model and serial."""
    mounted = mounted_cameras(transaction)
    counts = (
        select(
            Shot.camera_id,
            func.count().label("shots"),
            func.max(Shot.triggered_at).label("last_shot_at"),
        )
        .group_by(Shot.camera_id)
        .subquery()
    )
    rows = transaction.execute(
        select(Camera, counts.c.shots, counts.c.last_shot_at)
        .outerjoin(counts, counts.c.camera_id == Camera.id)
        .order_by(Camera.make, Camera.model, Camera.serial)
    )
    return [
        {
            **body_facts(camera),
            "fixtures": [
                {"name": place.fixture, "address": place.address}
                for place in mounted
                if place.camera is not None and place.camera.id == camera.id
            ],
            "shots": shots or 0,
            "last_shot_at": None if last is None else last.isoformat(),
            "registered_at": camera.registered_at.isoformat(),
        }
        for camera, shots, last in rows
    ]


def body_facts(camera: Camera) -> dict[str, Any]:
    """Return what identifies a camera's body and describes its sensor, as JSON values."""
    return {
        "serial": camera.serial,
        "identity_source": camera.identity_source,
        "make": camera.make,
        "model": camera.model,
        "simulated": camera.simulated,
        "sensor": {
            "type": camera.sensor_type,
            "width": camera.width,
            "height": camera.height,
            "pixel_pitch_um": camera.pixel_pitch_um,
            "cfa": camera.cfa,
            "white_level": camera.white_level,
        },
    }


def connected_cameras(catalogue: Catalogue, addresses: Sequence[str]) -> list[dict[str, Any]]:
    """Look on USB, at the fixtures' addresses and at others; return what is there as JSON values.

    A camera that a session uses is left alone.

    Raises
    ------
    capture.errors.AddressError
        If an address has a form that cannot be opened.
    capture.errors.CaptureError
        If USB cannot be searched.
    """
    from capture.cameras.discovery import discover
    from capture.cameras.gphoto2_camera import port_path

    with catalogue.reading() as transaction:
        mounted = {port_path(place.address): place for place in mounted_cameras(transaction)}
        registered = {
            (camera.make, camera.model, camera.serial)
            for camera in transaction.scalars(select(Camera))
        }
    places = {path: place.address for path, place in mounted.items()}
    places |= {port_path(address): address for address in addresses}
    records = []
    leased: set[str | None] = set()
    with ExitStack() as stack:
        for path, place in mounted.items():
            try:
                if place.serial not in leased:
                    stack.enter_context(_leased(catalogue, str(place.serial)))
                leased.add(place.serial)
            except LeaseHeldError as error:
                del places[path]
                records.append(_record(place, place.address, "in-use", reason=str(error)))
        for found in discover(list(places.values())):
            place = mounted.get(port_path(found.address), Place(found.address))
            reason = found.reason
            if reason is not None:
                state = "not-opened"
            elif not found.serial:
                state, reason = "no-serial", "it states no serial number: it cannot be registered"
            else:
                facts = (found.make, found.model, found.serial)
                state = "registered" if facts in registered else "new"
                if place.serial not in (None, found.serial):
                    reason = f"the fixture {place.fixture} expects the camera {place.serial} here"
            records.append(
                _record(
                    place,
                    found.address,
                    state,
                    make=found.make,
                    model=found.model,
                    serial=found.serial,
                    firmware=found.firmware,
                    reason=reason,
                )
            )
    return sorted(records, key=lambda record: str(record["address"]))


def _record(place: Place, address: str, state: str, **facts: str | None) -> dict[str, Any]:
    camera = place.camera
    blank: dict[str, str | None] = {
        "make": None if camera is None or state != "in-use" else camera.make,
        "model": None if camera is None or state != "in-use" else camera.model,
        "serial": None if camera is None or state != "in-use" else camera.serial,
        "firmware": None,
        "reason": None,
    }
    return {"address": address, "state": state, **blank, "fixture": place.fixture, **facts}
