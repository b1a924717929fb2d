"""When each camera last had a good session, and which cameras lack one; writes nothing.

A good session is a completed one: every frame was taken and passed its checks.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session as Transaction

from datastore.equipment import current_revision
from datastore.tables import (
    Camera,
    Occurrence,
    Schedule,
    ScheduleEvent,
    Session,
    SessionEvent,
)

_SESSIONS_AT_ONCE: Final = 50
_SESSIONS_AT_MOST: Final = 1000


@dataclass(frozen=True)
class CameraWithoutGoodSession:
    """A camera without a good session although one was due.

    Attributes
    ----------
    serial
        The camera.
    last_good_at
        When its last good session was completed; None if none is known.
    since
        That time, or since when one has been expected.
    """

    serial: str
    last_good_at: datetime | None
    since: datetime


def active_schedules(transaction: Transaction) -> dict[str, tuple[Schedule, datetime]]:
    """Return the schedules that are neither paused nor retired, and since when, by name."""
    newest = (
        select(func.max(ScheduleEvent.id))
        .where(ScheduleEvent.schedule_id == Schedule.id)
        .correlate(Schedule)
        .scalar_subquery()
    )
    rows = transaction.execute(
        select(Schedule, ScheduleEvent.at)
        .join(ScheduleEvent, ScheduleEvent.id == newest)
        .where(ScheduleEvent.name.in_(("added", "resumed")))
        .order_by(Schedule.id)
    )
    return {schedule.name: (schedule, at) for schedule, at in rows}


def mounted_cameras(transaction: Transaction, fixture_name: str) -> list[Camera]:
    """Return the cameras of a fixture's newest revision."""
    return [mount.camera for mount in current_revision(transaction, fixture_name).mounts]


def cameras_without_good_session(
    transaction: Transaction, now: datetime, within: timedelta
) -> list[CameraWithoutGoodSession]:
    """Return the cameras that were due and have had no good session for so long, by serial.

    A camera is due where the window of an occurrence of an
    active schedule has ended since its last good session.
    """
    expected: dict[str, list[tuple[Schedule, datetime]]] = {}
    for schedule, active_since in active_schedules(transaction).values():
        wanted = schedule.description.get("cameras")
        for camera in mounted_cameras(transaction, schedule.fixture.name):
            if wanted is None or camera.serial in wanted:
                since = max(active_since, camera.registered_at)
                expected.setdefault(camera.serial, []).append((schedule, since))
    last_good = last_good_sessions(transaction, expected)
    found = []
    for serial, schedules in sorted(expected.items()):
        good_at = last_good.get(serial)
        since = min(at for _, at in schedules)
        since = since if good_at is None else max(since, good_at)
        is_long = now - since >= within
        if is_long and any(_was_due(transaction, row, since, now) for row, _ in schedules):
            found.append(CameraWithoutGoodSession(serial, good_at, since))
    return found


def _was_due(transaction: Transaction, schedule: Schedule, since: datetime, now: datetime) -> bool:
    query = (
        select(Occurrence.id)
        .where(
            Occurrence.schedule_id == schedule.id,
            Occurrence.due_at > since,
            Occurrence.due_at <= now,
            Occurrence.window_ends_at <= now,
            Occurrence.state != "cancelled",
        )
        .limit(1)
    )
    return transaction.scalar(query) is not None


def last_good_sessions(transaction: Transaction, serials: Collection[str]) -> dict[str, datetime]:
    """Return when each camera's last good session was completed.

    Looks back from the newest session until every camera is found, at most a thousand sessions: a
    camera without a good one among them is left out.
    """
    found: dict[str, datetime] = {}
    wanted = set(serials)
    before: int | None = None
    for _ in range(_SESSIONS_AT_MOST // _SESSIONS_AT_ONCE):
        if wanted <= found.keys():
            break
        query = select(Session.id).where(Session.kind == "capture")
        query = query if before is None else query.where(Session.id < before)
        ids = transaction.scalars(query.order_by(Session.id.desc()).limit(_SESSIONS_AT_ONCE)).all()
        if not ids:
            break
        before = ids[-1]
        for serial, at in _good_by_camera(transaction, ids).items():
            if serial in wanted:
                # sessions of several fixtures may end in another order than they began
                found[serial] = max(at, found.get(serial, at))
    return found


def _good_by_camera(transaction: Transaction, session_ids: Sequence[int]) -> Mapping[str, datetime]:
    rows = transaction.execute(
        select(SessionEvent.session_id, SessionEvent.name, SessionEvent.at, SessionEvent.detail)
        .where(
            SessionEvent.session_id.in_(session_ids),
            SessionEvent.name.in_(("started", "completed")),
        )
        .order_by(SessionEvent.id)
    )
    cameras: dict[int, list[str]] = {}
    good: dict[str, datetime] = {}
    for session_id, name, at, detail in rows:
        if name == "started":
            cameras[session_id] = list((detail or {}).get("cameras", []))
            continue
        for serial in cameras.get(session_id, []):
            good[serial] = max(at, good.get(serial, at))
    return good
