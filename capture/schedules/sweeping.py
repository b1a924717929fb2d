"""Sweeping: what nobody will carry out any more gets its final state, and the reason.

What becomes of an occurrence depends on its own rows and those of its schedule, not on when
somebody looks: years without a daemon are told apart afterwards, due time by due time.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, cast, get_args

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.orm import Session as Transaction
from sqlalchemy.orm import selectinload
from sqlalchemy.orm.interfaces import ORMOption

from capture.schedules.claim_leases import is_held
from capture.schedules.history import (
    SettledOccurrence,
    Settlement,
    hold_schedules,
    record_settled,
    settle,
)
from capture.schedules.reasons import CancelledReason, MissedReason, Reason, in_words
from capture.schedules.results import result_of_sessions
from capture.schedules.schedule_states import description_of, stop_of
from datastore.catalogue import Catalogue
from datastore.tables import Occurrence, OccurrenceEvent, Schedule, ScheduleEvent, Session

_ROWS_AT_ONCE: Final = 200
_MISSED: Final = {
    "daemon-down": "No daemon began it by {end}.",
    "equipment-busy": "Its equipment was in use until {end}.",
    "operator-absent": "No operator attended it until {end}.",
    "too-late": "Nothing had begun it by {end}, and its schedule takes no later start.",
    "clock-jumped": "The civil clock jumped past {end}.",
    "catalogue-away": "The catalogue was away until {end}.",
}
_DIED: Final = "The process that carried it out ended before a session began."
_STOPPED: Final[dict[str, CancelledReason]] = {
    "paused": "schedule-paused",
    "retired": "schedule-retired",
}


def sweep(
    catalogue: Catalogue,
    *,
    now: datetime,
    by: str,
    reason_missed: MissedReason = "daemon-down",
    in_hand: Collection[str] = (),
) -> list[SettledOccurrence]:
    """Settle the occurrences that nobody will carry out any more.

    Pending ones are missed once their window is over, or once the grace of a schedule that takes
    no late start is; what was waited for is the reason, and `reason_missed` where nothing was.
    Due times of a paused or retired schedule are cancelled. Those of which an attempt was made,
    and those whose daemon died and whose window is over, become what their sessions amount to.

    Parameters
    ----------
    now
        Civil time.
    by
        Who sweeps, for the history.
    reason_missed
        Why no attempt began, as far as the caller knows.
    in_hand
        UUIDs of occurrences that the caller carries out; they are left alone even if their claim
        ran out while the computer slept or the catalogue was away.
    """
    with catalogue.reading() as transaction:
        query = select(Occurrence.id).where(_may_be_over(now), Occurrence.uuid.not_in(in_hand))
        ids = list(transaction.scalars(query))
    settled: list[SettledOccurrence] = []
    for start in range(0, len(ids), _ROWS_AT_ONCE):
        batch = ids[start : start + _ROWS_AT_ONCE]
        # most passes find nothing, and take no lock for it
        with catalogue.reading() as transaction:
            rows = _load(transaction, batch)
            over = [row.id for row in rows if fate(transaction, row, now, reason_missed)]
        if over:
            with catalogue.writing() as transaction:
                hold_schedules(transaction)
                settled += sweep_within(
                    transaction, over, now=now, by=by, reason_missed=reason_missed
                )
    return settled


def sweep_within(
    transaction: Transaction,
    ids: Sequence[int],
    *,
    now: datetime,
    by: str | None,
    reason_missed: MissedReason = "daemon-down",
) -> list[SettledOccurrence]:
    """Settle those of some occurrences that are over; the caller holds the schedules' lock."""
    settled = []
    for row in _load(transaction, ids):
        settlement = fate(transaction, row, now, reason_missed)
        if settlement is not None:
            settled.append(settle(row, settlement, at=now, by=by))
    record_settled(transaction, settled, at=now, by=by)
    return settled


def fate(
    transaction: Transaction,
    occurrence: Occurrence,
    now: datetime,
    reason_missed: MissedReason = "daemon-down",
) -> Settlement | None:
    """Return what becomes of an open occurrence by itself; None if it may still be carried out."""
    stop = stop_of(
        occurrence.schedule.events,
        due_at=occurrence.due_at,
        window_ends_at=occurrence.window_ends_at,
        now=now,
    )
    is_over = now >= occurrence.window_ends_at
    if occurrence.state == "claimed":
        if (is_over or stop is not None) and not is_held(transaction, occurrence.uuid):
            return _after_attempts(transaction, occurrence, stop)
        return None
    if occurrence.state != "pending":
        return None
    if occurrence.attempts or occurrence.sessions:
        return _after_attempts(transaction, occurrence, stop) if is_over or stop else None
    if stop is not None:
        return Settlement("cancelled", _STOPPED[stop.name], _stopped_in_words(stop))
    return _missed(occurrence, now, reason_missed)


def loaded_with() -> tuple[ORMOption, ...]:
    """Return the options of a query for occurrences whose `fate` is asked."""
    return (
        selectinload(Occurrence.schedule).selectinload(Schedule.events),
        selectinload(Occurrence.schedule).selectinload(Schedule.fixture),
        selectinload(Occurrence.events),
        selectinload(Occurrence.sessions).selectinload(Session.events),
    )


def newest_event(occurrence: Occurrence, name: str) -> OccurrenceEvent | None:
    """Return the newest event of a name in an occurrence's history, None if there is none."""
    return next((event for event in reversed(occurrence.events) if event.name == name), None)


def _may_be_over(now: datetime) -> ColumnElement[bool]:
    return and_(Occurrence.state.in_(("pending", "claimed")), Occurrence.starts_at <= now)


def _load(transaction: Transaction, ids: Sequence[int]) -> list[Occurrence]:
    query = select(Occurrence).where(Occurrence.id.in_(ids)).options(*loaded_with())
    return list(transaction.scalars(query.order_by(Occurrence.starts_at, Occurrence.id)))


def _missed(
    occurrence: Occurrence, now: datetime, reason_missed: MissedReason
) -> Settlement | None:
    description = description_of(occurrence.schedule)
    is_over = now >= occurrence.window_ends_at
    latest = occurrence.window_ends_at
    if description.late == "miss":
        latest = min(latest, occurrence.starts_at + timedelta(seconds=description.grace_s))
    if not is_over and now <= latest:
        return None
    reason = reason_missed
    waited = newest_event(occurrence, "waiting")
    if waited is not None and waited.reason in get_args(MissedReason):
        reason = cast(MissedReason, waited.reason)
    elif description.attended and newest_event(occurrence, "attended") is None:
        reason = "operator-absent"
    elif not is_over and reason == "daemon-down":
        # a daemon is here in time for the window, but not for the grace
        reason = "too-late"
    end = in_words(latest)
    sentence = _MISSED[reason].format(end=end)
    if waited is not None and waited.reason == reason and waited.detail:
        sentence += f" {waited.detail}"
    return Settlement("missed", reason, sentence)


def _after_attempts(
    transaction: Transaction, occurrence: Occurrence, stop: ScheduleEvent | None
) -> Settlement:
    result = result_of_sessions(transaction, occurrence)
    failed = newest_event(occurrence, "pending")
    if (result is None or result.state == "failed") and failed is not None and failed.reason:
        result = Settlement("failed", cast(Reason, failed.reason), failed.detail)
    if result is None:
        result = Settlement("failed", "process-died", _DIED)
    if result.state == "completed":
        return result
    ended = f"No further attempt began by {in_words(occurrence.window_ends_at)}."
    end = ended if stop is None else _stopped_in_words(stop)
    return replace(result, detail=f"{result.detail} {end}" if result.detail else end)


def _stopped_in_words(stop: ScheduleEvent) -> str:
    by = f" by {stop.operator}" if stop.operator else ""
    why = f" ({stop.reason})" if stop.reason else ""
    return f"Its schedule was {stop.name} at {in_words(stop.at)}{by}{why}."
