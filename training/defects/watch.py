"""How long a camera was watched: gaps between dark sessions, epochs, detectability; pure.

Knows times only: which defects arose in them is the business of `growth` and `constancy`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from training.defects.errors import LedgerError

DAYS_PER_YEAR = 365.25


def years_between(earlier: datetime, later: datetime) -> float:
    """Return the time between two moments in years of `DAYS_PER_YEAR`."""
    return (later - earlier).total_seconds() / 86_400 / DAYS_PER_YEAR


@dataclass(frozen=True)
class Epoch:
    """Time in which a camera's map of pixels stayed the same.

    Attributes
    ----------
    begins_at, ends_at
        Its first and its last dark session.
    sessions
        How many dark sessions it has.
    """

    begins_at: datetime
    ends_at: datetime
    sessions: int


@dataclass(frozen=True)
class Watch:
    """The dark sessions of one camera, and what each gap between them could have shown.

    Attributes
    ----------
    sessions
        Distinct times of the dark sessions, with a zone, in the order of time; two at least.
    detectable_shares
        Of each gap, the share of the defects arising in it that the ledger would show, above 0
        and at most 1; all of them where None. A poor session in the middle of the watch does not
        lower it, as later sessions show the defect; a poor newest session does.
    epoch_starts
        Sessions that are the first after the camera's pixels were mapped out. The gap before such
        a session counts as not watched, as what arose in it may have been mapped out unseen.
    """

    sessions: tuple[datetime, ...]
    detectable_shares: tuple[float, ...] | None = None
    epoch_starts: tuple[datetime, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a watch that is none.

        Raises
        ------
        LedgerError
            If sessions are fewer than two or out of order, shares do not fit the gaps, or an
            epoch starts with what is no later session.
        """
        if len(self.sessions) < 2:
            raise LedgerError("growth needs dark sessions at two times at least")
        if any(later <= earlier for earlier, later in pairwise(self.sessions)):
            raise LedgerError("sessions: their times must be distinct and in order")
        shares = self.detectable_shares
        if shares is not None and len(shares) != len(self.sessions) - 1:
            raise LedgerError(f"detectable_shares: {len(shares)} for {len(self.sessions) - 1} gaps")
        if shares is not None and not all(0 < share <= 1 for share in shares):
            raise LedgerError("detectable_shares: each must be above 0 and at most 1")
        for start in self.epoch_starts:
            if start not in self.sessions[1:]:
                raise LedgerError(f"epoch_starts: no dark session after the first is at {start}")

    @classmethod
    def of(cls, sessions: Sequence[datetime], epoch_starts: Sequence[datetime] = ()) -> Watch:
        """Return the watch that sessions in any order, some perhaps at the same time, make."""
        return cls(tuple(sorted(set(sessions))), epoch_starts=tuple(sorted(set(epoch_starts))))

    @property
    def watched(self) -> NDArray[np.bool_]:
        """Of each gap, whether it lies within an epoch."""
        return np.array([session not in self.epoch_starts for session in self.sessions[1:]])

    @property
    def gap_years(self) -> NDArray[np.float64]:
        """Length of each gap in years, watched or not."""
        return np.array([years_between(*gap) for gap in pairwise(self.sessions)])

    @property
    def gap_exposure_years(self) -> NDArray[np.float64]:
        """Years of each gap, weighted with the detectable share; 0 where it was not watched."""
        return self._detectable_years * self.watched

    def exposure_years(
        self, begins_at: datetime | None = None, ends_at: datetime | None = None
    ) -> float:
        """Return the weighted years watched between two times; in all where they are None."""
        return float(self._shares_of_gaps(begins_at, ends_at) @ self.gap_exposure_years)

    def share_within(
        self, interval: tuple[datetime, datetime], begins_at: datetime, ends_at: datetime
    ) -> float:
        """Return the probability that an onset lies within a watched time of a window.

        The onset is known to lie in the interval, after one time and before another. If defects
        arise at a constant rate, its density there goes with the detectable share.
        """
        after, before = interval
        first, last = max(after, begins_at), min(before, ends_at)
        if last <= first:
            return 0.0
        inside = self._shares_of_gaps(first, last) @ (self._detectable_years * self.watched)
        return float(inside / (self._shares_of_gaps(after, before) @ self._detectable_years))

    def epochs(self) -> list[Epoch]:
        """Return the epochs in the order of time; one where nothing was mapped out."""
        starts = [0, *(self.sessions.index(start) for start in sorted(self.epoch_starts))]
        ends = [*starts[1:], len(self.sessions)]
        return [
            Epoch(self.sessions[start], self.sessions[end - 1], end - start)
            for start, end in zip(starts, ends, strict=True)
        ]

    @property
    def _detectable_years(self) -> NDArray[np.float64]:
        shares = 1.0 if self.detectable_shares is None else np.array(self.detectable_shares)
        return self.gap_years * shares

    def _shares_of_gaps(
        self, begins_at: datetime | None, ends_at: datetime | None
    ) -> NDArray[np.float64]:
        """Return which share of each gap lies between two times."""
        begins_at = begins_at or self.sessions[0]
        ends_at = ends_at or self.sessions[-1]
        return np.array(
            [
                max(0.0, years_between(max(gap[0], begins_at), min(gap[1], ends_at)))
                / years_between(*gap)
                for gap in pairwise(self.sessions)
            ]
        )
