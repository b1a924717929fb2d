"""Onsets of defects drawn from a known process and seen through dark sessions that miss some."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

START = datetime(2020, 1, 1, tzinfo=UTC)
DAYS_PER_YEAR = 365.25


@dataclass(frozen=True)
class Onset:
    """A defect that a ledger could hold; None before the first session."""

    onset_after: datetime | None
    onset_before: datetime
    kind: str = "hot"

    @property
    def pre_existing(self) -> bool:
        return self.onset_after is None


def at(years: float) -> datetime:
    return START + timedelta(days=years * DAYS_PER_YEAR)


def seen_through(
    onset_years: NDArray[np.float64],
    session_years: Sequence[float],
    generator: np.random.Generator,
    blindness: NDArray[np.float64] | float = 0.0,
) -> list[Onset]:
    """Return onset intervals as sessions leave them that overlook defects at random.

    Parameters
    ----------
    onset_years
        True onsets; those before the first session are pre-existing, later than the last unseen.
    session_years
        Times of the sessions, in order. The first and the last see all.
    generator
        Draws what is overlooked.
    blindness
        Probability that a session overlooks a defect: one for all, or of shape (sessions,) or
        (defects, 1) or (defects, sessions).
    """
    sessions = np.asarray(session_years, np.float64)
    shape = (len(onset_years), len(sessions))
    blind = generator.random(shape) < np.broadcast_to(blindness, shape)
    blind[:, [0, -1]] = False
    times = [at(year) for year in sessions]
    seen = []
    for onset, overlooked in zip(onset_years, blind, strict=True):
        if onset > sessions[-1]:
            continue
        before = int(np.flatnonzero((sessions >= onset) & ~overlooked)[0])
        earlier = np.flatnonzero((sessions < onset) & ~overlooked)
        after = times[int(earlier[-1])] if len(earlier) else None
        seen.append(Onset(after, times[before]))
    return seen
