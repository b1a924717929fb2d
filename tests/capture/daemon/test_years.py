"""Years of a daemon's life: whatever befalls it, every due time has a row that says what became."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datastore import audit
from datastore.catalogue import open_catalogue
from tests.support.catalogues import new_sqlite_catalogue, sqlite_url
from tests.support.independent_schedules import due_times
from tests.support.occurrence_judge import FINAL, Judge, Judgement, Row
from tests.support.occurrence_rows import rows_of
from tests.support.simulated_daemon import (
    HORIZON,
    Computer,
    Trouble,
    TroubleKind,
    add_schedules,
)
from tests.support.simulated_time import Journal, SimulatedTime, read_journal

SCRIPT = Path(__file__).with_name("living_process.py")
ROOT = Path(__file__).parents[3]
BEGIN = datetime(2024, 3, 1, 9, 30, tzinfo=UTC)
HOUR_S = 3600.0
DAY_S = 24 * HOUR_S

SCHEDULES: Sequence[Mapping[str, Any]] = (
    {
        "name": "nights",
        "fixture": "north",
        "rule": {"kind": "cron", "expression": "30 2 */4 * *"},
        "zone": "Europe/Berlin",
        "repeated_hour": "both",
        "window_s": 4 * HOUR_S,
        "attempts": 2,
        "retry_after_s": 1200.0,
    },
    {
        "name": "sundays",
        "fixture": "north",
        "rule": {"kind": "cron", "expression": "30 1,2 * * SUN"},
        "zone": "America/New_York",
        "repeated_hour": "second",
        "skipped_hour": "skip",
        "window_s": 3 * HOUR_S,
        "jitter_s": HOUR_S,
        "priority": 5,
    },
    {
        # the same moment and fixture as `nights`, which goes first: often too late
        "name": "after-nights",
        "fixture": "north",
        "rule": {"kind": "cron", "expression": "30 2 1,5,9 * *"},
        "zone": "Europe/Berlin",
        "window_s": 1500.0,
        "priority": -1,
    },
    {
        "name": "fifth-days",
        "fixture": "south",
        "rule": {"kind": "calendar-interval", "days": 5, "start": "2024-01-01", "at": "02:15"},
        "zone": "Australia/Lord_Howe",
        "window_s": 5 * HOUR_S,
        "late": "miss",
        "grace_s": 600.0,
    },
    {
        "name": "weeks",
        "fixture": "south",
        "rule": {"kind": "calendar-interval", "weeks": 1, "start": "2024-03-05", "at": "23:59:30"},
        "zone": "America/Santiago",
        "window_s": 8 * HOUR_S,
        "attempts": 3,
        "retry_after_s": 300.0,
        "attended": True,
    },
    {
        "name": "months",
        "fixture": "south",
        "rule": {"kind": "calendar-interval", "months": 1, "start": "2023-10-28", "at": "00:30"},
        "zone": "Africa/Casablanca",
        "window_s": 20 * HOUR_S,
        "attempts": 3,
    },
)


def expand(documents: Sequence[Mapping[str, Any]], until: datetime) -> dict[str, list[datetime]]:
    """Return the due times of schedules from their beginning until long after `until`."""
    return {
        str(one["name"]): due_times(
            one["rule"],
            one["zone"],
            BEGIN,
            until + 2 * HORIZON,
            repeated_hour=one.get("repeated_hour", "first"),
            skipped_hour=one.get("skipped_hour", "shift"),
        )
        for one in documents
    }


def moments(expected: Mapping[str, Sequence[datetime]]) -> list[datetime]:
    """Return all due times: a daemon that ticks every minute misses none."""
    return sorted({due_at for times in expected.values() for due_at in times})


def troubles(
    dues: Sequence[datetime],
    days: int,
    generator: np.random.Generator,
    *,
    every_days: float,
    kills: bool,
) -> list[Trouble]:
    """Return what befalls a computer: something every few days, most of it while something is due.

    Pauses of one schedule do not overlap, and it ends in peace.
    """
    found: list[Trouble] = []
    names = [str(one["name"]) for one in SCHEDULES if one["name"] != "weeks"]
    active_from_s = dict.fromkeys(names, 0.0)
    jumped_s = 0.0
    at_s, end_s = DAY_S, (days - 12) * DAY_S

    def befalls(kind: TroubleKind, after_s: float = 0.0, **facts: Any) -> None:
        found.append(Trouble(at_s + after_s, len(found), kind, **facts))

    while at_s < end_s:
        at_s += float(generator.exponential(every_days)) * DAY_S + HOUR_S
        if generator.random() < 0.7:
            later = [due for due in dues if (due - BEGIN).total_seconds() > at_s][:1]
            at_s = max([(due - BEGIN).total_seconds() for due in later], default=at_s)
            at_s += float(generator.uniform(-600, 3000))
        long_s = float(generator.choice([0.02, 0.1, 1.0, 4.0]) * generator.uniform(0.2, 1)) * DAY_S
        short_s = float(generator.uniform(60, 4 * HOUR_S))
        match int(generator.integers(8)):
            case 0 | 1 if kills:
                statements = int(generator.integers(200))
                at_end = bool(generator.integers(2))
                befalls("kill", seconds=long_s, statements=statements, at_session_end=at_end)
            case 2:
                befalls("stop", seconds=long_s)
                name = str(generator.choice(names))
                if active_from_s[name] < at_s:
                    befalls("pause", 0.1 * long_s, schedule=name)
                    befalls("resume", 0.9 * long_s, schedule=name)
                    active_from_s[name] = at_s + long_s
            case 3:
                befalls("sleep", seconds=long_s)
            case 4:
                befalls("away")
                befalls("back", short_s)
                at_s += short_s
            case 5:
                befalls("lock")
                befalls("unlock", short_s)
                at_s += short_s
            case 6:
                # a wrong clock is set right some time later, by a person or a time server
                jump_s = float(generator.choice([-1, 1]) * generator.uniform(600, 5 * HOUR_S))
                befalls("jump", seconds=jump_s - jumped_s)
                jumped_s = 0.0 if jumped_s else jump_s
                if not jumped_s:
                    befalls("jump", 5 * short_s, seconds=-jump_s)
                    at_s += 5 * short_s
            case 7:
                name = str(generator.choice(names))
                if active_from_s[name] < at_s:
                    befalls("pause", schedule=name)
                    befalls("resume", 4 * long_s, schedule=name)
                    active_from_s[name] = at_s + 4 * long_s
    at_s = 0.3 * days * DAY_S
    befalls("stop", seconds=(HORIZON + timedelta(days=3)).total_seconds())
    at_s = 0.6 * days * DAY_S
    befalls("retire", schedule="weeks")
    return found


@dataclass(frozen=True)
class Life:
    """What a life left behind: the rows of its catalogue, and the judge who knows its journal."""

    judge: Judge
    rows: list[Row]

    @classmethod
    def read(
        cls,
        folder: Path,
        documents: Sequence[Mapping[str, Any]],
        expected: Mapping[str, Sequence[datetime]],
    ) -> Life:
        with open_catalogue(sqlite_url(folder), folder / "store") as catalogue:
            rows = rows_of(catalogue)
            with catalogue.reading() as transaction:
                assert audit.verify(transaction) == []
        journal = read_journal(folder / "journal")
        return cls(Judge(documents, expected, journal, HORIZON), rows)

    def judged(self, record: Callable[[str, object], None]) -> Judgement:
        """Judge the rows, and record what there was."""
        judgement = self.judge.judge(self.rows)
        record("occurrences", judgement.rows)
        record("with one true fate", judgement.without_doubt)
        for state in FINAL:
            record(state, sum(n for (one, _), n in judgement.fates.items() if one == state))
        for what, count in self.judge.troubles().items():
            record(what, count)
        return judgement


FEWER: Sequence[Mapping[str, Any]] = (
    {"expression": "30 2 1,15,31 * *"},
    {"expression": "30 2 10,28 * *"},
    {"expression": "30 2 1 * *"},
    {"days": 14},
    {"weeks": 3},
    {},
)
QUICK: Sequence[Mapping[str, Any]] = tuple(
    {**one, "rule": dict(one["rule"]) | dict(fewer)}
    for one, fewer in zip(SCHEDULES, FEWER, strict=True)
)
"""The schedules with fewer due times, at the same hours."""


def test_half_a_year_of_troubles(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    days, seed = 183, 2
    until = BEGIN + timedelta(days=days)
    expected = expand(QUICK, until)
    dues = moments(expected)
    with new_sqlite_catalogue(tmp_path) as catalogue:
        add_schedules(catalogue, QUICK, BEGIN)
    clock = SimulatedTime(BEGIN)
    computer = Computer(
        tmp_path / "catalogue.sqlite",
        clock,
        Journal(tmp_path / "journal", clock),
        dues,
        np.random.default_rng(seed),
    )
    generator = np.random.default_rng(seed)
    befalls = troubles(dues, days, generator, every_days=3.0, kills=True)
    computer.live(days * DAY_S, befalls)
    computer.close()
    life = Life.read(tmp_path, QUICK, expected)
    judgement = life.judged(record_property)
    assert judgement.problems == []
    assert judgement.without_doubt > 0.7 * judgement.rows > 35
    assert_judge_sees_lies(life)


def assert_judge_sees_lies(life: Life) -> None:
    """Tamper with one row after another: none of it may go unseen."""
    completed = next(row for row in life.rows if row.state == "completed")
    missed = next(row for row in life.rows if row.reason == "daemon-down")
    others = [row for row in life.rows if row is not completed]
    moved = replace(completed, due_at=completed.due_at + timedelta(hours=1))
    lies = {
        "lost": others,
        "twice": [*life.rows, completed],
        "at another time": [*others, moved],
        "still open": [*others, replace(completed, state="claimed", reason=None)],
        "never run": [*others, _ended(completed, "missed", "daemon-down")],
        "failed": [*others, _ended(completed, "failed", "camera-lost")],
        "never missed": [
            *(row for row in life.rows if row is not missed),
            _ended(missed, "completed", "completed"),
        ],
        "without a history": [*others, replace(completed, events=completed.events[-1:])],
    }
    unseen = [name for name, rows in lies.items() if not life.judge.judge(rows).problems]
    assert unseen == []


def _ended(row: Row, state: str, reason: str) -> Row:
    events = (*row.events[:-1], (state, row.events[-1][1], reason))
    return replace(row, state=state, reason=reason, events=events)


@pytest.mark.prove
@pytest.mark.timeout(3600)
def test_ten_years_of_troubles(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Every due time of ten years with kills, wrong clocks and outages has its true final state."""
    days, seed = 3653, 1
    generator = np.random.default_rng(seed)
    expected = expand(SCHEDULES, BEGIN + timedelta(days=days))
    dues = moments(expected)
    befalls = troubles(dues, days, generator, every_days=2.5, kills=False)
    with new_sqlite_catalogue(tmp_path) as catalogue:
        add_schedules(catalogue, SCHEDULES, BEGIN)
    life = {
        "begin": BEGIN.isoformat(),
        "seconds": days * DAY_S,
        "seed": seed,
        "moments": [due.isoformat() for due in dues],
        "troubles": [asdict(one) for one in befalls],
    }
    (tmp_path / "life.json").write_text(json.dumps(life))
    kills, down_s = 0, 0.0
    while True:
        process = subprocess.Popen(
            [sys.executable, str(SCRIPT), str(tmp_path), str(down_s)],
            env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
            stderr=subprocess.DEVNULL,
        )
        status = _kill_later(process, tmp_path / "journal", int(generator.integers(180_000)))
        if status == 0:
            break
        assert status == -9
        kills += 1
        down_s = float(generator.choice([0.0, 60.0, HOUR_S, 6 * HOUR_S, 3 * DAY_S]))
    judgement = Life.read(tmp_path, SCHEDULES, expected).judged(record_property)
    record_property("kills", kills)
    assert judgement.problems == []
    assert judgement.without_doubt > 0.7 * judgement.rows > 2000


def _kill_later(process: subprocess.Popen[bytes], journal: Path, written: int) -> int:
    """Kill a process once its journal grew by so many bytes; return how it ended."""
    before = journal.stat().st_size if journal.exists() else 0
    try:
        while process.poll() is None:
            if journal.exists() and journal.stat().st_size > before + written:
                break
            time.sleep(0.003)
    finally:
        # also where the test is broken off
        if process.poll() is None:
            process.kill()
    return process.wait()
