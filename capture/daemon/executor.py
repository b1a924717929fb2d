"""Has the session of a claimed occurrence run, and says what that means for the occurrence.

Owns the translation of a session's end into the occurrence's. Knows neither threads nor ticks, and
writes nothing.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, Protocol

from sqlalchemy import select

from capture.attendance import ENDS, state_of
from capture.errors import CameraError, SessionNotResumableError
from capture.outcome import ExitReason, SessionOutcome
from capture.schedules.occurrences import ClaimedOccurrence
from capture.schedules.reasons import Reason
from capture.stopping import stopped_by
from datastore.catalogue import Catalogue
from datastore.errors import (
    CatalogueBusyError,
    CatalogueFullError,
    CatalogueUnavailableError,
    LeaseHeldError,
    NoCatalogueError,
    RevisionMismatchError,
)
from datastore.tables import Session, SessionEvent

OUTAGES: Final = (
    CatalogueBusyError,
    CatalogueFullError,
    CatalogueUnavailableError,
    NoCatalogueError,
    # upgraded under a daemon of the former version: the next one carries out what is due
    RevisionMismatchError,
)
"""Errors that say of the database, not of the work, that it is locked, full, away or another's."""

_BUSY_AGAIN_AFTER: Final = timedelta(seconds=60)
_OUTAGE_AGAIN_AFTER: Final = timedelta(seconds=60)
_REFUSED: Final = 2


class SessionRunner(Protocol):
    """What runs sessions: the home's settings with `capture.sessions` behind them."""

    def run(self, occurrence: ClaimedOccurrence, *, stop: threading.Event) -> SessionOutcome:
        """Run a new session for an occurrence; raises as `capture.sessions.run_session`."""
        ...

    def resume(self, session_uuid: str, *, stop: threading.Event) -> SessionOutcome | None:
        """Go on with a session; None if a process that still runs has it."""
        ...


@dataclass(frozen=True)
class Ending:
    """What the end of a session, or of an attempt to begin one, means for its occurrence.

    Attributes
    ----------
    verb
        `settle` it; have it `wait` without counting the attempt; `retry` while attempts and window
        allow, and settle it otherwise.
    state
        The state that it is settled with.
    reason, detail
        Why, in a word for programs and a sentence for people.
    after
        How long is waited before the next attempt; None for as long as the schedule says.
    error
        What went wrong where no session could say it.
    """

    verb: Literal["settle", "wait", "retry"]
    state: Literal["completed", "partial", "failed"]
    reason: Reason
    detail: str
    after: timedelta | None = None
    error: Exception | None = None

    def apply(self, claim: ClaimedOccurrence, at: datetime) -> str:
        """Write it down, and return the state that the occurrence has now.

        Raises
        ------
        datastore.errors.LeaseLostError
            If the occurrence is another daemon's by now.
        datastore.errors.DatastoreError
            If the catalogue cannot be written; it can be applied again later.
        """
        if self.verb == "settle":
            claim.settle(self.state, self.reason, self.detail, at=at)
            return self.state
        after = timedelta(seconds=claim.retry_after_s) if self.after is None else self.after
        if self.verb == "wait":
            claim.wait(self.reason, self.detail, not_before=at + after, at=at)
        elif claim.attempt < claim.attempts_allowed and at + after < claim.window_ends_at:
            claim.retry(self.reason, self.detail, not_before=at + after, at=at)
        else:
            claim.settle(self.state, self.reason, self.detail, at=at)
            return self.state
        return "pending"


@dataclass(frozen=True)
class EarlierSession:
    """The newest session that was begun for an occurrence, as its rows tell."""

    uuid: str
    state: str
    exit_reason: ExitReason | None
    reason: str | None

    @property
    def ending(self) -> Ending | None:
        """What it means for the occurrence; None while frames may still be had from it."""
        detail = self.reason or f"Session {self.uuid} is {self.state}."
        if self.state == "completed":
            return Ending("settle", "completed", "completed", detail)
        if self.state == "partial":
            return Ending("settle", "partial", self.exit_reason or "frames-missing", detail)
        if self.exit_reason == "aborted-by-operator":
            return Ending("settle", "failed", self.exit_reason, detail)
        return None


def newest_session(catalogue: Catalogue, claim: ClaimedOccurrence) -> EarlierSession | None:
    """Return the newest session of an occurrence, None if none was begun."""
    if not claim.session_uuids:
        return None
    with catalogue.reading() as transaction:
        row = transaction.scalars(
            select(Session).where(Session.uuid.in_(claim.session_uuids)).order_by(Session.id.desc())
        ).first()
        if row is None:
            return None
        end = transaction.scalars(
            select(SessionEvent)
            .where(SessionEvent.session_id == row.id, SessionEvent.name.in_(ENDS))
            .order_by(SessionEvent.id.desc())
        ).first()
        state = state_of(transaction, row.id)
        detail = (end.detail or {}) if end is not None and state in ENDS else {}
        return EarlierSession(row.uuid, state, detail.get("exit_reason"), detail.get("reason"))


def execute(
    claim: ClaimedOccurrence,
    runner: SessionRunner,
    earlier: EarlierSession | None,
    *,
    stop: threading.Event,
) -> Ending:
    """Run the session of an occurrence, or go on with the one that was begun for it.

    Parameters
    ----------
    claim
        The occurrence.
    runner
        Runs sessions.
    earlier
        The newest session of an earlier attempt, None if there is none.
    stop
        Once set, the session ends after the shot in hand.

    Returns
    -------
    Ending
        What that means for the occurrence. Errors become endings, too.
    """
    ending = None if earlier is None else earlier.ending
    if ending is not None:
        return ending
    try:
        outcome = _run(claim, runner, earlier, stop)
    except Exception as error:
        return ending_of_error(error)
    return _ending_of_outcome(outcome)


def _run(
    claim: ClaimedOccurrence,
    runner: SessionRunner,
    earlier: EarlierSession | None,
    stop: threading.Event,
) -> SessionOutcome | None:
    if earlier is not None:
        try:
            return runner.resume(earlier.uuid, stop=stop)
        except SessionNotResumableError:
            # what it has stays; the occurrence is due all the same
            pass
    return runner.run(claim, stop=stop)


def _ending_of_outcome(outcome: SessionOutcome | None) -> Ending:
    if outcome is None:
        detail = "Its session runs in another process."
        return Ending("wait", "failed", "equipment-busy", detail, _BUSY_AGAIN_AFTER)
    reason, detail = outcome.exit_reason, outcome.reason or outcome.summary()
    if outcome.state == "completed":
        return Ending("settle", "completed", reason, detail)
    if reason == "interrupted":
        return Ending("wait", "partial", reason, detail, timedelta())
    if reason == "lease-lost":
        return Ending("wait", "failed", reason, detail, _BUSY_AGAIN_AFTER)
    if outcome.state == "partial":
        return Ending("settle", "partial", reason, detail)
    if reason == "aborted-by-operator":
        return Ending("settle", "failed", reason, detail)
    return Ending("retry", "failed", reason, detail)


def ending_of_error(error: Exception) -> Ending:
    """Return what an error that ended an attempt means for its occurrence."""
    detail = str(error) or type(error).__name__
    if isinstance(error, LeaseHeldError):
        return Ending("wait", "failed", "equipment-busy", detail, _BUSY_AGAIN_AFTER, error)
    if isinstance(error, OUTAGES):
        return Ending("wait", "failed", "catalogue-away", detail, _OUTAGE_AGAIN_AFTER, error)
    if getattr(error, "exit_code", None) == _REFUSED:
        return Ending("settle", "failed", "request-refused", detail, error=error)
    if isinstance(error, CameraError):
        return Ending("retry", "failed", "camera-unreachable", detail, error=error)
    stopped = stopped_by(error)
    return Ending("retry", "failed", stopped.exit_reason, stopped.reason or detail, error=error)
