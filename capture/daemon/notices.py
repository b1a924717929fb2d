"""Which facts become messages to people, and what they say.

Messages follow from rows alone, and a fact has one subject for ever: whoever looks again, after a
restart or beside another daemon, finds the same messages and tells none twice. Sends nothing.
"""

from __future__ import annotations

import socket
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from sqlalchemy.orm import Session as Transaction

from capture.daemon.clock_watch import ClockJump, ClockWatch
from capture.daemon.facts import (
    DiskFacts,
    JobFacts,
    OccurrenceFacts,
    PromptFacts,
    Thresholds,
    disks,
    jobs_failed,
    occurrences_settled,
    occurrences_without_operator,
    prompts_unanswered,
)
from capture.daemon.good_sessions import CameraWithoutGoodSession, cameras_without_good_session
from capture.daemon.outbox import enqueue
from datastore.catalogue import Catalogue
from datastore.zones import local_text

BAD_ENDS: Final = ("failed", "partial", "missed")
"""Final states of occurrences that people are told of."""

TOLD_SINGLY: Final = 3
"""How many occurrences of a schedule and state are told singly, of those settled on one day."""

_NEWS_FOR: Final = timedelta(days=1)
_LOOK_EVERY_S: Final = 15.0


@dataclass(frozen=True)
class Notice:
    """A message to people.

    Attributes
    ----------
    subject
        The fact that it is about, told once.
    title, body
        Plain text.
    """

    subject: str
    title: str
    body: str


def occurrence_notices(settled: Iterable[OccurrenceFacts]) -> list[Notice]:
    """Return what is told of occurrences that failed, were partial or missed, oldest first.

    After a long outage many are settled at once: of a schedule's, the first of each UTC day are
    told singly, and one message says that there are more.
    """
    told: dict[tuple[str, str, str], int] = defaultdict(int)
    notices = []
    for occurrence in settled:
        assert occurrence.settled_at is not None
        day = occurrence.settled_at.date().isoformat()
        group = (occurrence.schedule, occurrence.state, day)
        told[group] += 1
        if told[group] <= TOLD_SINGLY:
            notices.append(_occurrence_notice(occurrence))
        elif told[group] == TOLD_SINGLY + 1:
            notices.append(_further_occurrences(occurrence, day))
    return notices


def _occurrence_notice(occurrence: OccurrenceFacts) -> Notice:
    reason = f" ({occurrence.reason})" if occurrence.reason else ""
    detail = f": {occurrence.detail}" if occurrence.detail else "."
    return Notice(
        f"occurrence/{occurrence.uuid}/{occurrence.state}",
        f"{occurrence.schedule}: {occurrence.state}{reason}",
        f"The occurrence of schedule {occurrence.schedule} on fixture {occurrence.fixture} that was"
        f" due {_when(occurrence.due_at, occurrence.zone)} is {occurrence.state}{reason}{detail}\n"
        f"`agetrace occurrence show {occurrence.uuid}` tells its history.",
    )


def _further_occurrences(occurrence: OccurrenceFacts, day: str) -> Notice:
    return Notice(
        f"occurrences/{occurrence.schedule}/{occurrence.state}/{day}",
        f"{occurrence.schedule}: more are {occurrence.state}",
        f"On {day} more than {TOLD_SINGLY} occurrences of schedule {occurrence.schedule} were found"
        f" to be {occurrence.state}; no more of them are told singly.\n"
        "`agetrace occurrence list` shows them all.",
    )


def operator_notice(occurrence: OccurrenceFacts) -> Notice:
    """Return the call for an operator of an attended occurrence."""
    return Notice(
        f"occurrence/{occurrence.uuid}/operator",
        f"{occurrence.schedule}: waits for its operator",
        f"Schedule {occurrence.schedule} wants an operator at fixture {occurrence.fixture}. Its"
        f" session can begin until {_when(occurrence.window_ends_at, occurrence.zone)}.\n"
        f"Say that you are there with `agetrace occurrence attend {occurrence.uuid}`.",
    )


def prompt_notice(prompt: PromptFacts) -> Notice:
    """Return the call for an answer to a session's prompt."""
    return Notice(
        f"prompt/{prompt.uuid}",
        "A session waits for an operator",
        f"Since {_utc(prompt.asked_at)} session {prompt.session_uuid} waits: {prompt.text}\n"
        f"Say that it is done with `agetrace session answer {prompt.uuid}`.",
    )


def job_notice(job: JobFacts) -> Notice:
    """Return what is told of a job that failed."""
    ended = f" with exit code {job.exit_code}" if job.exit_code is not None else ""
    detail = f": {job.detail}" if job.detail else "."
    return Notice(
        f"job/{job.uuid}/failed",
        f"Job {job.name} failed",
        f"Job {job.name} for {job.subject} failed{ended}{detail}\n"
        f"`agetrace job show {job.uuid}` tells more, and where its log is.",
    )


def disk_notice(disk: DiskFacts, least_bytes: int, host: str, now: datetime) -> Notice:
    """Return what is told, once a day, of a disk with little room."""
    return Notice(
        f"disk/{host}/{disk.name}/{now.date().isoformat()}",
        f"Little room for the {disk.name} on {host}",
        f"The {disk.name} ({disk.place} on {host}) has {_gigabytes(disk.free_bytes)} free; the"
        f" home's settings ask for {_gigabytes(least_bytes)}. Captures stop when it is full.",
    )


def camera_notice(camera: CameraWithoutGoodSession, every: timedelta, now: datetime) -> Notice:
    """Return what is told, once in each such period, of a camera without a good session."""
    period = (now - camera.since) // every
    known = "none is known" if camera.last_good_at is None else f"at {_utc(camera.last_good_at)}"
    return Notice(
        f"camera/{camera.serial}/no-good-session/{_utc(camera.since)}/{period}",
        f"Camera {camera.serial} has had no good session for {(now - camera.since).days} days",
        f"Since {_utc(camera.since)} no session with camera {camera.serial} was completed although"
        f" one was due; last good session: {known}.\n"
        "`agetrace occurrence list` and `agetrace session list` tell what came between.",
    )


def clock_notice(jump: ClockJump) -> Notice:
    """Return what is told of a civil clock that was moved."""
    return Notice(
        f"clock/{_utc(jump.seen_at)}",
        "The computer's clock was moved",
        f"{jump} What was due meanwhile is judged once the clock has gone steadily for a while.",
    )


class Notices:
    """Puts messages into the outbox for what people should know.

    Parameters
    ----------
    catalogue
        Its rows are what is told of.
    channels
        Names of the channels; nothing is done without any.
    spool_folder
        Where frames wait for the store.
    thresholds
        From when on something is worth telling.
    watch
        Judges the civil clock, for this alone; None where it is simulated.
    look_every_s
        How often the rows are looked at, by the monotonic clock.
    host
        Name of the computer whose disks these are.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        channels: Sequence[str],
        spool_folder: Path,
        thresholds: Thresholds,
        *,
        watch: ClockWatch | None = None,
        look_every_s: float = _LOOK_EVERY_S,
        host: str | None = None,
    ) -> None:
        self._catalogue = catalogue
        self._channels = tuple(channels)
        self._spool_folder = spool_folder
        self._thresholds = thresholds
        self._watch = watch
        self._look_every_s = look_every_s
        self._host = socket.gethostname() if host is None else host
        self._next_look_s = float("-inf")
        self._told: frozenset[str] = frozenset()
        self._jumps: list[ClockJump] = []

    def tick(self, now: datetime) -> None:
        """Put what is new into the outbox.

        Raises
        ------
        datastore.errors.DatastoreError
            If the catalogue cannot be used; a later tick tells all the same.
        """
        if not self._channels:
            return
        jump = None if self._watch is None else self._watch.look(now)
        if jump is not None:
            self._jumps.append(jump)
        elif time.monotonic() < self._next_look_s:
            return
        with self._catalogue.reading() as transaction:
            notices = self._notices(transaction, now)
        notices += [clock_notice(jump) for jump in self._jumps]
        new = [notice for notice in notices if notice.subject not in self._told]
        if new:
            with self._catalogue.writing() as transaction:
                for notice in new:
                    enqueue(
                        transaction,
                        self._channels,
                        notice.subject,
                        notice.title,
                        notice.body,
                        now,
                    )
        self._told = frozenset(notice.subject for notice in notices)
        self._jumps.clear()
        self._next_look_s = time.monotonic() + self._look_every_s

    def _notices(self, transaction: Transaction, now: datetime) -> list[Notice]:
        limits = self._thresholds
        lately = (now - _NEWS_FOR).replace(hour=0, minute=0, second=0, microsecond=0)
        lacking = cameras_without_good_session(transaction, now, limits.good_session)
        return [
            *occurrence_notices(occurrences_settled(transaction, BAD_ENDS, lately)),
            *map(operator_notice, occurrences_without_operator(transaction, now)),
            *map(prompt_notice, prompts_unanswered(transaction, now)),
            *map(job_notice, jobs_failed(transaction, lately)),
            *(camera_notice(camera, limits.good_session, now) for camera in lacking),
            *(
                disk_notice(disk, limits.free_bytes, self._host, now)
                for disk in disks(self._catalogue, self._spool_folder)
                if disk.free_bytes < limits.free_bytes
            ),
        ]


def _when(at: datetime, zone: str) -> str:
    return _utc(at) if zone == "UTC" else f"{local_text(at, zone)} {zone} ({_utc(at)})"


def _utc(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:,.1f} GB"
