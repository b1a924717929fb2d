"""Plans jobs: one row for every session, closed timeslot or due time that calls for one.

A job is its name and its subject, which the database keeps unique: planning again, after a restart
or in another daemon, adds nothing. Knows nothing of processes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, String, cast, exists, func, literal, select
from sqlalchemy.orm import Session as Transaction

from capture.daemon.job_definitions import JobDefinition
from capture.schedules.rules import due_times
from datastore.catalogue import Catalogue
from datastore.clocks import as_utc
from datastore.locks import lock_until_commit
from datastore.tables import (
    Job,
    JobEvent,
    JobState,
    Session,
    SessionEvent,
    Shot,
    Timeslot,
    TimeslotScheme,
)

DEFINITION_PREFIX: Final = "defined "
"""Begins the subject of the row that remembers since when there is a job; it is never run."""

_DUE_PREFIX: Final = "due "
_BOUNDARY_PREFIX: Final = "session-events-after-"
_SMALLEST: Final = timedelta(microseconds=1)
_BATCH: Final = 500
"""Most jobs that one transaction plans; after a long pause the next passes plan the rest."""


@dataclass(frozen=True)
class _Wanted:
    """A job that something calls for and that has no row yet."""

    subject: str
    due_at: datetime
    values: Mapping[str, str]
    detail: str | None = None


@dataclass(frozen=True)
class _FirstSeen:
    """Since when there is a definition: civil time, and the last session event before it."""

    at: datetime
    session_event_id: int


def plan_jobs(
    catalogue: Catalogue, definitions: Mapping[str, JobDefinition], *, now: datetime
) -> int:
    """Write rows for what calls for a job and has none yet, in batches; return how many.

    A definition that was never seen before is for what happens from then on: nothing that lies
    before its first planning calls for it. The same holds for a definition that another trigger was
    given to. Of several due times of a rule that passed since the last planning, the newest gets a
    row that stands for all; one that still waits then is cancelled as overtaken.

    Parameters
    ----------
    catalogue
        Where sessions, timeslots and jobs are.
    definitions
        By their names.
    now
        Civil time.

    Raises
    ------
    ValueError
        If `now` has no zone.
    """
    now = as_utc(now)
    planned = 0
    for name, definition in definitions.items():
        with catalogue.reading() as transaction:
            first_seen = _first_seen(transaction, name, definition)
            # the write lock is taken only where there is something to write
            is_settled = (
                first_seen is not None
                and first_seen.at <= now
                and not _wanted(transaction, name, definition, first_seen, now)
            )
        if is_settled:
            continue
        with catalogue.writing() as transaction:
            lock_until_commit(transaction, "job")
            planned += _plan(transaction, name, definition, now)
    return planned


def add_event(
    transaction: Transaction, job: Job, at: datetime, *, by: str | None, detail: str | None
) -> None:
    """Write the state that a job has just been given into its history."""
    transaction.add(JobEvent(job_id=job.id, name=job.state, at=at, by=by, detail=detail))


def change(
    transaction: Transaction,
    job: Job,
    state: JobState,
    at: datetime,
    *,
    by: str | None = None,
    reason: str | None = None,
    detail: str | None = None,
) -> None:
    """Give a job a state, with the word and the sentence for why, and write its history."""
    job.state, job.reason, job.detail = state, reason, detail
    add_event(transaction, job, at, by=by, detail=detail)


def _plan(transaction: Transaction, name: str, definition: JobDefinition, now: datetime) -> int:
    first_seen = _first_seen(transaction, name, definition)
    if first_seen is None or first_seen.at > now:
        # a clock that was ahead when it was first seen must not hide all until then
        first_seen = _remember(transaction, name, definition, now)
    wanted = _wanted(transaction, name, definition, first_seen, now)
    for one in wanted:
        job = Job(
            name=name,
            subject=one.subject,
            command=definition.arguments(one.values),
            limit_s=definition.limit_s,
            state="pending",
            detail=one.detail,
            due_at=one.due_at,
        )
        transaction.add(job)
        transaction.flush()
        add_event(transaction, job, now, by=None, detail=one.detail)
    if wanted and definition.rule is not None:
        _cancel_overtaken(transaction, name, wanted[-1].subject, now)
    return len(wanted)


def _first_seen(
    transaction: Transaction, name: str, definition: JobDefinition
) -> _FirstSeen | None:
    row = transaction.execute(
        select(Job.due_at, Job.reason).where(
            Job.name == name, Job.subject == DEFINITION_PREFIX + definition.trigger
        )
    ).one_or_none()
    if row is None:
        return None
    return _FirstSeen(row.due_at, int(str(row.reason).removeprefix(_BOUNDARY_PREFIX)))


def _remember(
    transaction: Transaction, name: str, definition: JobDefinition, now: datetime
) -> _FirstSeen:
    subject = DEFINITION_PREFIX + definition.trigger
    known = transaction.scalar(select(Job).where(Job.name == name, Job.subject == subject))
    if known is not None:
        known.due_at = now
        return _FirstSeen(now, int(str(known.reason).removeprefix(_BOUNDARY_PREFIX)))
    newest = transaction.scalar(select(func.max(SessionEvent.id))) or 0
    job = Job(
        name=name,
        subject=subject,
        command=list(definition.command),
        limit_s=definition.limit_s,
        state="completed",
        reason=f"{_BOUNDARY_PREFIX}{newest}",
        detail="The job was defined; what happens from then on calls for it.",
        due_at=now,
    )
    transaction.add(job)
    transaction.flush()
    add_event(transaction, job, now, by=None, detail=job.detail)
    return _FirstSeen(now, newest)


def _wanted(
    transaction: Transaction,
    name: str,
    definition: JobDefinition,
    first_seen: _FirstSeen,
    now: datetime,
) -> list[_Wanted]:
    if definition.after is not None:
        return _after_sessions(transaction, name, definition, first_seen, now)
    if definition.when_timeslot_closes is not None:
        return _of_closed_timeslots(
            transaction, name, definition.when_timeslot_closes, first_seen, now
        )
    return _by_rule(transaction, name, definition, first_seen, now)


def _after_sessions(
    transaction: Transaction,
    name: str,
    definition: JobDefinition,
    first_seen: _FirstSeen,
    now: datetime,
) -> list[_Wanted]:
    # a session that is resumed ends a second time, with frames that the first end did not know
    subject = literal("session ") + Session.uuid + " event " + cast(SessionEvent.id, String)
    query = (
        select(subject.label("subject"), Session.uuid, SessionEvent.at)
        .join(Session, SessionEvent.session_id == Session.id)
        .where(
            SessionEvent.id > first_seen.session_event_id,
            SessionEvent.name.in_(("completed", "partial")),
            Session.kind == "capture",
            _has_no_row(name, subject),
        )
        .order_by(SessionEvent.id)
        .limit(_BATCH)
    )
    if definition.after == "dark-session":
        query = query.where(
            exists().where(Shot.session_id == Session.id, Shot.kind == "dark-field")
        )
    return [
        # a session that ended by a clock that was ahead must not wait for that time
        _Wanted(text, min(at, now), {"session": uuid, "date": _date(at)})
        for text, uuid, at in transaction.execute(query)
    ]


def _of_closed_timeslots(
    transaction: Transaction, name: str, scheme: str, first_seen: _FirstSeen, now: datetime
) -> list[_Wanted]:
    subject = literal(f"timeslot {scheme} ") + cast(Timeslot.ordinal, String)
    query = (
        select(subject.label("subject"), Timeslot.ordinal, Timeslot.ends_at)
        .join(TimeslotScheme, Timeslot.scheme_id == TimeslotScheme.id)
        .where(
            TimeslotScheme.name == scheme,
            Timeslot.ends_at > first_seen.at,
            Timeslot.ends_at <= now,
            _has_no_row(name, subject),
        )
        .order_by(Timeslot.ordinal)
        .limit(_BATCH)
    )
    return [
        _Wanted(text, ends_at, {"scheme": scheme, "timeslot": str(ordinal), "date": _date(ends_at)})
        for text, ordinal, ends_at in transaction.execute(query)
    ]


def _by_rule(
    transaction: Transaction,
    name: str,
    definition: JobDefinition,
    first_seen: _FirstSeen,
    now: datetime,
) -> list[_Wanted]:
    assert definition.rule is not None and definition.zone is not None
    newest = transaction.scalar(
        select(Job.subject)
        .where(
            Job.name == name,
            Job.subject.startswith(_DUE_PREFIX),
            Job.subject <= _due_subject(now),
        )
        .order_by(Job.subject.desc())
        .limit(1)
    )
    after = first_seen.at
    if newest is not None:
        after = max(after, datetime.fromisoformat(newest.removeprefix(_DUE_PREFIX)))
    passed = 0
    first = last = None
    for due_at in due_times(
        definition.rule,
        definition.zone,
        after + _SMALLEST,
        now + _SMALLEST,
        repeated_hour="first",
        skipped_hour="shift",
    ):
        first = first or due_at
        last = due_at
        passed += 1
    if first is None or last is None:
        return []
    detail = f"It stands for {passed} due times since {first:%Y-%m-%d %H:%M} UTC."
    values = {"date": last.astimezone(ZoneInfo(definition.zone)).date().isoformat()}
    return [_Wanted(_due_subject(last), last, values, detail if passed > 1 else None)]


def _cancel_overtaken(transaction: Transaction, name: str, newest: str, now: datetime) -> None:
    waiting = transaction.scalars(
        select(Job).where(
            Job.name == name,
            Job.state == "pending",
            Job.subject.startswith(_DUE_PREFIX),
            Job.subject < newest,
        )
    )
    for job in waiting.all():
        change(
            transaction,
            job,
            "cancelled",
            now,
            reason="overtaken",
            detail=f"It still waited when the next one was {newest}.",
        )


def _has_no_row(name: str, subject: ColumnElement[str]) -> ColumnElement[bool]:
    return ~exists().where(Job.name == name, Job.subject == subject)


def _due_subject(due_at: datetime) -> str:
    # whole seconds of UTC: the order of the texts is the order of the times
    return f"{_DUE_PREFIX}{due_at.astimezone(UTC).isoformat(timespec='seconds')}"


def _date(at: datetime) -> str:
    return at.astimezone(UTC).date().isoformat()
