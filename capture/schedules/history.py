"""Changes of an occurrence's state: each goes through here and leaves an event.

Whoever writes holds the lock of `hold_schedules`, so that several daemons and commands change one
occurrence after another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session as Transaction

from capture.errors import OccurrenceStateError
from capture.schedules.reasons import FINAL_STATES, FinalState, Reason
from datastore import audit
from datastore.locks import lock_until_commit
from datastore.tables import Occurrence, OccurrenceEvent, OccurrenceEventName


@dataclass(frozen=True)
class Settlement:
    """What becomes of an occurrence.

    Attributes
    ----------
    state
        Its final state.
    reason
        Why, in a word for programs.
    detail
        Why, in a sentence for people; None where the state says it all.
    """

    state: FinalState
    reason: Reason
    detail: str | None = None


@dataclass(frozen=True)
class SettledOccurrence:
    """An occurrence that has just reached its final state."""

    id: int
    uuid: str
    schedule_name: str
    fixture: str
    due_at: datetime
    state: FinalState
    reason: Reason
    detail: str | None


def hold_schedules(transaction: Transaction) -> None:
    """Keep every other writer of schedules and occurrences out until a transaction ends."""
    lock_until_commit(transaction, "schedule")


def note(
    occurrence: Occurrence,
    name: OccurrenceEventName,
    *,
    at: datetime,
    by: str | None,
    reason: Reason | None = None,
    detail: str | None = None,
) -> None:
    """Write something that happened to an occurrence."""
    event = OccurrenceEvent(name=name, at=at, by=by, reason=reason, detail=detail)
    occurrence.events.append(event)


def put_back(
    occurrence: Occurrence,
    name: OccurrenceEventName,
    *,
    at: datetime,
    by: str | None,
    reason: Reason,
    detail: str | None,
    not_before: datetime | None,
) -> None:
    """Make an occurrence wait for an attempt, and say why.

    Raises
    ------
    OccurrenceStateError
        If it is in a final state.
    """
    _require_open(occurrence)
    occurrence.state = "pending"
    occurrence.reason = reason
    occurrence.detail = detail
    occurrence.not_before = not_before
    note(occurrence, name, at=at, by=by, reason=reason, detail=detail)


def settle(
    occurrence: Occurrence,
    settlement: Settlement,
    *,
    at: datetime,
    by: str | None,
) -> SettledOccurrence:
    """Give an occurrence its final state; `record_settled` audits it with others.

    Raises
    ------
    OccurrenceStateError
        If it is in a final state.
    """
    _require_open(occurrence)
    occurrence.state = settlement.state
    occurrence.reason = settlement.reason
    occurrence.detail = settlement.detail
    occurrence.not_before = None
    occurrence.settled_at = at
    note(
        occurrence,
        settlement.state,
        at=at,
        by=by,
        reason=settlement.reason,
        detail=settlement.detail,
    )
    return SettledOccurrence(
        id=occurrence.id,
        uuid=occurrence.uuid,
        schedule_name=occurrence.schedule.name,
        fixture=occurrence.schedule.fixture.name,
        due_at=occurrence.due_at,
        **asdict(settlement),
    )


def record_settled(
    transaction: Transaction,
    settled: Sequence[SettledOccurrence],
    *,
    at: datetime,
    by: str | None,
) -> None:
    """Write a batch of final states into the audit."""
    if not settled:
        return
    entry: dict[str, Any] = {
        "by": by,
        "occurrences": [
            {"occurrence": one.uuid, "state": one.state, "reason": one.reason} for one in settled
        ],
    }
    audit.append(transaction, "occurrence.settle", entry, at)


def _require_open(occurrence: Occurrence) -> None:
    if occurrence.state in FINAL_STATES:
        raise OccurrenceStateError(
            f"occurrence {occurrence.uuid} is {occurrence.state}, which is final"
        )
