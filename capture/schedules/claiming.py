"""Claiming: one daemon gets an occurrence that is due, and says what becomes of it.

A claim is a lease by the database's clock. Everything that is done under it is fenced: whoever
lost the lease changes nothing any more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session as Transaction

from capture.leasing import fixture_resource, held_among
from capture.recipes import Recipe
from capture.schedules.claim_leases import CLAIM_S, holder_of, is_held, take
from capture.schedules.history import (
    SettledOccurrence,
    Settlement,
    hold_schedules,
    note,
    put_back,
    record_settled,
    settle,
)
from capture.schedules.reasons import FinalState, Reason
from capture.schedules.schedule_states import description_of
from capture.schedules.sweeping import fate, loaded_with, newest_event
from datastore.catalogue import Catalogue
from datastore.leases import Lease
from datastore.tables import Occurrence


@dataclass(frozen=True, eq=False)
class ClaimedOccurrence:
    """An occurrence that its holder alone may carry out.

    `settle`, `wait` and `retry` end the claim, each once. They and `renew` raise
    `datastore.errors.LeaseLostError` once the lease ran out or went to another holder: then
    nothing is changed, and whoever has it now says what becomes of the occurrence.

    Attributes
    ----------
    id, uuid
        Row number and portable name.
    schedule_name, fixture, serials, recipe
        What is to be carried out, where, and with which cameras; None for all.
    attempts_allowed, retry_after_s
        How often, and after how many seconds, a failed attempt may be followed by another.
    attempt
        Number of this attempt, from 1; an attempt that is taken over keeps its number.
    due_at, starts_at, window_ends_at
        The due time and its window.
    attended_by
        The operator who said to be there; None for an unattended schedule or a nameless operator.
    is_taken_over
        Whether another process began this attempt and did not end it.
    session_uuids
        Sessions that were begun for it, oldest first.
    """

    catalogue: Catalogue = field(repr=False)
    lease: Lease = field(repr=False)
    lease_s: float
    id: int
    uuid: str
    schedule_name: str
    fixture: str
    serials: tuple[str, ...] | None
    recipe: Recipe = field(repr=False)
    attempts_allowed: int
    retry_after_s: float
    attempt: int
    due_at: datetime
    starts_at: datetime
    window_ends_at: datetime
    attended_by: str | None
    is_taken_over: bool
    session_uuids: tuple[str, ...]

    def renew(self) -> None:
        """Hold the claim for another while, by the database's clock."""
        self.lease.renew(self.lease_s)

    def settle(
        self, state: FinalState, reason: Reason, detail: str | None, *, at: datetime
    ) -> SettledOccurrence:
        """Give the occurrence its final state.

        Parameters
        ----------
        state, reason
            What became of it, and why, in words for programs.
        detail
            Why, in a sentence for people.
        at
            Civil time.
        """
        with self._fenced() as (transaction, occurrence):
            settlement = Settlement(state, reason, detail)
            settled = settle(occurrence, settlement, at=at, by=self.lease.holder)
            record_settled(transaction, [settled], at=at, by=self.lease.holder)
            return settled

    def wait(
        self, reason: Reason, detail: str | None, *, not_before: datetime | None, at: datetime
    ) -> None:
        """Put the occurrence back without counting an attempt: its equipment is in use, say.

        Parameters
        ----------
        reason, detail
            What it waits for, in a word and in a sentence.
        not_before
            When it may be claimed again; None for at once.
        at
            Civil time.
        """
        with self._fenced() as (_, occurrence):
            occurrence.attempts -= 1
            put_back(
                occurrence,
                "waiting",
                at=at,
                by=self.lease.holder,
                reason=reason,
                detail=detail,
                not_before=not_before,
            )

    def retry(
        self, reason: Reason, detail: str | None, *, not_before: datetime | None, at: datetime
    ) -> None:
        """Put the occurrence back after a failed attempt, for another one; parameters as `wait`."""
        with self._fenced() as (_, occurrence):
            put_back(
                occurrence,
                "pending",
                at=at,
                by=self.lease.holder,
                reason=reason,
                detail=detail,
                not_before=not_before,
            )

    @contextmanager
    def _fenced(self) -> Iterator[tuple[Transaction, Occurrence]]:
        """Open a writing transaction under the claim, which ends with it."""
        with self.catalogue.writing() as transaction:
            hold_schedules(transaction)
            self.lease.check_within(transaction)
            yield transaction, transaction.get_one(Occurrence, self.id)
            self.lease.release_within(transaction)


def claim_next(
    catalogue: Catalogue,
    *,
    now: datetime,
    holder: str,
    busy_fixtures: Collection[str] = (),
    lease_s: float = CLAIM_S,
) -> ClaimedOccurrence | None:
    """Claim the occurrence that should be carried out next; None if nothing is due.

    Due are those inside their window that nothing keeps back: a time that they wait for, their
    operator, a pause of their schedule. One that another process claimed is taken over once that
    process is dead or its lease ran out. The schedule with the highest priority goes first, then
    what starts earliest.

    Parameters
    ----------
    now
        Civil time.
    holder
        Who claims, in the words of `capture.leasing.this_process`.
    busy_fixtures
        Names of fixtures that this holder is using. What is due there, or where a session of
        anybody else holds the fixture, waits, and its history says so.
    lease_s
        How long the claim holds unless it is renewed, by the database's clock.
    """
    # most passes find nothing, and take no lock for it
    with catalogue.reading() as transaction:
        chosen, waiting = _choose(transaction, now, busy_fixtures)
    if chosen is None and not waiting:
        return None
    with catalogue.writing() as transaction:
        hold_schedules(transaction)
        chosen, waiting = _choose(transaction, now, busy_fixtures)
        for occurrence in waiting:
            put_back(
                occurrence,
                "waiting",
                at=now,
                by=holder,
                reason="equipment-busy",
                detail=f"The fixture {occurrence.schedule.fixture.name} was in use.",
                not_before=None,
            )
        if chosen is None:
            return None
        return _claim(catalogue, transaction, chosen, now, holder, lease_s)


def _choose(
    transaction: Transaction, now: datetime, busy_fixtures: Collection[str]
) -> tuple[Occurrence | None, list[Occurrence]]:
    """Return what is to be claimed, and what has just begun to wait for its fixture."""
    rows = transaction.scalars(
        select(Occurrence)
        .where(
            Occurrence.state.in_(("pending", "claimed")),
            Occurrence.starts_at <= now,
            Occurrence.window_ends_at > now,
        )
        .options(*loaded_with())
        .order_by(Occurrence.starts_at, Occurrence.id)
    )
    due = [row for row in rows if _is_due(transaction, row, now)]
    due.sort(key=lambda row: -description_of(row.schedule).priority)
    fixtures = {row.schedule.fixture.name for row in due}
    held = held_among(transaction, [fixture_resource(name) for name in fixtures]) if due else set()
    busy = {name for name in fixtures if name in busy_fixtures or fixture_resource(name) in held}
    is_busy = {row.id: row.schedule.fixture.name in busy for row in due}
    waiting = [row for row in due if is_busy[row.id] and not _is_known_to_wait(row)]
    return next((row for row in due if not is_busy[row.id]), None), waiting


def _is_due(transaction: Transaction, occurrence: Occurrence, now: datetime) -> bool:
    if fate(transaction, occurrence, now) is not None:
        return False
    if occurrence.state == "claimed":
        return not is_held(transaction, occurrence.uuid)
    if occurrence.not_before is not None and occurrence.not_before > now:
        return False
    is_attended = description_of(occurrence.schedule).attended
    return not is_attended or newest_event(occurrence, "attended") is not None


def _is_known_to_wait(occurrence: Occurrence) -> bool:
    # what another process left behind is no news, it waits until the fixture is free
    return occurrence.state == "claimed" or occurrence.reason == "equipment-busy"


def _claim(
    catalogue: Catalogue,
    transaction: Transaction,
    occurrence: Occurrence,
    now: datetime,
    holder: str,
    lease_s: float,
) -> ClaimedOccurrence:
    is_taken_over = occurrence.state == "claimed"
    former = holder_of(transaction, occurrence.uuid)
    lease = take(catalogue, transaction, occurrence.uuid, holder, lease_s)
    if is_taken_over:
        detail = f"{former} ended, or lost the claim, without saying what became of it."
        note(occurrence, "taken-over", at=now, by=holder, detail=detail)
    else:
        occurrence.state = "claimed"
        occurrence.attempts += 1
        occurrence.reason = None
        occurrence.detail = None
        occurrence.not_before = None
        note(occurrence, "claimed", at=now, by=holder)
    schedule = occurrence.schedule
    description = description_of(schedule)
    attended = newest_event(occurrence, "attended")
    return ClaimedOccurrence(
        catalogue=catalogue,
        lease=lease,
        lease_s=lease_s,
        id=occurrence.id,
        uuid=occurrence.uuid,
        schedule_name=schedule.name,
        fixture=schedule.fixture.name,
        serials=description.cameras,
        recipe=Recipe.model_validate(schedule.recipe.body),
        attempts_allowed=description.attempts,
        retry_after_s=description.retry_after_s,
        attempt=occurrence.attempts,
        due_at=occurrence.due_at,
        starts_at=occurrence.starts_at,
        window_ends_at=occurrence.window_ends_at,
        attended_by=None if attended is None else attended.by,
        is_taken_over=is_taken_over,
        session_uuids=tuple(session.uuid for session in occurrence.sessions),
    )
