"""The daemon's passes: what is due is carried out, whatever clocks and the database do."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

import datastore.engine
from capture.daemon.backoff import Backoff
from capture.daemon.clock_watch import ClockWatch
from capture.daemon.service import DaemonService, Hook
from capture.errors import CameraLostError, RecipeError
from capture.leasing import this_process
from capture.schedules.occurrences import SettledOccurrence, attend, sweep
from datastore.catalogue import Catalogue
from datastore.errors import (
    CatalogueBusyError,
    CatalogueUnavailableError,
    RevisionMismatchError,
)
from datastore.tables import Daemon, Lease
from tests.support.occurrence_diary import add_fixtures
from tests.support.schedules import Became, occurrences, schedule
from tests.support.scripted_runner import ScriptedRunner, outcome
from tests.support.simulated_time import SimulatedTime

START = datetime(2026, 1, 1, 11, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


@dataclass
class Watchroom:
    """A daemon in simulated time over scripted sessions, at eleven; things are due at noon."""

    catalogue: Catalogue
    time: SimulatedTime = field(default_factory=lambda: SimulatedTime(START))
    runner: ScriptedRunner = field(default_factory=ScriptedRunner)
    hooks: list[Hook] = field(default_factory=list)
    service: DaemonService = field(init=False)

    def __post_init__(self) -> None:
        """Start the daemon."""
        self.restart()

    def restart(self) -> None:
        """Put a new daemon in the place of the old one, without a word to that."""
        self.service = DaemonService(
            self.catalogue,
            self.runner,
            clock=self.time,
            holder=this_process(),
            version="1",
            horizon=timedelta(days=2),
            watch=ClockWatch(self.time.boot_s),
            hooks=self.hooks,
            boot_s=self.time.boot_s,
            backoff=Backoff(5, 60, self.time.boot_s),
        )

    def schedule(self, **fields: object) -> None:
        """Add a schedule."""
        schedule(self.catalogue, self.time.now(), **{"fixture": "north", **fields})

    def tick(self) -> None:
        """Make a pass and wait until what it began has ended, if it may."""
        self.service.tick()
        if self.runner.gate.is_set():
            self.service.wait_for_sessions()

    def live(self, length: timedelta, step_s: float = 300.0) -> None:
        """Let time pass, a tick at each step."""
        for _ in range(round(length.total_seconds() / step_s)):
            self.time.advance(step_s)
            self.tick()

    @property
    def first(self) -> Became:
        """What became of what was due first."""
        return occurrences(self.catalogue)[0]


@pytest.fixture
def room(sqlite_catalogue: Catalogue) -> Iterator[Watchroom]:
    add_fixtures(sqlite_catalogue, "north", "south")
    room = Watchroom(sqlite_catalogue)
    yield room
    room.runner.gate.set()
    room.service.drain()


def test_what_is_due_is_carried_out_once(room: Watchroom) -> None:
    room.schedule()
    room.live(timedelta(days=2), step_s=1200)
    assert [due for _, due in room.runner.begun] == [
        START + HOUR,
        START + HOUR + timedelta(days=1),
    ]
    done = [one for one in occurrences(room.catalogue) if one.state == "completed"]
    assert [one.due_at for one in done] == [due for _, due in room.runner.begun]
    assert room.service.counts.sessions == 2
    assert room.service.counts.failed_passes == 0


def test_a_wrong_clock_costs_nothing_if_it_is_mended_soon(room: Watchroom) -> None:
    room.schedule()
    room.live(10 * MINUTE)
    room.time.jump(8 * HOUR)
    room.live(timedelta(seconds=50), step_s=10)
    assert room.first.state == "pending"
    assert room.runner.begun == []
    room.time.jump(-8 * HOUR)
    room.live(HOUR)
    assert room.first.state == "completed"
    assert room.service.counts.clock_jumps == 2


def test_a_clock_that_stays_ahead_is_believed_and_named(room: Watchroom) -> None:
    room.schedule()
    room.live(10 * MINUTE)
    room.time.jump(8 * HOUR)
    room.live(3 * MINUTE, step_s=60)
    assert (room.first.state, room.first.reason) == ("missed", "clock-jumped")


def test_a_clock_that_is_set_back_repeats_nothing(room: Watchroom) -> None:
    room.schedule()
    room.live(2 * HOUR)
    rows = len(occurrences(room.catalogue))
    room.time.jump(-5 * HOUR)
    room.live(6 * HOUR)
    assert len(room.runner.begun) == 1
    assert len(occurrences(room.catalogue)) == rows
    room.live(timedelta(days=1), step_s=1200)
    assert [due for _, due in room.runner.begun] == [
        START + HOUR,
        START + HOUR + timedelta(days=1),
    ]


def test_a_computer_that_slept_missed_what_was_due(room: Watchroom) -> None:
    room.schedule()
    room.schedule(name="evening", rule={"kind": "cron", "expression": "0 18 * * *"})
    room.live(10 * MINUTE)
    room.time.advance(8 * 3600)
    room.live(2 * MINUTE, step_s=60)
    noon, evening = occurrences(room.catalogue)[:2]
    assert (noon.state, noon.reason) == ("missed", "daemon-down")
    assert evening.state == "completed"
    assert room.service.counts.clock_jumps == 0


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        # 02:30 does not exist on the last Sunday of March, and is twice on that of October
        ("2026-03-29", ["01:00"]),
        ("2026-10-25", ["00:30", "01:30"]),
    ],
)
def test_both_daylight_saving_days(
    sqlite_catalogue: Catalogue, day: str, expected: list[str]
) -> None:
    add_fixtures(sqlite_catalogue, "north")
    midnight = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo("Europe/Berlin"))
    room = Watchroom(sqlite_catalogue, SimulatedTime(midnight))
    room.schedule(
        rule={"kind": "cron", "expression": "30 2 * * *"},
        zone="Europe/Berlin",
        repeated_hour="both",
        skipped_hour="shift",
        window_s=1800,
    )
    room.live(6 * HOUR, step_s=600)
    assert [f"{due:%H:%M}" for _, due in room.runner.begun] == expected
    states = [one.state for one in occurrences(room.catalogue)][: len(expected)]
    assert states == ["completed"] * len(expected)


def test_an_attended_occurrence_waits_for_its_operator(room: Watchroom) -> None:
    room.schedule(attended=True)
    room.live(2 * HOUR)
    assert (room.first.state, room.runner.begun) == ("pending", [])
    attend(room.catalogue, room.first.uuid, operator="ada", at=room.time.now())
    room.live(MINUTE, step_s=60)
    assert room.first.state == "completed"
    assert room.runner.operators == ["ada"]
    room.live(timedelta(days=1, hours=4), step_s=1200)
    absent = occurrences(room.catalogue)[1]
    assert (absent.state, absent.reason) == ("missed", "operator-absent")


def test_fixtures_work_beside_each_other_and_each_one_thing_at_a_time(room: Watchroom) -> None:
    room.schedule(name="a")
    room.schedule(name="b", priority=1)
    room.schedule(name="c", fixture="south")
    room.live(59 * MINUTE, step_s=59 * 60)
    room.runner.gate.clear()
    room.live(2 * MINUTE, step_s=60)
    assert sorted(name for name, _ in room.runner.begun) == ["b", "c"]
    assert room.service.sessions_in_hand == 2
    room.runner.gate.set()
    room.service.wait_for_sessions()
    room.live(MINUTE, step_s=60)
    assert [name for name, _ in room.runner.begun][2:] == ["a"]
    assert room.runner.most_at_once == {"north": 1, "south": 1}
    assert {one.state for one in occurrences(room.catalogue)[:3]} == {"completed"}


def test_what_fails_is_tried_again_while_attempts_and_window_allow(room: Watchroom) -> None:
    lost = CameraLostError("the camera does not answer")
    room.runner.script = [lost, outcome("failed", "disk-full")]
    room.schedule(attempts=3, retry_after_s=600)
    room.live(2 * HOUR)
    assert (room.first.state, room.first.attempts) == ("completed", 3)
    assert room.first.events == [
        *("pending", "claimed", "pending", "claimed", "pending", "claimed", "completed")
    ]


@pytest.mark.parametrize(
    ("what", "state", "reason"),
    [
        (outcome("partial", "camera-lost"), "partial", "camera-lost"),
        (outcome("aborted", "aborted-by-operator"), "failed", "aborted-by-operator"),
        (outcome("failed", "prompt-unanswered"), "failed", "prompt-unanswered"),
        (CameraLostError("the camera does not answer"), "failed", "camera-unreachable"),
        (RecipeError("shots: iso 7 is not offered"), "failed", "request-refused"),
        (ZeroDivisionError("a fault of the program"), "failed", "internal-error"),
    ],
)
def test_the_end_of_a_session_is_that_of_its_occurrence(
    room: Watchroom, what: Exception, state: str, reason: str
) -> None:
    room.runner.script = [what]
    room.schedule()
    room.live(2 * HOUR)
    assert (room.first.state, room.first.reason) == (state, reason)
    assert room.first.detail
    assert len(room.runner.begun) == 1


def test_an_upgraded_catalogue_costs_a_former_daemon_no_occurrence(room: Watchroom) -> None:
    room.schedule()
    room.runner.script.append(RevisionMismatchError("the catalogue has revision 0004"))
    room.live(HOUR)
    assert (room.first.state, room.first.reason) == ("pending", "catalogue-away")
    room.restart()
    room.live(10 * MINUTE)
    assert (room.first.state, room.first.attempts) == ("completed", 1)


def test_a_retry_that_would_come_after_the_window_is_not_waited_for(room: Watchroom) -> None:
    room.runner.script = [CameraLostError("the camera does not answer")]
    room.schedule(attempts=9, retry_after_s=7200, window_s=3600)
    room.live(65 * MINUTE)
    assert (room.first.state, room.first.reason) == ("failed", "camera-unreachable")


def test_a_locked_catalogue_is_waited_for_and_nothing_is_lost(
    room: Watchroom, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datastore.engine, "BUSY_TIMEOUT_S", 0.05)
    room.catalogue.close()
    room.schedule()
    room.live(59 * MINUTE, step_s=59 * 60)
    room.runner.gate.clear()
    room.live(2 * MINUTE, step_s=60)
    other = sqlite3.connect(tmp_path / "catalogue.sqlite", isolation_level=None)
    try:
        other.execute("begin immediate")
        room.runner.gate.set()
        room.service.wait_for_sessions()
        room.live(30 * MINUTE, step_s=60)
        assert isinstance(room.service.failure, CatalogueBusyError)
        # it is left alone for a minute at most
        assert room.service.counts.failed_passes > 5
        assert room.first.state == "claimed"
    finally:
        other.rollback()
        other.close()
    room.live(2 * MINUTE, step_s=60)
    assert room.service.failure is None
    assert (room.first.state, room.first.attempts) == ("completed", 1)
    assert len(room.runner.begun) == 1


def test_what_a_locked_catalogue_kept_from_its_window_says_so(
    room: Watchroom, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datastore.engine, "BUSY_TIMEOUT_S", 0.02)
    room.catalogue.close()
    room.schedule(window_s=1800)
    room.live(30 * MINUTE)
    other = sqlite3.connect(tmp_path / "catalogue.sqlite", isolation_level=None)
    try:
        other.execute("begin immediate")
        room.live(65 * MINUTE, step_s=300)
    finally:
        other.rollback()
        other.close()
    room.live(2 * MINUTE, step_s=60)
    assert (room.first.state, room.first.reason) == ("missed", "catalogue-away")


def test_a_catalogue_that_is_moved_away_and_back(room: Watchroom, tmp_path: Path) -> None:
    room.schedule()
    room.live(59 * MINUTE, step_s=59 * 60)
    room.runner.gate.clear()
    room.live(2 * MINUTE, step_s=60)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    names = ["catalogue.sqlite", "catalogue.sqlite-wal", "catalogue.sqlite-shm"]
    for name in names:
        (tmp_path / name).rename(elsewhere / name)
    room.live(10 * MINUTE)
    assert isinstance(room.service.failure, CatalogueUnavailableError)
    assert "is not there" in str(room.service.failure)
    # nothing new began in its place
    assert not (tmp_path / "catalogue.sqlite").exists()
    for name in names:
        (elsewhere / name).rename(tmp_path / name)
    room.runner.gate.set()
    room.live(5 * MINUTE)
    assert room.service.failure is None
    assert (room.first.state, room.first.attempts) == ("completed", 1)


def test_a_catalogue_that_is_replaced_by_its_copy_is_worked_on(
    room: Watchroom, tmp_path: Path
) -> None:
    room.schedule()
    room.live(30 * MINUTE)
    file = tmp_path / "catalogue.sqlite"
    with sqlite3.connect(file) as original, sqlite3.connect(tmp_path / "copy") as copy:
        original.backup(copy)
    original.close()
    copy.close()
    for name in ("-wal", "-shm"):
        (tmp_path / f"catalogue.sqlite{name}").unlink()
    (tmp_path / "copy").rename(file)
    room.live(2 * HOUR)
    room.service.drain()
    with sqlite3.connect(file) as seen:
        states = seen.execute("select state from occurrence order by due_at").fetchall()
        assert states[0] == ("completed",)
        assert seen.execute("select state from daemon").fetchall() == [("stopped",)]
    seen.close()


def test_a_hook_that_fails_keeps_nothing_else(room: Watchroom) -> None:
    told: list[datetime] = []

    def broken(now: datetime) -> None:
        raise ZeroDivisionError

    room.hooks += [broken, told.append]
    room.restart()
    room.schedule()
    room.live(2 * HOUR)
    assert room.first.state == "completed"
    assert len(told) == 24
    assert room.service.failure is None


def test_a_pass_that_takes_long_begins_nothing_too_late(
    room: Watchroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sweep_slowly(*arguments: Any, **options: Any) -> list[SettledOccurrence]:
        room.time.advance(300)
        return sweep(*arguments, **options)

    room.schedule(late="miss", grace_s=60)
    room.live(59 * MINUTE, step_s=59 * 60)
    monkeypatch.setattr("capture.daemon.service.sweep", sweep_slowly)
    room.live(MINUTE, step_s=60)
    assert room.runner.begun == []
    room.live(MINUTE, step_s=60)
    assert room.first.state == "missed"


def test_what_runs_on_is_not_judged_before_it_ends(room: Watchroom) -> None:
    room.schedule(window_s=600)
    room.live(55 * MINUTE)
    room.runner.gate.clear()
    room.live(5 * MINUTE)
    # as after a sleep that was longer than the claim holds
    with room.catalogue.writing() as transaction:
        for lease in transaction.scalars(select(Lease)):
            lease.expires_at -= HOUR
    room.live(20 * MINUTE)
    assert room.service.sessions_in_hand == 1
    assert room.first.state == "claimed"
    room.runner.gate.set()
    room.service.wait_for_sessions()
    room.live(5 * MINUTE)
    assert room.first.state == "failed"


def test_a_thread_that_cannot_be_started_costs_no_fixture(
    room: Watchroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    room.schedule()
    room.live(59 * MINUTE, step_s=59 * 60)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        room.live(MINUTE, step_s=60)
    assert room.service.sessions_in_hand == 0
    assert isinstance(room.service.failure, RuntimeError)


def test_a_daemon_that_drains_begins_nothing_and_puts_back_what_runs(room: Watchroom) -> None:
    room.schedule()
    room.schedule(name="second")
    room.live(59 * MINUTE, step_s=59 * 60)
    room.runner.gate.clear()
    room.live(2 * MINUTE, step_s=60)
    room.service.drain()
    assert len(room.runner.begun) == 1
    assert {(one.state, one.attempts) for one in occurrences(room.catalogue)} == {("pending", 0)}
    room.service.drain()
    with room.catalogue.reading() as transaction:
        (row,) = transaction.scalars(select(Daemon))
        assert (row.state, row.holder) == ("stopped", this_process())
    room.runner.gate.set()
    room.restart()
    room.live(2 * MINUTE, step_s=60)
    assert {one.state for one in occurrences(room.catalogue)[:2]} == {"completed"}
