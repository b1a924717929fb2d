"""People are told what they should know: every fact once, whoever looks and however often."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from capture.daemon.clock_watch import ClockWatch
from capture.daemon.facts import Thresholds
from capture.daemon.notices import Notices
from datastore.catalogue import Catalogue
from datastore.tables import Notification, OperatorPrompt, Schedule
from tests.support.watched_rows import (
    DAY,
    HOUR,
    NOW,
    add_fixture,
    add_job,
    add_occurrence,
    add_occurrence_event,
    add_prompt,
    add_schedule,
    add_session,
)

MINUTE = timedelta(minutes=1)


@pytest.fixture
def nightly(catalogue: Catalogue) -> Schedule:
    """Return an active schedule of the fixture north with two cameras."""
    with catalogue.writing() as transaction:
        fixture = add_fixture(transaction, "north", "A1", "A2")
        return add_schedule(transaction, "nightly", fixture)


@pytest.fixture
def look(catalogue: Catalogue, tmp_path: Path) -> Callable[..., Notices]:
    """Return what makes notices over a channel, of sound disks and cameras unless asked for."""

    def make(**limits: object) -> Notices:
        thresholds = Thresholds(**{"free_bytes": 0, "good_session": 999 * DAY, **limits})  # type: ignore[arg-type]
        return Notices(
            catalogue, ["lab"], tmp_path / "spool", thresholds, look_every_s=0, host="lab-1"
        )

    return make


def told(catalogue: Catalogue) -> list[Notification]:
    """Return every message, oldest first."""
    with catalogue.reading() as transaction:
        return list(transaction.scalars(select(Notification).order_by(Notification.id)))


def test_an_occurrence_that_went_wrong_is_told_once(
    catalogue: Catalogue, nightly: Schedule, look: Callable[..., Notices]
) -> None:
    with catalogue.writing() as transaction:
        for number, state in enumerate(
            ["completed", "partial", "failed", "missed", "cancelled", "pending", "claimed"]
        ):
            due_at = NOW - timedelta(minutes=30 - number)
            settled_at = NOW if state not in ("pending", "claimed") else None
            add_occurrence(
                transaction,
                nightly,
                due_at,
                state,
                settled_at=settled_at,
                reason="camera-lost",
                detail="Camera A1 was lost.",
            )
    notices = look()
    notices.tick(NOW)
    notices.tick(NOW + MINUTE)
    look().tick(NOW + 2 * MINUTE)
    messages = told(catalogue)
    assert [message.title for message in messages] == [
        f"nightly: {state} (camera-lost)" for state in ("partial", "failed", "missed")
    ]
    body = messages[1].body
    assert "Camera A1 was lost." in body
    assert "fixture north" in body
    assert "2026-03-15 12:32:00+01:00 Europe/Berlin (2026-03-15 11:32:00 UTC)" in body
    assert all(message.created_at == NOW for message in messages)


def test_what_was_settled_long_ago_is_no_news(
    catalogue: Catalogue, nightly: Schedule, look: Callable[..., Notices]
) -> None:
    with catalogue.writing() as transaction:
        add_occurrence(transaction, nightly, NOW - 9 * DAY, "missed")
        # found missed only now, after a long outage
        add_occurrence(transaction, nightly, NOW - 8 * DAY, "missed", settled_at=NOW)
        add_job(transaction, "verify", "failed", NOW - 3 * DAY)
    look().tick(NOW)
    assert [message.title for message in told(catalogue)] == ["nightly: missed"]


def test_a_long_outage_is_told_in_few_messages(
    catalogue: Catalogue, nightly: Schedule, look: Callable[..., Notices]
) -> None:
    notices = look()
    with catalogue.writing() as transaction:
        for number in range(40):
            due_at = NOW - timedelta(hours=100 - number)
            add_occurrence(transaction, nightly, due_at, "missed", settled_at=NOW)
    notices.tick(NOW)
    with catalogue.writing() as transaction:
        for number in range(40, 60):
            due_at = NOW - timedelta(hours=100 - number)
            add_occurrence(transaction, nightly, due_at, "missed", settled_at=NOW + MINUTE)
    notices.tick(NOW + MINUTE)
    look().tick(NOW + 2 * MINUTE)
    titles = [message.title for message in told(catalogue)]
    assert titles == ["nightly: missed"] * 3 + ["nightly: more are missed"]


def test_an_operator_is_called_for_an_attended_occurrence(
    catalogue: Catalogue, look: Callable[..., Notices]
) -> None:
    with catalogue.writing() as transaction:
        fixture = add_fixture(transaction, "north")
        attended = add_schedule(transaction, "attended", fixture, attended=True)
        paused = add_schedule(transaction, "paused", fixture, attended=True, state="paused")
        alone = add_schedule(transaction, "alone", fixture)
        for schedule in (attended, paused, alone):
            add_occurrence(transaction, schedule, NOW)
        # due later, over already, and attended
        add_occurrence(transaction, attended, NOW + 3 * HOUR)
        add_occurrence(transaction, attended, NOW - 3 * HOUR)
        there = add_occurrence(transaction, attended, NOW - MINUTE)
        add_occurrence_event(transaction, there, "attended")
    notices = look()
    notices.tick(NOW - MINUTE)
    assert told(catalogue) == []
    notices.tick(NOW)
    notices.tick(NOW + MINUTE)
    [message] = told(catalogue)
    assert message.title == "attended: waits for its operator"
    assert "until 2026-03-15 14:00:00+01:00 Europe/Berlin" in message.body
    assert "agetrace occurrence attend" in message.body


def test_a_prompt_that_waits_for_a_minute_is_told(
    catalogue: Catalogue, look: Callable[..., Notices]
) -> None:
    with catalogue.writing() as transaction:
        running = add_session(transaction, NOW - HOUR, state=None)
        ended = add_session(transaction, NOW - HOUR, state="aborted")
        add_prompt(transaction, running, NOW - HOUR, answer="done")
        waiting = add_prompt(transaction, running, NOW)
        add_prompt(transaction, ended, NOW - HOUR)
    notices = look()
    notices.tick(NOW + timedelta(seconds=59))
    assert told(catalogue) == []
    notices.tick(NOW + MINUTE)
    notices.tick(NOW + 9 * MINUTE)
    [message] = told(catalogue)
    assert "Put the body cap on." in message.body
    assert f"agetrace session answer {_uuid(catalogue, waiting)}" in message.body


def _uuid(catalogue: Catalogue, prompt: OperatorPrompt) -> str:
    with catalogue.reading() as transaction:
        return transaction.scalars(
            select(OperatorPrompt.uuid).where(OperatorPrompt.id == prompt.id)
        ).one()


def test_a_job_that_failed_is_told(catalogue: Catalogue, look: Callable[..., Notices]) -> None:
    with catalogue.writing() as transaction:
        add_job(transaction, "defects", "failed", NOW)
        add_job(transaction, "defects", "completed", NOW)
        add_job(transaction, "verify", "running")
    look().tick(NOW)
    look().tick(NOW)
    [message] = told(catalogue)
    assert message.title == "Job defects failed"
    assert "with exit code 1: It ran out of memory." in message.body


def test_a_full_disk_is_told_once_a_day(catalogue: Catalogue, look: Callable[..., Notices]) -> None:
    notices = look(free_bytes=1 << 62)
    for hours in range(0, 30, 3):
        notices.tick(NOW + hours * HOUR)
    titles = [message.title for message in told(catalogue)]
    assert (
        titles
        == [
            "Little room for the store on lab-1",
            "Little room for the spool on lab-1",
        ]
        * 2
    )


def test_a_camera_without_a_good_session_is_told_in_every_period(
    catalogue: Catalogue, look: Callable[..., Notices]
) -> None:
    with catalogue.writing() as transaction:
        fixture = add_fixture(transaction, "north", "A1", "A2", "A3")
        other = add_fixture(transaction, "south", "B1")
        schedule = add_schedule(transaction, "nightly", fixture, cameras=["A1", "A2"])
        add_schedule(transaction, "paused", other, state="paused")
        for day in range(1, 9):
            add_occurrence(transaction, schedule, NOW - day * DAY, "completed")
        add_session(transaction, NOW - 8 * DAY, "A1", "A2")
        for day in range(1, 8):
            add_session(transaction, NOW - day * DAY, "A1")
            add_session(transaction, NOW - day * DAY, "A2", state="partial")
    notices = look(good_session=3 * DAY)
    notices.tick(NOW)
    notices.tick(NOW + HOUR)
    [message] = told(catalogue)
    assert message.title == "Camera A2 has had no good session for 7 days"
    assert "last good session: at 2026-03-07 12:10:00 UTC" in message.body
    with catalogue.writing() as transaction:
        # A1 goes on, A2 is told of again three days later
        for day in range(4):
            add_session(transaction, NOW + day * DAY, "A1")
    for day in range(4):
        notices.tick(NOW + day * DAY)
    titles = [message.title for message in told(catalogue)]
    assert titles[1:] == ["Camera A2 has had no good session for 9 days"]


def test_a_camera_that_was_not_due_is_not_missed(
    catalogue: Catalogue, look: Callable[..., Notices]
) -> None:
    with catalogue.writing() as transaction:
        fixture = add_fixture(transaction, "north", "A1")
        monthly = add_schedule(transaction, "monthly", fixture)
        add_occurrence(transaction, monthly, NOW - 20 * DAY, "completed")
        add_occurrence(transaction, monthly, NOW - 10 * DAY, "cancelled")
        add_occurrence(transaction, monthly, NOW + 10 * DAY)
        add_session(transaction, NOW - 20 * DAY, "A1")
    look(good_session=3 * DAY).tick(NOW)
    assert told(catalogue) == []


def test_a_clock_that_was_moved_is_told(sqlite_catalogue: Catalogue, tmp_path: Path) -> None:
    boot_s = 1000.0
    notices = Notices(
        sqlite_catalogue,
        ["lab"],
        tmp_path,
        Thresholds(free_bytes=0),
        watch=ClockWatch(lambda: boot_s),
    )
    notices.tick(NOW)
    boot_s += 10
    notices.tick(NOW + timedelta(seconds=10))
    boot_s += 10
    # its rows are not looked at again so soon, but a jump is told at once
    notices.tick(NOW - 2 * HOUR)
    [message] = told(sqlite_catalogue)
    assert message.title == "The computer's clock was moved"
    assert "jumped back by 2:00:20" in message.body


def test_nothing_is_looked_for_where_nobody_is_told(
    sqlite_catalogue: Catalogue, tmp_path: Path
) -> None:
    Notices(sqlite_catalogue, [], tmp_path, Thresholds(free_bytes=1 << 62)).tick(NOW)
    assert told(sqlite_catalogue) == []
