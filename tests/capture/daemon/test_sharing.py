"""Two daemons share one PostgreSQL catalogue: real processes, killed, with their server stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from capture.leasing import LEASE_S
from datastore import audit
from datastore.catalogue import Catalogue, open_catalogue
from datastore.clocks import Deadline
from migrations import runner
from tests.capture.daemon.sharing_process import LONGEST_SESSION_S
from tests.support.catalogues import new_database
from tests.support.independent_schedules import due_times
from tests.support.occurrence_judge import FINAL, Row, is_legal
from tests.support.occurrence_rows import rows_of
from tests.support.simulated_daemon import add_schedules
from tests.support.simulated_sessions import script_of
from tests.support.simulated_time import read_journal
from tests.support.stoppable_postgresql import StoppableServer, stoppable_server

pytestmark = pytest.mark.postgresql

SCRIPT = Path(__file__).with_name("sharing_process.py")
ROOT = Path(__file__).parents[3]
BEGIN = datetime(2025, 6, 1, 12, 1, tzinfo=UTC)
ATTEMPTS = 3


def schedules(minutes: int, span: timedelta, window: timedelta) -> list[dict[str, Any]]:
    """Return a schedule on each of three fixtures, and a second one that collides on the first."""
    return [
        {
            "name": name,
            "fixture": fixture,
            "rule": {"kind": "cron", "expression": f"*/{minutes} * * * *"},
            "zone": zone,
            "ends_at": (BEGIN + span).isoformat(),
            "window_s": window.total_seconds(),
            "attempts": ATTEMPTS,
            "retry_after_s": 60.0,
            "priority": priority,
        }
        for name, fixture, zone, priority in (
            ("east", "first", "Asia/Kathmandu", 0),
            ("west", "first", "America/New_York", 1),
            ("north", "second", "Europe/Berlin", 0),
            ("south", "third", "Australia/Lord_Howe", 0),
        )
    ]


@dataclass
class Workplace:
    """A shared catalogue, and the daemons on it by their name."""

    folder: Path
    server: StoppableServer
    url: str
    documents: Sequence[Mapping[str, Any]]
    daemons: dict[str, subprocess.Popen[str]] = field(default_factory=dict)
    kills: list[tuple[int, float]] = field(default_factory=list)
    """Process and moment, in simulated seconds, of every kill."""
    lease_s: float = LEASE_S
    began_s: float = 0.0
    speed: float = 1.0

    def start(self, *names: str, host: str | None = None) -> None:
        """Start daemons, on hosts of their names or one host, and wait until they are ready."""
        for name in names:
            arguments = [self.folder, self.url, host or name, self.lease_s]
            self.daemons[name] = subprocess.Popen(
                [sys.executable, str(SCRIPT), *map(str, arguments)],
                env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        for name in names:
            lines = self.daemons[name].stdout
            assert lines is not None and lines.readline() == "ready\n"

    def begin(self, speed: float) -> None:
        """Let simulated time begin."""
        self.began_s, self.speed = time.time(), speed
        begin = {"civil": BEGIN.isoformat(), "began_s": self.began_s, "speed": speed}
        temporary = self.folder / "begin.part"
        temporary.write_text(json.dumps(begin))
        temporary.rename(self.folder / "begin")

    def kill(self, name: str) -> None:
        """Kill a daemon in the middle of what it does."""
        process = self.daemons.pop(name)
        process.kill()
        process.communicate()
        self.kills.append((process.pid, (time.time() - self.began_s) * self.speed))

    def outage(self, seconds: float, *, crash: bool) -> None:
        """Have the server away for a while."""
        self.server.stop(crash=crash)
        time.sleep(seconds)
        self.server.start()

    def wait_until_all_is_settled(self, patience_s: float) -> None:
        """Wait until every due time has its final state."""
        expected = sum(len(times) for times in self.expected().values())
        deadline = Deadline.after(patience_s)
        with open_catalogue(self.url, self.folder / "store") as catalogue:
            while not deadline.expired:
                rows = rows_of(catalogue)
                if len(rows) >= expected and all(row.state in FINAL for row in rows):
                    return
                time.sleep(0.1)

    def wait_until_begun(self, sessions: int) -> None:
        """Wait until so many sessions were begun."""
        file = self.folder / "journal"
        while not file.exists() or file.read_bytes().count(b'"begins"') < sessions:
            time.sleep(0.01)

    def stop(self) -> list[int]:
        """Ask every daemon to end, and return how they did."""
        for process in self.daemons.values():
            process.send_signal(signal.SIGTERM)
        for process in self.daemons.values():
            process.communicate(timeout=60)
        return [process.returncode for process in self.daemons.values()]

    def expected(self) -> dict[str, list[datetime]]:
        """Return the due times, worked out by other means."""
        return {
            one["name"]: due_times(
                one["rule"], one["zone"], BEGIN, datetime.fromisoformat(one["ends_at"])
            )
            for one in self.documents
        }


@contextmanager
def workplace(folder: Path, documents: Sequence[Mapping[str, Any]]) -> Iterator[Workplace]:
    """Run a server with a catalogue that has these schedules; ends what was started on it."""
    with stoppable_server() as server:
        url = new_database(server.url)
        runner.create(url)
        with open_catalogue(url, folder / "store") as catalogue:
            add_schedules(catalogue, documents, BEGIN)
        place = Workplace(folder, server, url, documents)
        try:
            yield place
        finally:
            for process in place.daemons.values():
                process.kill()
                process.communicate()


@dataclass
class Shared:
    """What the daemons left."""

    rows: list[Row]
    journal: list[dict[str, Any]]
    kills: Sequence[tuple[int, float]]

    @classmethod
    def read(cls, place: Workplace) -> Shared:
        with open_catalogue(place.url, place.folder / "store") as catalogue:
            _require_unbroken_audit(catalogue)
            return cls(rows_of(catalogue), read_journal(place.folder / "journal"), place.kills)

    def require_every_due_time_once(self, expected: Mapping[str, Sequence[datetime]]) -> None:
        found = sorted((row.schedule, row.due_at) for row in self.rows)
        assert found == sorted((name, due) for name, times in expected.items() for due in times)
        for row in self.rows:
            assert is_legal(row), row

    def require_true_states(self, longest_s: float) -> None:
        """Every row must have the end of the attempt that was to be its last."""
        for row in self.rows:
            scripts = [
                script_of(row.schedule, row.due_at, attempt, longest_s)
                for attempt in range(1, ATTEMPTS + 1)
            ]
            last = next((one for one in scripts if one.state != "failed"), scripts[-1])
            found = row.state, row.reason, row.attempts
            names = {name for name, _, _ in row.events}
            if names & {"taken-over", "waiting"}:
                # what was cut off may have been gone on with instead of tried anew
                ends = {(one.state, one.reason) for one in scripts} | {("completed", "completed")}
                assert found[:2] in ends, row
            else:
                assert found == (last.state, last.reason, scripts.index(last) + 1), row

    def require_nothing_twice(self) -> None:
        """No two sessions at once on a fixture, and none after the one that was completed."""
        ended: dict[tuple[str, str], str] = {}
        for line in self._attempts():
            key = line["schedule"], line["due"]
            assert line["what"] != "begins" or ended.get(key) not in ("completed", "partial"), line
            if line["what"] == "ended":
                ended[key] = line["state"]
        for used in self._used().values():
            for before, after in pairwise(sorted(used)):
                assert before[1] <= after[0], (before, after)

    def processes(self) -> set[int]:
        """Return which processes carried something out."""
        return {line["process"] for line in self._attempts()}

    def taken_over(self) -> int:
        """Return how many occurrences another daemon went on with."""
        return sum("taken-over" in [name for name, _, _ in row.events] for row in self.rows)

    def _attempts(self) -> list[dict[str, Any]]:
        return [line for line in self.journal if line["kind"] == "attempt"]

    def _used(self) -> dict[str, list[tuple[float, float]]]:
        """Return when each fixture was in use, in simulated seconds."""
        used: dict[str, list[tuple[float, float]]] = {}
        begun: dict[tuple[str, str, int], dict[str, Any]] = {}
        for line in self._attempts():
            key = line["schedule"], line["due"], line["process"]
            if line["what"] == "begins":
                begun[key] = line
            elif line["what"] == "ending":
                times = begun.pop(key)["boot_s"], line["boot_s"]
                used.setdefault(line["fixture"], []).append(times)
        killed_s = dict(self.kills)
        for (_, _, process), line in begun.items():
            times = line["boot_s"], killed_s.get(process, line["boot_s"])
            used.setdefault(line["fixture"], []).append(times)
        return used


def _require_unbroken_audit(catalogue: Catalogue) -> None:
    with catalogue.reading() as transaction:
        assert audit.verify(transaction) == []


def test_two_daemons_share_the_work(tmp_path: Path) -> None:
    documents = schedules(30, timedelta(hours=2), timedelta(hours=60))
    with workplace(tmp_path, documents) as place:
        # on one host, where each sees whether the other is dead; what a living process could not
        # give back while the server was away is free after a while
        place.lease_s = 3.0
        place.start("first", "second", host="here")
        place.begin(speed=1800.0)
        place.wait_until_begun(4)
        place.kill("first")
        place.outage(0.5, crash=True)
        place.wait_until_all_is_settled(100.0)
        assert set(place.stop()) == {0}
        shared = Shared.read(place)
        shared.require_every_due_time_once(place.expected())
        shared.require_nothing_twice()
        shared.require_true_states(LONGEST_SESSION_S)
        assert len(shared.rows) == 16
        assert len(shared.processes()) >= 2


@pytest.mark.prove
@pytest.mark.timeout(1500)
def test_two_hosts_share_the_work(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Daemons of two hosts, killed, their server stopped: each due time once, with its true end."""
    generator = np.random.default_rng(5)
    # two minutes, until a dead host's leases are over, are two hours of its time
    documents = schedules(20, timedelta(hours=5), timedelta(hours=16))
    with workplace(tmp_path, documents) as place:
        place.start("here", "there")
        place.begin(speed=60.0)
        crashes = [False, True, True, False]
        for number, crash in enumerate(crashes):
            time.sleep(float(generator.uniform(5, 30)))
            name = ("here", "there")[number % 2]
            place.wait_until_begun(4 * number + 4)
            place.kill(name)
            place.outage(float(generator.uniform(0.2, 8.0)), crash=crash)
            place.start(name)
            time.sleep(float(generator.uniform(5, 60)))
        place.wait_until_all_is_settled(900.0)
        assert set(place.stop()) == {0}
        shared = Shared.read(place)
        shared.require_every_due_time_once(place.expected())
        shared.require_nothing_twice()
        shared.require_true_states(LONGEST_SESSION_S)
        assert len(shared.processes()) >= 4
        record_property("occurrences", len(shared.rows))
        record_property("kills", len(place.kills))
        record_property("stops of the server", len(crashes))
        record_property("taken over", shared.taken_over())
