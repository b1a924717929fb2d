"""Every due time leaves a row: expanded once, claimed by one, and said what became of it."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from capture.errors import OccurrenceStateError, UnknownOccurrenceError
from capture.schedules.history import put_back, settle
from capture.schedules.occurrences import (
    OccurrenceFilter,
    Settlement,
    attend,
    cancel,
    claim_next,
    find_occurrence,
    iterate_occurrences,
    list_occurrences,
    list_occurrences_around,
    materialise,
    sweep,
)
from datastore import audit
from datastore.catalogue import Catalogue
from datastore.errors import LeaseLostError
from datastore.tables import AuditEntry
from tests.support.independent_schedules import due_times
from tests.support.occurrence_diary import (
    FINAL,
    HOUR,
    MINUTE,
    SECOND,
    START,
    Diary,
    add_fixtures,
    require_legal,
)


@pytest.fixture(scope="module")
def dead_process() -> str:
    """Return the words of a process of this host that has ended."""
    code = "from capture.leasing import this_process; print(this_process())"
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root
    )
    return done.stdout.strip()


def test_every_due_time_has_one_row_however_the_time_is_divided(diary: Diary) -> None:
    # the days on which Berlin's and New York's clocks change lie between
    start = datetime(2026, 10, 20, tzinfo=UTC)
    diary.add("daily", "30 2 * * *", repeated_hour="both", at=start)
    diary.add("weekly", "15 9 * * MON", zone="America/New_York", jitter_s=600, at=start)
    diary.add("monthly", "0 12 1 * *", zone="Asia/Kolkata", at=start)
    chance = random.Random(5)
    now, written = start, 0
    while now < start + timedelta(days=165):
        # a clock that is set back, too
        now += timedelta(hours=chance.randint(-24, 24 * 40))
        written += materialise(
            diary.catalogue, now=now, horizon=timedelta(days=chance.choice([0, 9]))
        )
        assert materialise(diary.catalogue, now=now, horizon=timedelta()) == 0
    end = max(row.due_at for row in diary.rows()) + SECOND
    written += diary.expand(end)
    found: dict[str, list[datetime]] = {name: [] for name in ("daily", "weekly", "monthly")}
    for row in diary.rows():
        found[row.schedule].append(row.due_at)
        assert row.due_at <= row.starts_at < row.due_at + timedelta(seconds=600)
        assert row.window_ends_at == row.due_at + timedelta(seconds=1800)
        assert row.state == "pending"
    for name, expression, zone, twice in [
        ("daily", "30 2 * * *", "Europe/Berlin", "both"),
        ("weekly", "15 9 * * MON", "America/New_York", "first"),
        ("monthly", "0 12 1 * *", "Asia/Kolkata", "first"),
    ]:
        rule = {"kind": "cron", "expression": expression}
        assert found[name] == due_times(rule, zone, start, end, repeated_hour=twice)
    assert written == sum(map(len, found.values()))


def test_rows_of_a_long_absence_are_written_bit_by_bit(diary: Diary) -> None:
    diary.add("often", "*/10 * * * *", window_s=60)
    end = START + timedelta(days=9, minutes=5)
    assert diary.expand(end) == 9 * 144 + 1
    assert [row.due_at for row in diary.rows()] == [
        START + number * 10 * MINUTE for number in range(9 * 144 + 1)
    ]
    settled = sweep(diary.catalogue, now=end, by="ada")
    assert len(settled) == 9 * 144 + 1
    assert {(one.state, one.reason) for one in settled} == {("missed", "daemon-down")}


def test_a_schedule_counts_from_when_it_was_added(diary: Diary) -> None:
    diary.add(at=START + SECOND)
    diary.expand(START + 3 * HOUR)
    assert [row.due_at for row in diary.rows()] == [START + HOUR, START + 2 * HOUR]


def test_an_occurrence_is_claimed_inside_its_window_only(diary: Diary) -> None:
    diary.add(jitter_s=900)
    diary.expand(START + 2 * HOUR)
    first, second = diary.rows()
    assert diary.claims_nothing(first.starts_at - SECOND)
    assert diary.claims_nothing(first.window_ends_at)
    claim = diary.claim(first.window_ends_at - SECOND)
    assert (claim.uuid, claim.attempt, claim.fixture) == (first.id, 1, "north")
    assert (claim.serials, claim.recipe.name, claim.is_taken_over) == (None, "darks", False)
    assert diary.claims_nothing(first.window_ends_at - SECOND)
    claim.settle("completed", "completed", None, at=first.window_ends_at)
    assert diary.claim(second.starts_at).uuid == second.id
    assert diary.events(first.due_at) == ["pending", "claimed", "completed"]


def test_the_highest_priority_goes_first_then_the_earliest_start(diary: Diary) -> None:
    diary.add("late", "10 * * * *")
    diary.add("early", "5 * * * *")
    diary.add("urgent", "15 * * * *", priority=3, cameras=["7100002"])
    diary.add("elsewhere", "0 * * * *", fixture="south", priority=-1)
    diary.expand(START + HOUR)
    now = START + 16 * MINUTE
    claims = [diary.claim(now) for _ in range(4)]
    assert [claim.schedule_name for claim in claims] == ["urgent", "early", "late", "elsewhere"]
    assert claims[0].serials == ("7100002",)


def test_what_is_due_on_a_busy_fixture_waits_and_its_history_says_so(diary: Diary) -> None:
    diary.add("one")
    diary.add("two")
    diary.add("three", fixture="south")
    diary.expand(START + MINUTE)
    running = diary.claim(START)
    assert running.schedule_name == "one"
    assert diary.claim(START, "north").schedule_name == "three"
    for _ in range(3):
        assert diary.claims_nothing(START + MINUTE, "north", "south")
    (waiting,) = [row for row in diary.rows() if row.schedule == "two"]
    events = diary.history(waiting.id)
    assert [event.name for event in events] == ["pending", "waiting"]
    assert (waiting.state, waiting.reason, waiting.attempts) == ("pending", "equipment-busy", 0)
    (missed,) = sweep(diary.catalogue, now=START + 30 * MINUTE, by="a daemon")
    assert (missed.schedule_name, missed.state, missed.reason) == (
        "two",
        "missed",
        "equipment-busy",
    )
    assert "north" in str(missed.detail)


def test_a_wait_costs_no_attempt_and_a_retry_does(diary: Diary) -> None:
    diary.add(attempts=3)
    diary.expand(START + MINUTE)
    claim = diary.claim(START)
    later = START + 5 * MINUTE
    claim.wait("equipment-busy", "camera 7100001 is leased.", not_before=later, at=START)
    assert diary.row().not_before == later
    assert diary.claims_nothing(later - SECOND)
    claim = diary.claim(later)
    assert (claim.attempt, claim.attempts_allowed) == (1, 3)
    claim.retry("camera-unreachable", "No answer.", not_before=None, at=later)
    claim = diary.claim(later)
    assert claim.attempt == 2
    claim.settle("failed", "camera-unreachable", "No answer.", at=later)
    assert diary.events() == [
        *("pending", "claimed", "waiting", "claimed", "pending", "claimed", "failed"),
    ]
    row = diary.row()
    assert (row.state, row.attempts, row.settled_at, row.detail) == (
        *("failed", 2, later, "No answer."),
    )


def test_an_attended_occurrence_waits_for_its_operator_inside_its_window(diary: Diary) -> None:
    diary.add(attended=True)
    diary.expand(START + 2 * HOUR)
    first, second = diary.rows()
    assert diary.claims_nothing(START + MINUTE)
    attended = attend(diary.catalogue, first.id[:13], operator="bo", at=START + 2 * MINUTE)
    assert attended.id == first.id
    claim = diary.claim(START + 3 * MINUTE)
    assert (claim.uuid, claim.attended_by) == (first.id, "bo")
    claim.settle("completed", "completed", None, at=START + 4 * MINUTE)
    (missed,) = sweep(diary.catalogue, now=second.window_ends_at, by="a daemon")
    assert (missed.uuid, missed.reason) == (second.id, "operator-absent")
    assert [(e.name, e.by) for e in diary.history(first.id)][1:3] == [
        ("attended", "bo"),
        ("claimed", "a daemon"),
    ]


def test_attending_and_cancelling_are_refused_where_they_make_no_sense(diary: Diary) -> None:
    diary.add("alone", at=START + HOUR)
    diary.add("attended", attended=True, at=START + HOUR)
    diary.expand(START + 3 * HOUR)
    now = START + HOUR
    rows = {(row.schedule, row.due_at): row.id for row in diary.rows()}
    catalogue = diary.catalogue
    with pytest.raises(OccurrenceStateError, match="needs no operator"):
        attend(catalogue, rows["alone", now], operator="bo", at=now)
    with pytest.raises(UnknownOccurrenceError, match="several"):
        attend(catalogue, "", operator="bo", at=now)
    with pytest.raises(UnknownOccurrenceError, match="agetrace occurrence list"):
        cancel(catalogue, "nothing", operator="bo", reason=None, at=now)
    claim = diary.claim(now)
    with pytest.raises(OccurrenceStateError, match="is being carried out"):
        attend(catalogue, claim.uuid, operator="bo", at=now)
    with pytest.raises(OccurrenceStateError, match="is being carried out"):
        cancel(catalogue, claim.uuid, operator="bo", reason=None, at=now)
    with pytest.raises(OccurrenceStateError, match=r"window .* ended at 2026-01-01 01:30:00 UTC"):
        attend(catalogue, rows["attended", now], operator="bo", at=now + HOUR)
    cancelled = cancel(
        catalogue, rows["attended", now + HOUR], operator="bo", reason="holiday", at=now
    )
    assert (cancelled.state, cancelled.reason) == ("cancelled", "cancelled-by-operator")
    assert cancelled.detail == "It was cancelled by bo: holiday."
    with pytest.raises(OccurrenceStateError, match="is cancelled"):
        cancel(catalogue, cancelled.id, operator="bo", reason=None, at=now)


@pytest.mark.parametrize("reason", ["daemon-down", "clock-jumped", "catalogue-away"])
def test_what_nobody_began_is_missed_for_the_reason_that_the_sweeper_knows(
    sqlite_catalogue: Catalogue, reason: str
) -> None:
    diary = sqlite_diary(sqlite_catalogue)
    diary.add()
    diary.expand(START + 3 * HOUR)
    end = START + 30 * MINUTE
    assert sweep(sqlite_catalogue, now=end - SECOND, by="d", reason_missed=reason) == []  # type: ignore[arg-type]
    (missed,) = sweep(sqlite_catalogue, now=end, by="d", reason_missed=reason)  # type: ignore[arg-type]
    assert (missed.state, missed.reason, missed.due_at) == ("missed", reason, START)
    assert "2026-01-01 00:30:00 UTC" in str(missed.detail)
    row = diary.row()
    assert (row.reason, row.detail, row.settled_at) == (reason, missed.detail, end)
    (event,) = diary.history(row.id)[1:]
    assert (event.by, event.reason, event.detail) == ("d", reason, missed.detail)


def test_a_schedule_that_takes_no_late_start_misses_after_its_grace(diary: Diary) -> None:
    diary.add("strict", late="miss", grace_s=60)
    diary.add("lenient")
    diary.expand(START + 2 * HOUR)
    strict = [row for row in diary.rows() if row.schedule == "strict"]
    assert sweep(diary.catalogue, now=START + MINUTE, by="d") == []
    assert diary.claim(START + MINUTE + SECOND).schedule_name == "lenient"
    (missed,) = sweep(diary.catalogue, now=START + MINUTE + SECOND, by="d")
    assert (missed.uuid, missed.reason) == (strict[0].id, "too-late")
    # a daemon that comes back after the window was down, whatever the grace
    later = sweep(diary.catalogue, now=START + 3 * HOUR, by="d")
    assert {(one.schedule_name, one.reason) for one in later} == {
        ("strict", "daemon-down"),
        ("lenient", "daemon-down"),
    }


def test_a_strict_schedule_goes_on_after_its_grace_once_it_has_begun(diary: Diary) -> None:
    diary.add(late="miss", grace_s=0, attempts=2)
    diary.expand(START + MINUTE)
    diary.claim(START).retry("camera-unreachable", "Off.", not_before=None, at=START)
    assert sweep(diary.catalogue, now=START + 5 * MINUTE, by="d") == []
    assert diary.claim(START + 5 * MINUTE).attempt == 2


def test_a_waiting_occurrence_that_had_an_attempt_fails_with_its_reason(diary: Diary) -> None:
    diary.add(attempts=5)
    diary.expand(START + MINUTE)
    diary.claim(START).retry("camera-unreachable", "It was off.", not_before=None, at=START)
    (failed,) = sweep(diary.catalogue, now=START + 31 * MINUTE, by="d")
    assert (failed.state, failed.reason) == ("failed", "camera-unreachable")
    assert failed.detail == "It was off. No further attempt began by 2026-01-01 00:30:00 UTC."


@pytest.mark.parametrize(
    ("frames", "end", "expected"),
    [
        (None, None, ("failed", "process-died")),
        (0, None, ("failed", "process-died")),
        (3, None, ("partial", "process-died")),
        (3, ("aborted", "process-died"), ("partial", "process-died")),
        (3, ("aborted", "interrupted"), ("partial", "interrupted")),
        (0, ("aborted", "interrupted"), ("failed", "interrupted")),
        (3, ("aborted", "aborted-by-operator"), ("failed", "aborted-by-operator")),
        (3, ("partial", "camera-lost"), ("partial", "camera-lost")),
        (0, ("failed", "disk-full"), ("failed", "disk-full")),
        (3, ("completed", "completed"), ("completed", "completed")),
    ],
)
def test_what_a_dead_daemon_left_becomes_what_its_session_amounts_to(
    sqlite_catalogue: Catalogue,
    frames: int | None,
    end: tuple[str, str] | None,
    expected: tuple[str, str],
    dead_process: str,
) -> None:
    diary = sqlite_diary(sqlite_catalogue)
    diary.add()
    diary.expand(START + MINUTE)
    claim = diary.claim(START, holder=dead_process)
    if frames is not None:
        session = diary.begin_session(claim.id, START, frames=frames)
        if end is not None:
            diary.end_session(session, *end, "Its words.", START + MINUTE)
    assert sweep(sqlite_catalogue, now=START + 29 * MINUTE, by="d") == []
    (settled,) = sweep(sqlite_catalogue, now=START + 30 * MINUTE, by="d")
    assert (settled.state, settled.reason) == expected
    row = diary.row()
    assert len(row.session_ids) == (frames is not None)
    require_legal(diary.history(row.id), row.state)


def test_a_claim_that_its_holder_keeps_is_left_alone_after_the_window(diary: Diary) -> None:
    diary.add()
    diary.expand(START + MINUTE)
    claim = diary.claim(START)
    claim.renew()
    assert sweep(diary.catalogue, now=START + 5 * HOUR, by="d") == []
    claim.settle("partial", "frames-missing", "One is missing.", at=START + 5 * HOUR)
    assert diary.row().state == "partial"


def test_a_dead_process_is_taken_over_at_once_and_the_attempt_is_the_same(
    diary: Diary, dead_process: str
) -> None:
    diary.add()
    diary.expand(START + MINUTE)
    died = diary.claim(START, holder=dead_process)
    session = diary.begin_session(died.id, START, frames=2)
    assert diary.claims_nothing(START + MINUTE, "north")
    claim = diary.claim(START + MINUTE)
    assert (claim.uuid, claim.is_taken_over, claim.attempt) == (died.uuid, True, 1)
    assert claim.session_uuids == (session.uuid,)
    for act in (
        died.renew,
        lambda: died.settle("completed", "completed", None, at=START),
        lambda: died.wait("equipment-busy", "Busy.", not_before=None, at=START),
        lambda: died.retry("camera-lost", "Lost.", not_before=None, at=START),
    ):
        with pytest.raises(LeaseLostError):
            act()
    claim.settle("completed", "completed", None, at=START + 2 * MINUTE)
    assert diary.events() == ["pending", "claimed", "taken-over", "completed"]
    assert dead_process in str(diary.history(claim.uuid)[2].detail)


def test_a_claim_that_ran_out_is_taken_over_and_fenced_off(diary: Diary) -> None:
    diary.add()
    diary.expand(START + MINUTE)
    late = claim_next(diary.catalogue, now=START, holder="far away", lease_s=3.0)
    assert late is not None
    assert diary.claims_nothing(START)
    time.sleep(3.1)
    with pytest.raises(LeaseLostError, match="ran out"):
        late.settle("completed", "completed", None, at=START)
    claim = diary.claim(START)
    assert claim.is_taken_over
    with pytest.raises(LeaseLostError, match="went from far away to a daemon"):
        late.retry("camera-lost", "Lost.", not_before=None, at=START)
    assert diary.events() == ["pending", "claimed", "taken-over"]


def test_a_final_state_never_changes_again(diary: Diary) -> None:
    diary.add(attended=True)
    diary.expand(START + MINUTE)
    uuid = diary.row().id
    attend(diary.catalogue, uuid, operator=None, at=START)
    claim = diary.claim(START)
    claim.settle("completed", "completed", None, at=START)
    before = (diary.row(), diary.events())
    for act in (
        claim.renew,
        lambda: claim.settle("failed", "camera-lost", "Lost.", at=START),
        lambda: claim.wait("equipment-busy", None, not_before=None, at=START),
        lambda: claim.retry("camera-lost", "Lost.", not_before=None, at=START),
    ):
        with pytest.raises(LeaseLostError):
            act()
    with pytest.raises(OccurrenceStateError, match="is completed"):
        attend(diary.catalogue, uuid, operator=None, at=START)
    with pytest.raises(OccurrenceStateError, match="is completed"):
        cancel(diary.catalogue, uuid, operator=None, reason=None, at=START)
    assert diary.claims_nothing(START)
    assert sweep(diary.catalogue, now=START + 2 * HOUR, by="d") == []
    assert (diary.row(), diary.events()) == before


@pytest.mark.parametrize("state", sorted(FINAL))
def test_no_code_path_leads_out_of_a_final_state(sqlite_catalogue: Catalogue, state: str) -> None:
    diary = sqlite_diary(sqlite_catalogue)
    diary.add()
    diary.expand(START + MINUTE)
    at, uuid = START, diary.row().id
    with sqlite_catalogue.writing() as transaction:
        end = Settlement(state, "camera-lost", "It went away.")  # type: ignore[arg-type]
        settle(find_occurrence(transaction, uuid), end, at=at, by="d")
    before = (diary.row(), diary.events())
    with sqlite_catalogue.writing() as transaction:
        row = find_occurrence(transaction, uuid)
        with pytest.raises(OccurrenceStateError, match=f"is {state}, which is final"):
            settle(row, Settlement("missed", "daemon-down", "Down."), at=at, by="d")
        with pytest.raises(OccurrenceStateError, match="final"):
            put_back(row, "waiting", at=at, by="d", reason="too-late", detail=None, not_before=None)
    assert (diary.row(), diary.events()) == before


def test_pages_bring_every_occurrence_once_and_filters_hold(diary: Diary) -> None:
    diary.add("one", "*/20 * * * *", window_s=60)
    diary.add("two", "0 * * * *", fixture="south")
    diary.expand(START + 5 * HOUR)
    sweep(diary.catalogue, now=START + 2 * HOUR, by="d")
    everything = diary.rows()
    assert len(everything) == 20
    assert list(iterate_occurrences(diary.catalogue, page_size=3)) == everything
    assert list(iterate_occurrences(diary.catalogue, page_size=10)) == everything
    keys = [(row.due_at, row.row_id) for row in everything]
    assert keys == sorted(keys)
    since, until = START + HOUR, START + 3 * HOUR
    for chosen, expected in [
        (OccurrenceFilter(schedules=("two",)), [r for r in everything if r.schedule == "two"]),
        (OccurrenceFilter(fixtures=("south",)), [r for r in everything if r.fixture == "south"]),
        (OccurrenceFilter(states=("missed",)), [r for r in everything if r.state == "missed"]),
        (
            OccurrenceFilter(since=since, until=until),
            [r for r in everything if since <= r.due_at < until],
        ),
    ]:
        assert 0 < len(expected) < 20
        assert list(iterate_occurrences(diary.catalogue, chosen, page_size=4)) == expected
    with diary.catalogue.reading() as transaction:
        assert list_occurrences(transaction, limit=2) == everything[:2]
        moment = everything[7].due_at
        near = list_occurrences_around(transaction, moment, limit=3)
        assert near == (everything[5:11], True)
        assert list_occurrences_around(transaction, moment, limit=12) == (everything, False)
        assert find_occurrence(transaction, everything[3].id).due_at == everything[3].due_at


def test_final_states_and_operators_words_are_in_the_audit(diary: Diary) -> None:
    diary.add(attended=True)
    diary.expand(START + 3 * HOUR)
    first, second, _ = diary.rows()
    attend(diary.catalogue, first.id, operator="bo", at=START)
    cancel(diary.catalogue, second.id, operator="bo", reason="holiday", at=START)
    diary.claim(START).settle("completed", "completed", None, at=START)
    with diary.catalogue.reading() as transaction:
        assert audit.verify(transaction) == []
        entries = [(e.action, e.entry) for e in transaction.query(AuditEntry).order_by("id")]
    actions = [action for action, _ in entries if action.startswith("occurrence")]
    assert actions == [
        *("occurrence.attend", "occurrence.cancel", "occurrence.settle", "occurrence.settle"),
    ]
    assert entries[-1][1]["occurrences"] == [
        {"occurrence": first.id, "state": "completed", "reason": "completed"}
    ]


def sqlite_diary(catalogue: Catalogue) -> Diary:
    add_fixtures(catalogue, "north")
    return Diary(catalogue)
