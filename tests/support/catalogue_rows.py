"""Rows to fill a catalogue with."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy.orm import Session as Transaction

from datastore.tables import Camera, Session, Shot, ShotEvent

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def add_camera(transaction: Transaction, serial: str = "7100001") -> Camera:
    """Add a simulated camera."""
    camera = Camera(
        serial=serial,
        identity_source="serial",
        make="Virtual",
        model="V1",
        simulated=True,
        registered_at=NOW,
    )
    transaction.add(camera)
    transaction.flush()
    return camera


def add_session(transaction: Transaction, started_at: datetime = NOW) -> Session:
    """Add a session that ran on a simulated clock."""
    session = Session(kind="capture", clock_source="simulated", started_at=started_at)
    transaction.add(session)
    transaction.flush()
    return session


def add_shot(
    transaction: Transaction,
    session: Session,
    camera: Camera,
    sequence: int,
    triggered_at: datetime | None = NOW,
    kind: str = "dark-field",
    state: str = "registered",
    exposure_s: float = 4.0,
) -> Shot:
    """Add a shot that is in the given state."""
    shot = Shot(
        session_id=session.id,
        camera_id=camera.id,
        sequence=sequence,
        kind=kind,
        triggered_at=triggered_at,
        exposure=f"{exposure_s:g}",
        exposure_s=exposure_s,
        iso=800,
    )
    transaction.add(shot)
    transaction.flush()
    transaction.add(ShotEvent(shot_id=shot.id, name="planned", at=NOW))
    if state != "planned":
        transaction.add(ShotEvent(shot_id=shot.id, name=state, at=NOW))
    transaction.flush()
    return shot
