"""Schedules are added once, paused, resumed and retired; none of it loses a due time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from capture.errors import RecipeError, ScheduleError, UnknownCameraError, UnknownScheduleError
from capture.recipes import parse_recipe
from capture.schedules import schedule_rows
from capture.schedules.occurrences import attend, claim_next, sweep
from datastore import audit
from datastore.errors import UnknownFixtureError
from datastore.tables import AuditEntry, Recipe, Schedule, ScheduleExpansion
from tests.support.occurrence_diary import HOUR, MINUTE, START, Diary, describe

SCENE = parse_recipe(
    "name: walls\nshots:\n  - {kind: fixed-background, scene: wall, exposure: 1, iso: 100,"
    " f_number: 8}\n",
    "walls.yaml",
)


def counts(diary: Diary) -> list[int | None]:
    with diary.catalogue.reading() as transaction:
        return [
            transaction.scalar(select(func.count()).select_from(table))
            for table in (Schedule, ScheduleExpansion, Recipe, AuditEntry)
        ]


def fates(diary: Diary) -> list[tuple[str, str | None]]:
    return [(row.state, row.reason) for row in diary.rows()]


def change(name: str, diary: Diary, hours: float, schedule: str = "hourly") -> None:
    changes = {
        "pause": schedule_rows.pause,
        "resume": schedule_rows.resume,
        "retire": schedule_rows.retire,
    }
    at = START + timedelta(hours=hours)
    changes[name](diary.catalogue, schedule, operator="bo", reason="painting", at=at)


def test_a_schedule_and_its_recipe_are_kept_as_they_were(diary: Diary) -> None:
    diary.add("walls", recipe=SCENE, cameras=["7100002"])
    diary.add("walls-again", recipe=SCENE)
    with diary.catalogue.reading() as transaction:
        first, second = schedule_rows.list_schedules(transaction)
        row = schedule_rows.find_schedule(transaction, "walls")
        assert audit.verify(transaction) == []
    assert (first.name, first.state, first.fixture) == ("walls", "active", "north")
    assert first.recipe_sha256 == second.recipe_sha256 == SCENE.content_sha256
    assert first.description == describe("walls", cameras=["7100002"])
    assert (row.operator, row.created_at) == ("ada", START)
    # one recipe for both, and both in the audit
    assert counts(diary)[:3] == [2, 2, 1]


@pytest.mark.parametrize(
    ("add", "error", "message"),
    [
        (lambda diary: diary.add(), ScheduleError, "hourly exists already"),
        (lambda diary: diary.add("a", fixture="moon"), UnknownFixtureError, "north"),
        (lambda diary: diary.add("a", cameras=["7"]), UnknownCameraError, "7100001"),
        (
            lambda diary: diary.add("a", recipe=parse_recipe(_ELSEWHERE, "elsewhere.yaml")),
            RecipeError,
            "moon",
        ),
        (
            lambda diary: diary.add("a", starts_at=START + timedelta(days=4000)),
            ScheduleError,
            "not due within ten years",
        ),
        (lambda diary: diary.add("a", ends_at=START), ScheduleError, "not due within ten years"),
    ],
)
def test_what_cannot_be_carried_out_is_refused_and_changes_nothing(
    diary: Diary, add: Callable[[Diary], None], error: type[Exception], message: str
) -> None:
    diary.add()
    before = counts(diary)
    with pytest.raises(error, match=message):
        add(diary)
    assert counts(diary) == before


_ELSEWHERE = (
    "name: moon\nshots:\n  - {kind: fixed-background, scene: moon, exposure: 1, iso: 100,"
    " f_number: 8}\n"
)


def test_states_follow_one_another_as_they_may(diary: Diary) -> None:
    diary.add()
    for name, state in [
        ("resume", None),
        ("pause", "paused"),
        ("pause", None),
        ("resume", "active"),
        ("pause", "paused"),
        ("retire", "retired"),
        ("pause", None),
        ("resume", None),
        ("retire", None),
    ]:
        with diary.catalogue.reading() as transaction:
            before = schedule_rows.state_of(transaction, "hourly")
        if state is None:
            with pytest.raises(ScheduleError, match=f"hourly is {before}"):
                change(name, diary, 1)
        else:
            change(name, diary, 1)
        with diary.catalogue.reading() as transaction:
            assert schedule_rows.state_of(transaction, "hourly") == (state or before)
    with diary.catalogue.reading() as transaction:
        events = schedule_rows.find_schedule(transaction, "hourly").events
        with pytest.raises(UnknownScheduleError, match="there are hourly"):
            schedule_rows.find_schedule(transaction, "daily")
    assert [(e.name, e.operator, e.reason) for e in events][:2] == [
        ("added", "ada", None),
        ("paused", "bo", "painting"),
    ]
    assert [e.name for e in events] == ["added", "paused", "resumed", "paused", "retired"]


@pytest.mark.parametrize("is_watched", [True, False], ids=["watched", "looked-at-later"])
def test_due_times_in_a_pause_are_cancelled_whenever_somebody_looks(
    diary: Diary, is_watched: bool
) -> None:
    diary.add()
    changes = {2.75: "pause", 5.0: "resume", 6.25: "pause", 6.5: "resume", 7.75: "retire"}
    for minute in range(0, 10 * 60, 15):
        name = changes.get(minute / 60)
        if name is not None:
            change(name, diary, minute / 60)
        if is_watched:
            now = START + minute * MINUTE
            diary.expand(now + MINUTE)
            # somebody looks, but nobody claims
            sweep(diary.catalogue, now=now, by="d")
    diary.expand(START + 10 * HOUR)
    sweep(diary.catalogue, now=START + 10 * HOUR, by="d")
    missed, paused = ("missed", "daemon-down"), ("cancelled", "schedule-paused")
    # 02:00 was over when the first pause began, 06:00 was not when the second one did
    assert fates(diary) == [missed, missed, missed, paused, paused, missed, paused, missed]
    assert diary.row(START + 3 * HOUR).detail == (
        "Its schedule was paused at 2026-01-01 02:45:00 UTC by bo (painting)."
    )


def test_a_pause_cancels_what_waits_in_its_window_and_claims_nothing(diary: Diary) -> None:
    diary.add(attended=True)
    diary.expand(START + HOUR)
    attend(diary.catalogue, diary.row().id, operator="bo", at=START)
    change("pause", diary, 0.1)
    assert diary.claims_nothing(START + 10 * MINUTE)
    sweep(diary.catalogue, now=START + 10 * MINUTE, by="d")
    assert fates(diary) == [("cancelled", "schedule-paused")]


def test_what_runs_goes_on_in_a_pause_but_is_not_tried_again(diary: Diary) -> None:
    diary.add("one", attempts=3)
    diary.add("two", attempts=3)
    diary.expand(START + MINUTE)
    first, second = diary.claim(START), diary.claim(START)
    for name in ("one", "two"):
        change("pause", diary, 0.1, name)
    now = START + 10 * MINUTE
    assert sweep(diary.catalogue, now=now, by="d") == []
    first.settle("completed", "completed", None, at=now)
    second.retry("camera-unreachable", "It was off.", not_before=None, at=now)
    assert diary.claims_nothing(now)
    sweep(diary.catalogue, now=now, by="d")
    assert fates(diary) == [("completed", "completed"), ("failed", "camera-unreachable")]
    (failed,) = [row for row in diary.rows() if row.state == "failed"]
    assert failed.detail == (
        "It was off. Its schedule was paused at 2026-01-01 00:06:00 UTC by bo (painting)."
    )


def test_a_resumed_schedule_takes_what_is_due_from_then_on(diary: Diary) -> None:
    diary.add()
    diary.expand(START + 4 * HOUR)
    change("pause", diary, 0)
    change("resume", diary, 2)
    assert diary.claim(START + 2 * HOUR).due_at == START + 2 * HOUR
    sweep(diary.catalogue, now=START + 2 * HOUR, by="d")
    paused = ("cancelled", "schedule-paused")
    assert fates(diary) == [paused, paused, ("claimed", None), ("pending", None)]


def test_retiring_tells_of_every_due_time_until_then_and_cancels_the_rest(diary: Diary) -> None:
    diary.add()
    diary.expand(START + HOUR)
    claim = diary.claim(START)
    # nobody expanded for hours: these due times are missed, not cancelled
    change("retire", diary, 4.25)
    assert diary.expand(START + 100 * HOUR) == 0
    assert fates(diary) == [
        ("claimed", None),
        *[("missed", "daemon-down")] * 3,
        ("cancelled", "schedule-retired"),
    ]
    claim.settle("completed", "completed", None, at=START + 5 * HOUR)
    assert fates(diary)[0] == ("completed", "completed")


def test_retiring_cancels_what_was_written_ahead(diary: Diary) -> None:
    diary.add()
    diary.add("other", fixture="south")
    diary.expand(START + 3 * HOUR)
    change("pause", diary, 0.75)
    change("retire", diary, 1.25)
    of_both = {name: [] for name in ("hourly", "other")}  # type: dict[str, list[object]]
    for row in diary.rows():
        of_both[row.schedule].append((row.state, row.reason, row.due_at.hour))
    assert of_both["hourly"] == [
        ("missed", "daemon-down", 0),
        ("cancelled", "schedule-paused", 1),
        ("cancelled", "schedule-retired", 2),
    ]
    assert of_both["other"] == [("pending", None, hour) for hour in range(3)]


def test_a_clock_that_is_set_back_runs_nothing_twice(diary: Diary) -> None:
    diary.add()
    diary.expand(START + 5 * HOUR)
    late = START + 3 * HOUR
    diary.claim(late).settle("completed", "completed", None, at=late)
    sweep(diary.catalogue, now=late, by="d")
    before = diary.rows()
    for hour in range(4):
        now = START + hour * HOUR
        assert diary.expand(now) == 0
        assert sweep(diary.catalogue, now=now, by="d") == []
        assert claim_next(diary.catalogue, now=now, holder="d") is None
    assert diary.rows() == before


def test_a_pause_holds_however_the_clock_is_set_back(diary: Diary) -> None:
    diary.add(window_s=3000)
    diary.expand(START + 3 * HOUR)
    change("pause", diary, 2.5)
    # the clock was two hours fast
    assert diary.claims_nothing(START + 0.5 * HOUR)
    sweep(diary.catalogue, now=START + 0.5 * HOUR, by="d")
    assert fates(diary)[0] == ("cancelled", "schedule-paused")
    change("resume", diary, 0.6)
    assert diary.claim(START + 1.1 * HOUR).due_at == START + HOUR
    assert diary.claim(START + 2.6 * HOUR).due_at == START + 2 * HOUR
