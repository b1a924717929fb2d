"""What became of a session, for people and programs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

ExitReason = Literal[
    "completed",
    "frames-missing",
    "frames-quarantined",
    "camera-lost",
    "shot-failed",
    "finished-by-operator",
    "aborted-by-operator",
    "interrupted",
    "prompt-unanswered",
    "actuator-failed",
    "disk-full",
    "lease-lost",
    "catalogue-failed",
    "capture-failed",
    "internal-error",
    "process-died",
]
"""Why a session ended, in one word for programs; the reason says it in a sentence."""


class SessionStoppedError(Exception):
    """A session ends here.

    Parameters
    ----------
    state
        `completed`, `partial`, `aborted` or `failed`.
    exit_reason
        Why, in a word.
    reason
        Why, in a sentence.
    """

    def __init__(self, state: str, exit_reason: ExitReason, reason: str | None) -> None:
        super().__init__(reason)
        self.state = state
        self.exit_reason: ExitReason = exit_reason
        self.reason = reason


@dataclass(frozen=True)
class SessionOutcome:
    """What became of a session.

    Attributes
    ----------
    session_uuid
        The session.
    state
        `completed`, `partial`, `aborted` or `failed`.
    exit_reason, reason
        Why it ended, in a word and in a sentence; the sentence is None for a completed session.
    frames_planned, frames_registered, frames_accepted
        Frames that this run was to take over all cameras, those of which a shot is registered, and
        those of which one passed its checks.
    frames_quarantined, attempts_failed
        Shots by their end, those that were taken again included; a quarantined one is registered.
    seconds
        How long it took.
    settled_by_reconciling
        Shots that an interruption had left open and that were settled first.
    frames_taken_before
        Frames that earlier runs of the session had brought, beyond those of this run.
    """

    session_uuid: str
    state: str
    exit_reason: ExitReason
    reason: str | None
    frames_planned: int
    frames_registered: int
    frames_accepted: int
    frames_quarantined: int
    attempts_failed: int
    seconds: float
    settled_by_reconciling: int = 0
    frames_taken_before: int = 0

    @property
    def exit_code(self) -> int:
        """0 for a completed session, 130 for an interrupted one, 1 otherwise."""
        return {"completed": 0, "interrupted": 130}.get(self.exit_reason, 1)

    def to_json(self) -> dict[str, Any]:
        """Return the outcome as JSON values."""
        return {
            "session_id": self.session_uuid,
            "state": self.state,
            "exit_reason": self.exit_reason,
            "reason": self.reason,
            "frames_planned": self.frames_planned,
            "frames_registered": self.frames_registered,
            "frames_accepted": self.frames_accepted,
            "frames_quarantined": self.frames_quarantined,
            "attempts_failed": self.attempts_failed,
            "seconds": round(self.seconds, 3),
            "settled_by_reconciling": self.settled_by_reconciling,
            "frames_taken_before": self.frames_taken_before,
        }

    def summary(self) -> str:
        """Return the outcome as a sentence or two."""
        text = (
            f"session {self.session_uuid} {self.state}: {self.frames_registered} of"
            f" {self.frames_planned} frames registered in {self.seconds:.1f} s,"
            f" {self.frames_accepted} accepted"
        )
        if self.frames_quarantined:
            text += f", {self.frames_quarantined} shots quarantined"
        if self.attempts_failed:
            text += f", {self.attempts_failed} attempts failed"
        if self.frames_taken_before:
            text += f", beside {self.frames_taken_before} that it had before"
        if self.settled_by_reconciling:
            text += f"; {self.settled_by_reconciling} shots left open before were settled"
        return text + (f". {self.reason}" if self.reason else "")
