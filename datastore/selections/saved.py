"""Selections under names: rows that are added, never changed; the newest of a name counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session as Transaction

from datastore import audit
from datastore.descriptions import Name
from datastore.errors import FilterError, UnknownSelectionError
from datastore.selections.selection import Selection
from datastore.tables import SavedSelection


@dataclass(frozen=True)
class Saved:
    """A saved selection.

    Attributes
    ----------
    name
        Its name.
    expression
        As `datastore.selections.parse` takes it.
    timeslot_scheme
        Labels its shots; None labels none.
    operator
        Who saved it; None where that is not known.
    created_at
        When.
    """

    name: str
    expression: str
    timeslot_scheme: str | None
    operator: str | None
    created_at: datetime

    def to_json(self) -> dict[str, Any]:
        """Return the saved selection as JSON."""
        return {
            "name": self.name,
            "expression": self.expression,
            "timeslot_scheme": self.timeslot_scheme,
            "operator": self.operator,
            "created_at": self.created_at.isoformat(),
        }


def save(selection: Selection, name: str, *, operator: str | None, at: datetime) -> Saved:
    """Save a selection under a name; what had the name before stays in the record.

    Parameters
    ----------
    selection
        What to save, without the role of its assets.
    name
        Letters, digits, `_`, `.` and `-`.
    operator
        Who saves it.
    at
        Civil time.

    Raises
    ------
    FilterError
        If the name cannot be one.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        TypeAdapter(Name).validate_python(name)
    except ValidationError as error:
        raise FilterError(f"{name!r} is no name: {error.errors()[0]['msg']}") from None
    row = SavedSelection(
        name=name,
        expression=str(selection.condition),
        timeslot_scheme=selection.scheme,
        operator=operator,
        created_at=at,
    )
    with selection.catalogue.writing() as transaction:
        transaction.add(row)
        saved = _saved(row)
        audit.append(transaction, "selection.save", saved.to_json(), at)
    return saved


def find_saved(transaction: Transaction, name: str) -> Saved:
    """Return the selection that has a name now; raises UnknownSelectionError where none has."""
    newest = (
        select(SavedSelection)
        .where(SavedSelection.name == name)
        .order_by(SavedSelection.id.desc())
        .limit(1)
    )
    row = transaction.scalar(newest)
    if row is None:
        known = ", ".join(saved.name for saved in list_saved(transaction))
        raise UnknownSelectionError(
            f"no selection is saved as {name!r}: the catalogue has {known or 'none yet'}"
        )
    return _saved(row)


def list_saved(transaction: Transaction) -> Sequence[Saved]:
    """Return all saved selections by name, each as it is now."""
    newest = select(func.max(SavedSelection.id)).group_by(SavedSelection.name)
    rows = transaction.scalars(
        select(SavedSelection).where(SavedSelection.id.in_(newest)).order_by(SavedSelection.name)
    )
    return [_saved(row) for row in rows]


def _saved(row: SavedSelection) -> Saved:
    return Saved(row.name, row.expression, row.timeslot_scheme, row.operator, row.created_at)
