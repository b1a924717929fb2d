"""A daemon in simulated time, and everything that befalls its computer in years.

The service, its rows, claims and SQL are the real ones. Clocks are simulated, and so is the time
that sessions take. What truly happens is written into a journal, by which the rows are judged.
"""

from __future__ import annotations

import contextlib
import threading
import time as host_time
from bisect import bisect_right, insort
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import numpy as np
from sqlalchemy import create_engine, event, select, text

from capture.daemon.backoff import Backoff
from capture.daemon.clock_watch import ClockWatch
from capture.daemon.service import DaemonService
from capture.leasing import LEASE_S, this_process
from capture.recipes import parse_recipe
from capture.schedules import schedule_rows
from capture.schedules.description import ScheduleDescription
from capture.schedules.occurrences import attend
from datastore.catalogue import Catalogue
from datastore.engine import create_engines, parse_url
from datastore.equipment import FixtureDescription, add_fixture
from datastore.store import LocalStore
from datastore.tables import Occurrence
from tests.support.simulated_sessions import SimulatedRunner
from tests.support.simulated_time import Journal, KilledError, SimulatedTime, read_journal

HORIZON = timedelta(days=14)
BUSY_TIMEOUT_S = 0.02
LONGEST_SESSION_S = 3000.0
LOOK_S = 0.0005
MINUTE = timedelta(minutes=1)
AFTER = {"pause": "paused", "resume": "active", "retire": "retired"}
RECIPE = parse_recipe(
    'name: dark\nshots:\n  - {kind: dark-field, exposures: ["1/30"], isos: [100]}\n', "recipe"
)

TroubleKind = Literal[
    "kill", "stop", "away", "back", "lock", "unlock", "jump", "sleep", "pause", "resume", "retire"
]


@dataclass(frozen=True, order=True)
class Trouble:
    """Something that befalls the computer at a moment after its start.

    `number` is its own, `seconds` how long it lasts (kill, stop, sleep) or how far the clock jumps,
    `schedule` whom it concerns, `statements` how many more reach the database before a kill,
    counted from the end of the next session or at once.
    """

    at_s: float
    number: int
    kind: TroubleKind = field(compare=False)
    seconds: float = field(default=0.0, compare=False)
    schedule: str = field(default="", compare=False)
    statements: int = field(default=0, compare=False)
    at_session_end: bool = field(default=False, compare=False)


def add_schedules(
    catalogue: Catalogue, documents: Sequence[Mapping[str, Any]], at: datetime
) -> None:
    """Add fixtures, with a camera each, and the schedules on them."""
    for number, name in enumerate(sorted({str(one["fixture"]) for one in documents})):
        camera = {"serial": f"900{number}", "make": "Agetrace", "model": "Simulated"}
        document = {
            "name": name,
            "simulated": True,
            "cameras": [{**camera, "address": f"ptpip:127.0.0.{number + 2}:1"}],
        }
        add_fixture(catalogue, FixtureDescription.model_validate(document), at)
    for one in documents:
        description = ScheduleDescription.model_validate({"recipe": "dark.yaml", **one})
        schedule_rows.add_schedule(catalogue, description, RECIPE, operator="ada", at=at)


class _Life:
    """One process, and how it is to end.

    Parameters
    ----------
    journal
        Is told what its sessions tell.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._doom: Trouble | None = None
        self.is_dead = False
        self.statements_left: int | None = None
        self.down_s = 0.0

    def doom(self, trouble: Trouble) -> None:
        """Have it die once so many more statements reached the database.

        Where the trouble says so they are counted from when the next session begins to end.
        """
        self.down_s = trouble.seconds
        if trouble.at_session_end:
            self._doom = trouble
        else:
            self.statements_left = trouble.statements

    def write(self, kind: str, **facts: Any) -> None:
        """Note what a session tells."""
        self._journal.write(kind, **facts)
        if self._doom is not None and facts["what"] == "ending":
            self.statements_left = self._doom.statements % 12

    def before_statement(self, *_: object) -> None:
        if self.statements_left is not None:
            self.statements_left -= 1
            if self.statements_left < 0:
                self.is_dead = True
        if self.is_dead:
            raise KilledError


class Computer:
    """A computer with a daemon on it.

    Parameters
    ----------
    file
        Of the catalogue.
    time, journal
        Its clocks, and where is written what truly happens.
    moments
        Civil times at which the daemon makes a pass anyway, in order.
    generator
        Decides how often else, and whom an operator attends.
    """

    def __init__(
        self,
        file: Path,
        time: SimulatedTime,
        journal: Journal,
        moments: Sequence[datetime],
        generator: np.random.Generator,
    ) -> None:
        self._file = file
        self._time = time
        self._journal = journal
        self._moments = moments
        self._generator = generator
        self._leases_end_s: float | None = None
        self._lock: contextlib.ExitStack | None = None
        self._service: DaemonService | None = None
        self._asked: set[str] = set()
        self._befallen: set[int] = set()
        self._down_until_s = 0.0
        self._desk_catalogue: Catalogue | None = None

    @classmethod
    def revived(
        cls,
        file: Path,
        journal_file: Path,
        moments: Sequence[datetime],
        generator: np.random.Generator,
        *,
        down_s: float,
    ) -> Computer:
        """Return the computer that a process simulated which was killed, so long afterwards."""
        lines = read_journal(journal_file)
        time = SimulatedTime(lines[-1]["civil"], lines[-1]["boot_s"])
        computer = cls(file, time, Journal(journal_file, time), moments, generator)
        computer._befallen = {line["trouble"] for line in lines if line.get("trouble") is not None}
        computer._finish_decision(lines)
        computer._journal.write("down", how="killed")
        # they are leases of a dead process of this computer
        computer._journal.write("leases-over")
        computer._down_until_s = time.boot_s() + down_s
        return computer

    def live(self, until_s: float, troubles: Sequence[Trouble]) -> None:
        """Let time pass until `until_s` seconds after the start, with what befalls meanwhile."""
        to_come = sorted(trouble for trouble in troubles if trouble.number not in self._befallen)
        with _silent_deaths():
            while self._time.boot_s() < until_s:
                while to_come and to_come[0].at_s <= self._time.boot_s():
                    trouble = to_come.pop(0)
                    if trouble.kind in AFTER and not self._is_reachable:
                        # people decide once they can
                        insort(to_come, replace(trouble, at_s=self._time.boot_s() + 600.0))
                    else:
                        self._befall(trouble)
                if self._may_start:
                    self._start()
                self._pass()
                next_s = to_come[0].at_s if to_come else until_s
                self._time.advance(max(0.001, min(self._next_s(), next_s) - self._time.boot_s()))
            self._end()

    def close(self) -> None:
        """Close its journal."""
        self._journal.close()

    @property
    def _may_start(self) -> bool:
        is_up_again = self._time.boot_s() >= self._down_until_s
        return self._service is None and is_up_again and not self._is_away

    @property
    def _is_away(self) -> bool:
        return not self._file.exists()

    @property
    def _is_reachable(self) -> bool:
        return self._lock is None and not self._is_away

    def _start(self) -> None:
        self._life = _Life(self._journal)
        engines = create_engines(parse_url(f"sqlite:///{self._file}"))
        for engine in (engines.write, engines.read):
            event.listen(engine, "connect", _be_impatient)
            event.listen(engine, "before_cursor_execute", self._life.before_statement)
            event.listen(engine, "commit", self._life.before_statement)
        self._catalogue = Catalogue(engines, LocalStore(self._file.parent / "store"))
        life = self._life
        runner = SimulatedRunner(
            self._catalogue,
            self._time,
            lambda seconds, stop: self._time.sleep(seconds, stop, lambda: life.is_dead),
            life,
            LONGEST_SESSION_S,
        )
        self._backoff = Backoff(monotonic_s=self._time.boot_s)
        self._watch = ClockWatch(self._time.boot_s)
        self._service = DaemonService(
            self._catalogue,
            runner,
            clock=self._time,
            holder=this_process(),
            version="simulated",
            horizon=HORIZON,
            watch=self._watch,
            boot_s=self._time.boot_s,
            backoff=self._backoff,
        )
        self._journal.write("up")

    def _pass(self) -> None:
        """Have the daemon make a pass, and wait until its sessions sleep or have ended."""
        self._free_leases()
        if self._service is None:
            return
        is_waiting = self._backoff.is_waiting
        self._attend()
        with contextlib.suppress(KilledError):
            if not self._life.is_dead:
                self._service.tick()
            self._wait_until_quiet()
        if self._life.is_dead:
            self._die()
            return
        state = "ok"
        if is_waiting or self._service.failure is not None:
            state = "waiting" if is_waiting else "failed"
        elif not self._watch.is_steady:
            state = "unsteady"
        failure = self._service.failure
        self._journal.write("pass", state=state, failure=failure and repr(failure))

    def _wait_until_quiet(self) -> None:
        while True:
            sessions = [
                thread for thread in threading.enumerate() if thread.name.startswith("session of ")
            ]
            if len(sessions) == self._time.sleeping() or self._life.is_dead:
                return
            host_time.sleep(LOOK_S)

    def _die(self) -> None:
        """End the process at once: nothing of it reaches the database any more."""
        self._life.is_dead = True
        self._time.advance(0.0)
        for thread in threading.enumerate():
            if thread.name.startswith(("session of ", "claim of ")):
                thread.join()
        self._catalogue.close()
        self._service = None
        self._journal.write("down", how="killed")
        self._down_until_s = self._time.boot_s() + self._life.down_s
        # a daemon on this computer sees that the process is dead; another host's must wait
        self._leave_leases(0.0 if self._generator.random() < 0.5 else LEASE_S)

    def _leave_leases(self, wait_s: float) -> None:
        """Have leases that nobody will release run out in a while."""
        self._leases_end_s = self._time.boot_s() + wait_s
        self._journal.write("leases-left")

    def _free_leases(self) -> None:
        """Let the database's clock pass the end of leases that nobody renews."""
        if (
            self._leases_end_s is None
            or self._time.boot_s() < self._leases_end_s
            or self._time.sleeping()
            or not self._is_reachable
        ):
            return
        engine = create_engine(f"sqlite:///{self._file}")
        with engine.begin() as connection:
            connection.execute(text("update lease set expires_at = '2000-01-01 00:00:00.000000'"))
        engine.dispose()
        self._leases_end_s = None
        self._journal.write("leases-over")

    def _befall(self, trouble: Trouble) -> None:
        match trouble.kind:
            case "kill":
                if self._service is not None:
                    self._life.doom(trouble)
            case "stop":
                self._stop(trouble)
            case "away" | "back":
                self._move(trouble)
            case "lock" | "unlock":
                self._set_lock(trouble)
            case "jump":
                self._time.jump(timedelta(seconds=trouble.seconds))
                self._journal.write("jump", trouble=trouble.number)
            case "sleep":
                self._journal.write("asleep", trouble=trouble.number)
                self._time.advance(trouble.seconds)
            case "pause" | "resume" | "retire":
                self._decide(trouble.kind, trouble.schedule, trouble.number)

    def _stop(self, trouble: Trouble) -> None:
        """Stop the daemon in good order."""
        if self._service is not None:
            self._service.drain()
            self._catalogue.close()
            self._service = None
        self._journal.write("down", how="stopped", trouble=trouble.number)
        self._down_until_s = self._time.boot_s() + trouble.seconds

    def _decide(self, kind: str, schedule: str, number: int) -> None:
        """Do what an operator asks for at the command line: in a process of its own."""
        self._journal.write("deciding", what=kind, schedule=schedule, number=number)
        change = getattr(schedule_rows, kind)
        change(self._desk(), schedule, operator="ada", reason="simulated", at=self._time.now())
        self._journal.write("decision", what=kind, schedule=schedule, trouble=number)

    def _finish_decision(self, lines: Sequence[Mapping[str, Any]]) -> None:
        """Note a decision that was committed when the process was killed; else it is to come."""
        for line in lines:
            if line["kind"] == "deciding" and line["number"] not in self._befallen:
                with self._desk().reading() as transaction:
                    state = schedule_rows.state_of(transaction, line["schedule"])
                if (
                    state
                    == {"pause": "paused", "resume": "active", "retire": "retired"}[line["what"]]
                ):
                    facts = {"what": line["what"], "schedule": line["schedule"]}
                    self._journal.write("decision", **facts, trouble=line["number"])
                    self._befallen.add(line["number"])

    def _attend(self) -> None:
        """Let the operator of every third attended occurrence stay away."""
        if not self._is_reachable:
            return
        now = self._time.now()
        with self._desk().reading() as transaction:
            waiting = [
                (row.uuid, row.schedule.name, row.due_at)
                for row in transaction.scalars(
                    select(Occurrence).where(
                        Occurrence.state == "pending",
                        Occurrence.due_at <= now,
                        Occurrence.window_ends_at > now,
                    )
                )
                if row.schedule.description["attended"] and row.uuid not in self._asked
            ]
        for uuid, schedule, due_at in waiting:
            self._asked.add(uuid)
            if int(due_at.timestamp() // 86400) % 3:
                self._journal.write("attending", schedule=schedule, due=due_at.isoformat())
                attend(self._desk(), uuid, operator="ada", at=now)
                self._journal.write("attends", schedule=schedule, due=due_at.isoformat())

    def _desk(self) -> Catalogue:
        """Return the catalogue as people's commands open it, beside the daemon."""
        if self._desk_catalogue is None:
            engines = create_engines(parse_url(f"sqlite:///{self._file}"))
            self._desk_catalogue = Catalogue(engines, LocalStore(self._file.parent / "store"))
        return self._desk_catalogue

    def _close_desk(self) -> None:
        if self._desk_catalogue is not None:
            self._desk_catalogue.close()
            self._desk_catalogue = None

    def _move(self, trouble: Trouble) -> None:
        """Have the catalogue's disk vanish, or come back."""
        self._close_desk()
        away = trouble.kind == "away"
        for name in (self._file.name, f"{self._file.name}-wal", f"{self._file.name}-shm"):
            here, there = self._file.with_name(name), self._file.parent / "elsewhere" / name
            there.parent.mkdir(exist_ok=True)
            source, target = (here, there) if away else (there, here)
            if source.exists():
                source.rename(target)
        if not away:
            self._leave_leases(LEASE_S)
        self._journal.write("away" if away else "back", trouble=trouble.number)

    def _set_lock(self, trouble: Trouble) -> None:
        """Have another process hold SQLite's one write lock, or let go of it."""
        if trouble.kind == "lock":
            self._lock = contextlib.ExitStack()
            engine = create_engine(f"sqlite:///{self._file}")
            self._lock.callback(engine.dispose)
            connection = self._lock.enter_context(engine.connect())
            connection.exec_driver_sql("begin immediate")
            self._journal.write("away", trouble=trouble.number)
            return
        if self._lock is not None:
            self._lock.close()
            self._lock = None
        self._leave_leases(LEASE_S)
        self._journal.write("back", trouble=trouble.number)

    def _next_s(self) -> float:
        """Return when the next pass is worth while, in seconds since boot."""
        now_s, now = self._time.boot_s(), self._time.now()
        candidates = [self._time.next_wake_s(), self._leases_end_s, self._down_until_s]
        position = bisect_right(self._moments, now)
        if position < len(self._moments):
            candidates.append(now_s + (self._moments[position] - now).total_seconds() + 0.001)
        is_open = not self._is_reachable
        if self._is_reachable:
            if self._service and (self._service.failure or not self._watch.is_steady):
                candidates.append(now_s + 61.0)
            for starts_at, window_ends_at in self._still_open(now + HORIZON):
                is_open = is_open or starts_at <= now
                for moment in (starts_at, window_ends_at - MINUTE, window_ends_at):
                    candidates.append(now_s + (moment - now).total_seconds() + 0.001)
        if is_open:
            candidates.append(now_s + float(self._generator.uniform(300.0, 5400.0)))
        later = [moment for moment in candidates if moment is not None and moment > now_s]
        return min(later, default=now_s + 86400.0)

    def _still_open(self, until: datetime) -> list[tuple[datetime, datetime]]:
        with self._desk().reading() as transaction:
            rows = transaction.execute(
                select(Occurrence.starts_at, Occurrence.window_ends_at).where(
                    Occurrence.state.in_(("pending", "claimed")), Occurrence.starts_at < until
                )
            )
            return [(starts_at, window_ends_at) for starts_at, window_ends_at in rows]

    def _end(self) -> None:
        """Stop the daemon in good order."""
        self._pass()
        while self._service is None:
            self._start()
            self._pass()
        assert self._service is not None
        self._service.drain()
        self._catalogue.close()
        self._service = None
        self._close_desk()
        self._journal.write("down", how="stopped")


def _be_impatient(connection: Any, _record: object) -> None:
    # processes die here, and the power never fails
    connection.execute("pragma synchronous = off")
    connection.execute(f"pragma busy_timeout = {int(BUSY_TIMEOUT_S * 1000)}")


@contextlib.contextmanager
def _silent_deaths() -> Iterator[None]:
    """Let threads of a killed process end without a word."""
    before = threading.excepthook

    def hook(arguments: threading.ExceptHookArgs) -> None:
        if not isinstance(arguments.exc_value, KilledError):
            before(arguments)

    threading.excepthook = hook
    try:
        yield
    finally:
        threading.excepthook = before
