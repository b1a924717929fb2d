"""Occurrences of a catalogue as plain values for a judge."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from datastore.catalogue import Catalogue
from datastore.tables import Occurrence
from tests.support.occurrence_judge import Row


def rows_of(catalogue: Catalogue) -> list[Row]:
    """Return every occurrence with its history."""
    with catalogue.reading() as transaction:
        query = select(Occurrence).options(
            selectinload(Occurrence.events), selectinload(Occurrence.schedule)
        )
        return [
            Row(
                schedule=row.schedule.name,
                due_at=row.due_at,
                starts_at=row.starts_at,
                window_ends_at=row.window_ends_at,
                state=row.state,
                reason=row.reason,
                attempts=row.attempts,
                events=tuple((one.name, one.at, one.reason) for one in row.events),
            )
            for row in transaction.scalars(query)
        ]
