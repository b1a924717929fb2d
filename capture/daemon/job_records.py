"""Questions about jobs: a list of them, one by its name, its history; changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session as Transaction

from capture.daemon.job_errors import UnknownJobError
from capture.daemon.jobs import DEFINITION_PREFIX
from datastore.tables import Job


@dataclass(frozen=True)
class JobRecord:
    """One execution of a configured command, as far as it got."""

    uuid: str
    name: str
    subject: str
    command: tuple[str, ...]
    limit_s: float
    state: str
    reason: str | None
    detail: str | None
    due_at: datetime
    attempts: int
    started_at: datetime | None
    ended_at: datetime | None
    exit_code: int | None
    log: str | None

    def to_json(self) -> dict[str, Any]:
        """Return the record as JSON."""
        return {
            "id": self.uuid,
            "name": self.name,
            "subject": self.subject,
            "state": self.state,
            "reason": self.reason,
            "detail": self.detail,
            "attempts": self.attempts,
            "due_at": self.due_at.isoformat(),
            "started_at": None if self.started_at is None else self.started_at.isoformat(),
            "ended_at": None if self.ended_at is None else self.ended_at.isoformat(),
            "exit_code": self.exit_code,
            "command": list(self.command),
            "limit_s": self.limit_s,
            "log": self.log,
        }


@dataclass(frozen=True)
class JobChange:
    """A state that a job was given."""

    at: datetime
    state: str
    by: str | None
    detail: str | None

    def to_json(self) -> dict[str, Any]:
        """Return the change as JSON."""
        return {
            "at": self.at.isoformat(),
            "state": self.state,
            "by": self.by,
            "detail": self.detail,
        }


def list_jobs(
    transaction: Transaction,
    *,
    names: Sequence[str] = (),
    states: Sequence[str] = (),
    limit: int | None = None,
) -> list[JobRecord]:
    """Return jobs, the newest first.

    Parameters
    ----------
    transaction
        A transaction.
    names, states
        Only these; all where none is given.
    limit
        At most so many.
    """
    query = (
        select(Job)
        .where(~Job.subject.startswith(DEFINITION_PREFIX))
        .order_by(Job.id.desc())
        .limit(limit)
    )
    if names:
        query = query.where(Job.name.in_(names))
    if states:
        query = query.where(Job.state.in_(states))
    return [_record(job) for job in transaction.scalars(query)]


def find_job(transaction: Transaction, uuid: str) -> tuple[JobRecord, list[JobChange]]:
    """Return a job by its UUID or an unambiguous beginning of it, and its history.

    Raises
    ------
    UnknownJobError
        If there is none, or several.
    """
    query = select(Job).where(
        Job.uuid.startswith(uuid, autoescape=True), ~Job.subject.startswith(DEFINITION_PREFIX)
    )
    found = list(transaction.scalars(query.limit(2)))
    if len(found) != 1 or not uuid:
        how_many = "several jobs begin" if found else "no job begins"
        raise UnknownJobError(f"{how_many} with {uuid!r}: `agetrace job list` shows the jobs")
    changes = [JobChange(row.at, row.name, row.by, row.detail) for row in found[0].events]
    return _record(found[0]), changes


def _record(job: Job) -> JobRecord:
    return JobRecord(
        uuid=job.uuid,
        name=job.name,
        subject=job.subject,
        command=tuple(str(word) for word in job.command),
        limit_s=job.limit_s,
        state=job.state,
        reason=job.reason,
        detail=job.detail,
        due_at=job.due_at,
        attempts=job.attempts,
        started_at=job.started_at,
        ended_at=job.ended_at,
        exit_code=job.exit_code,
        log=job.log,
    )
