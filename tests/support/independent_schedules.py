"""When schedules are due, worked out without any of the project's code.

Cron expressions are held against the wall clock of every minute of UTC, one after another; calendar
intervals come from dateutil. Slow and simple on purpose: it is what the project's expansion is
judged by.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from dateutil.rrule import DAILY, MONTHLY, WEEKLY, rrule

MINUTE = timedelta(minutes=1)
DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


@dataclass(frozen=True)
class Cron:
    """The minutes that five fields of numbers, names, lists, ranges and steps match."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool

    @classmethod
    def read(cls, expression: str) -> Cron:
        """Read an expression; of two day fields without a star, one that matches is enough."""
        minutes, hours, days, months, weekdays = expression.upper().split()
        for number, name in enumerate(MONTHS, start=1):
            months = months.replace(name, str(number))
        for number, name in enumerate(DAYS):
            weekdays = weekdays.replace(name, str(number))
        return cls(
            minutes=_numbers(minutes, 0, 59),
            hours=_numbers(hours, 0, 23),
            days=_numbers(days, 1, 31),
            months=_numbers(months, 1, 12),
            weekdays=frozenset(day % 7 for day in _numbers(weekdays, 0, 7)),
            either_day=not (days.startswith("*") or weekdays.startswith("*")),
        )

    def matches(self, wall: datetime) -> bool:
        """Tell whether a minute on the wall clock is one of them."""
        if (
            wall.minute not in self.minutes
            or wall.hour not in self.hours
            or wall.month not in self.months
        ):
            return False
        by_date, by_weekday = wall.day in self.days, wall.isoweekday() % 7 in self.weekdays
        return by_date or by_weekday if self.either_day else by_date and by_weekday


def _numbers(field: str, least: int, most: int) -> frozenset[int]:
    found: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        if span == "*":
            first, last = str(least), str(most)
        elif not last:
            last = str(most) if step else first
        found.update(range(int(first), int(last) + 1, int(step or 1)))
    return frozenset(found)


def due_times(
    rule: Mapping[str, Any],
    zone: str,
    start: datetime,
    end: datetime,
    *,
    repeated_hour: str = "first",
    skipped_hour: str = "shift",
) -> list[datetime]:
    """Return the moments of UTC in [start, end) at which a rule, as written in YAML, is due.

    A local time in a gap is due at the gap's end (`shift`) or not at all (`skip`); one that occurs
    twice at the `first` pass, the `second` or `both`.
    """
    minutes = _minutes(ZoneInfo(zone), start, end)
    if rule["kind"] == "cron":
        return _due_by_cron(Cron.read(rule["expression"]), minutes, repeated_hour, skipped_hour)
    return _due_by_interval(rule, ZoneInfo(zone), start, end, repeated_hour, skipped_hour)


def _minutes(
    zone: ZoneInfo, start: datetime, end: datetime
) -> Iterator[tuple[datetime, datetime, datetime]]:
    """Yield every minute of UTC in [start, end) with what the wall shows then and a minute earlier.

    Zones whose clocks jump between whole minutes only, as all do since 1972.
    """
    moment = start.astimezone(UTC).replace(second=0, microsecond=0)
    if moment < start:
        moment += MINUTE
    before = (moment - MINUTE).astimezone(zone)
    while moment < end:
        wall = moment.astimezone(zone)
        yield moment, wall, before
        before = wall
        moment += MINUTE


def _due_by_cron(
    cron: Cron,
    minutes: Iterator[tuple[datetime, datetime, datetime]],
    repeated_hour: str,
    skipped_hour: str,
) -> list[datetime]:
    found = []
    for moment, wall, before in minutes:
        is_due = cron.matches(wall) and _is_chosen_pass(wall, repeated_hour)
        may_have_jumped = wall.hour != before.hour or wall.minute != before.minute + 1
        if skipped_hour == "shift" and may_have_jumped and not is_due:
            shown, skipped = wall.replace(tzinfo=None), before.replace(tzinfo=None) + MINUTE
            while skipped < shown and not is_due:
                is_due = cron.matches(skipped)
                skipped += MINUTE
        if is_due:
            found.append(moment)
    return found


def _is_chosen_pass(wall: datetime, repeated_hour: str) -> bool:
    twice = wall.replace(fold=0).utcoffset() != wall.replace(fold=1).utcoffset()
    return not twice or repeated_hour in ("both", "second" if wall.fold else "first")


def _due_by_interval(
    rule: Mapping[str, Any],
    zone: ZoneInfo,
    start: datetime,
    end: datetime,
    repeated_hour: str,
    skipped_hour: str,
) -> list[datetime]:
    if rule.get("months"):
        recur = partial(rrule, MONTHLY, interval=rule["months"])
    elif rule.get("weeks"):
        recur = partial(rrule, WEEKLY, interval=rule["weeks"])
    else:
        recur = partial(rrule, DAILY, interval=rule["days"])
    first = datetime.combine(
        date.fromisoformat(str(rule["start"])), time.fromisoformat(str(rule["at"]))
    )
    naive_end = end.astimezone(UTC).replace(tzinfo=None) + timedelta(days=1)
    found = set()
    for local in recur(dtstart=first, until=naive_end):
        for fold in (0, 1):
            wall = local.replace(tzinfo=zone, fold=fold)
            moment = wall.astimezone(UTC)
            if moment.astimezone(zone).replace(tzinfo=None) == local:
                if _is_chosen_pass(wall, repeated_hour):
                    # outside the hour that occurs twice both folds are the same moment
                    found.add(moment)
            elif skipped_hour == "shift":
                found.add(_end_of_gap(local, zone))
    return sorted(moment for moment in found if start <= moment < end)


def _end_of_gap(local: datetime, zone: ZoneInfo) -> datetime:
    day_before = local.replace(second=0) - timedelta(days=1)
    moment = day_before.replace(tzinfo=zone).astimezone(UTC)
    while moment.astimezone(zone).replace(tzinfo=None) <= local:
        moment += MINUTE
    return moment
