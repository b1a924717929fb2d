"""What a preview says of due times, queues, timeslots, disks and clocks, before anything runs."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capture.errors import ScheduleError
from capture.schedules import ScheduleDescription
from capture.schedules.foreseen import PlannedSchedule, foresee
from capture.schedules.preview import Preview, preview
from capture.schedules.preview_warnings import Disk, PreviewWarning, WarningWord
from capture.schedules.timeslot_plans import Permit, TakenSession
from capture.space import RESERVE_BYTES
from datastore.tables import Timeslot, TimeslotScheme

NOW = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
GB = 10**9


def planned(
    name: str = "weekly",
    expression: str = "0 6 * * MON",
    *,
    fixture: str = "north",
    cameras: tuple[str, ...] = ("1", "2"),
    minutes: float = 30,
    gigabytes: float = 1,
    kinds: tuple[Any, ...] = ("dark-field",),
    cancelled: tuple[datetime, ...] = (),
    **described: Any,
) -> PlannedSchedule:
    """Return a schedule as a preview takes it."""
    content = {
        "name": name,
        "fixture": fixture,
        "recipe": "dark-field-grid",
        "rule": {"kind": "cron", "expression": expression},
        "zone": "UTC",
        "window_s": 3600,
    }
    return PlannedSchedule(
        description=ScheduleDescription.model_validate({**content, **described}),
        cameras=cameras,
        kinds=frozenset(kinds),
        duration_s=60 * minutes,
        session_bytes=int(gigabytes * GB),
        cancelled=frozenset(cancelled),
    )


def months(first: int = 3, last: int = 5) -> TimeslotScheme:
    """Return a scheme of the months of 2026, with the ordinals of the calendar."""
    slots = [
        Timeslot(
            ordinal=month,
            starts_at=datetime(2026, month, 1, tzinfo=UTC),
            ends_at=datetime(2026, month + 1, 1, tzinfo=UTC),
        )
        for month in range(first, last + 1)
    ]
    return TimeslotScheme(name="months", zone=None, timeslots=slots)


def warned(found: Preview, word: str) -> list[PreviewWarning]:
    return [warning for warning in found.warnings if warning.word == word]


def test_due_times_are_shown_in_local_time_and_utc_with_start_and_timeslot() -> None:
    schedule = planned(expression="30 6 * * SUN", zone="Europe/Berlin", jitter_s=600, window_s=7200)
    first, second = preview(
        schedule, now=datetime(2026, 3, 22, 6, tzinfo=UTC), count=2, scheme=months()
    ).occurrences
    assert first.local_due == "2026-03-29 06:30:00+02:00"
    assert first.due_at == datetime(2026, 3, 29, 4, 30, tzinfo=UTC)
    assert first.due_at <= first.starts_at < first.due_at + timedelta(seconds=600)
    assert first.local_start.startswith("2026-03-29 06:3")
    assert first.window_ends_at == datetime(2026, 3, 29, 6, 30, tzinfo=UTC)
    assert (first.timeslot, second.timeslot) == (3, 4)
    assert first.begins_at == first.starts_at


def test_count_and_until_say_how_far_one_looks() -> None:
    schedule = planned(expression="0 6 * * *")
    until = datetime(2026, 3, 4, 6, tzinfo=UTC)
    assert len(preview(schedule, now=NOW, until=until).occurrences) == 3
    assert len(preview(schedule, now=NOW, count=5).occurrences) == 5
    ended = planned(expression="0 6 * * *", ends_at=datetime(2026, 3, 4, tzinfo=UTC))
    assert len(preview(ended, now=NOW, count=5).occurrences) == 3
    with pytest.raises(ValueError, match="one of count and until"):
        preview(schedule, now=NOW)


def test_a_schedule_that_is_not_due_is_told() -> None:
    ended = planned(ends_at=NOW + DAY)
    for options in ({"count": 5}, {"until": NOW + 30 * DAY}):
        found = preview(ended, now=NOW, scheme=months(), **options)
        assert found.occurrences == ()
        assert "not-due" in {warning.word for warning in found.warnings}
    over = preview(planned(ends_at=NOW), now=NOW, count=5)
    assert "is over" in {warning.word: warning.sentence for warning in over.warnings}["not-due"]


def test_too_far_a_look_is_refused() -> None:
    schedule = planned(expression="* * * * *", minutes=0.5)
    with pytest.raises(ScheduleError, match=r"more than 20000 due times .* less far ahead"):
        preview(schedule, now=NOW, until=NOW + 30 * DAY)


def test_another_schedule_that_is_due_too_often_is_left_out_with_a_word() -> None:
    weekly = planned()
    often = planned("often", "* * * * *", minutes=0.5)
    near = preview(weekly, [often], now=NOW, until=NOW + 8 * DAY)
    assert warned(near, "left-out") == []
    far = preview(weekly, [often], now=NOW, until=NOW + 30 * DAY)
    (warning,) = warned(far, "left-out")
    assert "the schedule often is left out" in warning.sentence
    assert far.occurrences == preview(weekly, now=NOW, until=NOW + 30 * DAY).occurrences


def test_cancelled_due_times_are_left_out() -> None:
    cancelled = datetime(2026, 3, 2, 6, tzinfo=UTC)
    found = preview(planned(expression="0 6 * * *", cancelled=(cancelled,)), now=NOW, count=2)
    assert [one.due_at.day for one in found.occurrences] == [1, 3]


def test_one_session_waits_for_the_other_inside_its_window() -> None:
    weekly, darks = planned(priority=0), planned("darks", priority=5)
    found = preview(weekly, [darks], now=NOW, until=NOW + 15 * DAY)
    (notice,) = warned(found, "overlap")
    assert (notice.severity, notice.count) == ("notice", 2)
    assert "darks, which goes first (priority 5 over 0)" in notice.sentence
    assert "30.0 min later" in notice.sentence
    assert [one.begins_at for one in found.occurrences] == [
        one.starts_at + timedelta(minutes=30) for one in found.occurrences
    ]
    # seen from the other one, it is the same
    assert warned(preview(darks, [weekly], now=NOW, until=NOW + 15 * DAY), "overlap") == [notice]


def test_what_begins_earlier_goes_first_whatever_its_priority() -> None:
    weekly, darks = planned(priority=5), planned("darks", "50 5 * * MON")
    (notice,) = warned(preview(weekly, [darks], now=NOW, count=1), "overlap")
    assert "darks, which goes first (it begins earlier); it begins 20.0 min" in notice.sentence


def test_who_goes_first_is_open_where_start_and_priority_are_the_same() -> None:
    (notice,) = warned(preview(planned(), [planned("darks")], now=NOW, count=1), "overlap")
    assert "give one a higher priority to choose" in notice.sentence


def test_what_has_waited_longer_goes_first() -> None:
    long = planned("long", "50 5 * * MON", minutes=60)
    second, third = planned("second", "0 6 * * MON"), planned("third", "10 6 * * MON")
    found = preview(third, [long, second], now=NOW, count=1)
    assert found.occurrences[0].begins_at is None
    found = preview(
        planned("third", "10 6 * * MON", window_s=7200), [long, second], now=NOW, count=1
    )
    assert found.occurrences[0].begins_at == datetime(2026, 3, 2, 7, 20, tzinfo=UTC)


def test_a_session_whose_window_ends_meanwhile_is_an_error() -> None:
    weekly, darks = planned(window_s=1200), planned("darks", priority=1)
    found = preview(weekly, [darks], now=NOW, until=NOW + 15 * DAY)
    (error,) = warned(found, "collision")
    assert (error.severity, error.count) == ("error", 2)
    assert error.at == datetime(2026, 3, 2, 6, tzinfo=UTC)
    assert "the fixture north is in use by darks" in error.sentence
    assert "too late to begin, 2026-03-02 06:20 UTC" in error.sentence
    assert [one.begins_at for one in found.occurrences] == [None, None]
    assert found.warnings[0] == error


def test_a_schedule_that_misses_what_is_late_has_only_its_grace() -> None:
    darks = planned("darks", priority=1)
    patient = planned(late="miss", grace_s=1800)
    assert warned(preview(patient, [darks], now=NOW, count=1), "overlap")
    strict = planned(late="miss", grace_s=1799)
    assert warned(preview(strict, [darks], now=NOW, count=1), "collision")


def test_sessions_on_other_equipment_do_not_collide() -> None:
    other = planned("darks", fixture="south", cameras=("3",))
    assert not preview(planned(), [other], now=NOW, count=3).warnings
    shared = planned("darks", fixture="south", cameras=("2", "3"))
    (notice,) = warned(preview(planned(), [shared], now=NOW, count=1), "overlap")
    assert "the camera 2 is in use" in notice.sentence


def test_a_schedule_can_be_in_its_own_way() -> None:
    found = preview(planned(expression="*/20 * * * *", minutes=30), now=NOW, until=NOW + HOUR)
    (notice,) = warned(found, "overlap")
    assert "in use by its session before" in notice.sentence


def test_collisions_of_others_are_not_its_business() -> None:
    others = [planned("a", fixture="south"), planned("b", fixture="south")]
    alone = planned(cameras=("9",))
    assert not preview(
        alone, [planned("a", fixture="south"), planned("b", fixture="south")], now=NOW, count=3
    ).warnings
    assert warned(preview(others[0], others[1:], now=NOW, count=3), "overlap")


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["north", "south"]),
            st.sampled_from([("1",), ("2",), ("1", "2")]),
            st.integers(1, 7),
            st.integers(1, 25),
            st.integers(1, 40),
            st.integers(-1, 1),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_the_queue_is_that_of_a_walk_through_every_minute(
    drawn: list[tuple[str, tuple[str, ...], int, int, int, int]],
) -> None:
    schedules = [
        planned(
            f"s{number}",
            f"*/{10 * every} * * * *" if every < 6 else f"{number} * * * *",
            fixture=fixture,
            cameras=cameras,
            minutes=minutes,
            window_s=60 * window,
            priority=priority,
        )
        for number, (fixture, cameras, every, minutes, window, priority) in enumerate(drawn)
    ]
    end = NOW + 3 * HOUR
    found = foresee(schedules, NOW, end)
    begun: dict[tuple[str, datetime], datetime] = {}
    free_at: dict[str, datetime] = {}
    minute = NOW
    every_due = [(one, due) for one in schedules for due in one.due_times(NOW, end)]
    while minute < end + HOUR:
        candidates = [
            (schedule, due)
            for schedule, due in every_due
            if due.starts_at <= minute < due.window_ends_at
            and (schedule.name, due.due_at) not in begun
        ]
        candidates.sort(
            key=lambda one: (-one[0].description.priority, one[1].starts_at, one[0].name)
        )
        for schedule, due in candidates:
            if all(free_at.get(name, NOW) <= minute for name in schedule.resources):
                begun[schedule.name, due.due_at] = minute
                until = minute + timedelta(seconds=schedule.duration_s)
                free_at.update(dict.fromkeys(schedule.resources, until))
        minute += timedelta(minutes=1)
    assert {
        (session.schedule.name, session.due.due_at): session.begins_at
        for session in found
        if session.begins_at is not None
    } == begun


def test_timeslots_with_fewer_than_two_sessions_are_named() -> None:
    monthly = planned(expression="0 6 20 * *")
    found = preview(monthly, now=NOW, until=NOW + 90 * DAY, scheme=months())
    (warning,) = warned(found, "few-sessions")
    assert (warning.severity, warning.count) == ("warning", 3)
    assert "timeslots 3-5 of months would hold 1 session with camera 1, 2" in warning.sentence
    assert [slot.permits for slot in found.timeslots] == [(), (), ()]


def test_sessions_taken_and_other_schedules_count() -> None:
    monthly = planned(expression="0 6 20 * *")
    taken = [TakenSession("1", NOW + HOUR, frozenset({"dark-field"}))]
    found = preview(monthly, now=NOW + DAY, count=1, scheme=months(), taken=taken)
    (march,) = found.timeslots
    assert march.taken_by_camera == {"1": 1, "2": 0}
    assert march.sessions_by_camera == {"1": 2, "2": 1}
    assert "1 session with camera 2:" in warned(found, "few-sessions")[0].sentence
    other = planned("darks", "0 9 25 * *", cameras=("2", "3"))
    assert not preview(
        monthly, [other], now=NOW + DAY, count=1, scheme=months(), taken=taken
    ).warnings


def test_sessions_of_other_kinds_of_frames_do_not_count() -> None:
    combined = planned(expression="0 6 20 * *", kinds=("dark-field", "fixed-background"))
    darks = planned("darks", "0 9 * * MON", kinds=("dark-field",))
    (march,) = preview(combined, [darks], now=NOW, count=1, scheme=months()).timeslots
    assert march.sessions_by_camera == {"1": 1, "2": 1}


def test_a_timeslot_is_judged_as_a_whole_however_far_one_looks() -> None:
    found = preview(planned(), now=NOW, count=1, scheme=months())
    (march,) = found.timeslots
    # the Mondays of March 2026
    assert march.sessions_by_camera == {"1": 5, "2": 5}
    assert not found.warnings


@pytest.mark.parametrize(
    ("days", "permits"),
    [
        ("2", ()),
        ("2,9", ()),
        ("2,9,16", ("class",)),
        ("2,9,16,23", ("class", "placebo")),
        ("2,9,16,23,30", ("class", "placebo")),
        ("2,5,9,16,23,30", ("class", "placebo", "p-below-0.05")),
    ],
)
def test_what_the_number_of_sessions_permits(days: str, permits: tuple[str, ...]) -> None:
    found = preview(planned(expression=f"0 6 {days} * *"), now=NOW, count=1, scheme=months())
    assert found.timeslots[0].permits == permits


def test_missed_sessions_fill_no_timeslot() -> None:
    blocked = planned(expression="0 6 9 * *", window_s=60)
    other = planned("darks", "0 6 9 * *", priority=1, kinds=("flat-field",))
    (march,) = preview(blocked, [other], now=NOW, count=1, scheme=months()).timeslots
    assert march.sessions_by_camera == {"1": 0, "2": 0}


def test_sessions_outside_a_scheme_or_across_its_bounds_are_named() -> None:
    daily = planned(expression="50 23 * * *", minutes=30)
    found = preview(daily, now=datetime(2026, 5, 29, tzinfo=UTC), count=5, scheme=months())
    (outside,) = warned(found, "outside-scheme")
    assert outside.sentence.startswith("2 of 5 sessions would lie in no timeslot of months")
    (halved,) = warned(found, "straddles-timeslots")
    assert (halved.count, halved.at) == (1, datetime(2026, 5, 31, 23, 50, tzinfo=UTC))


def test_the_day_is_named_when_a_disk_is_full() -> None:
    store = Disk("the asset store", "/store", 10 * GB + RESERVE_BYTES, keeps=True)
    spool = Disk("the spool", "/spool", 5 * GB, keeps=False)
    daily, other = planned(expression="0 6 * * *"), planned("darks", "0 12 * * *", gigabytes=2)
    found = preview(daily, [other], now=NOW, count=9, disks=[store, spool])
    # 3 GB a day: 9 GB after three days, 10 after the fourth morning, 12 after its noon
    (warning,) = warned(found, "disk-full")
    assert warning.severity == "error"
    assert warning.at == datetime(2026, 3, 4, 12, tzinfo=UTC)
    assert "the asset store /store would have no room from 2026-03-04 12:00 UTC" in warning.sentence
    assert "after 10.00 GB of sessions before it, the session of darks" in warning.sentence
    roomy = Disk("the asset store", "/store", 13 * GB, keeps=True)
    assert not warned(preview(daily, [other], now=NOW, count=4, disks=[roomy]), "disk-full")


def test_a_spool_needs_room_for_one_session() -> None:
    small = Disk("the spool", "/spool", GB, keeps=False)
    (warning,) = warned(preview(planned(), now=NOW, count=3, disks=[small]), "disk-full")
    assert warning.at == datetime(2026, 3, 2, 6, tzinfo=UTC)


BERLIN = {"zone": "Europe/Berlin", "expression": "30 2 * * SUN"}
TWICE = "2026-10-25 02:30 occurs twice in Europe/Berlin:"


@pytest.mark.parametrize(
    ("chosen", "start", "word", "sentence"),
    [
        ({}, NOW, "hour-skipped",
         "2026-03-29 02:30 never occurs in Europe/Berlin: due 2026-03-29 03:00:00+02:00 instead"),
        ({"skipped_hour": "skip"}, NOW, "hour-skipped",
         "2026-03-29 02:30 never occurs in Europe/Berlin: left out"),
        ({}, NOW + 210 * DAY, "hour-repeated",
         f"{TWICE} due at the first pass, 2026-10-25 02:30:00+02:00"),
        ({"repeated_hour": "second"}, NOW + 210 * DAY, "hour-repeated",
         f"{TWICE} due at the second pass, 2026-10-25 02:30:00+01:00"),
        ({"repeated_hour": "both"}, NOW + 210 * DAY, "hour-repeated",
         f"{TWICE} due at both passes, 2026-10-25 02:30:00+02:00 and 2026-10-25 02:30:00+01:00"),
    ],
)  # fmt: skip
def test_what_was_chosen_for_hours_that_occur_twice_or_never(
    chosen: dict[str, Any], start: datetime, word: str, sentence: str
) -> None:
    found = preview(planned(**{**BERLIN, **chosen}), now=start, until=start + 45 * DAY)
    (notice,) = found.warnings
    assert (notice.word, notice.severity, notice.sentence) == (word, "notice", sentence)


def test_the_times_of_one_hour_are_told_together() -> None:
    often = planned(zone="Europe/Berlin", expression="*/15 * * * *", minutes=1)
    found = preview(often, now=datetime(2026, 3, 28, tzinfo=UTC), until=NOW + 30 * DAY)
    (notice,) = found.warnings
    assert notice.count == 4
    assert notice.sentence.startswith("4 due times from 2026-03-29 02:00 to 02:45 never occur in")


def test_a_preview_is_json() -> None:
    found = preview(
        planned(), [planned("darks")], now=NOW, count=2, scheme=months(),
        disks=[Disk("the asset store", "/store", 0, keeps=True)],
    )  # fmt: skip
    document = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert document["schedule"] == "weekly"
    assert document["occurrences"][0]["due_at"] == "2026-03-02T06:00:00+00:00"
    assert document["timeslots"][0]["permits"] == ["class", "placebo", "p-below-0.05"]
    assert {warning["word"] for warning in document["warnings"]} == {"disk-full", "overlap"}


def test_every_word_is_in_the_guide() -> None:
    guide = (Path(__file__).parents[3] / "docs/how-to/schedules.md").read_text(encoding="utf-8")
    for word in (*get_args(WarningWord), *get_args(Permit)):
        assert f"`{word}`" in guide
