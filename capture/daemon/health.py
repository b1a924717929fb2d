"""Whether an unattended capture is healthy: what is wrong, as sentences; changes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from capture.daemon.facts import (
    DaemonFacts,
    DiskFacts,
    JobFacts,
    OccurrenceFacts,
    Thresholds,
    disks,
    jobs_failing,
    messages_stuck,
    newest_daemon,
    occurrences_overdue,
)
from capture.daemon.good_sessions import CameraWithoutGoodSession, cameras_without_good_session
from datastore.catalogue import Catalogue

ConcernName = Literal[
    "catalogue-away",
    "clock-away",
    "daemon-absent",
    "daemon-silent",
    "occurrences-overdue",
    "camera-without-good-session",
    "disk-low",
    "messages-stuck",
    "job-failed",
]


@dataclass(frozen=True)
class Concern:
    """Something that is wrong.

    Attributes
    ----------
    name
        For programs.
    text
        For people.
    subject
        What is concerned: a camera's serial, a schedule, a job, a place; None for the whole.
    """

    name: ConcernName
    text: str
    subject: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the concern as JSON values."""
        return {"name": self.name, "subject": self.subject, "text": self.text}


def concerns(
    catalogue: Catalogue, spool_folder: Path, limits: Thresholds, now: datetime
) -> list[Concern]:
    """Return what is wrong, the worst first; nothing for a healthy capture.

    Parameters
    ----------
    catalogue, spool_folder
        What is looked at.
    limits
        From when on something is wrong.
    now
        Civil time. The daemon's silence is judged by the database's clock.

    Raises
    ------
    datastore.errors.DatastoreError
        If the catalogue cannot be used.
    """
    with catalogue.reading() as transaction:
        return [
            *_daemon(newest_daemon(transaction), limits.daemon_silent),
            *_disks(disks(catalogue, spool_folder), limits.free_bytes),
            *_overdue(occurrences_overdue(transaction, now, limits.overdue)),
            *_cameras(cameras_without_good_session(transaction, now, limits.good_session), now),
            *_jobs(jobs_failing(transaction, now - limits.failed_job)),
            *_messages(messages_stuck(transaction, now, limits.outbox_stuck), limits.outbox_stuck),
        ]


def _daemon(daemon: DaemonFacts | None, at_most: timedelta) -> Iterator[Concern]:
    if daemon is None:
        text = "No daemon has ever worked on this catalogue: start one with `agetrace daemon run`."
        yield Concern("daemon-absent", text)
    elif daemon.state == "stopped":
        text = f"No daemon runs; the last one ({daemon.holder}) ended {_ago(daemon.silent_for)}."
        yield Concern("daemon-absent", text)
    elif daemon.is_dead:
        text = (
            f"The daemon ({daemon.holder}) died; it last showed that it works"
            f" {_ago(daemon.silent_for)}: start it again with `agetrace daemon run`."
        )
        yield Concern("daemon-absent", text)
    elif daemon.silent_for > at_most:
        text = f"The daemon ({daemon.holder}) last showed that it works {_ago(daemon.silent_for)}."
        yield Concern("daemon-silent", text)


def _disks(found: Iterable[DiskFacts], least_bytes: int) -> Iterator[Concern]:
    for disk in found:
        if disk.free_bytes < least_bytes:
            text = (
                f"The {disk.name} ({disk.place}) has {disk.free_bytes / 1e9:,.1f} GB free; at least"
                f" {least_bytes / 1e9:,.1f} GB are asked for."
            )
            yield Concern("disk-low", text, disk.name)


def _overdue(found: Sequence[OccurrenceFacts]) -> Iterator[Concern]:
    number = Counter(occurrence.schedule for occurrence in found)
    for schedule, count in number.items():
        oldest = next(occurrence for occurrence in found if occurrence.schedule == schedule)
        text = (
            f"Occurrences of schedule {schedule} that have neither been carried out nor called"
            f" missed although their windows are over: {count}; the oldest was due"
            f" {_utc(oldest.due_at)}."
        )
        yield Concern("occurrences-overdue", text, schedule)


def _cameras(found: Iterable[CameraWithoutGoodSession], now: datetime) -> Iterator[Concern]:
    for camera in found:
        text = (
            f"Camera {camera.serial} has had no good session since {_utc(camera.since)}"
            f" ({(now - camera.since).days} days) although one was due."
        )
        yield Concern("camera-without-good-session", text, camera.serial)


def _jobs(found: Iterable[JobFacts]) -> Iterator[Concern]:
    for job in found:
        detail = f": {job.detail}" if job.detail else "."
        text = f"Job {job.name} failed last, for {job.subject}{detail}"
        yield Concern("job-failed", text, job.name)


def _messages(count: int, after: timedelta) -> Iterator[Concern]:
    if count:
        text = (
            f"Notifications that have waited for more than {_span(after)} to be sent, or were given"
            f" up: {count}."
        )
        yield Concern("messages-stuck", text)


def _ago(span: timedelta) -> str:
    return f"{_span(span)} ago"


def _span(span: timedelta) -> str:
    return str(timedelta(seconds=round(span.total_seconds())))


def _utc(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
