"""Expansion: the due times of schedules become rows, each exactly once, ahead of time."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session as Transaction
from sqlalchemy.orm import selectinload

from capture.schedules.description import ScheduleDescription, planned
from capture.schedules.history import hold_schedules
from capture.schedules.schedule_states import description_of, state_after
from datastore.catalogue import Catalogue
from datastore.tables import Occurrence, OccurrenceEvent, Schedule, ScheduleExpansion

_ROWS_AT_ONCE: Final = 500
_LAG: Final = timedelta(days=1)
"""How far a schedule may be expanded behind what was asked for, where nothing is due there."""


def materialise(catalogue: Catalogue, *, now: datetime, horizon: timedelta) -> int:
    """Write a row for every due time before `now + horizon` that has none yet.

    Each schedule goes on where it stopped, or begins when it was added, so that no due time is
    left out however long no daemon ran. Paused schedules are expanded too: their due times are
    cancelled one by one. Several daemons may do it at once.

    Parameters
    ----------
    now
        Civil time; a clock that was set back expands nothing a second time.
    horizon
        How far ahead.

    Returns
    -------
    int
        Number of rows written.
    """
    until = now + horizon
    with catalogue.reading() as transaction:
        rows = transaction.execute(
            select(Schedule, ScheduleExpansion.expanded_until)
            .join(ScheduleExpansion, ScheduleExpansion.schedule_id == Schedule.id)
            .where(ScheduleExpansion.expanded_until < until)
            .options(selectinload(Schedule.events))
            .order_by(Schedule.id)
        ).all()
    written = 0
    for schedule, expanded_until in rows:
        if state_after(schedule.events) == "retired":
            continue
        # most passes find nothing, and take no lock for it
        if not _lacks_rows(description_of(schedule), expanded_until, until):
            continue
        is_complete = False
        while not is_complete:
            with catalogue.writing() as transaction:
                hold_schedules(transaction)
                count, is_complete = _expand_some(transaction, schedule.id, until, at=now)
            written += count
    return written


def expand_within(
    transaction: Transaction, schedule_id: int, until: datetime, *, at: datetime
) -> None:
    """Write the rows of one schedule up to a moment; the caller holds the schedules' lock."""
    is_complete = False
    while not is_complete:
        _, is_complete = _expand_some(transaction, schedule_id, until, at=at)


def _lacks_rows(
    description: ScheduleDescription, expanded_until: datetime, until: datetime
) -> bool:
    if until - expanded_until > _LAG:
        return True
    return next(planned(description, expanded_until, until), None) is not None


def _expand_some(
    transaction: Transaction, schedule_id: int, until: datetime, *, at: datetime
) -> tuple[int, bool]:
    """Write the next rows; return how many, and whether there are no more before `until`."""
    schedule = transaction.get_one(Schedule, schedule_id)
    expansion = transaction.get_one(ScheduleExpansion, schedule_id)
    # another daemon may have been here, or somebody retired it, since it was looked at
    if expansion.expanded_until >= until or state_after(schedule.events) == "retired":
        return 0, True
    times = list(
        itertools.islice(
            planned(description_of(schedule), expansion.expanded_until, until), _ROWS_AT_ONCE
        )
    )
    for time in times:
        transaction.add(
            Occurrence(
                schedule_id=schedule_id,
                due_at=time.due_at,
                starts_at=time.starts_at,
                window_ends_at=time.window_ends_at,
                state="pending",
                events=[OccurrenceEvent(name="pending", at=at)],
            )
        )
    is_complete = len(times) < _ROWS_AT_ONCE
    expansion.expanded_until = until if is_complete else times[-1].due_at + datetime.resolution
    transaction.flush()
    return len(times), is_complete
