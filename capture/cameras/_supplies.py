"""What a camera has left, charge and room, and the refusals that a lack of either explains.

Used in camera workers alone.
"""

from __future__ import annotations

import re
from typing import Final

import gphoto2

from capture.cameras._connection import Connection
from capture.cameras._settings import BATTERY, Settings
from capture.errors import BatteryLowError, CameraError, CardFullError

_REFUSING_PERCENT: Final = 10.0
"""Charge up to which a refusal is put down to the battery; EOS bodies word it as "Low"."""

_LARGEST_SHOT_BYTES: Final = 256 << 20
"""Room below which a card may be full for the camera, where that does not count in images."""


def battery_percent(battery: str | None) -> float | None:
    """Return a charge as a number, None where the camera has another word for it."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", battery or "")
    return None if match is None else float(match[1])


def free_space(connection: Connection) -> tuple[int | None, int | None]:
    """Return free bytes and images of all cards together, None where a card does not tell."""
    with connection.translated("asking for the room on its card"):
        stores = connection.camera.get_storageinfo()
    free_bytes = [
        int(store.freekbytes) * 1024
        for store in stores
        if store.fields & gphoto2.GP_STORAGEINFO_FREESPACEKBYTES
    ]
    free_images = [
        int(store.freeimages)
        for store in stores
        if store.fields & gphoto2.GP_STORAGEINFO_FREESPACEIMAGES
    ]
    return sum(free_bytes) if free_bytes else None, sum(free_images) if free_images else None


def explained(said: str, connection: Connection, settings: Settings) -> CameraError:
    """Return the error for a shutter that the camera refused without saying why.

    Parameters
    ----------
    said
        What failed, as the driver words it.
    connection, settings
        Of the camera, which is asked for its charge and its room; it may answer neither.
    """
    battery = _battery(settings)
    percent = battery_percent(battery)
    if battery == "Low" or (percent is not None and percent <= _REFUSING_PERCENT):
        level = "low" if percent is None else f"at {percent:g} %"
        return BatteryLowError(f"{said}; its battery is {level}: charge it")
    try:
        free_bytes, free_images = free_space(connection)
    except CameraError:
        free_bytes, free_images = None, None
    if free_images == 0 or (free_images is None and _is_little(free_bytes)):
        return CardFullError(f"{said}; its memory card is full: empty it")
    room = "unknown" if free_images is None else f"for {free_images} images"
    return CameraError(
        f"{said}; neither its battery ({battery or 'unknown'}) nor the room on its memory card"
        f" ({room}) tells why: look at its display"
    )


def _battery(settings: Settings) -> str | None:
    try:
        return settings.text_if_any(BATTERY)
    except CameraError:
        return None


def _is_little(free_bytes: int | None) -> bool:
    return free_bytes is not None and free_bytes < _LARGEST_SHOT_BYTES
