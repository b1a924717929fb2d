"""Occurrences: written ahead, claimed, swept, attended, cancelled and listed.

Each has exactly one row, and each change of its state is one transaction that also writes an event
with who, why and a sentence. A final state never changes again.
"""

from __future__ import annotations

from datetime import datetime

from capture.errors import OccurrenceStateError
from capture.schedules.claim_leases import CLAIM_S
from capture.schedules.claiming import ClaimedOccurrence, claim_next
from capture.schedules.expansion import materialise
from capture.schedules.history import (
    SettledOccurrence,
    Settlement,
    hold_schedules,
    note,
    record_settled,
    settle,
)
from capture.schedules.listing import (
    OccurrenceFilter,
    OccurrenceRecord,
    find_occurrence,
    iterate_occurrences,
    list_occurrences,
    list_occurrences_around,
    record_of,
)
from capture.schedules.reasons import in_words
from capture.schedules.schedule_states import description_of
from capture.schedules.sweeping import sweep
from datastore import audit
from datastore.catalogue import Catalogue
from datastore.tables import Occurrence

__all__ = [
    "CLAIM_S",
    "ClaimedOccurrence",
    "OccurrenceFilter",
    "OccurrenceRecord",
    "SettledOccurrence",
    "Settlement",
    "attend",
    "cancel",
    "claim_next",
    "find_occurrence",
    "iterate_occurrences",
    "list_occurrences",
    "list_occurrences_around",
    "materialise",
    "record_of",
    "sweep",
]


def attend(
    catalogue: Catalogue, occurrence: str, *, operator: str | None, at: datetime
) -> OccurrenceRecord:
    """Say that the operator of an attended occurrence is there, so that it may begin.

    Parameters
    ----------
    occurrence
        Its UUID or an unambiguous beginning of it.
    operator
        Who is there; the newest word counts.
    at
        Civil time; may be before the due time.

    Raises
    ------
    UnknownOccurrenceError
        If there is none, or several.
    OccurrenceStateError
        If it is not pending, its window is over, or its schedule needs no operator.
    """
    with catalogue.writing() as transaction:
        hold_schedules(transaction)
        row = find_occurrence(transaction, occurrence)
        _require_pending(row, at, "attended")
        if not description_of(row.schedule).attended:
            raise OccurrenceStateError(
                f"the schedule {row.schedule.name} needs no operator: occurrence {row.uuid} begins"
                " by itself"
            )
        note(row, "attended", at=at, by=operator)
        entry = {"occurrence": row.uuid, "operator": operator}
        audit.append(transaction, "occurrence.attend", entry, at)
        return record_of(row)


def cancel(
    catalogue: Catalogue,
    occurrence: str,
    *,
    operator: str | None,
    reason: str | None,
    at: datetime,
) -> OccurrenceRecord:
    """Cancel an occurrence that has not begun, or waits for another attempt.

    Parameters
    ----------
    occurrence
        Its UUID or an unambiguous beginning of it.
    operator, reason
        Who does not want it, and why.
    at
        Civil time.

    Raises
    ------
    UnknownOccurrenceError
        If there is none, or several.
    OccurrenceStateError
        If it is not pending, or its window is over.
    """
    with catalogue.writing() as transaction:
        hold_schedules(transaction)
        row = find_occurrence(transaction, occurrence)
        _require_pending(row, at, "cancelled")
        by = f" by {operator}" if operator else ""
        why = f": {reason}" if reason else ""
        settlement = Settlement("cancelled", "cancelled-by-operator", f"It was cancelled{by}{why}.")
        settled = settle(row, settlement, at=at, by=operator)
        entry = {"occurrence": row.uuid, "operator": operator, "reason": reason}
        audit.append(transaction, "occurrence.cancel", entry, at)
        record_settled(transaction, [settled], at=at, by=operator)
        return record_of(row)


def _require_pending(occurrence: Occurrence, at: datetime, done: str) -> None:
    if occurrence.state == "claimed":
        raise OccurrenceStateError(
            f"occurrence {occurrence.uuid} is being carried out, it cannot be {done} any more:"
            " `agetrace session finish` and `agetrace session abort` end its session"
        )
    if occurrence.state != "pending":
        raise OccurrenceStateError(
            f"occurrence {occurrence.uuid} is {occurrence.state}, it cannot be {done} any more"
        )
    if at >= occurrence.window_ends_at:
        raise OccurrenceStateError(
            f"the window of occurrence {occurrence.uuid} ended at"
            f" {in_words(occurrence.window_ends_at)}: it cannot be {done} any more"
        )
