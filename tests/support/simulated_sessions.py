"""Sessions that take simulated time: real rows and leases, no camera.

What becomes of each is drawn by lot from its schedule, due time and attempt alone, so that a judge
knows it beforehand, whatever is killed meanwhile.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol, cast

import numpy as np
from sqlalchemy import select

from capture.attendance import find_session
from capture.errors import CameraLostError
from capture.leasing import EquipmentLease, lease_equipment
from capture.outcome import ExitReason, SessionOutcome
from capture.schedules.occurrences import ClaimedOccurrence
from capture.session_rows import (
    BegunSession,
    add_session_event,
    begin_session,
    end_session,
    load_fixture,
    session_to_resume,
)
from datastore.catalogue import Catalogue
from datastore.clocks import CivilClock
from datastore.errors import LeaseHeldError
from datastore.tables import Occurrence, OccurrenceSession, Schedule

State = Literal["completed", "partial", "failed"]
Reason = ExitReason | Literal["camera-unreachable"]
ENDS: tuple[tuple[State, Reason], ...] = (
    ("completed", "completed"),
    ("partial", "frames-missing"),
    ("partial", "frames-quarantined"),
    ("failed", "camera-lost"),
)
UNREACHABLE: Reason = "camera-unreachable"


@dataclass(frozen=True)
class Script:
    """What becomes of an attempt: no camera answers, or so long a session with this end."""

    state: State
    reason: Reason
    seconds: float


def script_of(schedule: str, due_at: datetime, attempt: int, longest_s: float) -> Script:
    """Return what becomes of an attempt; four of five sessions are completed."""
    text = f"{schedule} {due_at.isoformat()} {attempt}"
    generator = np.random.default_rng(int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]))
    seconds = float(generator.uniform(0.1, 1.0)) * longest_s
    if generator.random() < 0.05:
        return Script("failed", UNREACHABLE, 0.0)
    state, reason = ENDS[int(generator.choice(len(ENDS), p=[0.84, 0.03, 0.03, 0.1]))]
    return Script(state, reason, seconds)


class Witness(Protocol):
    """Who is told what truly happens."""

    def write(self, kind: str, **facts: Any) -> None:
        """Take it down."""
        ...


class SimulatedRunner:
    """Runs sessions that only sleep.

    Parameters
    ----------
    catalogue, clock
        As for real sessions.
    sleep
        Sleeps for some seconds or until an event is set; returns whether it was so long.
    journal
        Is told what truly happens: before it can be in the catalogue, and after it must be.
    longest_s
        How long a session takes at most.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        clock: CivilClock,
        sleep: Callable[[float, threading.Event], bool],
        journal: Witness,
        longest_s: float,
    ) -> None:
        self._catalogue = catalogue
        self._clock = clock
        self._sleep = sleep
        self._journal = journal
        self._longest_s = longest_s

    def run(self, occurrence: ClaimedOccurrence, *, stop: threading.Event) -> SessionOutcome:
        """Begin a session and sleep through it."""
        script = script_of(
            occurrence.schedule_name, occurrence.due_at, occurrence.attempt, self._longest_s
        )
        told = self._told(
            occurrence.schedule_name, occurrence.due_at, occurrence.attempt, occurrence.fixture
        )
        if script.reason == UNREACHABLE:
            told("unreachable")
            raise CameraLostError("the camera does not answer: it is simulated so")
        with self._catalogue.reading() as transaction:
            fixture = load_fixture(transaction, occurrence.fixture, occurrence.serials)
        lease = self._lease(fixture.resources, told)
        told("begins")
        with self._catalogue.writing() as transaction:
            lease.require(transaction)
            session = begin_session(
                transaction,
                fixture,
                occurrence.recipe,
                operator=None,
                note=None,
                clock_source="simulated",
                occurrence_id=occurrence.id,
                at=self._clock.now(),
            )
        return self._sleep_through(session, script, lease, stop, told)

    def resume(self, session_uuid: str, *, stop: threading.Event) -> SessionOutcome | None:
        """Go on with a session, as long as it would have taken from its beginning."""
        with self._catalogue.reading() as transaction:
            row = find_session(transaction, session_uuid)
            session, fixture, _ = session_to_resume(transaction, row)
            occurrence, name = transaction.execute(
                select(Occurrence, Schedule.name)
                .join(OccurrenceSession, OccurrenceSession.occurrence_id == Occurrence.id)
                .join(Schedule, Schedule.id == Occurrence.schedule_id)
                .where(OccurrenceSession.session_id == row.id)
            ).one()
        script = script_of(name, occurrence.due_at, occurrence.attempts, self._longest_s)
        if script.reason == UNREACHABLE:
            script = Script("completed", "completed", self._longest_s)
        told = self._told(name, occurrence.due_at, occurrence.attempts, fixture.name)
        lease = self._lease(fixture.resources, told)
        told("begins")
        with self._catalogue.writing() as transaction:
            lease.require(transaction)
            add_session_event(transaction, session.session_id, "resumed", self._clock.now())
        return self._sleep_through(session, script, lease, stop, told)

    def _told(
        self, schedule: str, due_at: datetime, attempt: int, fixture: str
    ) -> Callable[..., None]:
        due = due_at.isoformat()

        def tell(what: str, **facts: Any) -> None:
            self._journal.write(
                "attempt",
                what=what,
                schedule=schedule,
                due=due,
                process=os.getpid(),
                attempt=attempt,
                fixture=fixture,
                **facts,
            )

        return tell

    def _lease(self, resources: list[str], told: Callable[..., None]) -> EquipmentLease:
        try:
            return lease_equipment(self._catalogue, resources)
        except LeaseHeldError:
            told("refused")
            raise

    def _sleep_through(
        self,
        session: BegunSession,
        script: Script,
        lease: EquipmentLease,
        stop: threading.Event,
        told: Callable[..., None],
    ) -> SessionOutcome:
        state: str = script.state
        reason = script.reason
        if not self._sleep(script.seconds, stop):
            state, reason = "aborted", "interrupted"
        told("ending", state=state, reason=reason)
        sentence = None if state == "completed" else f"It was simulated so: {reason}."
        try:
            with self._catalogue.writing() as transaction:
                lease.require(transaction)
                detail = {"exit_reason": reason, "reason": sentence}
                end_session(transaction, session, state, self._clock.now(), detail)
            told("ended", state=state, reason=reason)
        finally:
            lease.release()
        return SessionOutcome(
            session_uuid=session.uuid,
            state=state,
            exit_reason=cast(ExitReason, reason),
            reason=sentence,
            frames_planned=0,
            frames_registered=0,
            frames_accepted=0,
            frames_quarantined=0,
            attempts_failed=0,
            seconds=script.seconds,
        )
