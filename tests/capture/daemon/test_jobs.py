"""What calls for jobs: every session, closed timeslot and due time once, whatever happens."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from capture.daemon.job_definitions import JobDefinition
from capture.daemon.jobs import plan_jobs
from datastore.catalogue import Catalogue, open_catalogue
from datastore.timeslots import ExplicitScheme, Span, add_scheme
from tests.support.catalogue_rows import NOW
from tests.support.job_rows import end_again, ended_session, jobs_of

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
NIGHTLY = {"kind": "cron", "expression": "0 3 * * *"}


def define(**fields: Any) -> dict[str, JobDefinition]:
    fields.setdefault("command", ["defects", "extract"])
    return {"job": JobDefinition(**fields)}


AFTER_DARK = define(after="dark-session")
AFTER_ANY = define(after="session", command=["shots", "--session", "{session}", "--since={date}"])
AT_NIGHT = define(rule=NIGHTLY, zone="Europe/Berlin", command=["store", "verify", "{date}"])


def subjects(catalogue: Catalogue) -> list[str]:
    return [job["subject"] for job in jobs_of(catalogue)]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "exactly one of after, when_timeslot_closes, rule"),
        ({"after": "session", "rule": NIGHTLY, "zone": "UTC"}, "exactly one of"),
        ({"rule": NIGHTLY}, "rule and zone belong together"),
        ({"after": "session", "zone": "UTC"}, "rule and zone belong together"),
        ({"rule": NIGHTLY, "zone": "Mars/Olympus"}, "no IANA time zone"),
        ({"rule": {"kind": "cron", "expression": "0 3 * *"}, "zone": "UTC"}, "five fields"),
        ({"after": "session", "command": []}, "what follows `agetrace`"),
        ({"after": "session", "command": ["--home", "elsewhere"]}, "what follows `agetrace`"),
        ({"after": "session", "command": ["shots", "{timeslot}"]}, "it knows {session}, {date}"),
        ({"after": "session", "command": ["shots", "a\0b"]}, "zero byte"),
        ({"after": "session", "limit_s": 0}, "greater than 0"),
        ({"after": "session", "attempts": 0}, "greater than or equal to 1"),
        ({"after": "session", "nice": -1}, "greater than or equal to 0"),
        ({"after": "lunch"}, "'session' or 'dark-session'"),
        ({"after": "session", "niceness": 3}, "Extra inputs"),
    ],
    ids=str,
)
def test_a_definition_that_cannot_be_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as refused:
        define(**fields)
    assert message in str(refused.value)


def test_a_dark_session_calls_for_one_job_however_often_it_is_planned(
    catalogue: Catalogue, url: str
) -> None:
    plan_jobs(catalogue, AFTER_DARK, now=NOW)
    dark = ended_session(catalogue, at=NOW + HOUR)
    ended_session(catalogue, kind="flat-field")
    ended_session(catalogue, "failed")
    ended_session(catalogue, "aborted")
    partial = ended_session(catalogue, "partial")
    assert plan_jobs(catalogue, AFTER_DARK, now=NOW + 2 * HOUR) == 2
    assert plan_jobs(catalogue, AFTER_DARK, now=NOW + 3 * HOUR) == 0
    with open_catalogue(url, catalogue.store.root) as restarted:
        assert plan_jobs(restarted, AFTER_DARK, now=NOW + 4 * HOUR) == 0
    found = jobs_of(catalogue)
    assert [job["subject"].split()[1] for job in found] == [dark, partial]
    assert found[0]["due_at"] == NOW + HOUR
    assert {job["state"] for job in found} == {"pending"}
    assert found[0]["events"] == ["pending"]


def test_a_resumed_session_ends_twice_and_calls_twice(catalogue: Catalogue) -> None:
    plan_jobs(catalogue, AFTER_DARK, now=NOW)
    session = ended_session(catalogue, "partial")
    assert plan_jobs(catalogue, AFTER_DARK, now=NOW + HOUR) == 1
    end_again(catalogue, session, "completed", NOW + 2 * HOUR)
    assert plan_jobs(catalogue, AFTER_DARK, now=NOW + 3 * HOUR) == 1


def test_placeholders_name_what_a_job_is_for(catalogue: Catalogue) -> None:
    plan_jobs(catalogue, AFTER_ANY, now=NOW)
    session = ended_session(catalogue, kind="flat-field")
    plan_jobs(catalogue, AFTER_ANY, now=NOW)
    (job,) = jobs_of(catalogue)
    assert job["command"] == ["shots", "--session", session, "--since=2026-01-01"]


def test_a_definition_is_for_what_happens_after_it(catalogue: Catalogue) -> None:
    ended_session(catalogue)
    assert plan_jobs(catalogue, AFTER_DARK, now=NOW + HOUR) == 0
    after = ended_session(catalogue, at=NOW)
    plan_jobs(catalogue, AFTER_DARK, now=NOW + 2 * HOUR)
    assert [text.split()[1] for text in subjects(catalogue)] == [after]
    # another trigger of the same name is another definition
    assert plan_jobs(catalogue, AFTER_ANY, now=NOW + 3 * HOUR) == 0
    assert len(subjects(catalogue)) == 1


def test_a_session_by_a_clock_that_was_wrong_is_not_lost(catalogue: Catalogue) -> None:
    plan_jobs(catalogue, AFTER_DARK, now=NOW + 700 * DAY)
    ended_session(catalogue, at=NOW)
    ended_session(catalogue, at=NOW + 700 * DAY)
    plan_jobs(catalogue, AFTER_DARK, now=NOW + HOUR)
    assert [job["due_at"] for job in jobs_of(catalogue)] == [NOW, NOW + HOUR]


def add_days(catalogue: Catalogue, count: int) -> None:
    spans = [Span(start=NOW + day * DAY, end=NOW + (day + 1) * DAY) for day in range(count)]
    scheme = ExplicitScheme(name="days", division="explicit", timeslots=tuple(spans))
    add_scheme(catalogue, scheme, NOW)


def test_a_timeslot_calls_for_a_job_when_it_is_over(catalogue: Catalogue) -> None:
    closes = define(
        when_timeslot_closes="days", command=["dataset", "freeze", "{scheme}-{timeslot}.yaml"]
    )
    # the scheme may come later than the job
    plan_jobs(catalogue, closes, now=NOW + 1.5 * DAY)
    add_days(catalogue, 5)
    assert plan_jobs(catalogue, closes, now=NOW + 2 * DAY - HOUR) == 0
    assert plan_jobs(catalogue, closes, now=NOW + 2 * DAY) == 1
    assert plan_jobs(catalogue, closes, now=NOW + 4 * DAY + HOUR) == 2
    assert plan_jobs(catalogue, closes, now=NOW + 4 * DAY + HOUR) == 0
    found = jobs_of(catalogue)
    assert [job["command"][2] for job in found] == ["days-2.yaml", "days-3.yaml", "days-4.yaml"]
    assert [job["due_at"] for job in found] == [NOW + day * DAY for day in (2, 3, 4)]


def test_a_clock_that_was_ahead_at_first_hides_no_later_timeslot(catalogue: Catalogue) -> None:
    closes = define(when_timeslot_closes="days")
    add_days(catalogue, 3)
    plan_jobs(catalogue, closes, now=NOW + 700 * DAY)
    assert plan_jobs(catalogue, closes, now=NOW + HOUR) == 0
    assert plan_jobs(catalogue, closes, now=NOW + DAY) == 1


def test_a_rule_is_due_in_local_time_on_both_sides_of_a_changed_clock(
    catalogue: Catalogue,
) -> None:
    at = datetime(2026, 3, 27, 12, tzinfo=UTC)
    plan_jobs(catalogue, AT_NIGHT, now=at)
    while at < datetime(2026, 3, 31, tzinfo=UTC):
        at += timedelta(minutes=30)
        plan_jobs(catalogue, AT_NIGHT, now=at)
    found = jobs_of(catalogue)
    assert [f"{job['due_at']:%d %H:%M}" for job in found] == ["28 02:00", "29 01:00", "30 01:00"]
    assert [job["command"][2] for job in found] == ["2026-03-28", "2026-03-29", "2026-03-30"]


def test_the_newest_due_time_stands_for_those_that_passed_unseen(catalogue: Catalogue) -> None:
    plan_jobs(catalogue, AT_NIGHT, now=NOW)
    assert plan_jobs(catalogue, AT_NIGHT, now=NOW + 10 * DAY) == 1
    (job,) = jobs_of(catalogue)
    assert job["due_at"] == datetime(2026, 1, 11, 2, tzinfo=UTC)
    assert job["detail"] == "It stands for 10 due times since 2026-01-02 02:00 UTC."


def test_a_job_that_still_waits_at_the_next_due_time_is_cancelled_as_overtaken(
    catalogue: Catalogue,
) -> None:
    plan_jobs(catalogue, AT_NIGHT, now=NOW)
    plan_jobs(catalogue, AT_NIGHT, now=NOW + DAY)
    plan_jobs(catalogue, AT_NIGHT, now=NOW + 2 * DAY)
    earlier, later = jobs_of(catalogue)
    assert (earlier["state"], earlier["reason"]) == ("cancelled", "overtaken")
    assert earlier["events"] == ["pending", "cancelled"]
    assert later["state"] == "pending"


def test_a_clock_that_jumped_ahead_and_back_leaves_no_night_without_a_job(
    catalogue: Catalogue,
) -> None:
    plan_jobs(catalogue, AT_NIGHT, now=NOW)
    plan_jobs(catalogue, AT_NIGHT, now=NOW + 700 * DAY)
    for day in (1, 2):
        assert plan_jobs(catalogue, AT_NIGHT, now=NOW + day * DAY) == 1
    assert len(jobs_of(catalogue)) == 3


def test_many_sessions_at_once_are_planned_batch_by_batch(
    sqlite_catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("capture.daemon.jobs._BATCH", 2)
    plan_jobs(sqlite_catalogue, AFTER_DARK, now=NOW)
    sessions = [ended_session(sqlite_catalogue) for _ in range(5)]
    planned = [plan_jobs(sqlite_catalogue, AFTER_DARK, now=NOW) for _ in range(4)]
    assert planned == [2, 2, 1, 0]
    assert [text.split()[1] for text in subjects(sqlite_catalogue)] == sessions


def test_daemons_that_plan_at_once_plan_each_job_once(catalogue: Catalogue, url: str) -> None:
    plan_jobs(catalogue, AFTER_DARK, now=NOW)
    for _ in range(6):
        ended_session(catalogue)
    ready = threading.Barrier(4)
    planned = []

    def plan() -> None:
        with open_catalogue(url, catalogue.store.root) as own:
            ready.wait()
            planned.append(plan_jobs(own, AFTER_DARK, now=NOW + HOUR))

    threads = [threading.Thread(target=plan) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(planned) == [0, 0, 0, 6]
    assert len(set(subjects(catalogue))) == 6
