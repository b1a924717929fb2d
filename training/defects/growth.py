"""Growth of the number of defects: counts over time and the rate with its exact interval; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from scipy import stats

from training.defects.errors import LedgerError
from training.defects.watch import DAYS_PER_YEAR as DAYS_PER_YEAR
from training.defects.watch import Watch


class Dated(Protocol):
    """A defect with its onset interval."""

    @property
    def pre_existing(self) -> bool:
        """Whether it was there at the first session."""
        ...

    @property
    def onset_after(self) -> datetime | None:
        """Last session that surely lacks it; None where it was there at the first."""
        ...

    @property
    def onset_before(self) -> datetime:
        """First session that surely has it."""
        ...


class Kinded(Dated, Protocol):
    """A defect with its onset interval and its kind."""

    @property
    def kind(self) -> str:
        """Hot, partially stuck, stuck, dead or blinking."""
        ...


@dataclass(frozen=True)
class Growth:
    """A Poisson rate of new defects.

    Attributes
    ----------
    count
        Defects that arose under watch.
    years
        Time between the first and the last dark session, less what could not be seen in it.
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


@dataclass(frozen=True)
class WindowGrowth:
    """Growth within a stretch of the watch, whose ends may cut through onset intervals.

    Attributes
    ----------
    begins_at, ends_at
        The window.
    surely, possibly
        Defects whose onset lies in the window for sure, and those for which it may.
    expected
        The sure ones, and each other with the share of its onset interval that lies within.
    years
        Weighted years watched in the window.
    rate_per_year
        Expected number over years; None where nothing was watched.
    low_per_year, high_per_year
        Exact lower limit for the sure count and exact upper limit for the possible one, so that
        wide onset intervals widen it; an exact interval where both counts are the same.
    confidence
        Of the interval, at least.
    """

    begins_at: datetime
    ends_at: datetime
    surely: int
    possibly: int
    expected: float
    years: float
    rate_per_year: float | None
    low_per_year: float | None
    high_per_year: float | None
    confidence: float


def poisson_interval(count: float, confidence: float = 0.95) -> tuple[float, float]:
    """Return the exact central interval of a Poisson mean of which one count is known.

    Garwood, Fiducial limits for the Poisson distribution, Biometrika 28 (1936). Between whole
    counts, such as expected ones, the limits are interpolated by the gamma distribution.
    """
    tail = (1 - confidence) / 2
    low = 0.0 if count == 0 else float(stats.gamma.ppf(tail, count))
    return low, float(stats.gamma.ppf(1 - tail, count + 1))


def growth_rate(count: int, years: float, confidence: float = 0.95) -> Growth:
    """Return the rate of new defects with the exact Poisson interval (Garwood 1936).

    Raises
    ------
    LedgerError
        If no time was watched.
    """
    if years <= 0:
        raise LedgerError("a rate needs dark sessions at two times at least")
    low, high = poisson_interval(count, confidence)
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
    years = Watch.of(sessions).exposure_years()
    return growth_rate(sum(not one.pre_existing for one in defects), years, confidence)


def growth_by_kind(
    defects: Sequence[Kinded], sessions: Sequence[datetime], confidence: float = 0.95
) -> dict[str, Growth]:
    """Return the rate of each kind of defect that the ledger knows, by its name.

    Each interval is exact by itself; that all hold at once is less probable.

    Raises
    ------
    LedgerError
        If there are fewer than two sessions.
    """
    kinds = sorted({one.kind for one in defects})
    return {
        kind: growth_of([one for one in defects if one.kind == kind], sessions, confidence)
        for kind in kinds
    }


def growth_between(
    defects: Sequence[Dated],
    watch: Watch,
    begins_at: datetime | None = None,
    ends_at: datetime | None = None,
    confidence: float = 0.95,
) -> WindowGrowth:
    """Return the rate between any two times, counting only what was watched.

    Parameters
    ----------
    defects
        Of a ledger; pre-existing ones do not count.
    watch
        The sessions, with what they could have shown.
    begins_at, ends_at
        The window, cut to the watch; the ends of the watch where None.
    confidence
        Of the interval.

    Raises
    ------
    LedgerError
        If the window ends before it begins.
    """
    begins_at = max(begins_at or watch.sessions[0], watch.sessions[0])
    ends_at = min(ends_at or watch.sessions[-1], watch.sessions[-1])
    if ends_at < begins_at:
        raise LedgerError(f"the window from {begins_at} to {ends_at} holds no watched time")
    shares = [
        watch.share_within((one.onset_after, one.onset_before), begins_at, ends_at)
        for one in defects
        if one.onset_after is not None
    ]
    # sums of times are exact to rounding only
    surely = sum(share > 1 - 1e-9 for share in shares)
    possibly = sum(share > 1e-9 for share in shares)
    return _window(
        begins_at,
        ends_at,
        (surely, possibly, sum(shares)),
        watch.exposure_years(begins_at, ends_at),
        confidence,
    )


def growth_by_epoch(
    defects: Sequence[Dated], watch: Watch, confidence: float = 0.95
) -> list[WindowGrowth]:
    """Return the growth in each epoch: from its first dark session to its last."""
    return [
        growth_between(defects, watch, epoch.begins_at, epoch.ends_at, confidence)
        for epoch in watch.epochs()
    ]


def pooled_growth(windows: Sequence[WindowGrowth]) -> WindowGrowth:
    """Return the one rate of several windows that do not overlap, such as epochs.

    A defect that may have arisen in either of two windows counts as possible in both, so that
    the interval is rather too wide.

    Raises
    ------
    LedgerError
        If there is no window.
    """
    if not windows:
        raise LedgerError("there is no window to pool")
    return _window(
        min(one.begins_at for one in windows),
        max(one.ends_at for one in windows),
        (
            sum(one.surely for one in windows),
            sum(one.possibly for one in windows),
            sum(one.expected for one in windows),
        ),
        sum(one.years for one in windows),
        windows[0].confidence,
    )


def counts_over_time(
    defects: Sequence[Dated], sessions: Sequence[datetime]
) -> list[tuple[datetime, int]]:
    """Return how many defects there were at each dark session, by the ends of their intervals."""
    return [
        (session, sum(one.onset_before <= session for one in defects))
        for session in sorted(sessions)
    ]


def _window(
    begins_at: datetime,
    ends_at: datetime,
    counts: tuple[int, int, float],
    years: float,
    confidence: float,
) -> WindowGrowth:
    surely, possibly, expected = counts
    rate = low = high = None
    if years > 0:
        rate = expected / years
        low = poisson_interval(surely, confidence)[0] / years
        high = poisson_interval(possibly, confidence)[1] / years
    return WindowGrowth(
        begins_at, ends_at, surely, possibly, expected, years, rate, low, high, confidence
    )
