"""Selections: live queries of shots, immutable, evaluated page by page when they are asked."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy import ColumnElement, Row, func, select

from datastore._shot_pages import Position, names_status, page_statement
from datastore.clocks import as_utc
from datastore.errors import FilterError
from datastore.selections.conditions import (
    EVERYTHING,
    Condition,
    Known,
    Not,
    OneOf,
    Within,
    everything_of,
)
from datastore.selections.fields import field_of
from datastore.selections.parsing import parse
from datastore.selections.records import ShotRecord, read_records
from datastore.selections.statements import (
    conditions_on_shots,
    is_rare,
    names_timeslots,
    needs_time,
)
from datastore.tables import Shot, ShotStatus, TimeslotScheme
from datastore.timeslots import find_scheme

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa
    from sqlalchemy.orm import Session as Transaction

    from datastore.catalogue import Catalogue

PAGE_SIZE = 500
_LONGEST_TOKEN = 200
_LONGEST_RANGE = 10_000


Compiled: TypeAlias = tuple[TimeslotScheme | None, Sequence[ColumnElement[bool]]]
"""The scheme that labels shots, and what is asked of the rows of Shot and ShotStatus."""


@dataclass(frozen=True)
class Page:
    """Shots of a selection that follow one another.

    Attributes
    ----------
    records
        In the order of time, those of unknown time last.
    after
        What `Selection.page` takes to go on behind them; None where nothing follows.
    """

    records: tuple[ShotRecord, ...]
    after: str | None


@dataclass(frozen=True)
class Selection:
    """Shots of a catalogue that a condition holds of; nothing is read before it is asked for.

    Attributes
    ----------
    catalogue
        Where the shots are.
    condition
        What is asked of each of them; `str` writes it down.
    scheme
        Name of the timeslot scheme that labels them; None labels none.
    role
        Of their assets, only those of this role are told of; None tells of all.
    """

    catalogue: Catalogue = field(repr=False)
    condition: Condition = EVERYTHING
    scheme: str | None = None
    role: str | None = None

    def where(self, *conditions: Condition | str, **facts: object) -> Selection:
        """Return the shots of this selection of which more holds, too.

        Parameters
        ----------
        conditions
            Conditions, or expressions as `datastore.selections.parse` takes them.
        facts
            Values by the names of fields; of several in a list, any will do. A `range` of whole
            numbers stands for those in it, None for an unknown value. `since` and `until` are
            times: `since <= time < until`.

        Raises
        ------
        FilterError
            If a field, a value or an expression is not known.
        UnknownCameraError, UnknownSceneError, UnknownSessionError, TimeslotSchemeError
            If the catalogue does not have what is named.
        """
        asked = [parse(each) if isinstance(each, str) else each for each in conditions]
        asked += [_fact(name, value) for name, value in facts.items()]
        narrower = replace(self, condition=everything_of((self.condition, *asked)))
        with self.catalogue.reading() as transaction:
            narrower.compiled(transaction)
        return narrower

    def labelled(self, scheme: str | None) -> Selection:
        """Return the same shots with the timeslots of a scheme; raises TimeslotSchemeError."""
        relabelled = replace(self, scheme=scheme)
        with self.catalogue.reading() as transaction:
            relabelled.compiled(transaction)
        return relabelled

    def of_role(self, role: str) -> Selection:
        """Return the shots that have an asset of a role, with these assets alone."""
        return replace(self.where(OneOf("role", (role,))), role=role)

    def __iter__(self) -> Iterator[ShotRecord]:
        """Read the shots page by page, each in a short transaction of its own."""
        for records in self.pages():
            yield from records

    def __bool__(self) -> bool:
        """Refuse to be taken for its result."""
        raise TypeError("a selection is no result: ask for count() or first()")

    def pages(self, size: int = PAGE_SIZE) -> Iterator[list[ShotRecord]]:
        """Read the shots in pages of a size; none is empty.

        What is asked for is looked up at once, the shots are read as the pages are taken.

        Raises
        ------
        FilterError, UnknownCameraError, UnknownSceneError, UnknownSessionError, TimeslotSchemeError
            As `where`.
        """
        with self.catalogue.reading() as transaction:
            compiled = self.compiled(transaction)
        return self._all_pages(compiled, size)

    def page(self, size: int = PAGE_SIZE, after: str | None = None) -> Page:
        """Read one page.

        Parameters
        ----------
        size
            Shots of the page.
        after
            Of the page before; None for the first page.

        Raises
        ------
        FilterError
            If `after` is not what a page gave.
        """
        place = None if after is None else _Place.read(after)
        with self.catalogue.reading() as transaction:
            compiled = self.compiled(transaction)
            records, following = self._page(transaction, compiled, size, place)
        return Page(tuple(records), None if following is None else following.written())

    def count(self) -> int:
        """Return how many shots there are."""
        with self.catalogue.reading() as transaction:
            _, wanted = self.compiled(transaction)
            statement = select(func.count()).select_from(Shot).where(*wanted)
            if any(names_status(each) for each in wanted):
                statement = statement.join(ShotStatus, ShotStatus.shot_id == Shot.id)
            return transaction.scalar(statement) or 0

    def first(self) -> ShotRecord | None:
        """Return the earliest shot; None where there is none."""
        return next(iter(self.page(1).records), None)

    def ids(self) -> Iterator[str]:
        """Read the shots' UUIDs."""
        return (record.id for record in self)

    def explain(self) -> str:
        """Return the statement of the first page, what is bound in it, and the database's plan."""
        from datastore.selections.explanation import explain

        with self.catalogue.reading() as transaction:
            _, wanted = self.compiled(transaction)
            statement = page_statement(
                wanted,
                timed=True,
                after=None,
                page_size=PAGE_SIZE,
                by_status=is_rare(self.condition),
            )
            return explain(transaction, str(self.condition), statement)

    def batches(self, size: int = 10_000) -> Iterator[pa.RecordBatch]:
        """Read the shots as record batches of Arrow, so that memory stays bounded.

        Raises
        ------
        MissingPackageError
            If pyarrow is not installed.
        """
        from datastore.selections.frames import batches

        return batches(self, size)

    def to_arrow(self) -> pa.Table:
        """Read all shots into a table of Arrow; raises as `batches`."""
        from datastore.selections.frames import to_arrow

        return to_arrow(self)

    def to_polars(self) -> pl.DataFrame:
        """Read all shots into a frame of polars; raises as `batches`."""
        from datastore.selections.frames import to_polars

        return to_polars(self)

    def to_pandas(self) -> pd.DataFrame:
        """Read all shots into a frame of pandas; raises as `batches`."""
        from datastore.selections.frames import to_pandas

        return to_pandas(self)

    def _repr_html_(self) -> str:
        """Show how many shots there are, and the first of them with thumbnails."""
        from datastore.selections.display import as_html

        return as_html(self)

    def compiled(self, transaction: Transaction) -> Compiled:
        """Return the scheme, and what is asked of the rows of Shot and ShotStatus.

        Raises
        ------
        FilterError
            If timeslots are asked for and there is no scheme.
        UnknownCameraError, UnknownSceneError, UnknownSessionError, TimeslotSchemeError
            If the catalogue does not have what is named.
        """
        if self.scheme is None and names_timeslots(self.condition):
            raise FilterError("timeslots are numbers in a scheme: name the scheme too")
        scheme = None if self.scheme is None else find_scheme(transaction, self.scheme)
        return scheme, conditions_on_shots(transaction, self.condition, scheme)

    def _all_pages(self, compiled: Compiled, size: int) -> Iterator[list[ShotRecord]]:
        after: _Place | None = None
        while True:
            with self.catalogue.reading() as transaction:
                records, after = self._page(transaction, compiled, size, after)
            if records:
                yield records
            if after is None:
                return

    def _page(
        self, transaction: Transaction, compiled: Compiled, size: int, after: _Place | None
    ) -> tuple[list[ShotRecord], _Place | None]:
        """Read up to `size` shots, and say where the next ones begin."""
        if size < 1:
            raise FilterError("a page has one shot or more")
        scheme, wanted = compiled
        records: list[ShotRecord] = []
        place = after or _Place(timed=True)
        while True:
            rows = self._rows(transaction, wanted, place, size - len(records))
            records += read_records(transaction, self.catalogue.store, rows, scheme, self.role)
            if len(records) == size:
                last = rows[-1]
                return records, _Place(place.timed, last.triggered_at, last.row_id)
            if not place.timed or needs_time(self.condition):
                return records, None
            place = _Place(timed=False)

    def _rows(
        self,
        transaction: Transaction,
        wanted: Sequence[ColumnElement[bool]],
        place: _Place,
        size: int,
    ) -> list[Row[*tuple[Any, ...]]]:
        statement = page_statement(
            wanted,
            timed=place.timed,
            after=place.position,
            page_size=size,
            by_status=is_rare(self.condition),
        )
        return list(transaction.execute(statement))


@dataclass(frozen=True)
class _Place:
    """Where a page ends: among the shots of known time, or those of unknown time behind them."""

    timed: bool
    at: datetime | None = None
    row_id: int | None = None

    @property
    def position(self) -> Position | None:
        return None if self.row_id is None else (self.at, self.row_id)

    def written(self) -> str:
        at = None if self.at is None else self.at.isoformat()
        return base64.urlsafe_b64encode(json.dumps([at, self.row_id]).encode()).decode()

    @classmethod
    def read(cls, text: str) -> _Place:
        try:
            if len(text) > _LONGEST_TOKEN:
                raise ValueError(text)
            at, row_id = json.loads(base64.urlsafe_b64decode(text.encode()))
            found = None if at is None else as_utc(datetime.fromisoformat(at))
            if type(row_id) is not int or not 0 <= row_id < 2**63:
                raise ValueError(text)
        except (ValueError, TypeError, OverflowError):
            raise FilterError(f"{text[:_LONGEST_TOKEN]!r} is not where a page ended") from None
        return cls(found is not None, found, row_id)


def _fact(name: str, value: object) -> Condition:
    """Return the condition that a keyword stands for."""
    if name in ("since", "until"):
        lowest, highest = (value, None) if name == "since" else (None, value)
        return Within("time", lowest, highest, with_highest=False)  # type: ignore[arg-type]
    field_of(name)
    if value is None:
        return Not(Known(name))
    if isinstance(value, range):
        if len(value) > _LONGEST_RANGE:
            raise FilterError(f"{name}: so long a range is asked for with Within")
        return OneOf(name, tuple(value))
    if isinstance(value, Iterable) and not isinstance(value, str):
        return OneOf(name, tuple(value))
    return OneOf(name, (value,))  # type: ignore[arg-type]
