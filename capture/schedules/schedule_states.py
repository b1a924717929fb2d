"""The state of a schedule, now and at any moment of its history.

A pause counts by when it was, not by when somebody looks: a due time that fell into one is
cancelled even if no daemon ran meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Literal

from capture.schedules.description import ScheduleDescription
from datastore.tables import Schedule, ScheduleEvent

ScheduleState = Literal["active", "paused", "retired"]

_STATES: Final[dict[str, ScheduleState]] = {
    "added": "active",
    "resumed": "active",
    "paused": "paused",
    "retired": "retired",
}


def state_after(events: Sequence[ScheduleEvent]) -> ScheduleState:
    """Return the state that a schedule's events, in their order, leave it in."""
    return _STATES[events[-1].name]


def description_of(schedule: Schedule) -> ScheduleDescription:
    """Return the description of a schedule's row."""
    return ScheduleDescription.model_validate(schedule.description)


def stop_of(
    events: Sequence[ScheduleEvent],
    *,
    due_at: datetime,
    window_ends_at: datetime,
    now: datetime,
) -> ScheduleEvent | None:
    """Return what stopped a schedule at a due time or later in its window, until now.

    Parameters
    ----------
    events
        Of the schedule, in their order; the civil clock may have been set back between two.
    due_at, window_ends_at
        The due time and its window.
    now
        Civil time; what happened later was written by a clock that has been set back since.

    Returns
    -------
    ScheduleEvent or None
        The pause or retirement; None if the schedule was active all along.
    """
    at_due_time: ScheduleEvent | None = None
    for event in events:
        is_stop = _STATES[event.name] != "active"
        if event.at <= due_at:
            at_due_time = event if is_stop else None
        elif at_due_time is None and is_stop and event.at < window_ends_at and event.at <= now:
            return event
    return at_due_time
