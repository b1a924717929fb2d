"""Totals over tables that only grow, counted once and then kept up to date.

A table of ten million rows is read in small portions, a few at every look, and never again; after
that a look reads only the newest rows. Knows no metric.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from sqlalchemy import Select, exists, func, select
from sqlalchemy.orm import Session as Transaction
from sqlalchemy.orm import aliased

from datastore.tables import Camera, Occurrence, Schedule, Shot, Verdict

Key: TypeAlias = str | tuple[str, str]
Count = Callable[[Transaction, int, int], Counter[Key]]
"""Counts rows whose numbers are greater than the first bound and at most the second."""

_PORTION: Final = 20_000
_BUDGET_S: Final = 0.1
_UNSETTLED: Final = 5_000
"""So many newest rows are counted anew each time: PostgreSQL hands out a row's number before its
transaction commits, so a lower one may still appear."""


class GrowingTotal:
    """A count of rows by key, which costs little to keep however long the table is.

    Parameters
    ----------
    settled
        Returns the number of a row up to which no row changes or appears any more.
    newest
        Returns the greatest number of a row.
    count
        Counts the rows of a range.
    """

    def __init__(
        self,
        settled: Callable[[Transaction], int],
        newest: Callable[[Transaction], int],
        count: Count,
    ) -> None:
        self._settled = settled
        self._newest = newest
        self._count = count
        self._read_to = 0
        self._base: Counter[Key] = Counter()

    def look(self, transaction: Transaction) -> Counter[Key] | None:
        """Return the total; None while older rows have still to be read at the next looks."""
        settled = self._settled(transaction)
        if settled < self._read_to:
            # a copy of the catalogue from before was put in its place, or a row appeared late
            self._read_to, self._base = 0, Counter()
        until_s = time.monotonic() + _BUDGET_S
        while self._read_to < settled:
            end = min(settled, self._read_to + _PORTION)
            self._base += self._count(transaction, self._read_to, end)
            self._read_to = end
            if time.monotonic() > until_s and end < settled:
                return None
        return self._base + self._count(transaction, self._read_to, self._newest(transaction))


def retries() -> GrowingTotal:
    """Return the total of shots that were taken again, by the camera's serial."""
    query = (
        select(Camera.serial, func.count())
        .select_from(Shot)
        .join(Camera, Shot.camera_id == Camera.id)
        .where(Shot.attempt > 1)
        .group_by(Camera.serial)
    )
    return _append_only(Shot.id, _grouped(query, Shot.id))


def quarantined() -> GrowingTotal:
    """Return the total of shots that checks or people quarantined, by the camera's serial.

    A later verdict that accepts the shot takes nothing away.
    """
    earlier = aliased(Verdict)
    is_again = exists().where(
        earlier.shot_id == Verdict.shot_id,
        earlier.id < Verdict.id,
        earlier.verdict == "quarantined",
    )
    query = (
        select(Camera.serial, func.count())
        .select_from(Verdict)
        .join(Shot, Verdict.shot_id == Shot.id)
        .join(Camera, Shot.camera_id == Camera.id)
        .where(Verdict.verdict == "quarantined", ~is_again)
        .group_by(Camera.serial)
    )
    return _append_only(Verdict.id, _grouped(query, Verdict.id))


def setting_mismatches() -> GrowingTotal:
    """Return the total of shots with other settings than asked for, by the camera's serial."""

    def count(transaction: Transaction, after: int, until: int) -> Counter[Key]:
        rows = transaction.execute(
            select(Camera.serial, Verdict.numbers)
            .select_from(Verdict)
            .join(Shot, Verdict.shot_id == Shot.id)
            .join(Camera, Shot.camera_id == Camera.id)
            .where(
                Verdict.id > after,
                Verdict.id <= until,
                Verdict.verdict == "quarantined",
            )
        )
        return Counter(serial for serial, numbers in rows if "settings" in (numbers or {}))

    return _append_only(Verdict.id, count)


def occurrences() -> GrowingTotal:
    """Return the total of occurrences by schedule and state."""
    query = (
        select(Schedule.name, Occurrence.state, func.count())
        .select_from(Occurrence)
        .join(Schedule, Occurrence.schedule_id == Schedule.id)
        .group_by(Schedule.name, Occurrence.state)
    )

    def settled(transaction: Transaction) -> int:
        # older rows than the first that may still change have come to their final states
        may_change = transaction.scalar(
            select(func.min(Occurrence.id)).where(Occurrence.state.in_(("pending", "claimed")))
        )
        append_only = _newest_of(Occurrence.id)(transaction) - _UNSETTLED
        return max(0, append_only if may_change is None else min(may_change - 1, append_only))

    return GrowingTotal(settled, _newest_of(Occurrence.id), _grouped(query, Occurrence.id))


def _append_only(number: Any, count: Count) -> GrowingTotal:
    newest = _newest_of(number)
    return GrowingTotal(lambda session: max(0, newest(session) - _UNSETTLED), newest, count)


def _newest_of(number: Any) -> Callable[[Transaction], int]:
    return lambda transaction: transaction.scalar(select(func.max(number))) or 0


def _grouped(query: Select[*tuple[Any, ...]], number: Any) -> Count:
    def count(transaction: Transaction, after: int, until: int) -> Counter[Key]:
        rows = transaction.execute(query.where(number > after, number <= until))
        return Counter({(row[0] if len(row) == 2 else (row[0], row[1])): row[-1] for row in rows})

    return count
