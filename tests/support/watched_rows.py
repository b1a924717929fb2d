"""Rows of what daemons leave behind: schedules, occurrences, sessions, prompts, jobs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session as Transaction

from datastore.tables import (
    Camera,
    Daemon,
    Fixture,
    FixtureRevision,
    Job,
    MountedCamera,
    Occurrence,
    OccurrenceEvent,
    OperatorAnswer,
    OperatorPrompt,
    Recipe,
    Schedule,
    ScheduleEvent,
    Session,
    SessionEvent,
    Shot,
    Verdict,
)

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def add_fixture(transaction: Transaction, name: str, *serials: str) -> Fixture:
    """Add a fixture with cameras that were mounted long ago."""
    long_ago = NOW - 400 * DAY
    fixture = Fixture(name=name, simulated=True, created_at=long_ago)
    transaction.add(fixture)
    transaction.flush()
    revision = FixtureRevision(
        fixture_id=fixture.id, revision=1, content_sha256="0" * 64, description={}, created_at=NOW
    )
    transaction.add(revision)
    transaction.flush()
    for serial in serials:
        camera = Camera(
            serial=serial,
            identity_source="serial",
            make="Virtual",
            model="V1",
            simulated=True,
            registered_at=long_ago,
        )
        transaction.add(camera)
        transaction.flush()
        transaction.add(
            MountedCamera(fixture_revision_id=revision.id, camera_id=camera.id, address="none")
        )
    transaction.flush()
    return fixture


def add_schedule(
    transaction: Transaction,
    name: str,
    fixture: Fixture,
    *,
    added_at: datetime = NOW - 300 * DAY,
    state: str = "added",
    **described: Any,
) -> Schedule:
    """Add a schedule, with more of its description if wanted."""
    recipe = transaction.scalars(select(Recipe)).first()
    if recipe is None:
        recipe = Recipe(name="darks", content_sha256="1" * 64, body={}, created_at=added_at)
        transaction.add(recipe)
        transaction.flush()
    description = {"name": name, "zone": "Europe/Berlin", "cameras": None, "attended": False}
    schedule = Schedule(
        name=name,
        fixture_id=fixture.id,
        recipe_id=recipe.id,
        description=description | described,
        operator=None,
        created_at=added_at,
    )
    transaction.add(schedule)
    transaction.flush()
    transaction.add(ScheduleEvent(schedule_id=schedule.id, name="added", at=added_at))
    transaction.flush()
    if state != "added":
        transaction.add(ScheduleEvent(schedule_id=schedule.id, name=state, at=added_at + DAY))
        transaction.flush()
    return schedule


def add_occurrence(
    transaction: Transaction,
    schedule: Schedule,
    due_at: datetime,
    state: str = "pending",
    *,
    settled_at: datetime | None = None,
    reason: str | None = None,
    detail: str | None = None,
    window: timedelta = HOUR,
) -> Occurrence:
    """Add an occurrence and the event of its state."""
    if settled_at is None and state not in ("pending", "claimed"):
        settled_at = due_at + window
    occurrence = Occurrence(
        schedule_id=schedule.id,
        due_at=due_at,
        starts_at=due_at,
        window_ends_at=due_at + window,
        state=state,
        reason=reason,
        detail=detail,
        settled_at=settled_at,
    )
    transaction.add(occurrence)
    transaction.flush()
    add_occurrence_event(transaction, occurrence, state, settled_at or due_at)
    return occurrence


def add_occurrence_event(
    transaction: Transaction, occurrence: Occurrence, name: str, at: datetime = NOW
) -> None:
    """Add an event of an occurrence."""
    transaction.add(OccurrenceEvent(occurrence_id=occurrence.id, name=name, at=at))
    transaction.flush()


def add_session(
    transaction: Transaction, started_at: datetime, *serials: str, state: str | None = "completed"
) -> Session:
    """Add a session of some cameras that ended ten minutes later, or runs if `state` is None."""
    session = Session(kind="capture", clock_source="simulated", started_at=started_at)
    transaction.add(session)
    transaction.flush()
    events = [("started", started_at, {"cameras": list(serials)})]
    if state is not None:
        events.append((state, started_at + timedelta(minutes=10), {}))
    for name, at, detail in events:
        transaction.add(SessionEvent(session_id=session.id, name=name, at=at, detail=detail))
        transaction.flush()
    return session


def add_prompt(
    transaction: Transaction, session: Session, asked_at: datetime, answer: str | None = None
) -> OperatorPrompt:
    """Add a prompt of a session, with its answer if it has one."""
    prompt = OperatorPrompt(
        session_id=session.id, kind="cap", text="Put the body cap on.", asked_at=asked_at
    )
    transaction.add(prompt)
    transaction.flush()
    if answer is not None:
        transaction.add(OperatorAnswer(prompt_id=prompt.id, answer=answer, answered_at=asked_at))
    return prompt


def add_job(
    transaction: Transaction, name: str, state: str, ended_at: datetime | None = None
) -> Job:
    """Add a job."""
    count = len(transaction.scalars(select(Job.id)).all())
    job = Job(
        name=name,
        subject=f"session {count}",
        command=["defects"],
        limit_s=60.0,
        state=state,
        detail="It ran out of memory." if state == "failed" else None,
        due_at=NOW - 9 * DAY,
        ended_at=ended_at,
        exit_code=1 if state == "failed" else None,
    )
    transaction.add(job)
    transaction.flush()
    return job


def add_shot(
    transaction: Transaction,
    session: Session,
    camera: Camera,
    sequence: int,
    *,
    attempt: int = 1,
    verdict: str | None = "accepted",
    numbers: dict[str, Any] | None = None,
) -> Shot:
    """Add a shot with a verdict."""
    shot = Shot(
        session_id=session.id,
        camera_id=camera.id,
        sequence=sequence,
        attempt=attempt,
        kind="dark-field",
        triggered_at=NOW,
    )
    transaction.add(shot)
    transaction.flush()
    if verdict is not None:
        transaction.add(
            Verdict(
                shot_id=shot.id,
                verdict=verdict,
                reason="a reason",
                numbers=numbers,
                author="capture.checks",
                at=NOW,
            )
        )
    return shot


def add_daemon(
    transaction: Transaction,
    seen_at: datetime,
    state: str = "running",
    *,
    holder: str | None = None,
) -> Daemon:
    """Add a daemon that was seen at a time of the database's clock."""
    daemon = Daemon(
        holder=holder or f"process 7 on {state}",
        version="0.1",
        clock_source="host",
        state=state,
        started_at=seen_at - HOUR,
        seen_at=seen_at,
    )
    transaction.add(daemon)
    transaction.flush()
    return daemon
