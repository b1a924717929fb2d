"""Recurrence: which local times a rule names, and which moments of UTC they are in a zone.

Pure. A rule names local times as a calendar on the wall does and knows no zone. A zone's clocks
show most local times once; they show those of an hour that is put back twice, and those of an hour
that is put forward never. What is due then is always the schedule's explicit choice.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from cronsim.cronsim import Field as CronField
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from datastore.clocks import as_utc

RepeatedHour = Literal["first", "second", "both"]
SkippedHour = Literal["shift", "skip"]

_FIELDS_OF_CRON: Final = 5
_LAST_DAY_OF_EVERY_MONTH: Final = 28
_FARTHEST_OFFSET: Final = timedelta(days=1)
"""No zone is farther from UTC; Python refuses larger offsets."""

_ANY_MOMENT: Final = datetime(2000, 1, 1)  # noqa: DTZ001 (a local time)


def _time_of_day(value: Any) -> Any:
    # YAML reads 12:30 as the number 750, in base sixty
    if isinstance(value, (int, float)) or (isinstance(value, str) and ":" not in value):
        raise ValueError('write the time in quotes, such as "12:30"')
    return value


def _date(value: Any) -> Any:
    # 20260105 would pass for seconds since 1970
    if isinstance(value, (int, float)) or (isinstance(value, str) and "-" not in value):
        raise ValueError("write a date such as 2026-01-05")
    return value


class _Rule(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CronRule(_Rule):
    """Local times by the five fields of cron: minute, hour, day of month, month, day of week.

    As in Debian's cron, where neither of the two day fields starts with a star, one that matches is
    enough.
    """

    kind: Literal["cron"]
    expression: str

    @field_validator("expression")
    @classmethod
    def _readable(cls, expression: str) -> str:
        if len(expression.split()) != _FIELDS_OF_CRON:
            raise ValueError(
                "a cron expression has five fields: minute, hour, day of month, month and day of"
                ' week, such as "0 6 * * MON"'
            )
        try:
            _refuse_steps_through_one_value(expression)
            occurs = next(CronSim(expression, _ANY_MOMENT), None) is not None
        except CronSimError as error:
            raise ValueError(f"no cron expression: {str(error).lower()}") from None
        if not occurs:
            raise ValueError("no day ever matches")
        return expression


class CalendarIntervalRule(_Rule):
    """Every so many months, weeks or days from a date on, at a local time of day."""

    kind: Literal["calendar-interval"]
    months: Annotated[int, Field(strict=True, gt=0)] | None = None
    weeks: Annotated[int, Field(strict=True, gt=0)] | None = None
    days: Annotated[int, Field(strict=True, gt=0)] | None = None
    start: Annotated[date, BeforeValidator(_date)]
    at: Annotated[time, BeforeValidator(_time_of_day)]

    @field_validator("at")
    @classmethod
    def _of_the_wall_clock(cls, at: time) -> time:
        if at.tzinfo is not None or at.microsecond:
            raise ValueError("must be hours, minutes and whole seconds; the zone has its own field")
        return at

    @model_validator(mode="after")
    def _one_interval(self) -> CalendarIntervalRule:
        if sum(interval is not None for interval in (self.months, self.weeks, self.days)) != 1:
            raise ValueError("give one of months, weeks and days")
        if self.months is not None and self.start.day > _LAST_DAY_OF_EVERY_MONTH:
            raise ValueError("start must lie on a day that every month has, the 28th at the latest")
        return self


Rule = Annotated[CronRule | CalendarIntervalRule, Field(discriminator="kind")]


def local_times(rule: Rule, start: datetime, end: datetime) -> Iterator[datetime]:
    """Yield the naive local times of a rule in [start, end), in order.

    Parameters
    ----------
    rule
        What recurs.
    start, end
        Naive local times.
    """
    if isinstance(rule, CronRule):
        yield from _cron_times(rule.expression, start, end)
    else:
        yield from _interval_times(rule, start, end)


@dataclass(frozen=True)
class LocalTime:
    """A local time in a zone.

    Attributes
    ----------
    local
        The naive local time.
    moments
        When the zone's clocks show it, in UTC and in order: one moment, two where it occurs twice,
        none where it never does.
    after_gap
        The first moment after the gap that holds a local time that never occurs; None otherwise.
    """

    local: datetime
    moments: tuple[datetime, ...]
    after_gap: datetime | None

    def chosen(
        self, repeated_hour: RepeatedHour, skipped_hour: SkippedHour
    ) -> tuple[datetime, ...]:
        """Return the moments that are due by a schedule's choices, in order."""
        if self.after_gap is not None:
            return (self.after_gap,) if skipped_hour == "shift" else ()
        if repeated_hour == "both":
            return self.moments
        return self.moments[:1] if repeated_hour == "first" else self.moments[-1:]


def in_zone(local: datetime, zone: ZoneInfo) -> LocalTime:
    """Return when the clocks of a zone show a naive local time of whole seconds."""
    candidates = [local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)]
    moments = sorted({moment for moment in candidates if _shown(moment, zone) == local})
    return LocalTime(
        local=local,
        moments=tuple(moments),
        after_gap=None if moments else _after_gap(local, zone, min(candidates), max(candidates)),
    )


def due_times(
    rule: Rule,
    zone: str,
    start: datetime,
    end: datetime,
    *,
    repeated_hour: RepeatedHour,
    skipped_hour: SkippedHour,
) -> Iterator[datetime]:
    """Yield the moments at which a rule is due in [start, end): aware UTC, strictly increasing.

    The union over neighbouring intervals is that over the whole: where an expansion is broken off
    and where it goes on makes no difference.

    Parameters
    ----------
    rule
        What recurs, in local time.
    zone
        IANA name of the zone.
    start, end
        Aware times.
    repeated_hour
        Which pass is due where a local time occurs twice.
    skipped_hour
        Whether a local time that never occurs is due at the first moment after the gap, or not.

    Raises
    ------
    ValueError
        If a time has no zone.
    """
    start, end = as_utc(start), as_utc(end)
    passes: tuple[RepeatedHour, ...] = (
        ("first", "second") if repeated_hour == "both" else (repeated_hour,)
    )
    in_order = heapq.merge(
        *(_moments(rule, ZoneInfo(zone), start, end, repeated, skipped_hour) for repeated in passes)
    )
    # passes of a time that occurs once are the same, and what is shifted out of a gap may coincide
    # with what is due there anyway
    for moment, _ in groupby(in_order):
        if moment >= end:
            return
        if moment >= start:
            yield moment


def local_times_around(rule: Rule, start: datetime, end: datetime) -> Iterator[datetime]:
    """Yield the local times of a rule that may lie in [start, end) in any zone.

    Parameters
    ----------
    rule
        What recurs.
    start, end
        Aware times.
    """
    yield from local_times(
        rule,
        as_utc(start).replace(tzinfo=None) - _FARTHEST_OFFSET,
        as_utc(end).replace(tzinfo=None) + _FARTHEST_OFFSET,
    )


def _moments(
    rule: Rule,
    zone: ZoneInfo,
    start: datetime,
    end: datetime,
    repeated_hour: RepeatedHour,
    skipped_hour: SkippedHour,
) -> Iterator[datetime]:
    """Yield due moments in and around an interval, in order, some of them more than once."""
    for local in local_times_around(rule, start, end):
        yield from in_zone(local, zone).chosen(repeated_hour, skipped_hour)


def _shown(moment: datetime, zone: ZoneInfo) -> datetime:
    """Return the naive local time that a zone's clocks show."""
    return moment.astimezone(zone).replace(tzinfo=None)


def _after_gap(
    local: datetime, zone: ZoneInfo, before_gap: datetime, beyond_gap: datetime
) -> datetime:
    """Return the first whole second between two moments at which clocks show more than `local`."""
    seconds = range(int((beyond_gap - before_gap).total_seconds()) + 1)
    passed = bisect_left(
        seconds, True, key=lambda s: _shown(before_gap + timedelta(seconds=s), zone) > local
    )
    return before_gap + timedelta(seconds=passed)


def _refuse_steps_through_one_value(expression: str) -> None:
    # the parser takes 5-5/10 for 5/10, which is 5-59/10
    for field, text in zip(list(CronField)[1:], expression.upper().split(), strict=True):
        for term in text.split(","):
            span, step, _ = term.partition("/")
            if step and "-" in span and len(field.parse(span)) == 1:
                raise ValueError(f"{term} is a range of one value and has no steps: remove them")


def _cron_times(expression: str, start: datetime, end: datetime) -> Iterator[datetime]:
    # the iteration begins after the whole second that it is given
    for local in CronSim(expression, start - timedelta(microseconds=1)):
        if local >= end:
            return
        yield local


def _interval_times(
    rule: CalendarIntervalRule, start: datetime, end: datetime
) -> Iterator[datetime]:
    first = datetime.combine(rule.start, rule.at)
    count = max(0, _intervals_before(rule, first, start))
    while (local := _after_intervals(rule, first, count)) < end:
        if local >= start:
            yield local
        count += 1


def _intervals_before(rule: CalendarIntervalRule, first: datetime, start: datetime) -> int:
    """Return a number of whole intervals after which it is not yet later than `start`."""
    if rule.months is not None:
        return (12 * (start.year - first.year) + start.month - first.month - 1) // rule.months
    return (start - first) // _step(rule)


def _after_intervals(rule: CalendarIntervalRule, first: datetime, count: int) -> datetime:
    if rule.months is None:
        return first + count * _step(rule)
    months = first.month - 1 + count * rule.months
    return first.replace(year=first.year + months // 12, month=months % 12 + 1)


def _step(rule: CalendarIntervalRule) -> timedelta:
    return timedelta(weeks=rule.weeks or 0, days=rule.days or 0)
