"""How far cameras' clocks were from the civil time, session by session, and what follows from it.

Owns the rows of probes and the judgement on them. A camera's clock shows whole seconds and drifts
by a second or two a day; a leap is somebody who set it, or a battery that was taken out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any, Final

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from datastore.tables import ClockProbe, ClockProbeSource

_DAY_S: Final = 86_400.0
_MOST_PROBES: Final = 1000
_LEAST_STEP_S: Final = 5.0
_MOST_DRIFT_S_PER_DAY: Final = 5.0
"""Thrice what a quartz of 20 parts in a million does."""
_LEAST_PROBES: Final = 3
_LEAST_SPAN_DAYS: Final = 1.0


@dataclass(frozen=True, slots=True)
class SkewAt:
    """One probe: the camera's time less the civil time, in seconds."""

    at: datetime
    skew_s: float


@dataclass(frozen=True, slots=True)
class ClockStep:
    """Between two probes the clock was set: by how much, in seconds, and when at the latest."""

    after: datetime
    until: datetime
    step_s: float


@dataclass(frozen=True, slots=True)
class ClockHistory:
    """What the probes of one camera's clock tell.

    Attributes
    ----------
    probes
        How many were looked at, the newest thousand at most.
    first_at, newest_at, newest_skew_s
        Of the first and the newest of them; None without any.
    drift_s_per_day
        How the skew grows while nobody sets the clock; None where fewer than three probes, or
        less than a day, lie between two steps.
    steps
        When the clock was set, oldest first.
    """

    probes: int
    first_at: datetime | None
    newest_at: datetime | None
    newest_skew_s: float | None
    drift_s_per_day: float | None
    steps: tuple[ClockStep, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the history as JSON values."""
        return {
            "probes": self.probes,
            "first_at": None if self.first_at is None else self.first_at.isoformat(),
            "newest_at": None if self.newest_at is None else self.newest_at.isoformat(),
            "newest_skew_s": self.newest_skew_s,
            "drift_s_per_day": self.drift_s_per_day,
            "steps": [
                {**asdict(step), "after": step.after.isoformat(), "until": step.until.isoformat()}
                for step in self.steps
            ],
        }


def record(
    session: Session,
    *,
    camera_id: int,
    session_id: int,
    at: datetime,
    skew_s: float,
    source: ClockProbeSource = "probe",
) -> None:
    """Write a probe, in the transaction that writes what it was made for.

    Parameters
    ----------
    session
        A writing transaction.
    camera_id, session_id
        Whose clock, and the session that looked at it.
    at
        Civil time of the probe.
    skew_s
        Camera's time less civil time, in seconds.
    source
        How it was found.
    """
    session.add(
        ClockProbe(camera_id=camera_id, session_id=session_id, at=at, skew_s=skew_s, source=source)
    )


def clock_history(session: Session, camera_id: int) -> ClockHistory:
    """Return what the newest thousand probes of a camera's clock tell."""
    rows = session.execute(
        select(ClockProbe.at, ClockProbe.skew_s)
        .where(ClockProbe.camera_id == camera_id)
        .order_by(ClockProbe.at.desc(), ClockProbe.id.desc())
        .limit(_MOST_PROBES)
    )
    return judge_clock([SkewAt(at, skew_s) for at, skew_s in rows][::-1])


def judge_clock(probes: Sequence[SkewAt]) -> ClockHistory:
    """Tell drift and steps from probes in order of time.

    A step is a change of the skew by more than five seconds and five more for each day between
    the probes (reconstructed). The drift is the median of the slopes between any two probes with
    no step between them (Sen, "Estimates of the regression coefficient based on Kendall's tau",
    J. Am. Stat. Assoc. 63, 1968): a single wrong probe does not move it.
    """
    if not probes:
        return ClockHistory(0, None, None, None, None, ())
    days = np.array([(probe.at - probes[0].at).total_seconds() / _DAY_S for probe in probes])
    skews = np.array([probe.skew_s for probe in probes])
    changes = np.diff(skews)
    is_step = np.abs(changes) > _LEAST_STEP_S + _MOST_DRIFT_S_PER_DAY * np.diff(days)
    steps = tuple(
        ClockStep(probes[i].at, probes[i + 1].at, round(float(changes[i]), 3))
        for i in map(int, np.flatnonzero(is_step))
    )
    bounds = [0, *(int(i) + 1 for i in np.flatnonzero(is_step)), len(probes)]
    slopes = [
        _slopes(days[start:end], skews[start:end])
        for start, end in pairwise(bounds)
        if end - start >= _LEAST_PROBES and days[end - 1] - days[start] >= _LEAST_SPAN_DAYS
    ]
    drift = round(float(np.median(np.concatenate(slopes))), 4) if slopes else None
    newest = probes[-1]
    return ClockHistory(len(probes), probes[0].at, newest.at, newest.skew_s, drift, steps)


def _slopes(days: np.ndarray[Any, Any], skews: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    first, second = np.triu_indices(len(days), 1)
    spans = days[second] - days[first]
    # a clock that shows whole seconds tells no slope over minutes
    apart = spans >= _LEAST_SPAN_DAYS
    slopes: np.ndarray[Any, Any] = (skews[second] - skews[first])[apart] / spans[apart]
    return slopes
