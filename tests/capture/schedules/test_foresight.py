"""What a preview foresees is what a daemon's claims then do."""

from __future__ import annotations

from datetime import datetime, timedelta

from capture.schedules.foreseen import PlannedSchedule, foresee
from capture.schedules.occurrences import claim_next
from capture.schedules.schedule_rows import add_schedule
from datastore.catalogue import Catalogue
from tests.support.occurrence_diary import (
    HOUR,
    MINUTE,
    RECIPE,
    SERIALS,
    START,
    Diary,
    add_fixtures,
    describe,
)

SESSIONS_MIN = {"often": 12, "long": 35, "urgent": 5, "strict": 10}
SCHEDULES = [
    describe("often", "*/20 * * * *", window_s=900),
    describe("long", "5 * * * *", window_s=3000, priority=-1),
    describe("urgent", "10,50 * * * *", window_s=600, priority=5),
    describe("strict", "15 * * * *", window_s=3000, late="miss", grace_s=300),
]


def test_sessions_begin_when_the_preview_says(sqlite_catalogue: Catalogue) -> None:
    add_fixtures(sqlite_catalogue, "north")
    for schedule in SCHEDULES:
        add_schedule(sqlite_catalogue, schedule, RECIPE, operator=None, at=START)
    end = START + 5 * HOUR
    Diary(sqlite_catalogue).expand(end)

    begun: dict[tuple[str, datetime], datetime] = {}
    ends_at = now = START
    while now < end + HOUR:
        if now >= ends_at:
            claimed = claim_next(sqlite_catalogue, now=now, holder="a daemon")
            if claimed is not None:
                begun[claimed.schedule_name, claimed.due_at] = now
                ends_at = now + timedelta(minutes=SESSIONS_MIN[claimed.schedule_name])
                claimed.settle("completed", "completed", None, at=now)
        now += MINUTE

    foreseen = foresee(
        [
            PlannedSchedule(
                description=schedule,
                cameras=SERIALS,
                kinds=frozenset({"dark-field"}),
                duration_s=60 * SESSIONS_MIN[schedule.name],
                session_bytes=0,
            )
            for schedule in SCHEDULES
        ],
        START,
        end,
    )
    assert {
        (session.schedule.name, session.due.due_at): session.begins_at
        for session in foreseen
        if session.begins_at is not None
    } == begun
    assert {name for name, _ in begun} == set(SESSIONS_MIN)
    assert len(begun) < len(foreseen)
    assert any(at > due_at for (_, due_at), at in begun.items())
