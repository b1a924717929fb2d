"""Times that people declare, with how far they may be off; pure, knows no file and no table."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from datastore.clocks import as_utc

FARTHEST_ZONE_S = 14 * 3600.0
"""No zone is farther from UTC: so far may a time be off that names none."""

# The directives of `strptime` by what they tell; a finer one that is absent leaves the rest open.
_EXACT = frozenset("MSfXcs")
_OF_AN_HOUR = frozenset("HI")
_OF_A_DAY = frozenset("djxuwaA")
_OF_A_MONTH = frozenset("mbB")


@dataclass(frozen=True)
class DeclaredTime:
    """A time that was declared.

    Attributes
    ----------
    at
        With a zone; the middle where only an interval was declared.
    uncertainty_s
        How far `at` may be off either way, in seconds; None where a time of day was declared.
    """

    at: datetime
    uncertainty_s: float | None = None

    @classmethod
    def middle_of(cls, start: datetime, end: datetime) -> DeclaredTime:
        """Return the time that stands for an interval."""
        half = (as_utc(end) - as_utc(start)) / 2
        return cls(as_utc(start) + half, half.total_seconds())


def in_zone(local: datetime, zone: str | None) -> datetime | None:
    """Return a naive time in a zone.

    None where no zone is declared, or where the hour happens twice or never in it: a guess would
    be wrong by an hour.
    """
    if zone is None:
        return None
    first = local.replace(tzinfo=ZoneInfo(zone), fold=0)
    second = first.replace(fold=1)
    return first if first.utcoffset() == second.utcoffset() else None


def parse_written(text: str, written_as: str, zone: str | None) -> DeclaredTime | None:
    """Return the time that a text gives, None where it gives none or its zone is unknown.

    A text that tells no time of day stands for the whole day, and so on: its time is the middle.

    Parameters
    ----------
    text
        `20140305`, for example.
    written_as
        How it is written, in the codes of `datetime.strptime`.
    zone
        IANA name; counts where the text names no zone.
    """
    try:
        local = datetime.strptime(text, written_as)  # noqa: DTZ007
    except ValueError:
        return None
    codes = set(re.findall(r"%(.)", written_as.replace("%%", "")))
    if codes & _EXACT:
        at = local if local.tzinfo is not None else in_zone(local, zone)
        return None if at is None else DeclaredTime(at)
    return _interval(local, _end_of(local, codes), zone)


def parse_iso(text: str, zone: str | None) -> DeclaredTime | None:
    """Return the time of an ISO 8601 text; a date stands for the whole day.

    None where the zone is unknown.

    Raises
    ------
    ValueError
        If it is no such text.
    """
    local = datetime.fromisoformat(text)
    if len(text) <= len("2014-03-05"):
        return _interval(local, local + timedelta(days=1), zone)
    at = local if local.tzinfo is not None else in_zone(local, zone)
    return None if at is None else DeclaredTime(at)


def is_iso(text: str) -> bool:
    """Return whether a text is a date or time in ISO 8601."""
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _end_of(local: datetime, codes: set[str]) -> datetime:
    if codes & _OF_AN_HOUR:
        return local + timedelta(hours=1)
    if codes & _OF_A_DAY:
        return local + timedelta(days=1)
    if codes & _OF_A_MONTH:
        return (local.replace(day=1) + timedelta(days=32)).replace(day=1)
    return local.replace(year=local.year + 1)


def _interval(start: datetime, end: datetime, zone: str | None) -> DeclaredTime | None:
    if start.tzinfo is None and zone is None:
        return None
    if start.tzinfo is None:
        assert zone is not None
        start, end = (bound.replace(tzinfo=ZoneInfo(zone)) for bound in (start, end))
    return DeclaredTime.middle_of(start, end)
