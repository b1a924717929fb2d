"""A look ahead: a schedule's next due times, the timeslots that they fill, what stands against it.

Pure. Nothing here reads a catalogue, a clock or a disk.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final

from capture.schedules.description import ScheduleDescription, planned
from capture.schedules.foreseen import (
    MOST_DUE_TIMES,
    ForeseenSession,
    PlannedSchedule,
    foresee,
)
from capture.schedules.preview_warnings import (
    Disk,
    PreviewWarning,
    clock_warnings,
    disk_warnings,
    queue_warnings,
    timeslot_warnings,
)
from capture.schedules.timeslot_plans import TakenSession, TimeslotPlan, plan_timeslot
from datastore.clocks import as_utc
from datastore.tables import Timeslot, TimeslotScheme
from datastore.timeslots import timeslot_of
from datastore.zones import local_text

_FARTHEST: Final = timedelta(days=50 * 366)
"""Fifty years: a schedule that is not due in them is never due."""


@dataclass(frozen=True)
class PreviewedOccurrence:
    """A due time to come.

    Attributes
    ----------
    due_at, starts_at, window_ends_at
        The due time, the start with its jitter, the window's end; UTC.
    local_due, local_start
        What clocks in the schedule's zone show at the first two.
    begins_at
        When its session would begin; None where its equipment would not be free in time.
    timeslot
        Ordinal of the timeslot that it would begin in; None where there is none, or no scheme.
    """

    due_at: datetime
    starts_at: datetime
    window_ends_at: datetime
    local_due: str
    local_start: str
    begins_at: datetime | None
    timeslot: int | None

    def to_json(self) -> dict[str, Any]:
        """Return the occurrence as JSON values."""
        return {
            "local_due": self.local_due,
            "due_at": self.due_at.isoformat(),
            "local_start": self.local_start,
            "starts_at": self.starts_at.isoformat(),
            "window_ends_at": self.window_ends_at.isoformat(),
            "begins_at": None if self.begins_at is None else self.begins_at.isoformat(),
            "timeslot": self.timeslot,
        }


@dataclass(frozen=True)
class Preview:
    """What a schedule will do.

    Attributes
    ----------
    schedule
        The schedule, and what a session of it takes.
    occurrences
        Its next due times.
    scheme, timeslots
        Name of the timeslot scheme, and its timeslots in the time that was looked at; None and
        empty without a scheme.
    warnings
        What stands against it, the worst first.
    """

    schedule: PlannedSchedule
    occurrences: tuple[PreviewedOccurrence, ...]
    scheme: str | None
    timeslots: tuple[TimeslotPlan, ...]
    warnings: tuple[PreviewWarning, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the preview as JSON values."""
        return {
            "schedule": self.schedule.name,
            "zone": self.schedule.description.zone,
            "fixture": self.schedule.description.fixture,
            "cameras": list(self.schedule.cameras),
            "duration_s": self.schedule.duration_s,
            "session_bytes": self.schedule.session_bytes,
            "is_measured": self.schedule.is_measured,
            "occurrences": [occurrence.to_json() for occurrence in self.occurrences],
            "scheme": self.scheme,
            "timeslots": [timeslot.to_json() for timeslot in self.timeslots],
            "warnings": [warning.to_json() for warning in self.warnings],
        }


def preview(
    schedule: PlannedSchedule,
    others: Sequence[PlannedSchedule] = (),
    *,
    now: datetime,
    count: int | None = None,
    until: datetime | None = None,
    scheme: TimeslotScheme | None = None,
    taken: Sequence[TakenSession] = (),
    disks: Sequence[Disk] = (),
    known: Sequence[PreviewWarning] = (),
) -> Preview:
    """Look ahead at a schedule.

    Parameters
    ----------
    schedule
        The schedule.
    others
        Those that run beside it.
    now
        From when on.
    count, until
        How many due times, or those before an aware time; one of the two.
    scheme
        Timeslot scheme that due times and sessions are looked up in.
    taken
        Sessions of the past, at least those of the timeslots that have begun.
    disks
        What the frames will lie on.
    known
        Warnings that the caller has already.

    Raises
    ------
    ScheduleError
        If the schedule has too many due times in that time; others are left out with a warning.
    ValueError
        If not just one of `count` and `until` is given, or a time has no zone.
    """
    now = as_utc(now)
    if (count is None) == (until is None):
        raise ValueError("give one of count and until")
    end = _after_count(schedule, now, count) if until is None else as_utc(until)
    timeslots = [] if scheme is None else _timeslots_of_life(scheme, schedule.description, now, end)
    # a timeslot is judged by all that falls in it, however far one looks
    farthest = max([end, *(timeslot.ends_at for timeslot in timeslots)])
    left_out = [other for other in others if other.has_too_many(now, farthest)]
    beside = [other for other in others if other not in left_out]
    foreseen = foresee([schedule, *beside], now, farthest)
    inside = [session for session in foreseen if session.due.due_at < end]
    own = [session for session in inside if session.schedule is schedule]
    plans = [plan_timeslot(timeslot, schedule, foreseen, taken) for timeslot in timeslots]
    warnings = [
        *known,
        *(_left_out(other, now, farthest) for other in left_out),
        *queue_warnings(inside, schedule),
        *disk_warnings(inside, disks),
        *(() if scheme is None else timeslot_warnings(own, plans, scheme)),
        *clock_warnings(schedule.description, now, end),
    ]
    if not own:
        warnings.append(_not_due(schedule.description, now, None if until is None else end))
    severities = ("error", "warning", "notice")
    return Preview(
        schedule=schedule,
        occurrences=tuple(_previewed(session, scheme) for session in own),
        scheme=None if scheme is None else scheme.name,
        timeslots=tuple(plans),
        warnings=tuple(sorted(warnings, key=lambda warning: severities.index(warning.severity))),
    )


def _after_count(schedule: PlannedSchedule, now: datetime, count: int | None) -> datetime:
    """Return the moment after the first `count` due times that are kept; `now` without any."""
    due_times = planned(schedule.description, now, now + _FARTHEST)
    kept = (due.due_at for due in due_times if due.due_at not in schedule.cancelled)
    return max(islice(kept, count), default=now - timedelta.resolution) + timedelta.resolution


def _not_due(
    description: ScheduleDescription, now: datetime, end: datetime | None
) -> PreviewWarning:
    ends_at = description.ends_at
    if ends_at is not None and ends_at <= now:
        sentence = f"it is not due any more: its ends_at, {ends_at.isoformat()}, is over"
    elif end is not None:
        sentence = f"it is not due before {end.isoformat()}"
    else:
        sentence = "it is not due within fifty years"
    return PreviewWarning("not-due", "warning", sentence, now)


def _left_out(schedule: PlannedSchedule, now: datetime, farthest: datetime) -> PreviewWarning:
    sentence = (
        f"the schedule {schedule.name} is left out of the preview: it has more than"
        f" {MOST_DUE_TIMES} due times until {farthest.isoformat()}; look less far ahead to see it"
    )
    return PreviewWarning("left-out", "warning", sentence, now)


def _timeslots_of_life(
    scheme: TimeslotScheme, description: ScheduleDescription, now: datetime, end: datetime
) -> list[Timeslot]:
    """Return the timeslots that a schedule can fill in [now, end)."""
    start = max(now, description.starts_at or now)
    end = min(end, description.ends_at or end)
    return [
        timeslot
        for timeslot in scheme.timeslots
        if timeslot.ends_at > start and timeslot.starts_at < end
    ]


def _previewed(session: ForeseenSession, scheme: TimeslotScheme | None) -> PreviewedOccurrence:
    zone = session.schedule.description.zone
    timeslot = None if scheme is None else timeslot_of(session.begins_at, scheme)
    return PreviewedOccurrence(
        due_at=session.due.due_at,
        starts_at=session.due.starts_at,
        window_ends_at=session.due.window_ends_at,
        local_due=local_text(session.due.due_at, zone),
        local_start=local_text(session.due.starts_at, zone),
        begins_at=session.begins_at,
        timeslot=None if timeslot is None else timeslot.ordinal,
    )
