"""How many sessions a timeslot will hold, and what that number suffices for; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from capture.recipes import FrameKind
from capture.schedules.foreseen import ForeseenSession, PlannedSchedule
from datastore.tables import Timeslot

Permit = Literal["class", "placebo", "p-below-0.05"]

_SESSIONS_FOR: Final[dict[Permit, int]] = {"class": 3, "placebo": 4, "p-below-0.05": 6}
"""Train, validation and test; two pseudo-classes of two; permuted labels that can be told apart."""


@dataclass(frozen=True)
class TakenSession:
    """What a camera contributed to a session of the past."""

    camera: str
    at: datetime
    kinds: frozenset[FrameKind]


@dataclass(frozen=True)
class TimeslotPlan:
    """A timeslot and the sessions that it would hold.

    Attributes
    ----------
    ordinal, starts_at, ends_at
        The timeslot.
    taken_by_camera, sessions_by_camera
        Sessions with each camera: those of the past, and these with those to come, of all
        schedules. Where the recipe takes several kinds of frames, of the kind with the fewest.
    """

    ordinal: int
    starts_at: datetime
    ends_at: datetime
    taken_by_camera: dict[str, int]
    sessions_by_camera: dict[str, int]

    @property
    def permits(self) -> tuple[Permit, ...]:
        """What the number of sessions suffices for, for every camera."""
        fewest = min(self.sessions_by_camera.values())
        return tuple(word for word, needed in _SESSIONS_FOR.items() if fewest >= needed)

    def to_json(self) -> dict[str, Any]:
        """Return the plan as JSON values."""
        return {
            "ordinal": self.ordinal,
            "starts_at": self.starts_at.isoformat(),
            "ends_at": self.ends_at.isoformat(),
            "taken_by_camera": self.taken_by_camera,
            "sessions_by_camera": self.sessions_by_camera,
            "permits": list(self.permits),
        }


def plan_timeslot(
    timeslot: Timeslot,
    schedule: PlannedSchedule,
    foreseen: Sequence[ForeseenSession],
    taken: Sequence[TakenSession],
) -> TimeslotPlan:
    """Count the sessions of a timeslot that serve a schedule's cameras and kinds of frames.

    Parameters
    ----------
    timeslot, schedule
        What is planned.
    foreseen
        The sessions to come, of all schedules.
    taken
        Those of the past.
    """
    coming = [
        TakenSession(camera, session.begins_at, session.schedule.kinds)
        for session in foreseen
        if session.begins_at is not None
        for camera in session.schedule.cameras
    ]
    return TimeslotPlan(
        ordinal=timeslot.ordinal,
        starts_at=timeslot.starts_at,
        ends_at=timeslot.ends_at,
        taken_by_camera=_fewest_by_camera(timeslot, schedule, taken),
        sessions_by_camera=_fewest_by_camera(timeslot, schedule, [*taken, *coming]),
    )


def _fewest_by_camera(
    timeslot: Timeslot, schedule: PlannedSchedule, sessions: Sequence[TakenSession]
) -> dict[str, int]:
    """Return how many sessions each camera has, of the kind of frames with the fewest."""
    inside = [
        session for session in sessions if timeslot.starts_at <= session.at < timeslot.ends_at
    ]
    return {
        camera: min(
            sum(session.camera == camera and kind in session.kinds for session in inside)
            for kind in schedule.kinds
        )
        for camera in schedule.cameras
    }
