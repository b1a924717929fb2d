"""Tables of what is due: schedules, their occurrences, jobs, notifications, and the daemons.

A schedule is a write-once row. Occurrences, jobs and notifications change; their history is their
events.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from datastore.tables._base import Base, new_uuid, one_of
from datastore.tables._capture import Session
from datastore.tables._equipment import Fixture, Recipe

ScheduleEventName = Literal["added", "paused", "resumed", "retired"]
OccurrenceState = Literal[
    "pending", "claimed", "completed", "partial", "failed", "missed", "cancelled"
]
OccurrenceEventName = Literal[
    "pending",
    "attended",
    "waiting",
    "claimed",
    "taken-over",
    "completed",
    "partial",
    "failed",
    "missed",
    "cancelled",
]
JobState = Literal["pending", "running", "completed", "failed", "cancelled"]
NotificationState = Literal["pending", "sent", "failed"]
DaemonState = Literal["running", "draining", "stopped"]


class Schedule(Base):
    """When, with what and how captures happen; a write-once row, another rule is another row."""

    __tablename__ = "schedule"

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(unique=True, default=new_uuid)
    name: Mapped[str] = mapped_column(unique=True)
    fixture_id: Mapped[int] = mapped_column(ForeignKey("fixture.id", ondelete="RESTRICT"))
    recipe_id: Mapped[int] = mapped_column(ForeignKey("recipe.id", ondelete="RESTRICT"))
    description: Mapped[dict[str, Any]]
    """The description as it was validated: rule, zone, window, jitter, cameras, attempts."""
    operator: Mapped[str | None]
    created_at: Mapped[datetime]

    fixture: Mapped[Fixture] = relationship()
    recipe: Mapped[Recipe] = relationship()
    events: Mapped[list[ScheduleEvent]] = relationship(order_by="ScheduleEvent.id")


class ScheduleEvent(Base):
    """Something that was done to a schedule; the newest names its state."""

    __tablename__ = "schedule_event"
    __table_args__ = (
        CheckConstraint(one_of("name", ScheduleEventName), name="name"),
        Index("ix_schedule_event_newest", "schedule_id", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    schedule_id: Mapped[int] = mapped_column(ForeignKey("schedule.id", ondelete="RESTRICT"))
    name: Mapped[str]
    at: Mapped[datetime]
    operator: Mapped[str | None]
    reason: Mapped[str | None]


class ScheduleExpansion(Base):
    """How far the due times of a schedule have become occurrences; an operational row."""

    __tablename__ = "schedule_expansion"

    schedule_id: Mapped[int] = mapped_column(
        ForeignKey("schedule.id", ondelete="RESTRICT"), primary_key=True
    )
    expanded_until: Mapped[datetime]
    """Due times before this moment have rows; later ones have none."""


class Occurrence(Base):
    """One due time of a schedule, its window, and what became of it; an operational row."""

    __tablename__ = "occurrence"
    __table_args__ = (
        UniqueConstraint("schedule_id", "due_at"),
        CheckConstraint(one_of("state", OccurrenceState), name="state"),
        Index("ix_occurrence_state_start", "state", "starts_at"),
        Index("ix_occurrence_due", "due_at", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(unique=True, default=new_uuid)
    schedule_id: Mapped[int] = mapped_column(ForeignKey("schedule.id", ondelete="RESTRICT"))
    due_at: Mapped[datetime]
    starts_at: Mapped[datetime]
    """The due time and its jitter: it is started from then on, until its window ends."""
    window_ends_at: Mapped[datetime]
    state: Mapped[str]
    reason: Mapped[str | None]
    """A word for programs that says why it is in its state."""
    detail: Mapped[str | None]
    """The reason as a sentence for people."""
    attempts: Mapped[int] = mapped_column(default=0)
    not_before: Mapped[datetime | None]
    """When a further attempt may begin; NULL where nothing is waited for."""
    settled_at: Mapped[datetime | None]

    schedule: Mapped[Schedule] = relationship()
    events: Mapped[list[OccurrenceEvent]] = relationship(order_by="OccurrenceEvent.id")
    sessions: Mapped[list[Session]] = relationship(
        secondary="occurrence_session", order_by="Session.id", viewonly=True
    )


class OccurrenceEvent(Base):
    """Something that happened to an occurrence: its history."""

    __tablename__ = "occurrence_event"
    __table_args__ = (
        CheckConstraint(one_of("name", OccurrenceEventName), name="name"),
        Index("ix_occurrence_event_newest", "occurrence_id", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    occurrence_id: Mapped[int] = mapped_column(ForeignKey("occurrence.id", ondelete="RESTRICT"))
    name: Mapped[str]
    at: Mapped[datetime]
    by: Mapped[str | None]
    """The daemon or operator who did it."""
    reason: Mapped[str | None]
    detail: Mapped[str | None]


class OccurrenceSession(Base):
    """A session that was begun for an occurrence; written in the transaction that begins it."""

    __tablename__ = "occurrence_session"

    session_id: Mapped[int] = mapped_column(
        ForeignKey("session.id", ondelete="RESTRICT"), primary_key=True
    )
    occurrence_id: Mapped[int] = mapped_column(
        ForeignKey("occurrence.id", ondelete="RESTRICT"), index=True
    )


class Job(Base):
    """One execution of a configured command, and what became of it; an operational row."""

    __tablename__ = "job"
    __table_args__ = (
        UniqueConstraint("name", "subject"),
        CheckConstraint(one_of("state", JobState), name="state"),
        Index("ix_job_state_due", "state", "due_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(unique=True, default=new_uuid)
    name: Mapped[str]
    """Name of the job in the home's settings."""
    subject: Mapped[str]
    """What it is for, once: a session, a closed timeslot or a due time."""
    command: Mapped[list[Any]]
    """Arguments that follow `agetrace`."""
    limit_s: Mapped[float]
    state: Mapped[str]
    reason: Mapped[str | None]
    detail: Mapped[str | None]
    due_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(default=0)
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    exit_code: Mapped[int | None]
    log: Mapped[str | None]
    """Path of the newest attempt's log, relative to the home's folder of logs."""

    events: Mapped[list[JobEvent]] = relationship(order_by="JobEvent.id")


class JobEvent(Base):
    """A change of a job's state: its history."""

    __tablename__ = "job_event"
    __table_args__ = (
        CheckConstraint(one_of("name", JobState), name="name"),
        Index("ix_job_event_newest", "job_id", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("job.id", ondelete="RESTRICT"))
    name: Mapped[str]
    at: Mapped[datetime]
    by: Mapped[str | None]
    detail: Mapped[str | None]


class Notification(Base):
    """The outbox: a message to people over one channel, tried until it is sent."""

    __tablename__ = "notification"
    __table_args__ = (
        UniqueConstraint("channel", "subject"),
        CheckConstraint(one_of("state", NotificationState), name="state"),
        Index("ix_notification_state_next", "state", "next_attempt_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(unique=True, default=new_uuid)
    channel: Mapped[str]
    """Name of the channel in the home's settings; its address is in the environment."""
    subject: Mapped[str]
    """What it is about, told once: the same subject makes no second message."""
    title: Mapped[str]
    body: Mapped[str]
    state: Mapped[str]
    attempts: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    next_attempt_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    error: Mapped[str | None]


class Daemon(Base):
    """A daemon that works, or worked, on this catalogue; an operational row."""

    __tablename__ = "daemon"
    __table_args__ = (CheckConstraint(one_of("state", DaemonState), name="state"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(unique=True, default=new_uuid)
    holder: Mapped[str]
    """The process, in words that tell a person where to look."""
    version: Mapped[str]
    clock_source: Mapped[str]
    state: Mapped[str]
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    """When it last worked, by the database's clock."""
