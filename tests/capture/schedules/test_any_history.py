"""Whatever daemons and people do, in any order: one row per due time, each with a legal history."""

from __future__ import annotations

import itertools
import os
import random
import shutil
import tempfile
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from capture.errors import OccurrenceStateError, ScheduleError
from capture.schedules import schedule_rows
from capture.schedules.occurrences import (
    ClaimedOccurrence,
    OccurrenceRecord,
    attend,
    cancel,
    claim_next,
    materialise,
    sweep,
)
from datastore import audit
from datastore.catalogue import open_catalogue
from datastore.errors import LeaseLostError
from tests.support.catalogues import sqlite_url
from tests.support.independent_schedules import due_times
from tests.support.occurrence_diary import (
    FINAL,
    MINUTE,
    START,
    Diary,
    add_fixtures,
    require_legal,
)

SCHEDULES: dict[str, tuple[str, dict[str, Any]]] = {
    "hourly": ("0 * * * *", {"window_s": 2400, "attempts": 2}),
    "attended": ("20 */2 * * *", {"window_s": 3000, "attended": True, "priority": 1}),
    "strict": ("*/40 * * * *", {"window_s": 1800, "late": "miss", "grace_s": 300}),
    "southern": ("30 * * * *", {"window_s": 5400, "jitter_s": 1200, "fixture": "south"}),
}
# the number of no process: Linux gives none beyond 2 ** 22
DEAD = f"process {2**22 + 1} (start 1) on {os.uname().nodename}"

Step = tuple[str, int]


class Walk:
    """Daemons and people at work on four schedules; every step is checked against the rows."""

    def __init__(self, diary: Diary) -> None:
        self.diary = diary
        self.now = START
        self.held: list[ClaimedOccurrence] = []
        self.changes: dict[str, list[tuple[datetime, str]]] = {name: [] for name in SCHEDULES}
        self.expanded: dict[str, datetime] = dict.fromkeys(SCHEDULES, START)
        self.final: dict[str, OccurrenceRecord] = {}
        self.histories: dict[str, list[int]] = {}
        add_fixtures(diary.catalogue, "north", "south")
        for name, (expression, fields) in SCHEDULES.items():
            diary.add(name, expression, **fields)

    def take(self, step: Step) -> None:
        """Take a step, which may be refused, and look at everything."""
        verb, number = step
        try:
            getattr(self, verb)(number)
        except (OccurrenceStateError, ScheduleError):
            # refused as it makes no sense now
            pass
        except LeaseLostError:
            assert any(claim.lease.holder == DEAD for claim in self.held)
        self.look()

    def wait_a_while(self, number: int) -> None:
        self.now += (number % 50 + 1) * MINUTE

    def set_the_clock_back(self, number: int) -> None:
        self.now -= (number % 90) * MINUTE

    def expand(self, number: int) -> None:
        horizon = timedelta(minutes=number % 400)
        materialise(self.diary.catalogue, now=self.now, horizon=horizon)
        for name, changes in self.changes.items():
            if not any(change == "retire" for _, change in changes):
                self.expanded[name] = max(self.expanded[name], self.now + horizon)

    def sweep(self, _: int) -> None:
        sweep(self.diary.catalogue, now=self.now, by="sweeper")

    def claim(self, number: int) -> None:
        holder = DEAD if number % 3 == 0 else "daemon"
        busy = {claim.fixture for claim in self.held} if number % 2 else ()
        claim = claim_next(self.diary.catalogue, now=self.now, holder=holder, busy_fixtures=busy)
        if claim is not None:
            assert claim.fixture not in busy
            assert claim.starts_at <= self.now < claim.window_ends_at
            assert claim.is_taken_over or claim.uuid not in {one.uuid for one in self.held}
            assert (claim.schedule_name == "attended") == (claim.attended_by is not None)
            changes = self.changes[claim.schedule_name]
            assert not changes or changes[-1][1] == "resume"
            self.held.append(claim)

    def _of_held(self, number: int) -> Iterable[ClaimedOccurrence]:
        if self.held:
            yield self.held[number % len(self.held)]

    def settle(self, number: int) -> None:
        for claim in self._of_held(number):
            state = ("completed", "partial", "failed")[number % 3]
            claim.settle(state, "camera-lost", "It went away.", at=self.now)  # type: ignore[arg-type]
            self.held.remove(claim)

    def put_back(self, number: int) -> None:
        for claim in self._of_held(number):
            not_before = self.now + (number % 20) * MINUTE
            claim.wait("equipment-busy", "In use.", not_before=not_before, at=self.now)
            self.held.remove(claim)

    def try_again(self, number: int) -> None:
        for claim in self._of_held(number):
            claim.retry("camera-lost", "It went away.", not_before=None, at=self.now)
            self.held.remove(claim)

    def attend(self, number: int) -> None:
        attend(self.diary.catalogue, self._some(number), operator="bo", at=self.now)

    def cancel(self, number: int) -> None:
        cancel(self.diary.catalogue, self._some(number), operator="bo", reason=None, at=self.now)

    def _some(self, number: int) -> str:
        rows = [row for row in self.diary.rows() if row.state == "pending"]
        if not rows:
            raise OccurrenceStateError("nothing is pending")
        return rows[number % len(rows)].id

    def pause(self, number: int) -> None:
        self._change("pause", number)

    def resume(self, number: int) -> None:
        self._change("resume", number)

    def retire(self, number: int) -> None:
        # a few walks end with fewer schedules than they began with
        if number % 5 == 0:
            name = self._change("retire", number)
            self.expanded[name] = max(self.expanded[name], self.now)

    def _change(self, change: str, number: int) -> str:
        name = list(SCHEDULES)[number % len(SCHEDULES)]
        act: Callable[..., None] = getattr(schedule_rows, change)
        act(self.diary.catalogue, name, operator="bo", reason=None, at=self.now)
        self.changes[name].append((self.now, change))
        return name

    def look(self) -> None:
        """Fail if a due time lost its row, or a history its meaning."""
        rows, histories = self.diary.rows(), self.diary.histories()
        assert histories.keys() == {row.id for row in rows}
        for name, (expression, _) in SCHEDULES.items():
            rule = {"kind": "cron", "expression": expression}
            expected = due_times(rule, "Europe/Berlin", START, self.expanded[name])
            assert [row.due_at for row in rows if row.schedule == name] == expected
        for row in rows:
            assert row == self.final.get(row.id, row)
            require_legal(histories[row.id], row.state)
            ids = [event.id for event in histories[row.id]]
            before = self.histories.get(row.id, [])
            assert ids[: len(before)] == before
            self.histories[row.id] = ids
            if row.state in FINAL:
                self.final[row.id] = row

    def come_to_an_end(self) -> None:
        """Let every window end: nothing may stay open, and each end has its reason."""
        # a dead daemon's claims are nobody's
        for claim in [claim for claim in self.held if claim.lease.holder != DEAD]:
            try:
                claim.settle("completed", "completed", None, at=self.now)
            except LeaseLostError:
                raise AssertionError("a living daemon lost its claim") from None
        self.now = max(self.now, max(self.expanded.values())) + timedelta(hours=3)
        self.expand(0)
        while sweep(self.diary.catalogue, now=self.now, by="sweeper"):
            pass
        self.now += timedelta(hours=3)
        sweep(self.diary.catalogue, now=self.now, by="sweeper")
        for row in self.diary.rows():
            if row.due_at < self.now - timedelta(hours=2):
                assert row.state in FINAL, row
        with self.diary.catalogue.reading() as transaction:
            assert audit.verify(transaction) == []

    def judge_what_nobody_touched(self) -> None:
        """Hold what was never begun nor cancelled against the pauses; for clocks that go on."""
        histories = self.diary.histories()
        for row in self.diary.rows():
            names = {event.name for event in histories[row.id]}
            if (
                "claimed" in names
                or row.reason == "cancelled-by-operator"
                or row.state == "pending"
            ):
                continue
            expected = self._expected(row)
            if row.schedule == "strict" and row.state == "missed":
                # its grace was over before it was stopped
                continue
            assert row.reason in expected, (row, self.changes[row.schedule])

    def _expected(self, row: OccurrenceRecord) -> set[str]:
        stopped_at: datetime | None = None
        for at, change in self.changes[row.schedule]:
            if change != "resume":
                if at < row.window_ends_at and (stopped_at is None or at <= row.due_at):
                    stopped_at, stop = at, change
            elif stopped_at is not None and at <= row.due_at:
                stopped_at = None
        if stopped_at is not None:
            return {"schedule-paused" if stop == "pause" else "schedule-retired"}
        if row.schedule == "attended":
            return {"operator-absent", "daemon-down", "equipment-busy"}
        return {"daemon-down", "equipment-busy", "too-late"}


VERBS = [
    *["wait_a_while"] * 5,
    *["claim"] * 4,
    *["expand", "sweep", "settle"] * 2,
    *("put_back", "try_again", "attend", "cancel", "pause", "resume", "retire"),
]


@pytest.fixture(scope="module")
def empty(sqlite_template: Path) -> Path:
    """Return a catalogue file to copy for every walk."""
    return sqlite_template


def walk_on_sqlite(template: Path, steps: Iterable[Step], *, goes_back: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(template, Path(folder) / "catalogue.sqlite")
        with open_catalogue(sqlite_url(Path(folder)), Path(folder) / "store") as catalogue:
            walk = Walk(Diary(catalogue))
            for step in steps:
                walk.take(step)
            walk.come_to_an_end()
            if not goes_back:
                walk.judge_what_nobody_touched()


def steps_of(verbs: list[str]) -> st.SearchStrategy[list[Step]]:
    step = st.tuples(st.sampled_from(verbs), st.integers(0, 999))
    return st.lists(step, min_size=5, max_size=40)


@given(steps=steps_of(VERBS))
@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_sequence_of_steps_keeps_every_due_time(empty: Path, steps: list[Step]) -> None:
    walk_on_sqlite(empty, steps, goes_back=False)


@given(steps=steps_of([*VERBS, "set_the_clock_back"]))
@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_clock_that_goes_back_changes_nothing_of_it(empty: Path, steps: list[Step]) -> None:
    walk_on_sqlite(empty, steps, goes_back=True)


@pytest.mark.parametrize("seed", [1])
def test_a_long_walk_keeps_every_due_time(url: str, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    with open_catalogue(url, tmp_path / "store") as catalogue:
        walk = Walk(Diary(catalogue))
        for _ in range(70):
            walk.take((chance.choice(VERBS), chance.randrange(1000)))
        walk.come_to_an_end()
        walk.judge_what_nobody_touched()
        assert len(walk.final) > 20
        ends = {row.state for row in walk.diary.rows()}
    assert len(ends & FINAL) >= 4, ends


@pytest.mark.prove
@pytest.mark.parametrize("seed", range(20))
def test_long_walks_keep_every_due_time(empty: Path, seed: int) -> None:
    """Whatever daemons and people do, every due time has one row and a legal history."""
    chance = random.Random(seed)
    verbs = [*VERBS, "set_the_clock_back"] if seed % 2 else VERBS
    steps = ((chance.choice(verbs), chance.randrange(1000)) for _ in itertools.repeat(None, 200))
    walk_on_sqlite(empty, steps, goes_back=bool(seed % 2))
