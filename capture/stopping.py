"""How an error ends a session: its state, and the word and the sentence for why."""

from __future__ import annotations

from typing import Final

from capture.errors import ActuatorError, CaptureError, DiskFullError, PromptUnansweredError
from capture.outcome import ExitReason, SessionStoppedError
from datastore.errors import DatastoreError, LeaseLostError, StoreFullError

# a special kind comes before the general one that it belongs to
_EXIT_REASONS: Final[tuple[tuple[type[BaseException], ExitReason], ...]] = (
    (PromptUnansweredError, "prompt-unanswered"),
    (ActuatorError, "actuator-failed"),
    (DiskFullError, "disk-full"),
    (StoreFullError, "disk-full"),
    (LeaseLostError, "lease-lost"),
    (CaptureError, "capture-failed"),
    (DatastoreError, "catalogue-failed"),
)


def stopped_by(error: BaseException) -> SessionStoppedError:
    """Return the end of a session that an error made."""
    for kind, exit_reason in _EXIT_REASONS:
        if isinstance(error, kind):
            return SessionStoppedError("failed", exit_reason, str(error))
    if isinstance(error, KeyboardInterrupt):
        return SessionStoppedError("aborted", "interrupted", "It was interrupted.")
    stopped = SessionStoppedError("failed", "internal-error", f"{type(error).__name__}: {error}")
    stopped.__cause__ = error
    return stopped
