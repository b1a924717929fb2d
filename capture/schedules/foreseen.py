"""What several schedules do beside each other: when sessions begin, and what they wait for.

Pure. Follows the order in which daemons claim: what has started and finds its equipment free goes
first by priority, then by its start. Sessions are taken to last as long as estimated.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final

from capture.errors import ScheduleError
from capture.leasing import fixture_resource
from capture.recipes import FrameKind
from capture.schedules.description import DueTime, ScheduleDescription, planned

MOST_DUE_TIMES: Final = 20_000
"""Of one schedule, so that a look ahead takes seconds."""


@dataclass(frozen=True)
class PlannedSchedule:
    """A schedule with what its sessions will take.

    Attributes
    ----------
    description
        When, with what and how.
    cameras
        Serials of the cameras that it takes.
    kinds
        Kinds of frames in its recipe.
    duration_s, session_bytes
        Of one session, as estimated.
    is_measured
        Whether the estimate rests on the cameras' own pace and not on defaults.
    cancelled
        Due times that an operator cancelled.
    """

    description: ScheduleDescription
    cameras: tuple[str, ...]
    kinds: frozenset[FrameKind]
    duration_s: float
    session_bytes: int
    is_measured: bool = True
    cancelled: frozenset[datetime] = frozenset()

    @property
    def name(self) -> str:
        """The schedule's."""
        return self.description.name

    @property
    def resources(self) -> tuple[str, ...]:
        """What its sessions lease."""
        return (
            fixture_resource(self.description.fixture),
            *(f"camera:{serial}" for serial in self.cameras),
        )

    def due_times(self, start: datetime, end: datetime) -> Iterator[DueTime]:
        """Yield its due times in [start, end) but the cancelled ones.

        Raises
        ------
        ScheduleError
            At the one after `MOST_DUE_TIMES`.
        """
        due_times = planned(self.description, start, end)
        yield from (due for due in islice(due_times, MOST_DUE_TIMES) if self._is_kept(due))
        if next(due_times, None) is not None:
            raise ScheduleError(
                f"the schedule {self.name} has more than {MOST_DUE_TIMES} due times until"
                f" {end.isoformat()}: look less far ahead"
            )

    def has_too_many(self, start: datetime, end: datetime) -> bool:
        """Tell whether it has more due times in [start, end) than can be looked at."""
        beyond = islice(planned(self.description, start, end), MOST_DUE_TIMES, None)
        return next(beyond, None) is not None

    def _is_kept(self, due: DueTime) -> bool:
        return due.due_at not in self.cancelled


@dataclass(eq=False)
class ForeseenSession:
    """A session that is to come.

    Attributes
    ----------
    schedule, due
        Whose it is, and when it is due.
    begins_at
        When it begins; None where its equipment is not free in time.
    waited_for
        The sessions that had the equipment when it could have begun, in order.
    """

    schedule: PlannedSchedule
    due: DueTime
    begins_at: datetime | None = None
    waited_for: list[ForeseenSession] = field(default_factory=list)

    @property
    def latest_start(self) -> datetime:
        """When it is too late to begin."""
        description = self.schedule.description
        if description.late == "run":
            return self.due.window_ends_at
        # what begins in the very last moment of the grace is not late yet
        grace_ends_at = self.due.starts_at + timedelta(seconds=description.grace_s)
        return min(self.due.window_ends_at, grace_ends_at + timedelta.resolution)

    @property
    def ends_at(self) -> datetime | None:
        """When it ends, None where it does not begin."""
        if self.begins_at is None:
            return None
        return self.begins_at + timedelta(seconds=self.schedule.duration_s)


def foresee(
    schedules: Iterable[PlannedSchedule], start: datetime, end: datetime
) -> list[ForeseenSession]:
    """Return the sessions of several schedules that are due in [start, end), by their starts.

    Raises
    ------
    ScheduleError
        If a schedule has more than `MOST_DUE_TIMES` due times.
    """
    sessions = sorted(
        (
            ForeseenSession(schedule, due)
            for schedule in schedules
            for due in schedule.due_times(start, end)
        ),
        key=lambda session: (session.due.starts_at, session.schedule.name),
    )
    _queue(sessions)
    return sessions


@dataclass(frozen=True)
class _Use:
    """A session that has its equipment until some moment."""

    session: ForeseenSession
    until: datetime


def _queue(sessions: Sequence[ForeseenSession]) -> None:
    """Let sessions, in the order of their starts, begin one after another."""
    uses: dict[str, _Use] = {}
    waiting: list[ForeseenSession] = []
    coming = deque(sessions)
    now = datetime.min.replace(tzinfo=UTC)
    while coming or waiting:
        moments = [use.until for session in waiting for use in _in_the_way(session, uses, now)]
        now = min([*moments, coming[0].due.starts_at] if coming else moments)
        while coming and coming[0].due.starts_at <= now:
            waiting.append(coming.popleft())
        # a stable sort: those of the same priority stay in the order of their starts
        waiting.sort(key=lambda session: -session.schedule.description.priority)
        waiting = [session for session in waiting if _must_wait(session, uses, now)]


def _must_wait(session: ForeseenSession, uses: dict[str, _Use], now: datetime) -> bool:
    """Begin a session if it can, or note what it waits for; return whether it still waits."""
    if now >= session.latest_start:
        return False
    in_the_way = _in_the_way(session, uses, now)
    for use in in_the_way:
        if use.session not in session.waited_for:
            session.waited_for.append(use.session)
    if in_the_way:
        return True
    session.begins_at = now
    use = _Use(session, now + timedelta(seconds=session.schedule.duration_s))
    uses.update(dict.fromkeys(session.schedule.resources, use))
    return False


def _in_the_way(session: ForeseenSession, uses: dict[str, _Use], now: datetime) -> list[_Use]:
    """Return who has the equipment of a session."""
    names = session.schedule.resources
    return [uses[name] for name in names if name in uses and uses[name].until > now]
