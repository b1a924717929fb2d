"""Growth of the number of defects: counts over time and the rate with its exact interval; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from scipy import stats

from training.defects.errors import LedgerError

DAYS_PER_YEAR = 365.25


class Dated(Protocol):
    """A defect with its onset interval."""

    @property
    def pre_existing(self) -> bool:
        """Whether it was there at the first session."""
        ...

    @property
    def onset_before(self) -> datetime:
        """First session that surely has it."""
        ...


@dataclass(frozen=True)
class Growth:
    """A Poisson rate of new defects.

    Attributes
    ----------
    count
        Defects that arose under watch.
    years
        Time between the first and the last dark session.
    rate_per_year
        Count over years.
    low_per_year, high_per_year
        Exact interval of the rate.
    confidence
        Of the interval.
    """

    count: int
    years: float
    rate_per_year: float
    low_per_year: float
    high_per_year: float
    confidence: float


def growth_rate(count: int, years: float, confidence: float = 0.95) -> Growth:
    """Return the rate of new defects with the exact Poisson interval (Garwood 1936).

    Raises
    ------
    LedgerError
        If no time was watched.
    """
    if years <= 0:
        raise LedgerError("a rate needs dark sessions at two times at least")
    tail = (1 - confidence) / 2
    low = 0.0 if count == 0 else float(stats.gamma.ppf(tail, count))
    high = float(stats.gamma.ppf(1 - tail, count + 1))
    return Growth(count, years, count / years, low / years, high / years, confidence)


def growth_of(
    defects: Sequence[Dated], sessions: Sequence[datetime], confidence: float = 0.95
) -> Growth:
    """Return the rate at which defects arose between the first and the last dark session.

    Parameters
    ----------
    defects
        Of a ledger; pre-existing ones do not count.
    sessions
        Times of the dark sessions.
    confidence
        Of the interval.

    Raises
    ------
    LedgerError
        If there are fewer than two sessions.
    """
    span = max(sessions) - min(sessions) if sessions else None
    years = 0.0 if span is None else span.total_seconds() / 86_400 / DAYS_PER_YEAR
    return growth_rate(sum(not one.pre_existing for one in defects), years, confidence)


def counts_over_time(
    defects: Sequence[Dated], sessions: Sequence[datetime]
) -> list[tuple[datetime, int]]:
    """Return how many defects there were at each dark session, by the ends of their intervals."""
    return [
        (session, sum(one.onset_before <= session for one in defects))
        for session in sorted(sessions)
    ]
