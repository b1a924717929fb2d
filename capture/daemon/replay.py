"""Simulated time: years of schedules in minutes, through the daemon's own passes, without sleeping.

Owns which moment comes next and what may be replayed; everything else is what a daemon does.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from sqlalchemy import func, or_, select

from capture.daemon.service import DaemonService
from capture.errors import ClockRefusedError, RequestError
from capture.schedules.schedule_states import state_after
from datastore.catalogue import Catalogue
from datastore.clocks import ClockSource
from datastore.equipment import current_revision
from datastore.tables import Occurrence, Schedule

Progress = Callable[[int, int], None]
"""Told how many of how many days are done."""

_DAY: Final = timedelta(days=1)


class SettableClock(Protocol):
    """A simulated civil clock."""

    @property
    def source(self) -> ClockSource:
        """Whether the time is the host's or simulated."""
        ...

    def now(self) -> datetime:
        """Return the aware UTC time."""
        ...

    def set(self, at: datetime) -> None:
        """Show another time from now on."""
        ...


@dataclass(frozen=True)
class Replayed:
    """What a replay came to.

    Attributes
    ----------
    since, until
        Civil times between which it replayed.
    sessions
        Sessions begun or gone on with.
    states
        Number of occurrences that came to an end then or are open still, by their state.
    """

    since: datetime
    until: datetime
    sessions: int
    states: Mapping[str, int]

    def to_json(self) -> dict[str, Any]:
        """Return the result as JSON values."""
        return {
            "since": self.since.isoformat(),
            "until": self.until.isoformat(),
            "sessions": self.sessions,
            "occurrences": dict(self.states),
        }

    def summary(self) -> str:
        """Return the result as a sentence."""
        days = (self.until - self.since) / _DAY
        states = ", ".join(f"{count} {state}" for state, count in self.states.items())
        return f"{days:.0f} days: {states or 'nothing was due'}; {self.sessions} sessions"


def require_simulated(catalogue: Catalogue, source: ClockSource) -> None:
    """Refuse to replay where anything is real.

    Raises
    ------
    ClockRefusedError
        If a fixture that a schedule uses has a real camera, or the civil clock is the host's.
    """
    with catalogue.reading() as transaction:
        schedules = transaction.scalars(select(Schedule).order_by(Schedule.id))
        used = {s.fixture.name: s.name for s in schedules if state_after(s.events) != "retired"}
        for fixture, schedule in used.items():
            for mount in current_revision(transaction, fixture).mounts:
                if not mount.camera.simulated:
                    raise ClockRefusedError(
                        f"the camera {mount.camera.serial} of the fixture {fixture} is real, and"
                        f" the schedule {schedule} uses that fixture: only schedules whose cameras"
                        " are all simulated can be replayed; retire it in this home, or replay in"
                        " another"
                    )
    if source != "simulated":
        raise ClockRefusedError(
            "the home's clock is the host's, which a replay cannot move: set clock.source to"
            ' "simulated" and clock.url to the control endpoint of the virtual fixture'
        )


def replay(
    service: DaemonService,
    catalogue: Catalogue,
    clock: SettableClock,
    *,
    until: datetime,
    horizon: timedelta,
    progress: Progress | None = None,
    stop: threading.Event | None = None,
) -> Replayed:
    """Let a daemon live from the clock's present time to another, without waiting for anything.

    The clock goes from one moment that matters to the next: a start, a further attempt, the end of
    a window. Whatever runs is waited for. The clock is never set back.

    Parameters
    ----------
    service
        The daemon; it ends with the replay.
    catalogue
        Its catalogue.
    clock
        Its civil clock.
    until
        Where the replay ends.
    horizon
        How far the daemon looks ahead.
    progress
        Told the days that have passed.
    stop
        Once set, the replay ends where it is, after the shots in hand.

    Raises
    ------
    ClockRefusedError
        If the clock or a camera of a schedule is real.
    RequestError
        If `until` is past.
    Exception
        What kept the daemon from a pass, such as a catalogue that is away; the replay can be gone
        on with.
    """
    require_simulated(catalogue, clock.source)
    since = clock.now()
    if until <= since:
        raise RequestError(
            f"a replay goes forward: it is {since.isoformat(timespec='seconds')} by the simulated"
            f" clock, and {until.isoformat(timespec='seconds')} is past"
        )
    days = (until - since) // _DAY + 1
    stop = stop or threading.Event()
    try:
        while (now := clock.now()) < until and not stop.is_set():
            if progress is not None:
                progress((now - since) // _DAY, days)
            _do_all_that_is_due(service, stop)
            if stop.is_set():
                break
            now = clock.now()
            then = min(until, _next_moment(catalogue, now) or now + horizon / 2)
            if then > now:
                clock.set(then)
        _do_all_that_is_due(service, stop)
    finally:
        service.drain()
    if stop.is_set():
        until = clock.now()
    elif progress is not None:
        progress(days, days)
    return Replayed(since, until, service.counts.sessions, _states(catalogue, since, until))


def _do_all_that_is_due(service: DaemonService, stop: threading.Event) -> None:
    while not stop.is_set():
        service.tick()
        if service.failure is not None:
            raise service.failure
        if not service.sessions_in_hand:
            return
        service.wait_for_sessions(stop)


def _next_moment(catalogue: Catalogue, now: datetime) -> datetime | None:
    """Return when something happens next to a pending occurrence, None if there is none."""
    with catalogue.reading() as transaction:
        moments = [
            transaction.scalar(
                select(func.min(column)).where(Occurrence.state == "pending", column > now)
            )
            for column in (Occurrence.starts_at, Occurrence.not_before, Occurrence.window_ends_at)
        ]
    return min((moment for moment in moments if moment is not None), default=None)


def _states(catalogue: Catalogue, since: datetime, until: datetime) -> dict[str, int]:
    with catalogue.reading() as transaction:
        states = transaction.scalars(
            select(Occurrence.state).where(
                Occurrence.due_at < until,
                or_(Occurrence.settled_at.is_(None), Occurrence.settled_at >= since),
            )
        )
        return dict(sorted(Counter(states).items()))
