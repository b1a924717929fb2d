"""Words for why an occurrence is in its state, and the states that are final; knows no table."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

from capture.outcome import ExitReason

MissedReason = Literal[
    "daemon-down",
    "equipment-busy",
    "operator-absent",
    "too-late",
    "clock-jumped",
    "catalogue-away",
]
"""Why no attempt began inside the window."""

CancelledReason = Literal["schedule-paused", "schedule-retired", "cancelled-by-operator"]
"""Who did not want it to be carried out."""

AttemptReason = ExitReason | Literal["camera-unreachable", "request-refused"]
"""Why an attempt ended: its session's exit reason, or why none could begin."""

Reason = MissedReason | CancelledReason | AttemptReason
"""Why an occurrence is in its state, or what it waits for."""

FinalState = Literal["completed", "partial", "failed", "missed", "cancelled"]

FINAL_STATES: Final[tuple[FinalState, ...]] = (
    "completed",
    "partial",
    "failed",
    "missed",
    "cancelled",
)
"""States that no occurrence ever leaves."""


def in_words(at: datetime) -> str:
    """Return a moment as sentences for people tell it."""
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
