"""Sessions and timeslots that call for jobs, and what became of the jobs."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select

from datastore.catalogue import Catalogue
from datastore.tables import Camera, Job, Session, SessionEvent
from tests.support.catalogue_rows import NOW, add_camera, add_session, add_shot


def ended_session(
    catalogue: Catalogue,
    state: str = "completed",
    *,
    at: datetime = NOW,
    kind: str = "dark-field",
) -> str:
    """Add a session with one shot that ended, and return its UUID."""
    with catalogue.writing() as transaction:
        session = add_session(transaction, at)
        camera = transaction.scalar(select(Camera)) or add_camera(transaction)
        add_shot(transaction, session, camera, 1, at, kind)
        for name in ("started", state):
            transaction.add(SessionEvent(session_id=session.id, name=name, at=at))
        return session.uuid


def end_again(catalogue: Catalogue, session_uuid: str, state: str, at: datetime) -> None:
    """Let a session that was resumed end another time."""
    with catalogue.writing() as transaction:
        session = transaction.scalars(select(Session).where(Session.uuid == session_uuid)).one()
        transaction.add(SessionEvent(session_id=session.id, name=state, at=at))


def jobs_of(catalogue: Catalogue, name: str | None = None) -> list[dict[str, Any]]:
    """Return the jobs with their histories, oldest first, without the rows of definitions."""
    query = select(Job).where(~Job.subject.startswith("defined ")).order_by(Job.id)
    if name is not None:
        query = query.where(Job.name == name)
    with catalogue.reading() as transaction:
        return [
            {
                "uuid": job.uuid,
                "name": job.name,
                "subject": job.subject,
                "command": job.command,
                "state": job.state,
                "reason": job.reason,
                "detail": job.detail,
                "attempts": job.attempts,
                "exit_code": job.exit_code,
                "due_at": job.due_at,
                "log": job.log,
                "events": [event.name for event in job.events],
            }
            for job in transaction.scalars(query)
        ]
