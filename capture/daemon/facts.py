"""What is worth telling people about an unattended capture, read from the catalogue's rows.

Every query is bounded by an index, whatever the catalogue's size. Decides nothing and writes
nothing; `thresholds` say from when on something counts.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, joinedload
from sqlalchemy.orm import Session as Transaction

from capture.attendance import ENDS, state_of
from capture.daemon.good_sessions import active_schedules
from capture.leasing import is_abandoned
from datastore.catalogue import Catalogue
from datastore.clocks import database_now
from datastore.tables import (
    Daemon,
    Job,
    Notification,
    Occurrence,
    OccurrenceEvent,
    OperatorAnswer,
    OperatorPrompt,
    Schedule,
    Session,
)

PROMPT_PATIENCE: Final = timedelta(minutes=1)
"""How long an operator at the fixture may take before others are told."""

_PROMPTS_OF: Final = timedelta(days=3)
_MESSAGES_OF: Final = timedelta(days=7)
_BYTES_PER_GB: Final = 1_000_000_000


@dataclass(frozen=True)
class Thresholds:
    """From when on something is worth telling.

    Attributes
    ----------
    free_bytes
        Least free space of store and spool.
    good_session
        How long a camera may be without a completed session although one was due.
    daemon_silent
        How long a daemon may show no sign of work, by the database's clock.
    overdue
        How long after its window an occurrence may lack a final state.
    outbox_stuck
        How long a message may wait to be sent.
    failed_job
        How long a job that failed last is spoken of.
    """

    free_bytes: int = 10 * _BYTES_PER_GB
    good_session: timedelta = timedelta(days=3)
    daemon_silent: timedelta = timedelta(minutes=5)
    overdue: timedelta = timedelta(minutes=10)
    outbox_stuck: timedelta = timedelta(hours=1)
    failed_job: timedelta = timedelta(days=7)


@dataclass(frozen=True)
class OccurrenceFacts:
    """An occurrence, its schedule's name, fixture and zone, and what became of it."""

    occurrence_id: int
    uuid: str
    schedule: str
    fixture: str
    zone: str
    due_at: datetime
    window_ends_at: datetime
    state: str
    reason: str | None
    detail: str | None
    settled_at: datetime | None


@dataclass(frozen=True)
class PromptFacts:
    """A prompt that a running session waits on."""

    uuid: str
    session_uuid: str
    text: str
    asked_at: datetime


@dataclass(frozen=True)
class JobFacts:
    """A job that failed."""

    uuid: str
    name: str
    subject: str
    detail: str | None
    exit_code: int | None
    log: str | None
    ended_at: datetime | None


@dataclass(frozen=True)
class DiskFacts:
    """A disk and its free space."""

    name: str
    place: Path
    free_bytes: int


@dataclass(frozen=True)
class DaemonFacts:
    """The daemon that worked last, and for how long it has been silent by the database's clock.

    `is_dead` where its process was one of this host and ended without a word.
    """

    holder: str
    state: str
    silent_for: timedelta
    is_dead: bool


def disks(catalogue: Catalogue, spool_folder: Path) -> list[DiskFacts]:
    """Return the disks of the asset store and of the spool."""
    spool = spool_folder
    while not spool.exists():
        spool = spool.parent
    return [
        DiskFacts("store", catalogue.store.root, catalogue.store.free_bytes()),
        DiskFacts("spool", spool_folder, shutil.disk_usage(spool).free),
    ]


def occurrences_settled(
    transaction: Transaction, states: Collection[str], since: datetime
) -> list[OccurrenceFacts]:
    """Return the occurrences that came to one of some final states since a time, in that order."""
    return _occurrences(
        transaction,
        Occurrence.state.in_(states),
        Occurrence.settled_at >= since,
        order=(Occurrence.settled_at, Occurrence.id),
    )


def occurrences_without_operator(transaction: Transaction, now: datetime) -> list[OccurrenceFacts]:
    """Return the attended occurrences that could begin now if an operator were there."""
    is_attended = (
        select(OccurrenceEvent.id)
        .where(OccurrenceEvent.occurrence_id == Occurrence.id, OccurrenceEvent.name == "attended")
        .exists()
    )
    found = _occurrences(
        transaction,
        Occurrence.state == "pending",
        Occurrence.starts_at <= now,
        Occurrence.window_ends_at > now,
        Schedule.description["attended"].as_boolean(),
        ~is_attended,
        order=(Occurrence.starts_at, Occurrence.id),
    )
    running = active_schedules(transaction)
    return [occurrence for occurrence in found if occurrence.schedule in running]


def occurrences_overdue(
    transaction: Transaction, now: datetime, after: timedelta
) -> list[OccurrenceFacts]:
    """Return the occurrences whose window has been over for long and that have no final state."""
    return _occurrences(
        transaction,
        Occurrence.state.in_(("pending", "claimed")),
        Occurrence.starts_at <= now,
        Occurrence.window_ends_at <= now - after,
        order=(Occurrence.due_at, Occurrence.id),
    )


def _occurrences(
    transaction: Transaction,
    *conditions: ColumnElement[bool],
    order: Sequence[InstrumentedAttribute[Any]],
) -> list[OccurrenceFacts]:
    query = (
        select(Occurrence)
        .join(Schedule, Occurrence.schedule_id == Schedule.id)
        .options(joinedload(Occurrence.schedule).joinedload(Schedule.fixture))
        .where(*conditions)
        .order_by(*order)
    )
    return [
        OccurrenceFacts(
            occurrence_id=row.id,
            uuid=row.uuid,
            schedule=row.schedule.name,
            fixture=row.schedule.fixture.name,
            zone=str(row.schedule.description["zone"]),
            due_at=row.due_at,
            window_ends_at=row.window_ends_at,
            state=row.state,
            reason=row.reason,
            detail=row.detail,
            settled_at=row.settled_at,
        )
        for row in transaction.scalars(query)
    ]


def prompts_unanswered(
    transaction: Transaction, now: datetime, after: timedelta = PROMPT_PATIENCE
) -> list[PromptFacts]:
    """Return the prompts that have waited for so long, of sessions that still run."""
    rows = transaction.execute(
        select(OperatorPrompt, Session.uuid)
        .join(Session, OperatorPrompt.session_id == Session.id)
        .outerjoin(OperatorAnswer, OperatorAnswer.prompt_id == OperatorPrompt.id)
        .where(
            Session.started_at >= now - _PROMPTS_OF,
            OperatorPrompt.asked_at <= now - after,
            OperatorAnswer.id.is_(None),
        )
        .order_by(OperatorPrompt.id)
    )
    return [
        PromptFacts(prompt.uuid, session_uuid, prompt.text, prompt.asked_at)
        for prompt, session_uuid in rows
        if state_of(transaction, prompt.session_id) not in ENDS
    ]


def jobs_failed(transaction: Transaction, since: datetime) -> list[JobFacts]:
    """Return the jobs that failed since a time, in that order."""
    rows = transaction.scalars(
        select(Job)
        .where(Job.state == "failed", Job.ended_at >= since)
        .order_by(Job.ended_at, Job.id)
    )
    return [
        JobFacts(row.uuid, row.name, row.subject, row.detail, row.exit_code, row.log, row.ended_at)
        for row in rows
    ]


def jobs_failing(transaction: Transaction, since: datetime) -> list[JobFacts]:
    """Return the newest failure of every job that failed since a time and has not worked since."""
    newest = {job.name: job for job in jobs_failed(transaction, since)}
    worked = dict(
        transaction.execute(
            select(Job.name, func.max(Job.ended_at))
            .where(Job.state == "completed", Job.name.in_(newest), Job.ended_at >= since)
            .group_by(Job.name)
        ).all()
    )
    return [
        job
        for name, job in newest.items()
        if (worked_at := worked.get(name)) is None or (job.ended_at or since) > worked_at
    ]


def messages_stuck(transaction: Transaction, now: datetime, after: timedelta) -> int:
    """Return how many messages of the last week were given up, or have waited for so long."""
    has_waited = and_(Notification.state == "pending", Notification.created_at <= now - after)
    query = select(func.count()).where(
        Notification.state.in_(("pending", "failed")),
        or_(Notification.state == "failed", has_waited),
        # those of a channel that is no longer in the settings stay as they are
        Notification.created_at >= now - _MESSAGES_OF,
    )
    return transaction.scalar(query) or 0


def newest_daemon(transaction: Transaction) -> DaemonFacts | None:
    """Return the daemon that worked last, of those that have not ended if there are any."""
    order = Daemon.seen_at.desc()
    working = list(
        transaction.scalars(select(Daemon).where(Daemon.state != "stopped").order_by(order))
    )
    alive = [row for row in working if not is_abandoned(row.holder)]
    row = next(iter(alive or working), None)
    if row is None:
        row = transaction.scalars(select(Daemon).order_by(order).limit(1)).first()
    if row is None:
        return None
    silent_for = database_now(transaction) - row.seen_at
    return DaemonFacts(row.holder, row.state, silent_for, bool(working) and not alive)
