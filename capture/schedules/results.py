"""What the sessions of an occurrence amount to, for whoever did not see them end."""

from __future__ import annotations

from typing import Final, cast

from sqlalchemy import exists, select
from sqlalchemy.orm import Session as Transaction

from capture.attendance import ENDS
from capture.schedules.history import Settlement
from capture.schedules.reasons import Reason
from datastore.tables import Occurrence, Session, SessionEvent, Shot, ShotEvent

_CUT_SHORT: Final = ("interrupted", "process-died")
_BEST_FIRST: Final = ("completed", "partial", "failed")
_DIED: Final = "The process that ran its session ended without closing it."


def result_of_sessions(transaction: Transaction, occurrence: Occurrence) -> Settlement | None:
    """Return the best that a session of an occurrence came to; None if none was begun.

    A session that was interrupted, or whose process died, counts as partial if one of its shots
    is registered, and as failed otherwise.
    """
    results = [_result_of(transaction, session) for session in occurrence.sessions]
    # of equals the newest counts
    results.reverse()
    return min(results, key=lambda result: _BEST_FIRST.index(result.state), default=None)


def _result_of(transaction: Transaction, session: Session) -> Settlement:
    end = _end_of(session)
    detail = {} if end is None else end.detail or {}
    reason = cast(Reason, detail.get("exit_reason") or "process-died")
    sentence = detail.get("reason")
    if end is not None and end.name == "completed":
        return Settlement("completed", "completed")
    if end is not None and end.name == "partial":
        return Settlement("partial", reason, sentence)
    if reason in _CUT_SHORT and _has_registered(transaction, session.id):
        return Settlement("partial", reason, sentence or _DIED)
    return Settlement("failed", reason, sentence or _DIED)


def _end_of(session: Session) -> SessionEvent | None:
    """Return the event that ended a session; None while it runs, or after its process died."""
    newest: SessionEvent | None = None
    for event in session.events:
        if event.name in ENDS:
            newest = event
        elif event.name == "resumed":
            newest = None
    return newest


def _has_registered(transaction: Transaction, session_id: int) -> bool:
    registered = exists().where(
        ShotEvent.shot_id == Shot.id,
        ShotEvent.name == "registered",
        Shot.session_id == session_id,
    )
    return bool(transaction.scalar(select(registered)))
