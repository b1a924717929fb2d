"""Occurrences carried out with real sessions on the virtual fixture, and the claims they hold."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

import pytest
from sqlalchemy import select, update

from capture.actuators import VirtualActuator
from capture.attendance import state_of
from capture.daemon.backoff import Backoff
from capture.daemon.executor import newest_session
from capture.daemon.service import DaemonService
from capture.daemon.work import OccurrenceWork
from capture.leasing import lease_equipment, this_process
from capture.outcome import SessionOutcome
from capture.schedules.occurrences import ClaimedOccurrence, claim_next, materialise
from capture.sessions import resume_session
from datastore.tables import Lease, Occurrence, Session
from tests.capture.conftest import NIKON, Laboratory, patient_camera
from tests.support.schedules import Became, dark_recipe, occurrences, schedule

T = TypeVar("T")
PATIENCE_S = 30.0
# the fixture's clock runs a thousand times as fast
WINDOW_S = 20 * 3600


@dataclass
class LaboratoryRunner:
    """Runs sessions with one camera of a laboratory."""

    laboratory: Laboratory

    def run(self, occurrence: ClaimedOccurrence, *, stop: threading.Event) -> SessionOutcome:
        """Run a session."""
        return self.laboratory.run(
            occurrence.recipe, NIKON, occurrence_id=occurrence.id, stop=stop, camera_patience_s=0.2
        )

    def resume(self, session_uuid: str, *, stop: threading.Event) -> SessionOutcome | None:
        """Go on with a session."""
        return resume_session(
            self.laboratory.catalogue,
            session_uuid,
            actuator=lambda _: VirtualActuator(self.laboratory.virtual.control_url),
            clock=self.laboratory.clock,
            spool_folder=self.laboratory.spool_folder,
            camera_factory=patient_camera,
            stop=stop,
        )


@dataclass
class Crew:
    """A daemon that ticks when it is told to, and something that is due."""

    laboratory: Laboratory
    service: DaemonService

    def schedule(self, count: int = 1, **fields: object) -> None:
        """Have dark fields be due now, by a clock that was just set."""
        now = self.laboratory.clock.now()
        due = (now + timedelta(minutes=2)).replace(second=0, microsecond=0)
        schedule(
            self.laboratory.catalogue,
            now,
            dark_recipe(count),
            rule={"kind": "cron", "expression": f"{due.minute} {due.hour} {due.day} * *"},
            window_s=WINDOW_S,
            cameras=[NIKON],
            **fields,
        )

    @property
    def first(self) -> Became:
        """What became of what was due first."""
        return occurrences(self.laboratory.catalogue)[0]

    def tick_until(self, condition: Callable[[Became], bool]) -> Became:
        """Make passes until what is due has come so far."""
        end = time.monotonic() + PATIENCE_S
        while True:
            self.service.tick()
            self.service.wait_for_sessions()
            if occurrences(self.laboratory.catalogue) and condition(self.first):
                return self.first
            assert time.monotonic() < end, self.first
            time.sleep(0.05)


@pytest.fixture
def crew(laboratory: Laboratory) -> Crew:
    service = DaemonService(
        laboratory.catalogue,
        LaboratoryRunner(laboratory),
        clock=laboratory.clock,
        holder=this_process(),
        version="1",
        horizon=timedelta(days=2),
        backoff=Backoff(0.01, 0.01),
    )
    return Crew(laboratory, service)


def is_over(became: Became) -> bool:
    return became.state not in ("pending", "claimed")


def test_a_camera_that_does_not_answer_at_first_is_tried_again(crew: Crew) -> None:
    crew.laboratory.virtual.set_faults(NIKON, {"kind": "dropped-connection", "count": None})
    crew.schedule(attempts=5, retry_after_s=600)
    waiting = crew.tick_until(lambda became: became.reason == "camera-unreachable")
    assert (waiting.state, waiting.sessions) == ("pending", [])
    assert NIKON in str(waiting.detail)
    crew.laboratory.virtual.set_faults(NIKON)
    done = crew.tick_until(is_over)
    assert (done.state, len(done.sessions)) == ("completed", 1)
    assert 2 <= done.attempts <= 5
    assert [shot["verdict"] for shot in crew.laboratory.shots()] == ["accepted"]


def test_a_session_that_holds_the_equipment_makes_an_occurrence_wait(crew: Crew) -> None:
    crew.schedule()
    lease = lease_equipment(crew.laboratory.catalogue, ["fixture:virtual"])
    waiting = crew.tick_until(lambda became: became.reason == "equipment-busy")
    assert (waiting.state, waiting.attempts, waiting.sessions) == ("pending", 0, [])
    lease.release()
    done = crew.tick_until(is_over)
    assert (done.state, done.attempts, len(done.sessions)) == ("completed", 1, 1)


@dataclass
class Claimed:
    """A claimed occurrence whose session runs beside the test."""

    laboratory: Laboratory
    work: OccurrenceWork

    def shots(self) -> int:
        """Return how many shots were begun."""
        return len(self.laboratory.shots())


def begin(crew: Crew, count: int) -> Claimed:
    """Claim what is due and begin its session; its claim is renewed all the time."""
    laboratory = crew.laboratory
    crew.schedule(count)
    claim = wait_for(lambda: _claim(laboratory))
    work = OccurrenceWork(
        laboratory.catalogue,
        claim,
        LaboratoryRunner(laboratory),
        laboratory.clock.now,
        renewed_every_s=0.05,
    )
    work.start()
    return Claimed(laboratory, work)


def _claim(laboratory: Laboratory) -> ClaimedOccurrence | None:
    now: datetime = laboratory.clock.now()
    materialise(laboratory.catalogue, now=now, horizon=timedelta(days=1))
    return claim_next(laboratory.catalogue, now=now, holder=this_process())


def wait_for(condition: Callable[[], T | None]) -> T:
    end = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)
    return found


def test_whoever_lost_the_claim_stops_and_changes_nothing(crew: Crew) -> None:
    running = begin(crew, 60)
    wait_for(lambda: running.shots() >= 2)
    with crew.laboratory.catalogue.writing() as transaction:
        transaction.execute(
            update(Lease)
            .where(Lease.resource == f"occurrence:{running.work.claim.uuid}")
            .values(fencing_token=10_000, holder="process 1 (start 1) on elsewhere")
        )
    running.work.join(PATIENCE_S)
    assert not running.work.is_running
    # the occurrence is the other holder's: its state is as it was
    assert crew.first.state == "claimed"
    assert crew.first.events == ["pending", "claimed"]
    assert running.shots() < 60
    with crew.laboratory.catalogue.reading() as transaction:
        (session,) = transaction.scalars(select(Session))
        assert state_of(transaction, session.id) == "aborted"


def test_a_session_that_ended_unsaid_is_not_run_again(crew: Crew) -> None:
    running = begin(crew, 1)
    running.work.join(PATIENCE_S)
    before = len(crew.laboratory.shots())
    # as if the daemon had died between the session's last row and the occurrence's
    with crew.laboratory.catalogue.writing() as transaction:
        row = transaction.scalars(select(Occurrence).order_by(Occurrence.due_at)).first()
        assert row is not None
        row.state = "claimed"
    claim = wait_for(lambda: _claim(crew.laboratory))
    assert claim.is_taken_over
    earlier = newest_session(crew.laboratory.catalogue, claim)
    assert earlier is not None and earlier.state == "completed"
    work = OccurrenceWork(
        crew.laboratory.catalogue,
        claim,
        LaboratoryRunner(crew.laboratory),
        crew.laboratory.clock.now,
    )
    work.start()
    work.join(PATIENCE_S)
    assert (crew.first.state, crew.first.sessions) == ("completed", [earlier.uuid])
    assert len(crew.laboratory.shots()) == before
