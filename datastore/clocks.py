"""The three clocks: civil (injected), monotonic (deadlines), database (leases); knows no table.

The civil clock dates what happened and may be simulated for replays. Deadlines use the monotonic
clock, which no operator and no time server moves. Leases, which several hosts share, are judged by
the clock of the database alone.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

ClockSource = Literal["host", "simulated"]


class CivilClock(Protocol):
    """What tells the date and time to sessions, shots and events."""

    @property
    def source(self) -> ClockSource:
        """Whether the time is the host's or simulated; sessions store it."""
        ...

    def now(self) -> datetime:
        """Return the aware UTC time."""
        ...


class HostClock:
    """The civil clock of this computer."""

    source: ClockSource = "host"

    def now(self) -> datetime:
        """Return the aware UTC time of the host."""
        return datetime.now(UTC)


class FixedClock:
    """A simulated civil clock that stands still until it is moved, for replays and tests.

    Parameters
    ----------
    at
        The time that it shows first.

    Raises
    ------
    ValueError
        If `at` has no zone.
    """

    source: ClockSource = "simulated"

    def __init__(self, at: datetime) -> None:
        self._now = as_utc(at)

    def now(self) -> datetime:
        """Return the aware UTC time that was set last."""
        return self._now

    def set(self, at: datetime) -> None:
        """Show `at` from now on; refuses a time without a zone."""
        self._now = as_utc(at)

    def advance(self, by: timedelta) -> None:
        """Move the clock by `by`."""
        self._now += by


def as_utc(at: datetime) -> datetime:
    """Return `at` in UTC.

    Raises
    ------
    ValueError
        If `at` has no zone: it would name a different moment on every computer.
    """
    if at.tzinfo is None:
        raise ValueError(f"a time needs a zone, {at!r} has none")
    return at.astimezone(UTC)


@dataclass(frozen=True)
class Deadline:
    """A point on the monotonic clock by which something must have happened."""

    monotonic_s: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """Return the deadline that many seconds from now."""
        return cls(time.monotonic() + seconds)

    def remaining(self) -> float:
        """Return the seconds left, 0 once the deadline has passed."""
        return max(0.0, self.monotonic_s - time.monotonic())

    @property
    def expired(self) -> bool:
        """Whether the deadline has passed."""
        return self.remaining() == 0.0


def database_now(session: Session) -> datetime:
    """Return the aware UTC time of the database's own clock.

    SQLite answers in milliseconds with the clock of this host, PostgreSQL in microseconds with the
    clock of its server.
    """
    # processes that read files use deadlines and no database
    from sqlalchemy import func, select

    if session.get_bind().dialect.name == "sqlite":
        text = session.scalar(select(func.strftime("%Y-%m-%d %H:%M:%f", "now")))
        return datetime.fromisoformat(str(text)).replace(tzinfo=UTC)
    now = session.scalar(select(func.clock_timestamp()))
    if not isinstance(now, datetime):
        raise TypeError(f"the database's clock answered {now!r}")
    return now.astimezone(UTC)
