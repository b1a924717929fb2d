"""The state of a schedule, now and at any moment of its history.

A pause counts by when it was, not by when somebody looks: a due time that fell into one is
cancelled even if no daemon ran meanwhile.
"""

from __future__ import annotations

import itertools
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
        Of the schedule, in their order.
    due_at, window_ends_at
        The due time and its window.
    now
        Civil time; what seems to happen later was written before the clock was set back, and holds.

    Returns
    -------
    ScheduleEvent or None
        The pause or retirement; None if the schedule was active all along.
    """
    at_due_time: ScheduleEvent | None = None
    for event, at in zip(events, _times_of(events, now), strict=True):
        is_stop = _STATES[event.name] != "active"
        if at <= due_at:
            at_due_time = event if is_stop else None
        elif at_due_time is None and is_stop and at < window_ends_at:
            return event
    return at_due_time


def _times_of(events: Sequence[ScheduleEvent], now: datetime) -> list[datetime]:
    """Return when events were, none after the next one or after now."""
    backwards = itertools.accumulate((event.at for event in reversed(events)), min, initial=now)
    return list(backwards)[:0:-1]
