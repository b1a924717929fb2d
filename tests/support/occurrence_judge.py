"""Judges occurrences by what truly happened: a journal, and an expansion of its own.

Imports nothing of the project. For every due time it says which final states and reasons would be
true; where the journal leaves no doubt that is one.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

Line = dict[str, Any]
Fate = tuple[str, str]

FINAL = ("completed", "partial", "failed", "missed", "cancelled")
AWAY_WAIT_S = 61.0
"""A daemon may leave a database that was away alone for so long after it came back."""

STEADY_AFTER_S = 60.0
ASLEEP_S = 120.0
LEGAL_NEXT: Mapping[str, Mapping[str, str]] = {
    "": {"pending": "pending"},
    "pending": {
        "attended": "pending",
        "waiting": "pending",
        "claimed": "claimed",
        **dict.fromkeys(FINAL, "final"),
    },
    "claimed": {
        "taken-over": "claimed",
        "pending": "pending",
        "waiting": "pending",
        **dict.fromkeys(FINAL, "final"),
    },
    "final": {},
}
"""Events that may come next, and the state that each leads to."""


@dataclass(frozen=True)
class Row:
    """An occurrence as it was found, without any of the project's objects."""

    schedule: str
    due_at: datetime
    starts_at: datetime
    window_ends_at: datetime
    state: str
    reason: str | None
    attempts: int
    events: tuple[tuple[str, datetime, str | None], ...]


@dataclass
class Attempt:
    """A session, or an attempt to begin one, as the journal tells it."""

    what: str
    begun: Line
    end: Line | None = None
    ending: Line | None = None

    @property
    def is_cut(self) -> bool:
        """Whether it was killed, or could not be written to its end."""
        return self.what == "session" and self.end is None


@dataclass
class Judgement:
    """What was found."""

    problems: list[str] = field(default_factory=list)
    fates: Counter[Fate] = field(default_factory=Counter)
    rows: int = 0
    without_doubt: int = 0
    """Rows for which one state and reason alone would have been true."""


class Judge:
    """Compares rows with what truly happened.

    Parameters
    ----------
    documents
        The schedules, as written in YAML.
    expected
        Due times of each schedule from when it was added, in order, until long after the end.
    journal
        What happened, in order.
    horizon
        How far ahead due times become rows.
    """

    def __init__(
        self,
        documents: Sequence[Mapping[str, Any]],
        expected: Mapping[str, Sequence[datetime]],
        journal: Sequence[Line],
        horizon: timedelta,
    ) -> None:
        self._documents = {str(one["name"]): one for one in documents}
        self._expected = expected
        self._horizon = horizon
        self._journal = journal
        self._boots: list[float] = [line["boot_s"] for line in journal]
        good = [line for line in journal if line["kind"] == "pass" and line["state"] == "ok"]
        self._passes = sorted(good, key=lambda line: line["civil"])
        self._pass_times = [line["civil"] for line in self._passes]
        self._in_order = good
        self._pass_boots: list[float] = [line["boot_s"] for line in good]
        self._earliest_from = list(
            itertools.accumulate((line["boot_s"] for line in reversed(self._passes)), min)
        )[::-1]
        self._decisions: dict[str, list[Line]] = {}
        self._attempts: dict[tuple[str, datetime], list[Attempt]] = {}
        self._attended: dict[tuple[str, datetime], Line] = {}
        self._called: set[tuple[str, datetime]] = set()
        self._fixture_use: dict[str, list[tuple[float, float]]] = {}
        self._away: list[tuple[float, float]] = []
        self._held: list[tuple[float, float]] = []
        """When leases of a dead process, or of a session that nobody ended, may have been held."""
        self._read()

    def judge(self, rows: Sequence[Row]) -> Judgement:
        """Return what is wrong with the rows, and how many of each fate there are."""
        judgement = Judgement()
        by_schedule: dict[str, list[Row]] = {name: [] for name in self._documents}
        for row in sorted(rows, key=lambda row: row.due_at):
            by_schedule[row.schedule].append(row)
        judgement.problems += self._overlaps()
        for name, found in by_schedule.items():
            judgement.problems += self._compare_due_times(name, found)
            for row in found:
                if row.due_at < self._pass_times[-1] and row.window_ends_at <= self._pass_times[-1]:
                    self._judge_row(row, judgement)
        return judgement

    def troubles(self) -> dict[str, int]:
        """Return how often what befell the computer."""
        counts = Counter(line["kind"] for line in self._journal)
        names = {"down": "ends of the daemon", "away": "outages", "jump": "clock jumps"}
        return {words: counts[kind] for kind, words in names.items()}

    def _read(self) -> None:
        """Put the journal's lines where they are needed."""
        open_attempts: dict[tuple[str, datetime], Attempt] = {}
        cut_s: float | None = None
        for line in self._journal:
            kind = line["kind"]
            if kind == "decision":
                self._decisions.setdefault(line["schedule"], []).append(line)
            elif kind == "attending":
                self._called.add(_key(line))
            elif kind == "attends":
                self._attended[_key(line)] = line
            elif kind == "attempt":
                self._read_attempt(line, open_attempts)
            elif kind == "down":
                for attempt in open_attempts.values():
                    self._use(attempt, line["boot_s"])
                open_attempts.clear()
            elif kind == "away":
                self._away.append((line["boot_s"], float("inf")))
            elif kind == "back":
                self._away[-1] = (self._away[-1][0], line["boot_s"])
            if kind == "leases-left" and cut_s is None:
                cut_s = line["boot_s"]
            elif kind == "leases-over" and cut_s is not None:
                self._held.append((cut_s, line["boot_s"]))
                cut_s = None
        for used in self._fixture_use.values():
            used.sort()
        if cut_s is not None:
            self._held.append((cut_s, float("inf")))

    def _read_attempt(self, line: Line, open_attempts: dict[Any, Attempt]) -> None:
        key, what = _key(line), line["what"]
        attempts = self._attempts.setdefault(key, [])
        if what in ("unreachable", "refused"):
            attempts.append(Attempt(what, line, end=line))
            self._use(attempts[-1], line["boot_s"])
        elif what == "begins":
            if key in open_attempts:
                self._use(open_attempts.pop(key), line["boot_s"])
            attempts.append(Attempt("session", line))
            open_attempts[key] = attempts[-1]
        elif what == "ending":
            open_attempts[key].ending = line
        elif what == "ended":
            attempt = open_attempts.pop(key)
            attempt.end = line
            self._use(attempt, line["boot_s"])

    def _use(self, attempt: Attempt, until_s: float) -> None:
        last = attempt.ending or attempt.end
        end_s = until_s if last is None else last["boot_s"]
        used = self._fixture_use.setdefault(attempt.begun["fixture"], [])
        used.append((attempt.begun["boot_s"], end_s))

    def _overlaps(self) -> list[str]:
        problems = []
        for fixture, used in self._fixture_use.items():
            last_s = float("-inf")
            for begin_s, end_s in used:
                if begin_s < last_s:
                    problems.append(f"two sessions at once on {fixture} at {begin_s:.1f} s")
                last_s = max(last_s, end_s)
        return problems

    def _compare_due_times(self, name: str, rows: Sequence[Row]) -> list[str]:
        document = self._documents[name]
        latest = self._pass_times[-1] + self._horizon
        expected = [due_at for due_at in self._expected[name] if due_at < latest]
        found = [row.due_at for row in rows]
        problems = []
        # rows are written in order, so that those found are the first of those expected
        if found != expected[: len(found)]:
            pairs = zip(found, [*expected, None], strict=False)
            first = next(pair for pair in pairs if pair[0] != pair[1])
            problems.append(f"{name}: a row for {first[0]}, expected was {first[1]}")
        retired = next((one for one in self._stops(name) if one["what"] == "retire"), None)
        covered_until = latest if retired is None else retired["civil"]
        lacking = [due_at for due_at in expected[len(found) :] if due_at < covered_until]
        if lacking:
            problems.append(f"{name}: no row for {lacking[0]}, nor {len(lacking) - 1} others")
        for row in rows:
            latest_start = row.due_at + timedelta(seconds=document.get("jitter_s", 0))
            window_ends_at = row.due_at + timedelta(seconds=document["window_s"])
            if not row.due_at <= row.starts_at <= latest_start:
                problems.append(f"{name} {row.due_at}: starts at {row.starts_at}")
            if row.window_ends_at != window_ends_at:
                problems.append(f"{name} {row.due_at}: its window ends at {row.window_ends_at}")
        return problems

    def _stops(self, name: str) -> list[Line]:
        return self._decisions.get(name, [])

    def _judge_row(self, row: Row, judgement: Judgement) -> None:
        judgement.rows += 1
        where = f"{row.schedule} {row.due_at}"
        if row.state not in FINAL or row.reason is None:
            judgement.problems.append(f"{where} is {row.state} ({row.reason}) for ever")
            return
        judgement.fates[row.state, row.reason] += 1
        if not is_legal(row):
            judgement.problems.append(f"{where}: its history is {[e[0] for e in row.events]}")
        allowed = _Case(self, row).fates()
        if isinstance(allowed, str):
            judgement.problems.append(f"{where}: {allowed}")
        elif (row.state, row.reason) not in allowed:
            judgement.problems.append(
                f"{where} is {row.state} ({row.reason}), and should be one of {sorted(allowed)}"
            )
        else:
            judgement.without_doubt += len(allowed) == 1

    def passes_between(self, start: datetime, end: datetime) -> list[Line]:
        """Return the good passes at civil times in [start, end), in the order of the clock."""
        first = bisect_left(self._pass_times, start)
        return self._passes[first : bisect_left(self._pass_times, end)]

    def is_used(self, fixture: str, boot_s: float, *, within: bool = False) -> bool:
        """Tell whether a fixture was in use at a moment, or well `within` its use."""
        used = self._fixture_use.get(fixture, [])
        # no two overlap, or that is a problem of its own; some begin and end at one moment
        position = bisect_right(used, (boot_s, float("inf")))
        near = used[max(0, position - 3) : position]
        return any(begin < boot_s < end if within else end >= boot_s for begin, end in near)

    def may_be_held(self, boot_s: float) -> bool:
        """Tell whether leases of a dead process may have been held at a moment."""
        return any(begin <= boot_s <= end for begin, end in self._held)

    def settled_s(self, end: datetime) -> float:
        """Return the boot time of the first good pass at or after a civil time.

        What was not begun by then is settled for good, wherever the clock is set later.
        """
        first = bisect_left(self._pass_times, end)
        return self._earliest_from[first] if first < len(self._earliest_from) else float("inf")

    def was_away(self, first_s: float, last_s: float) -> bool:
        """Tell whether the catalogue was away, or locked, at some time between two boot times."""
        return any(begin <= last_s and end >= first_s for begin, end in self._away)

    def span(self, start: datetime, end: datetime) -> tuple[float, float]:
        """Return the boot times from the last good pass before a window to the first after it."""
        last_s = self.settled_s(end)
        inside = [line["boot_s"] for line in self.passes_between(start, end)]
        first_inside_s = min([last_s, *inside])
        for line in reversed(self._in_order[: bisect_left(self._pass_boots, first_inside_s)]):
            if line["civil"] < start:
                return float(line["boot_s"]), last_s
        return 0.0, last_s

    def lines(self, kinds: tuple[str, ...], first_s: float, last_s: float) -> list[Line]:
        """Return what happened of some kinds between two boot times."""
        begin = bisect_left(self._boots, first_s)
        end = bisect_right(self._boots, last_s)
        return [line for line in self._journal[begin:end] if line["kind"] in kinds]

    def looks_around(self, moment: datetime) -> tuple[float, float]:
        """Return the boot times of the first good pass not before a moment, and the one before."""
        last_s = self.settled_s(moment)
        position = bisect_left(self._pass_boots, last_s)
        return (self._pass_boots[position - 1] if position else 0.0), last_s

    def failed_passes(self, first_s: float, last_s: float) -> bool:
        """Tell whether the daemon looked between two boot times and found the catalogue away."""
        passes = self.lines(("pass",), first_s, last_s)
        return any(line["state"] == "failed" for line in passes)

    def attempts(self, row: Row) -> list[Attempt]:
        """Return the attempts that were made for an occurrence."""
        return self._attempts.get((row.schedule, row.due_at), [])

    def was_called(self, row: Row) -> bool:
        """Tell whether an operator began to say that they are there, and may not have."""
        return (row.schedule, row.due_at) in self._called

    def attended(self, row: Row) -> Line | None:
        """Return when an operator said to be there."""
        return self._attended.get((row.schedule, row.due_at))

    def stop(self, row: Row) -> Line | None:
        """Return the decision that ended an occurrence's chance: in force when due, or later."""
        in_force: Line | None = None
        for decision in self._stops(row.schedule):
            if decision["civil"] <= row.due_at:
                in_force = None if decision["what"] == "resume" else decision
            elif decision["civil"] < row.window_ends_at and decision["what"] != "resume":
                return in_force or decision
        return in_force

    def document(self, row: Row) -> Mapping[str, Any]:
        """Return the schedule of an occurrence."""
        return self._documents[row.schedule]


class _Case:
    """One occurrence before the judge."""

    def __init__(self, judge: Judge, row: Row) -> None:
        self._judge = judge
        self._row = row
        self._document = judge.document(row)
        self._attempts = judge.attempts(row)
        self._stop = judge.stop(row)
        latest = row.window_ends_at
        if self._document.get("late") == "miss":
            grace = timedelta(seconds=self._document["grace_s"], microseconds=1)
            latest = min(latest, row.starts_at + grace)
        self._latest = latest

    def fates(self) -> set[Fate] | str:
        """Return the fates that would be true, or what should not have happened."""
        real = [attempt for attempt in self._attempts if attempt.what != "refused"]
        if not real:
            return self._fates_without_attempt()
        return self._wrong_beginning(real) or self._fates_of(real)

    def _fates_without_attempt(self) -> set[Fate] | str:
        row = self._row
        first_s, last_s = self._judge.span(row.starts_at, self._latest)
        fates: set[Fate] = set()
        crashes = self._judge.lines(("down",), first_s, last_s)
        if any(line["how"] == "killed" for line in crashes):
            # it may have been claimed and not yet begun
            fates.add(("failed", "process-died"))
        if self._stop is not None:
            reason = "retired" if self._stop["what"] == "retire" else "paused"
            fates.add(("cancelled", f"schedule-{reason}"))
            if self._stop["civil"] <= self._latest or self._stop["civil"] <= row.due_at:
                return fates
        chance = self._first_chance(row.starts_at, self._latest)
        if chance is not None and self._stop is None:
            return f"nothing began it, and a pass at {chance['civil']} could have"
        return fates | {("missed", reason) for reason in self._causes()}

    def _causes(self) -> set[str]:
        """Return why it was missed: what came between the last look at it and the late one."""
        judge = self._judge
        first_s, last_s = judge.looks_around(self._latest)
        is_over = self._latest == self._row.window_ends_at
        down = {"daemon-down"} if is_over else {"daemon-down", "too-late"}
        started = judge.lines(("up",), first_s, last_s)
        if started:
            # a new process does not know what befell the one before
            causes = set(down)
            if judge.lines(("jump",), started[-1]["boot_s"], last_s):
                causes.add("clock-jumped")
        elif judge.lines(("jump",), first_s, last_s):
            causes = {"clock-jumped"}
            if judge.was_away(first_s, last_s):
                causes.add("catalogue-away")
        elif judge.failed_passes(first_s, last_s):
            causes = {"catalogue-away"}
        elif last_s - first_s > ASLEEP_S:
            causes = down
        else:
            causes = {"equipment-busy"}
        if self._document.get("attended") and judge.attended(self._row) is None:
            absent = {"operator-absent"}
            return absent | causes if judge.was_called(self._row) else absent
        return self._causes_with_waiting(causes)

    def _causes_with_waiting(self, causes: set[str]) -> set[str]:
        """Return the causes where it may have been kept back by whoever used its fixture."""
        judge, row = self._judge, self._row
        fixture = str(self._document["fixture"])
        attended = judge.attended(row)
        moments = [line["boot_s"] for line in judge.passes_between(row.starts_at, self._latest)]
        if attended is not None:
            moments = [moment for moment in moments if moment > attended["boot_s"]]
        if any(judge.is_used(fixture, moment, within=True) for moment in moments):
            return {"equipment-busy"}
        may_wait = any(
            judge.is_used(fixture, moment) or judge.may_be_held(moment) for moment in moments
        )
        return causes | {"equipment-busy"} if may_wait or self._attempts else causes

    def _first_chance(
        self, start: datetime, end: datetime, after_s: float = float("-inf")
    ) -> Line | None:
        """Return the first pass that should have begun it, None if none could."""
        judge = self._judge
        fixture = str(self._document["fixture"])
        attended = judge.attended(self._row)
        if self._document.get("attended"):
            if attended is None:
                return None
            after_s = max(after_s, attended["boot_s"])
        settled_s = judge.settled_s(end)
        refused = [a.begun["boot_s"] for a in self._attempts if a.what == "refused"]
        for line in judge.passes_between(start, end):
            boot_s = line["boot_s"]
            if (
                after_s < boot_s < settled_s
                and not judge.is_used(fixture, boot_s)
                and not judge.may_be_held(boot_s)
                and not any(0 <= boot_s - before <= 60.5 for before in refused)
            ):
                return line
        return None

    def _wrong_beginning(self, real: Sequence[Attempt]) -> str | None:
        row = self._row
        first = real[0].begun["civil"]
        if not row.starts_at <= first < self._latest:
            return f"an attempt began at {first}"
        for attempt in real:
            begun = attempt.begun
            if not row.starts_at <= begun["civil"] < row.window_ends_at:
                return f"an attempt began at {begun['civil']}"
            if self._stop is not None and begun["civil"] > max(self._stop["civil"], row.due_at):
                return f"an attempt began at {begun['civil']}, after {self._stop['what']}"
        if self._stop is not None and self._stop["civil"] <= row.due_at:
            return f"an attempt began although it was {self._stop['what']}d"
        for attempt in real[:-1]:
            if attempt.end is not None and attempt.what == "session":
                state, reason = attempt.end["state"], attempt.end["reason"]
                if state != "failed" and reason != "interrupted":
                    return f"another attempt followed one that was {state} ({reason})"
        return None

    def _fates_of(self, real: Sequence[Attempt]) -> set[Fate] | str:
        last = real[-1]
        fates: set[Fate] = set()
        for attempt in real:
            fates |= _fates_of_attempt(attempt)
        best = [fate for fate in fates if fate[0] in ("completed", "partial")]
        if last.end is not None and best:
            ended = [fate for fate in _fates_of_attempt(last) if fate[0] != "failed"]
            return set(ended) or fates
        # its end may, or may not, have reached the catalogue before the kill
        may_be_done = last.is_cut and bool(best)
        made = max(attempt.begun["attempt"] for attempt in real)
        is_interrupted = last.end is not None and last.end.get("reason") == "interrupted"
        may_go_on = made < int(self._document.get("attempts", 1)) or is_interrupted or last.is_cut
        if may_go_on and not may_be_done and self._stop is None:
            late = self._late_chance(last, is_interrupted)
            if late is not None:
                return f"nothing went on with it, and a pass at {late['civil']} could have"
        return fates | ({("failed", "process-died")} if self._was_killed(real) else set())

    def _was_killed(self, real: Sequence[Attempt]) -> bool:
        begin_s = real[0].begun["boot_s"]
        _, last_s = self._judge.span(self._row.starts_at, self._row.window_ends_at)
        downs = self._judge.lines(("down",), begin_s, last_s)
        return any(line["how"] == "killed" for line in downs)

    def _late_chance(self, last: Attempt, is_interrupted: bool) -> Line | None:
        wait_s = float(self._document.get("retry_after_s", 300.0))
        if is_interrupted or last.is_cut:
            wait_s = 0.0
        end = last.end or last.ending or last.begun
        end_s = end["boot_s"] + wait_s
        if last.is_cut:
            week_s = 7 * 86400.0
            over = ("down", "leases-over", "back")
            downs = self._judge.lines(over, end["boot_s"], end["boot_s"] + week_s)
            # a session that a locked catalogue cut short keeps its leases for a while
            end_s = max(end_s, downs[0]["boot_s"] if downs else float("inf"))
            end_s += AWAY_WAIT_S + ASLEEP_S
        start = self._row.starts_at if is_interrupted or last.is_cut else end["civil"]
        return self._first_chance(start, self._row.window_ends_at, end_s)


def _fates_of_attempt(attempt: Attempt) -> set[Fate]:
    if attempt.what == "unreachable":
        return {("failed", "camera-unreachable")}
    if attempt.end is not None:
        state, reason = attempt.end["state"], attempt.end["reason"]
        return {("failed" if reason == "interrupted" else state, reason)}
    fates = {("failed", "process-died"), ("failed", "catalogue-away")}
    if attempt.ending is not None:
        state, reason = attempt.ending["state"], attempt.ending["reason"]
        fates.add(("failed" if reason == "interrupted" else state, reason))
    return fates


def is_legal(row: Row) -> bool:
    """Tell whether an occurrence's history is possible and ends in the state that it is in."""
    state = ""
    for name, _, _ in row.events:
        if name not in LEGAL_NEXT[state]:
            return False
        state = LEGAL_NEXT[state][name]
    name, _, reason = row.events[-1]
    return state == "final" and (name, reason) == (row.state, row.reason)


def _key(line: Line) -> tuple[str, datetime]:
    return line["schedule"], datetime.fromisoformat(line["due"])
