"""Timeslot schemes: half-open intervals of UTC, generated or listed, and the look-up in them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datastore.catalogue import Catalogue
from datastore.errors import TimeslotSchemeError
from datastore.tables import Timeslot, TimeslotScheme
from datastore.timeslots import (
    EveryDaysScheme,
    ExplicitScheme,
    MonthlyScheme,
    Scheme,
    Span,
    WeeklyScheme,
    add_scheme,
    find_scheme,
    intervals,
    read_scheme,
    timeslot_of,
)
from tests.support.catalogue_rows import NOW


def utc(year: int, month: int, day: int, hour: int = 0) -> datetime:
    return datetime(year, month, day, hour, tzinfo=UTC)


START = utc(2024, 1, 1)
END = utc(2025, 1, 1)


def monthly(start: datetime = START, end: datetime = END) -> MonthlyScheme:
    return MonthlyScheme(name="months", division="monthly", start=start, end=end)


def as_row(scheme: Scheme) -> TimeslotScheme:
    timeslots = [
        Timeslot(ordinal=slot.ordinal, starts_at=slot.starts_at, ends_at=slot.ends_at)
        for slot in intervals(scheme)
    ]
    return TimeslotScheme(name=scheme.name, timeslots=timeslots)


def test_months_follow_the_calendar() -> None:
    found = intervals(monthly())
    assert [slot.ordinal for slot in found] == list(range(1, 13))
    assert (found[1].starts_at, found[1].ends_at) == (utc(2024, 2, 1), utc(2024, 3, 1))
    assert (found[11].starts_at, found[11].ends_at) == (utc(2024, 12, 1), utc(2025, 1, 1))


def test_months_keep_their_day_and_hour_over_the_years() -> None:
    found = intervals(monthly(utc(2023, 11, 15, 6), utc(2024, 3, 1)))
    assert [slot.starts_at for slot in found] == [
        utc(2023, 11, 15, 6),
        utc(2023, 12, 15, 6),
        utc(2024, 1, 15, 6),
        utc(2024, 2, 15, 6),
    ]
    assert found[-1].ends_at == utc(2024, 3, 1)


regular_schemes = st.builds(
    lambda division, start, length, days: {
        "weekly": WeeklyScheme(name="s", division="weekly", start=start, end=start + length),
        "monthly": MonthlyScheme(
            name="s",
            division="monthly",
            start=start.replace(day=min(start.day, 28)),
            end=start + length,
        ),
        "every-days": EveryDaysScheme(
            name="s", division="every-days", days=days, start=start, end=start + length
        ),
    }[division],
    st.sampled_from(["weekly", "monthly", "every-days"]),
    st.datetimes(datetime(2000, 1, 1), datetime(2050, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.timedeltas(timedelta(microseconds=1), timedelta(days=900)),
    st.integers(1, 100),
)


@given(regular_schemes, st.floats(0, 1, exclude_max=True))
def test_regular_timeslots_cover_the_time_between_start_and_end_once(
    scheme: WeeklyScheme | MonthlyScheme | EveryDaysScheme, fraction: float
) -> None:
    found = intervals(scheme)
    assert found[0].starts_at == scheme.start
    assert found[-1].ends_at == scheme.end
    assert all(slot.starts_at < slot.ends_at for slot in found)
    for ordinal, (slot, following) in enumerate(pairwise(found), 1):
        assert slot.ordinal == ordinal
        assert slot.ends_at == following.starts_at

    row = as_row(scheme)
    time = min(
        scheme.start + fraction * (scheme.end - scheme.start),
        scheme.end - timedelta(microseconds=1),
    )
    slot_of_time = timeslot_of(time, row)
    assert slot_of_time is not None
    assert slot_of_time.starts_at <= time < slot_of_time.ends_at
    assert timeslot_of(scheme.end, row) is None
    assert timeslot_of(scheme.start - timedelta(microseconds=1), row) is None


def test_a_boundary_belongs_to_the_timeslot_that_it_starts() -> None:
    row = as_row(monthly())
    february = timeslot_of(utc(2024, 2, 1), row)
    assert february is not None and february.ordinal == 2
    tokyo = timezone(timedelta(hours=9))
    january = timeslot_of(datetime(2024, 2, 1, 8, 59, tzinfo=tokyo), row)
    assert january is not None and january.ordinal == 1


def test_gaps_and_unknown_times_have_no_timeslot() -> None:
    spans = (
        Span(start=utc(2024, 1, 1), end=utc(2024, 2, 1)),
        Span(start=utc(2024, 3, 1), end=utc(2024, 4, 1)),
    )
    row = as_row(ExplicitScheme(name="s", division="explicit", timeslots=spans))
    assert timeslot_of(utc(2024, 2, 15), row) is None
    assert timeslot_of(None, row) is None
    with pytest.raises(ValueError, match="zone"):
        timeslot_of(datetime(2024, 1, 2), row)  # noqa: DTZ001


def test_a_scheme_is_added_and_found(catalogue: Catalogue) -> None:
    assert add_scheme(catalogue, monthly(), NOW) == 12
    with catalogue.reading() as session:
        found = find_scheme(session, "months")
    assert [slot.ordinal for slot in found.timeslots] == list(range(1, 13))
    assert found.timeslots[11].ends_at == utc(2025, 1, 1)


def test_a_zone_is_for_reading_and_moves_no_bound(catalogue: Catalogue) -> None:
    there = monthly().model_copy(update={"name": "there", "zone": "Asia/Tokyo"})
    add_scheme(catalogue, monthly(), NOW)
    add_scheme(catalogue, MonthlyScheme.model_validate(there.model_dump()), NOW)
    with catalogue.reading() as session:
        here, found = find_scheme(session, "months"), find_scheme(session, "there")
    assert (here.zone, found.zone) == (None, "Asia/Tokyo")
    assert [(slot.starts_at, slot.ends_at) for slot in found.timeslots] == [
        (slot.starts_at, slot.ends_at) for slot in here.timeslots
    ]


def test_a_scheme_never_changes(catalogue: Catalogue) -> None:
    add_scheme(catalogue, monthly(), NOW)
    with pytest.raises(TimeslotSchemeError, match="never change"):
        add_scheme(catalogue, monthly(end=utc(2026, 1, 1)), NOW)
    with catalogue.reading() as session:
        assert len(find_scheme(session, "months").timeslots) == 12


def test_an_unknown_scheme_is_refused_and_the_known_ones_are_named(catalogue: Catalogue) -> None:
    add_scheme(catalogue, monthly(), NOW)
    with (
        catalogue.reading() as session,
        pytest.raises(TimeslotSchemeError, match=r"'weeks' \(there are months\)"),
    ):
        find_scheme(session, "weeks")


def test_dates_stand_for_midnight_in_utc(tmp_path: Path) -> None:
    file = tmp_path / "scheme.yaml"
    file.write_text("name: w\ndivision: weekly\nstart: 2024-01-01\nend: 2024-01-15\n")
    assert [slot.starts_at for slot in intervals(read_scheme(file))] == [
        utc(2024, 1, 1),
        utc(2024, 1, 8),
    ]


OVERLAPPING = """
division: explicit
name: s
timeslots:
- {start: 2024-01-01, end: 2024-02-02}
- {start: 2024-02-01, end: 2024-03-01}
"""


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("division: yearly\nname: s", "division"),
        ("division: weekly\nname: s\nstart: 2024-01-01", "end: it is missing"),
        (
            "division: weekly\nname: s\nstart: 2024-01-02\nend: 2024-01-02",
            "end: must be later than start",
        ),
        (
            "division: weekly\nname: s\nstart: 2024-01-01 00:00:00\nend: 2024-02-01",
            "start: needs a time zone",
        ),
        (
            "division: monthly\nname: s\nstart: 2024-01-31\nend: 2024-12-31",
            "start: must lie on a day that every month has",
        ),
        (
            "division: every-days\nname: s\nstart: 1000-01-01\nend: 3000-01-01\ndays: 0",
            "days: must be greater than 0",
        ),
        ("division: weekly\nname: s\nname: t", "line 3: the key 'name' is given twice"),
        (
            OVERLAPPING,
            "timeslot 2 starts before timeslot 1 ends",
        ),
        (
            "division: explicit\nname: s\ntimeslots:\n- {start: 2024-01-01, end: 2024-01-01}",
            "timeslot 1 must end later than it starts",
        ),
        ("division: weekly\ncolour: red", "colour: no such field"),
        (
            "division: weekly\nname: s\nzone: Mars/Olympus\nstart: 2024-01-01\nend: 2025-01-01",
            "zone: 'Mars/Olympus' is no IANA time zone",
        ),
        ("[", "is no YAML"),
    ],
)
def test_a_malformed_description_names_the_file_and_the_field(
    content: str, message: str, tmp_path: Path
) -> None:
    file = tmp_path / "scheme.yaml"
    file.write_text(content)
    with pytest.raises(TimeslotSchemeError) as refused:
        read_scheme(file)
    assert str(file) in str(refused.value)
    assert message in str(refused.value)


def test_a_scheme_of_too_many_timeslots_is_a_mistake() -> None:
    scheme = EveryDaysScheme(
        name="s", division="every-days", days=1, start=utc(1000, 1, 1), end=utc(3000, 1, 1)
    )
    with pytest.raises(TimeslotSchemeError, match="more than 10000"):
        intervals(scheme)
