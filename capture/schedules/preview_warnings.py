"""What stands against a schedule: a word for programs and a sentence for people each; pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from capture.schedules.description import ScheduleDescription
from capture.schedules.foreseen import ForeseenSession, PlannedSchedule
from capture.schedules.rules import LocalTime, in_zone, local_times_around
from capture.schedules.timeslot_plans import TimeslotPlan
from capture.space import RESERVE_BYTES
from datastore.tables import TimeslotScheme
from datastore.timeslots import timeslot_of
from datastore.zones import local_text

WarningWord = Literal[
    "few-sessions",
    "outside-scheme",
    "straddles-timeslots",
    "collision",
    "overlap",
    "disk-full",
    "hour-repeated",
    "hour-skipped",
    "left-out",
    "not-active",
    "not-due",
]
Severity = Literal["error", "warning", "notice"]

FEWEST_SESSIONS: Final = 2
"""A timeslot with fewer cannot tell its age from the day of its session."""


@dataclass(frozen=True)
class PreviewWarning:
    """Something that stands against a schedule, or that its operator should know.

    Attributes
    ----------
    word, severity
        What it is, for programs. An error costs sessions; a notice says what was chosen.
    sentence
        All of it in words.
    at
        When it happens first.
    count
        How often it happens in the time that was looked at.
    """

    word: WarningWord
    severity: Severity
    sentence: str
    at: datetime
    count: int = 1

    def to_json(self) -> dict[str, Any]:
        """Return the warning as JSON values."""
        return {
            "word": self.word,
            "severity": self.severity,
            "sentence": self.sentence,
            "at": self.at.isoformat(),
            "count": self.count,
        }


@dataclass(frozen=True)
class Disk:
    """A disk that frames lie on.

    Attributes
    ----------
    name, place
        What lies there, and the folder.
    free_bytes
        What is free now.
    keeps
        Whether a session's frames stay there; the spool's leave it for the store.
    """

    name: str
    place: str
    free_bytes: int
    keeps: bool


def queue_warnings(
    sessions: Sequence[ForeseenSession], schedule: PlannedSchedule
) -> list[PreviewWarning]:
    """Tell of sessions that wait for another, or wait in vain, where a schedule has part in it."""
    groups: dict[tuple[bool, str, str], list[tuple[ForeseenSession, ForeseenSession]]] = {}
    for session in sessions:
        for other in session.waited_for:
            if schedule in (session.schedule, other.schedule):
                key = (session.begins_at is None, session.schedule.name, other.schedule.name)
                groups.setdefault(key, []).append((session, other))
                break
    return [
        _collision(group) if is_lost else _overlap(group)
        for (is_lost, _, _), group in groups.items()
    ]


_Waits = Sequence[tuple[ForeseenSession, ForeseenSession]]
"""Sessions, each with one that it waits for."""


def _collision(waits: _Waits) -> PreviewWarning:
    session, other = waits[0]
    return PreviewWarning(
        "collision",
        "error",
        f"{_sessions_of(waits)} would be missed: {_in_use(session, other)} until it is too late to"
        f" begin, {_utc(session.latest_start)}; widen its window, or move one of the two",
        session.due.starts_at,
        len(waits),
    )


def _overlap(waits: _Waits) -> PreviewWarning:
    session, other = waits[0]
    begins_at = session.begins_at or session.due.starts_at
    minutes = (begins_at - session.due.starts_at).total_seconds() / 60
    return PreviewWarning(
        "overlap",
        "notice",
        f"{_sessions_of(waits)} would wait: {_in_use(session, other)}; it begins {minutes:.1f} min"
        " later, inside its window",
        session.due.starts_at,
        len(waits),
    )


def _sessions_of(waits: _Waits) -> str:
    session, _ = waits[0]
    name, at = session.schedule.name, _utc(session.due.due_at)
    if len(waits) == 1:
        return f"the session of {name} that is due {at}"
    return f"{len(waits)} sessions of {name}, the first due {at},"


def _in_use(session: ForeseenSession, other: ForeseenSession) -> str:
    held = other.schedule.resources
    resource = next(name for name in session.schedule.resources if name in held)
    who = "its session before" if other.schedule is session.schedule else other.schedule.name
    return "the {} {} is in use by {}, which goes first ({})".format(
        *resource.split(":", 1), who, _why_first(session, other)
    )


def _why_first(session: ForeseenSession, other: ForeseenSession) -> str:
    if other.begins_at is not None and other.begins_at < session.due.starts_at:
        return "it begins earlier"
    own, others = (one.schedule.description.priority for one in (session, other))
    if others > own:
        return f"priority {others} over {own}"
    if other.due.starts_at < session.due.starts_at:
        return "it has waited longer"
    return "of the same start and priority: give one a higher priority to choose"


def disk_warnings(
    sessions: Iterable[ForeseenSession], disks: Iterable[Disk]
) -> Iterator[PreviewWarning]:
    """Tell when the sessions, one after another, find a disk without room for the next."""
    begun = [(session.begins_at, session) for session in sessions if session.begins_at is not None]
    begun.sort(key=itemgetter(0))
    for disk in disks:
        filled = 0
        for begins_at, session in begun:
            needed = session.schedule.session_bytes + RESERVE_BYTES
            if filled + needed > disk.free_bytes:
                before = f"after {_gigabytes(filled)} of sessions before it, " if filled else ""
                yield PreviewWarning(
                    "disk-full",
                    "error",
                    f"{disk.name} {disk.place} would have no room from {_utc(begins_at)} on:"
                    f" {_gigabytes(disk.free_bytes)} are free now, and {before}the session of"
                    f" {session.schedule.name} needs {_gigabytes(needed)}",
                    begins_at,
                )
                break
            if disk.keeps:
                filled += session.schedule.session_bytes


def timeslot_warnings(
    sessions: Sequence[ForeseenSession], plans: Sequence[TimeslotPlan], scheme: TimeslotScheme
) -> Iterator[PreviewWarning]:
    """Tell of timeslots with too few sessions, and of sessions that lie in none or in two.

    Parameters
    ----------
    sessions
        The schedule's own.
    plans
        The timeslots of the scheme that it could fill.
    scheme
        The scheme.
    """
    yield from _few_sessions(plans, scheme.name)
    outside = [session for session in sessions if timeslot_of(session.begins_at, scheme) is None]
    lost = [session for session in outside if session.begins_at is not None]
    if lost:
        yield PreviewWarning(
            "outside-scheme",
            "warning",
            f"{len(lost)} of {len(sessions)} sessions would lie in no timeslot of {scheme.name},"
            f" the first due {_utc(lost[0].due.due_at)}",
            lost[0].due.starts_at,
            len(lost),
        )
    halved = [session for session in sessions if _straddles(session, scheme)]
    if halved:
        yield PreviewWarning(
            "straddles-timeslots",
            "warning",
            f"{len(halved)} of {len(sessions)} sessions would begin in one timeslot of"
            f" {scheme.name} and end outside it, the first due {_utc(halved[0].due.due_at)}: their"
            " shots would get different labels",
            halved[0].due.starts_at,
            len(halved),
        )


def _few_sessions(plans: Sequence[TimeslotPlan], scheme: str) -> Iterator[PreviewWarning]:
    """Tell of timeslots with too few sessions, those with the same number together."""
    groups: dict[tuple[int, tuple[str, ...]], list[TimeslotPlan]] = {}
    for plan in plans:
        fewest = min(plan.sessions_by_camera.values())
        if fewest < FEWEST_SESSIONS:
            short = [name for name, count in plan.sessions_by_camera.items() if count == fewest]
            groups.setdefault((fewest, tuple(short)), []).append(plan)
    for (fewest, cameras), group in groups.items():
        yield PreviewWarning(
            "few-sessions",
            "warning",
            f"timeslot{'s' if len(group) > 1 else ''} {_ranges([plan.ordinal for plan in group])}"
            f" of {scheme} would hold {fewest or 'no'} session{'' if fewest == 1 else 's'} with"
            f" camera {', '.join(cameras)}: at least {FEWEST_SESSIONS} tell an age from a day",
            group[0].starts_at,
            len(group),
        )


def _straddles(session: ForeseenSession, scheme: TimeslotScheme) -> bool:
    begun_in = timeslot_of(session.begins_at, scheme)
    if begun_in is None or session.ends_at is None:
        return False
    return session.ends_at > begun_in.ends_at


def clock_warnings(
    description: ScheduleDescription, start: datetime, end: datetime
) -> Iterator[PreviewWarning]:
    """Tell what was chosen for due times in [start, end) that occur twice or never."""
    start = max(start, description.starts_at or start)
    end = min(end, description.ends_at or end)
    zone = ZoneInfo(description.zone)
    times = (in_zone(local, zone) for local in local_times_around(description.rule, start, end))
    unusual = [
        time
        for time in times
        if len(time.moments) != 1
        and any(start <= moment < end for moment in time.moments or (time.after_gap,) if moment)
    ]
    for _, found in groupby(unusual, key=lambda time: (time.local.date(), time.after_gap)):
        yield _clock_warning(list(found), description)


def _clock_warning(times: Sequence[LocalTime], description: ScheduleDescription) -> PreviewWarning:
    first, last = times[0], times[-1]
    what = f"{first.local:%Y-%m-%d %H:%M}"
    if len(times) > 1:
        what = f"{len(times)} due times from {what} to {last.local:%H:%M}"
    plural = "" if len(times) > 1 else "s"
    if first.after_gap is not None:
        shifted = f"due {local_text(first.after_gap, description.zone)} instead"
        chosen = shifted if description.skipped_hour == "shift" else "left out"
        return PreviewWarning(
            "hour-skipped",
            "notice",
            f"{what} never occur{plural} in {description.zone}: {chosen}",
            first.after_gap,
            len(times),
        )
    due = [
        local_text(moment, description.zone)
        for moment in first.chosen(description.repeated_hour, description.skipped_hour)
    ]
    passes = "both passes" if len(due) > 1 else f"the {description.repeated_hour} pass"
    return PreviewWarning(
        "hour-repeated",
        "notice",
        f"{what} occur{plural} twice in {description.zone}: due at {passes}, {' and '.join(due)}",
        first.moments[0],
        len(times),
    )


def _ranges(ordinals: Sequence[int]) -> str:
    """Return increasing numbers with neighbours drawn together: `1-3, 7`."""
    runs: list[list[int]] = []
    for ordinal in ordinals:
        if runs and ordinal == runs[-1][-1] + 1:
            runs[-1].append(ordinal)
        else:
            runs.append([ordinal])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def _utc(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:,.2f} GB"
