"""Reading occurrences: those that pass a filter, page by page, and one with its history.

Pages follow the order of due times and go on behind the last occurrence of the page before (keyset
paging).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Select, select, tuple_
from sqlalchemy.orm import Session as Transaction
from sqlalchemy.orm import selectinload

from capture.errors import UnknownOccurrenceError
from datastore.catalogue import Catalogue
from datastore.tables import Fixture, Occurrence, Schedule

_PAGE: Final = 500


@dataclass(frozen=True)
class OccurrenceFilter:
    """Which occurrences are wanted; an empty field asks nothing.

    Attributes
    ----------
    schedules, fixtures, states
        Any of these.
    since, until
        Due times in [since, until).
    """

    schedules: tuple[str, ...] = ()
    fixtures: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class OccurrenceRecord:
    """An occurrence as queries tell of it; what is unknown is None."""

    row_id: int
    id: str
    schedule: str
    fixture: str
    due_at: datetime
    starts_at: datetime
    window_ends_at: datetime
    state: str
    reason: str | None
    detail: str | None
    attempts: int
    not_before: datetime | None
    settled_at: datetime | None
    session_ids: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the record as JSON values."""
        return {
            "id": self.id,
            "schedule": self.schedule,
            "fixture": self.fixture,
            "due_at": self.due_at.isoformat(),
            "starts_at": self.starts_at.isoformat(),
            "window_ends_at": self.window_ends_at.isoformat(),
            "state": self.state,
            "reason": self.reason,
            "detail": self.detail,
            "attempts": self.attempts,
            "not_before": None if self.not_before is None else self.not_before.isoformat(),
            "settled_at": None if self.settled_at is None else self.settled_at.isoformat(),
            "session_ids": list(self.session_ids),
        }


def list_occurrences(
    transaction: Transaction,
    chosen: OccurrenceFilter | None = None,
    *,
    after: OccurrenceRecord | None = None,
    limit: int = _PAGE,
) -> list[OccurrenceRecord]:
    """Return a page of occurrences by due time.

    Parameters
    ----------
    chosen
        The filter; None for all.
    after
        The last occurrence of the page before; None for the first page.
    limit
        Most occurrences of the page.
    """
    query = _passing(chosen).order_by(Occurrence.due_at, Occurrence.id).limit(limit)
    if after is not None:
        place = tuple_(Occurrence.due_at, Occurrence.id)
        query = query.where(place > tuple_(after.due_at, after.row_id))
    return _records(transaction, query)


def list_occurrences_around(
    transaction: Transaction,
    moment: datetime,
    chosen: OccurrenceFilter | None = None,
    *,
    limit: int,
) -> tuple[list[OccurrenceRecord], bool]:
    """Return the newest occurrences that were due at a moment and the next to come, by due time.

    Parameters
    ----------
    moment
        Aware time.
    chosen
        The filter; None for all.
    limit
        Most occurrences on either side of the moment.

    Returns
    -------
    tuple of list of OccurrenceRecord and bool
        The occurrences, and whether there are more.
    """
    query = _passing(chosen).limit(limit + 1)
    newest_first = (Occurrence.due_at.desc(), Occurrence.id.desc())
    past = _records(transaction, query.where(Occurrence.due_at <= moment).order_by(*newest_first))
    next_first = (Occurrence.due_at, Occurrence.id)
    coming = _records(transaction, query.where(Occurrence.due_at > moment).order_by(*next_first))
    has_more = max(len(past), len(coming)) > limit
    return [*reversed(past[:limit]), *coming[:limit]], has_more


def iterate_occurrences(
    catalogue: Catalogue, chosen: OccurrenceFilter | None = None, *, page_size: int = _PAGE
) -> Iterator[OccurrenceRecord]:
    """Yield every occurrence that passes a filter, each page in a short transaction of its own."""
    page: list[OccurrenceRecord] | None = None
    while page is None or len(page) == page_size:
        with catalogue.reading() as transaction:
            after = page[-1] if page else None
            page = list_occurrences(transaction, chosen, after=after, limit=page_size)
        yield from page


def find_occurrence(transaction: Transaction, uuid: str) -> Occurrence:
    """Return an occurrence by its UUID or an unambiguous beginning of it.

    Raises
    ------
    UnknownOccurrenceError
        If there is none, or several.
    """
    query = select(Occurrence).where(Occurrence.uuid.startswith(uuid, autoescape=True))
    found = list(transaction.scalars(query.limit(2)))
    if len(found) != 1 or not uuid:
        how_many = "several occurrences begin" if found else "no occurrence begins"
        raise UnknownOccurrenceError(
            f"{how_many} with {uuid!r}: `agetrace occurrence list` shows the occurrences"
        )
    return found[0]


def record_of(occurrence: Occurrence) -> OccurrenceRecord:
    """Return an occurrence of an open transaction as queries tell of it."""
    return _record(occurrence, occurrence.schedule.name, occurrence.schedule.fixture.name)


def _passing(chosen: OccurrenceFilter | None) -> Select[Occurrence, str, str]:
    chosen = chosen or OccurrenceFilter()
    query = (
        select(Occurrence, Schedule.name, Fixture.name)
        .join(Schedule, Occurrence.schedule_id == Schedule.id)
        .join(Fixture, Schedule.fixture_id == Fixture.id)
        .options(selectinload(Occurrence.sessions))
    )
    if chosen.schedules:
        query = query.where(Schedule.name.in_(chosen.schedules))
    if chosen.fixtures:
        query = query.where(Fixture.name.in_(chosen.fixtures))
    if chosen.states:
        query = query.where(Occurrence.state.in_(chosen.states))
    if chosen.since is not None:
        query = query.where(Occurrence.due_at >= chosen.since)
    if chosen.until is not None:
        query = query.where(Occurrence.due_at < chosen.until)
    return query


def _records(
    transaction: Transaction, query: Select[Occurrence, str, str]
) -> list[OccurrenceRecord]:
    return [
        _record(occurrence, schedule, fixture)
        for occurrence, schedule, fixture in transaction.execute(query)
    ]


def _record(occurrence: Occurrence, schedule: str, fixture: str) -> OccurrenceRecord:
    return OccurrenceRecord(
        row_id=occurrence.id,
        id=occurrence.uuid,
        schedule=schedule,
        fixture=fixture,
        due_at=occurrence.due_at,
        starts_at=occurrence.starts_at,
        window_ends_at=occurrence.window_ends_at,
        state=occurrence.state,
        reason=occurrence.reason,
        detail=occurrence.detail,
        attempts=occurrence.attempts,
        not_before=occurrence.not_before,
        settled_at=occurrence.settled_at,
        session_ids=tuple(session.uuid for session in occurrence.sessions),
    )
