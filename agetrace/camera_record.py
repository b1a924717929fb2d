"""What the catalogue knows of one camera: its body, firmware, clock and frames; changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from agetrace.cameras import body_facts
from agetrace.errors import RequestError
from datastore.clock_probes import clock_history
from datastore.tables import Camera, Shot, ShotSettings

if TYPE_CHECKING:
    from sqlalchemy.orm import Session as Transaction


def find_camera(
    transaction: Transaction, serial: str, *, make: str | None = None, model: str | None = None
) -> Camera:
    """Return the registered camera of a serial or alias.

    Raises
    ------
    RequestError
        If there is none, or several makes or models share the serial.
    """
    query = select(Camera).where(Camera.serial == serial)
    if make is not None:
        query = query.where(Camera.make == make)
    if model is not None:
        query = query.where(Camera.model == model)
    found = transaction.scalars(query.order_by(Camera.make, Camera.model)).all()
    if len(found) == 1:
        return found[0]
    if found:
        bodies = ", ".join(f"{camera.make} {camera.model}" for camera in found)
        raise RequestError(
            f"several cameras have the serial {serial} ({bodies}): give --make and --model"
        )
    raise RequestError(
        f"no camera {serial} is registered as asked for: `agetrace camera list` shows which are"
    )


def camera_record(transaction: Transaction, camera: Camera) -> dict[str, Any]:
    """Return a camera as JSON values; times are those of the triggers, in UTC.

    The firmware's history is what the camera's files said of it, each with the first and the last
    shot that did. Frames are counted by kind. Shots of unknown time count, and date nothing.
    """
    kinds = transaction.execute(
        select(Shot.kind, func.count(), func.min(Shot.triggered_at), func.max(Shot.triggered_at))
        .where(Shot.camera_id == camera.id)
        .group_by(Shot.kind)
        .order_by(Shot.kind)
    ).all()
    firsts = [first for _, _, first, _ in kinds if first is not None]
    lasts = [last for _, _, _, last in kinds if last is not None]
    first_seen = func.min(Shot.triggered_at)
    firmware = transaction.execute(
        select(
            ShotSettings.firmware,
            first_seen,
            func.max(Shot.triggered_at),
            func.count(Shot.id.distinct()),
        )
        .join(Shot, Shot.id == ShotSettings.shot_id)
        .where(Shot.camera_id == camera.id, ShotSettings.firmware.is_not(None))
        .group_by(ShotSettings.firmware)
        .order_by(first_seen, ShotSettings.firmware)
    )
    return {
        **body_facts(camera),
        "registered_at": camera.registered_at.isoformat(),
        "shots": sum(count for _, count, _, _ in kinds),
        "first_shot_at": min(firsts).isoformat() if firsts else None,
        "last_shot_at": max(lasts).isoformat() if lasts else None,
        "frames": {kind: count for kind, count, _, _ in kinds},
        "firmware": [
            {
                "version": version,
                "first_seen_at": None if first is None else first.isoformat(),
                "last_seen_at": None if last is None else last.isoformat(),
                "shots": shots,
            }
            for version, first, last, shots in firmware
        ],
        "clock": clock_history(transaction, camera.id).to_json(),
    }


def camera_lines(record: dict[str, Any]) -> list[dict[str, str]]:
    """Return a record as lines of a table: `what` and `found`."""
    sensor, clock = record["sensor"], record["clock"]
    size = None if sensor["width"] is None else f"{sensor['width']} x {sensor['height']} photosites"
    pitch = None if sensor["pixel_pitch_um"] is None else f"pitch {sensor['pixel_pitch_um']:g} um"
    white = None if sensor["white_level"] is None else f"full at {sensor['white_level']} DN"
    parts = [sensor["type"], size, pitch, sensor["cfa"], white]
    lines = {
        "make": record["make"],
        "model": record["model"],
        record["identity_source"]: record["serial"],
        "simulated": "yes" if record["simulated"] else "no",
        "sensor": ", ".join(part for part in parts if part) or "not told",
        "registered": record["registered_at"],
        "shots": str(record["shots"]),
        "first shot": record["first_shot_at"] or "none with a time",
        "last shot": record["last_shot_at"] or "none with a time",
    }
    lines |= {f"frames, {kind}": str(count) for kind, count in record["frames"].items()}
    if clock["newest_at"] is None:
        lines["clock"] = "never probed"
    else:
        lines["clock"] = f"{clock['newest_skew_s']:+.1f} s at {clock['newest_at']}"
        drift = clock["drift_s_per_day"]
        lines["clock drift"] = "not told yet" if drift is None else f"{drift:+.2f} s a day"
    found = [{"what": what, "found": value} for what, value in lines.items()]
    found += [
        {
            "what": "firmware",
            "found": f"{one['version']}, {one['shots']} shots"
            f" from {one['first_seen_at']} to {one['last_seen_at']}",
        }
        for one in record["firmware"]
    ]
    found += [
        {
            "what": "clock set",
            "found": f"by {step['step_s']:+.1f} s between {step['after']} and {step['until']}",
        }
        for step in clock["steps"]
    ]
    return found
