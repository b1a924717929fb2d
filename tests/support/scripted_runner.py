"""A runner of sessions that take no camera: each ends when, and as, a test says."""

from __future__ import annotations

import threading
from datetime import datetime
from itertools import count
from typing import Literal

from capture.outcome import ExitReason, SessionOutcome
from capture.schedules.occurrences import ClaimedOccurrence

State = Literal["completed", "partial", "aborted", "failed"]


def outcome(state: State, exit_reason: ExitReason, uuid: str = "none") -> SessionOutcome:
    """Return the outcome of a session of one frame."""
    taken = int(state == "completed")
    return SessionOutcome(
        session_uuid=uuid,
        state=state,
        exit_reason=exit_reason,
        reason=None if taken else f"It was {exit_reason}.",
        frames_planned=1,
        frames_registered=taken,
        frames_accepted=taken,
        frames_quarantined=0,
        attempts_failed=0,
        seconds=0.0,
    )


class ScriptedRunner:
    """Ends sessions at once, or when `gate` is opened or a stop is asked for.

    Attributes
    ----------
    script
        What becomes of the next sessions, in order; an exception is raised. Completed after that.
    gate
        Sessions wait until it is set.
    begun
        Schedule and due time of every session.
    operators
        Who attended them.
    most_at_once
        How many ran at a time, by fixture.
    """

    def __init__(self, *script: SessionOutcome | Exception) -> None:
        self.script = list(script)
        self.gate = threading.Event()
        self.gate.set()
        self.begun: list[tuple[str, datetime]] = []
        self.operators: list[str | None] = []
        self.most_at_once: dict[str, int] = {}
        self._running: dict[str, int] = {}
        self._lock = threading.Lock()
        self._numbers = count(1)

    def run(self, occurrence: ClaimedOccurrence, *, stop: threading.Event) -> SessionOutcome:
        """Do as the script says."""
        fixture = occurrence.fixture
        with self._lock:
            self.begun.append((occurrence.schedule_name, occurrence.due_at))
            self.operators.append(occurrence.attended_by)
            running = self._running[fixture] = self._running.get(fixture, 0) + 1
            self.most_at_once[fixture] = max(running, self.most_at_once.get(fixture, 0))
            next_ = self.script.pop(0) if self.script else outcome("completed", "completed")
        try:
            while not self.gate.wait(0.01):
                if stop.is_set():
                    return outcome("aborted", "interrupted")
            if isinstance(next_, Exception):
                raise next_
            return next_
        finally:
            with self._lock:
                self._running[fixture] -= 1

    def resume(self, session_uuid: str, *, stop: threading.Event) -> SessionOutcome | None:
        """Sessions without rows are never gone on with."""
        raise AssertionError(f"session {session_uuid} has no rows")
