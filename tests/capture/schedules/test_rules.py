"""When rules are due: held against the wall clock of every minute, in every zone there is.

Every property is asked about zones whose clocks are put forward or back in 2024-2030, mostly around
those moments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import pairwise
from typing import Any, Literal, get_args
from zoneinfo import ZoneInfo, available_timezones

import pytest
from dateutil.rrule import DAILY, FR, MO, MONTHLY, TH, TU, WE, WEEKLY, rrule
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from capture.schedules import CalendarIntervalRule, CronRule, Rule, due_times, local_times
from capture.schedules.rules import RepeatedHour, SkippedHour
from tests.support import independent_schedules

FIRST = datetime(2024, 1, 1, tzinfo=UTC)
LAST = datetime(2031, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)

ZONES = sorted(available_timezones() - {"localtime", "Factory"})
CHOICES: list[tuple[RepeatedHour, SkippedHour]] = [
    (repeated, skipped) for repeated in get_args(RepeatedHour) for skipped in get_args(SkippedHour)
]


def rule_of(content: dict[str, Any]) -> CronRule | CalendarIntervalRule:
    adapter: TypeAdapter[CronRule | CalendarIntervalRule] = TypeAdapter(Rule)
    return adapter.validate_python(content)


def cron(expression: str) -> dict[str, Any]:
    return {"kind": "cron", "expression": expression}


def expanded(
    content: dict[str, Any],
    zone: str,
    start: datetime,
    end: datetime,
    choice: tuple[RepeatedHour, SkippedHour] = ("first", "shift"),
) -> list[datetime]:
    repeated, skipped = choice
    rule = rule_of(content)
    return list(due_times(rule, zone, start, end, repeated_hour=repeated, skipped_hour=skipped))


def truth(
    content: dict[str, Any],
    zone: str,
    start: datetime,
    end: datetime,
    choice: tuple[RepeatedHour, SkippedHour],
) -> list[datetime]:
    repeated, skipped = choice
    return independent_schedules.due_times(
        content, zone, start, end, repeated_hour=repeated, skipped_hour=skipped
    )


@cache
def changes(zone: str) -> tuple[datetime, ...]:
    """Return the moments in 2024-2030 at which a zone's clocks are put forward or back."""
    found = []
    for day in range((LAST - FIRST).days):
        low, high = FIRST + day * DAY, FIRST + (day + 1) * DAY
        offset = low.astimezone(ZoneInfo(zone)).utcoffset()
        if high.astimezone(ZoneInfo(zone)).utcoffset() == offset:
            continue
        while high - low > timedelta(seconds=1):
            middle = low + (high - low) // 2
            if middle.astimezone(ZoneInfo(zone)).utcoffset() == offset:
                low = middle
            else:
                high = middle
        found.append(high.replace(microsecond=0))
    return tuple(found)


@st.composite
def numbers(draw: st.DrawFn, least: int, most: int) -> str:
    one = st.integers(least, most)
    match draw(st.sampled_from(["any", "step", "one", "list", "range"])):
        case "any":
            return "*"
        case "step":
            return f"*/{draw(st.integers(1, most))}"
        case "one":
            return str(draw(one))
        case "list":
            return ",".join(map(str, draw(st.lists(one, min_size=2, max_size=4))))
    low = draw(st.integers(least, most - 1))
    return f"{low}-{draw(st.integers(low + 1, most))}/{draw(st.integers(1, 3))}"


def is_sound(expression: str) -> bool:
    # the 30th of February is refused
    try:
        CronRule(kind="cron", expression=expression)
    except ValidationError:
        return False
    return True


expressions = (
    st.one_of(
        # most schedules name some minutes of every day
        st.tuples(numbers(0, 59), numbers(0, 23), st.just("*"), st.just("*"), st.just("*")),
        st.tuples(
            numbers(0, 59),
            numbers(0, 23),
            numbers(1, 31),
            st.sampled_from(["*", "MAR", "3,4,9-11"]),
            st.one_of(numbers(0, 7), st.sampled_from(["SUN", "MON-FRI", "SAT"])),
        ),
    )
    .map(" ".join)
    .filter(is_sound)
)


@st.composite
def intervals(draw: st.DrawFn) -> dict[str, Any]:
    unit = draw(st.sampled_from(["months", "weeks", "days"]))
    start = draw(st.dates(date(2022, 1, 1), date(2028, 1, 1)))
    return {
        "kind": "calendar-interval",
        unit: draw(st.integers(1, 2)),
        "start": start.replace(day=min(start.day, 28)).isoformat(),
        "at": draw(st.times().map(lambda at: at.replace(second=0, microsecond=0))).isoformat(),
    }


@st.composite
def spans(draw: st.DrawFn) -> tuple[str, datetime, datetime]:
    """Draw a zone and some days, around a change of its clocks where it has any."""
    zone = draw(st.sampled_from(ZONES))
    around = draw(st.sampled_from(changes(zone) or (FIRST + 100 * DAY,)))
    before, after = draw(st.tuples(*2 * [st.timedeltas(timedelta(minutes=1), timedelta(days=1.5))]))
    return zone, around - before, around + after


choices = st.sampled_from(CHOICES)
# a busy machine takes its time to find a zone's changes
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@settings(patient, max_examples=100)
@given(expressions, spans(), choices)
def test_a_cron_rule_is_due_when_the_clocks_of_its_zone_show_it(
    expression: str,
    span: tuple[str, datetime, datetime],
    choice: tuple[RepeatedHour, SkippedHour],
) -> None:
    found = expanded(cron(expression), *span, choice)
    assert found == truth(cron(expression), *span, choice)
    assert all(before < after for before, after in pairwise(found))
    assert all(moment.tzinfo is UTC for moment in found)


@settings(patient, max_examples=60)
@given(intervals(), spans(), choices)
def test_an_interval_is_due_when_the_clocks_of_its_zone_show_it(
    content: dict[str, Any],
    span: tuple[str, datetime, datetime],
    choice: tuple[RepeatedHour, SkippedHour],
) -> None:
    zone, start, end = span
    start -= 30 * DAY
    assert expanded(content, zone, start, end, choice) == truth(content, zone, start, end, choice)


@settings(patient, max_examples=40)
@given(
    st.one_of(expressions.map(cron), intervals()),
    spans(),
    choices,
    st.lists(st.floats(0, 1), max_size=3),
)
def test_it_makes_no_difference_where_an_expansion_stops_and_goes_on(
    content: dict[str, Any],
    span: tuple[str, datetime, datetime],
    choice: tuple[RepeatedHour, SkippedHour],
    fractions: list[float],
) -> None:
    zone, start, end = span
    stops = [start, *sorted(start + fraction * (end - start) for fraction in fractions), end]
    whole = expanded(content, zone, start, end, choice)
    # a stop at a due time itself leaves it to the part that begins there
    stops = sorted([*stops, *whole[:2]])
    parts = [expanded(content, zone, *part, choice) for part in pairwise(stops)]
    assert [moment for part in parts for moment in part] == whole


FREQUENCIES: dict[str, Literal[1, 2, 3]] = {"months": MONTHLY, "weeks": WEEKLY, "days": DAILY}


@settings(patient, max_examples=60)
@given(
    st.sampled_from(sorted(FREQUENCIES)),
    st.integers(1, 40),
    st.datetimes(datetime(1990, 1, 1), datetime(2030, 1, 1)),  # noqa: DTZ001 (local times)
    st.timedeltas(timedelta(days=-900), timedelta(days=900)),
    st.timedeltas(timedelta(0), timedelta(days=900)),
)
def test_intervals_count_as_dateutil_counts_them(
    unit: str, interval: int, first: datetime, offset: timedelta, length: timedelta
) -> None:
    first = first.replace(day=min(first.day, 28), microsecond=0)
    start, end = first + offset, first + offset + length
    rule = CalendarIntervalRule.model_validate(
        {"kind": "calendar-interval", unit: interval, "start": first.date(), "at": first.time()}
    )
    peer = rrule(FREQUENCIES[unit], interval=interval, dtstart=first)
    expected = [local for local in peer.between(start, end, inc=True) if local < end]
    assert list(local_times(rule, start, end)) == expected


@pytest.mark.parametrize(
    ("expression", "peer"),
    [
        ("0 6 L * *", {"bymonthday": -1}),
        ("0 6 * * MON#1", {"byweekday": MO(1)}),
        ("0 6 * * 5L", {"byweekday": FR(-1)}),
        ("0 6 LW * *", {"byweekday": (MO, TU, WE, TH, FR), "bysetpos": -1}),
    ],
)
def test_last_and_numbered_days_of_a_month(expression: str, peer: dict[str, Any]) -> None:
    first = datetime(2024, 1, 1, 6)  # noqa: DTZ001 (a local time)
    expected = list(rrule(MONTHLY, dtstart=first, count=84, **peer))
    rule = CronRule(kind="cron", expression=expression)
    assert list(local_times(rule, first, expected[-1] + DAY)) == expected


@pytest.mark.parametrize(
    ("zone", "days", "expression", "choice", "expected"),
    [
        # Berlin puts its clocks forward at 2 and back at 3
        ("Europe/Berlin", (2026, 3, 29), "30 2 * * *", ("first", "shift"), ["01:00"]),
        ("Europe/Berlin", (2026, 3, 29), "30 2 * * *", ("first", "skip"), []),
        ("Europe/Berlin", (2026, 10, 25), "30 2 * * *", ("first", "shift"), ["00:30"]),
        ("Europe/Berlin", (2026, 10, 25), "30 2 * * *", ("second", "shift"), ["01:30"]),
        ("Europe/Berlin", (2026, 10, 25), "30 2 * * *", ("both", "shift"), ["00:30", "01:30"]),
        # four times of the gap and the regular one at its end are one
        ("Europe/Berlin", (2026, 3, 29), "*/15 2,3 * * *", ("first", "shift"),
         ["01:00", "01:15", "01:30", "01:45"]),
        ("Europe/Berlin", (2026, 10, 25), "*/30 2 * * *", ("both", "skip"),
         ["00:00", "00:30", "01:00", "01:30"]),
        # summer time is Irish standard time; winter is an hour less than it
        ("Europe/Dublin", (2026, 3, 29), "30 1 * * *", ("first", "shift"), ["01:00"]),
        ("Europe/Dublin", (2026, 10, 25), "30 1 * * *", ("both", "skip"), ["00:30", "01:30"]),
        # half an hour: 2:00 becomes 2:30, and 2:00 becomes 1:30
        ("Australia/Lord_Howe", (2026, 10, 3), "15 2 * * *", ("first", "shift"), ["15:30"]),
        ("Australia/Lord_Howe", (2026, 4, 4), "45 1 * * *", ("both", "shift"), ["14:45", "15:15"]),
        # a day that begins at one o'clock
        ("Africa/Cairo", (2026, 4, 23), "0 0 * * FRI", ("first", "shift"), ["22:00"]),
        # during Ramadan Morocco's clocks are an hour behind: back on 15 February, forth in March
        ("Africa/Casablanca", (2026, 2, 15), "30 2 * * *", ("both", "skip"), ["01:30", "02:30"]),
        ("Africa/Casablanca", (2026, 3, 22), "30 2 * * *", ("first", "shift"), ["02:00"]),
        # 30 December 2011 never came to Samoa: its midnight was the 31st's
        ("Pacific/Apia", (2011, 12, 30), "0 12 30 12 *", ("first", "shift"), ["10:00"]),
        ("Pacific/Apia", (2011, 12, 30), "0 12 30 12 *", ("first", "skip"), []),
        ("Pacific/Kwajalein", (1993, 8, 21), "0 6 21 8 *", ("first", "shift"), ["12:00"]),
    ],
)  # fmt: skip
def test_hours_that_occur_twice_or_never_are_due_as_chosen(
    zone: str,
    days: tuple[int, int, int],
    expression: str,
    choice: tuple[RepeatedHour, SkippedHour],
    expected: list[str],
) -> None:
    start = datetime(*days, tzinfo=UTC)
    found = expanded(cron(expression), zone, start, start + DAY, choice)
    assert [f"{moment:%H:%M}" for moment in found] == expected
    assert found == truth(cron(expression), zone, start, start + DAY, choice)


def test_seconds_of_an_interval_are_kept_and_shifted_out_of_a_gap() -> None:
    content = {"kind": "calendar-interval", "days": 1, "start": "2026-03-28", "at": "02:59:59"}
    start = datetime(2026, 3, 28, tzinfo=UTC)
    assert expanded(content, "Europe/Berlin", start, start + 3 * DAY) == [
        datetime(2026, 3, 28, 1, 59, 59, tzinfo=UTC),
        datetime(2026, 3, 29, 1, tzinfo=UTC),
        datetime(2026, 3, 30, 0, 59, 59, tzinfo=UTC),
    ]


def test_an_interval_that_has_not_begun_is_not_due() -> None:
    content = {"kind": "calendar-interval", "weeks": 2, "start": "2026-05-04", "at": "06:00"}
    start = datetime(2026, 1, 1, tzinfo=UTC)
    assert expanded(content, "UTC", start, datetime(2026, 5, 4, 6, tzinfo=UTC)) == []
    assert len(expanded(content, "UTC", start, datetime(2026, 5, 4, 7, tzinfo=UTC))) == 1


def test_times_without_a_zone_are_refused() -> None:
    naive = datetime(2026, 1, 1)  # noqa: DTZ001 (the mistake)
    with pytest.raises(ValueError, match="zone"):
        expanded(cron("0 6 * * *"), "UTC", naive, naive + DAY)


YEARS = range(FIRST.year, LAST.year)
DENSE = (cron("*/10 * * * *"), cron("7,37 0-5,20-23 * * *"))
GRID: list[tuple[RepeatedHour, SkippedHour]] = [
    ("first", "shift"), ("second", "skip"), ("both", "shift"),
]  # fmt: skip


def changes_of_year(year: int) -> Iterator[tuple[str, datetime]]:
    return ((zone, at) for zone in ZONES for at in changes(zone) if at.year == year)


@pytest.mark.prove
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("year", YEARS)
def test_every_change_of_every_zones_clocks(
    year: int, record_property: Callable[[str, object], None]
) -> None:
    """Around every change of every zone's clocks, what is due is what the wall clock says."""
    count = due = 0
    for zone, at in changes_of_year(year):
        count += 1
        for content in DENSE:
            for choice in GRID:
                span = zone, at - 0.6 * DAY, at + 0.6 * DAY
                found = expanded(content, *span, choice)
                due += len(found)
                assert found == truth(content, *span, choice), (zone, at, content, choice)
    assert count > 100
    record_property("changes of clocks", count)
    record_property("due times", due)


@pytest.mark.prove
@pytest.mark.timeout(1200)
def test_every_local_day_of_every_zone_has_its_due_time(
    record_property: Callable[[str, object], None],
) -> None:
    """A daily rule is due once on every local date of 2024-2030, whatever the clocks do."""
    dates = [date(2024, 1, 2) + day * DAY for day in range((LAST - FIRST).days - 2)]
    at = time(2, 30)
    for zone in ZONES:
        found = expanded(cron(f"{at.minute} {at.hour} * * *"), zone, FIRST - DAY, LAST + DAY)
        local = [moment.astimezone(ZoneInfo(zone)) for moment in found]
        inside = [moment for moment in local if dates[0] <= moment.date() <= dates[-1]]
        assert [moment.date() for moment in inside] == dates, zone
        assert all(moment.time() == at for moment in inside if not _in_gap(moment, at)), zone
    record_property("zones", len(ZONES))
    record_property("due times of each", len(dates))


def _in_gap(moment: datetime, at: time) -> bool:
    """Tell whether a local time of this date is never shown."""
    asked = datetime.combine(moment.date(), at, moment.tzinfo)
    return asked.astimezone(UTC).astimezone(moment.tzinfo).time() != at
