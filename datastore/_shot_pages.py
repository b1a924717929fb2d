"""The statement for one page of shots: which shots by an index alone, then what is told of them.

Every index of shots, and of their status, ends in time and identifier, which is the order of pages.
So the numbers of a page's shots are found first, in one walk along one index that ends with the
page; the tables that tell more of them are joined to these few alone. Left to itself, SQLite would
begin with another table or index and sort all that it finds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BinaryExpression,
    BindParameter,
    ColumnElement,
    Select,
    Subquery,
    literal,
    select,
    tuple_,
)
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import BooleanClauseList, Grouping
from sqlalchemy.sql.expression import ColumnClause
from sqlalchemy.sql.visitors import ExternallyTraversible, iterate, replacement_traverse

from datastore.tables import Camera, Scene, SceneRevision, Session, Shot, ShotStatus

Position = tuple[datetime | None, int]
"""Time and number of a shot's row: where the next page begins behind it."""


def page_statement(
    wanted: Sequence[ColumnElement[bool]],
    *,
    timed: bool,
    after: Position | None,
    page_size: int,
    by_status: bool = False,
) -> Select[*tuple[Any, ...]]:
    """Return the statement for one page of shots.

    Parameters
    ----------
    wanted
        Conditions on columns of Shot and ShotStatus.
    timed
        Whether the page is one of the shots of known time, or of those of unknown time.
    after
        Where the page before ended; None for the first page.
    page_size
        Shots per page.
    by_status
        Whether to walk along the shots' status: for states or verdicts that few shots have.
    """
    numbers = _by_status if by_status else _by_shot
    page = numbers(_tightened(wanted, after), timed, after, page_size)
    order = (page.c.triggered_at, page.c.id) if timed else (page.c.id,)
    return (
        select(
            Shot.id.label("row_id"),
            Shot.uuid,
            Camera.serial,
            Shot.kind,
            Scene.name.label("scene"),
            SceneRevision.revision.label("scene_revision"),
            Session.uuid.label("session_uuid"),
            Shot.triggered_at,
            Shot.exposure_s,
            Shot.iso,
            Shot.f_number,
            ShotStatus.state,
            ShotStatus.verdict,
        )
        .select_from(page)
        .join(Shot, Shot.id == page.c.id)
        .join(Session, Shot.session_id == Session.id)
        .join(ShotStatus, ShotStatus.shot_id == Shot.id)
        .outerjoin(Camera, Shot.camera_id == Camera.id)
        .outerjoin(SceneRevision, Shot.scene_revision_id == SceneRevision.id)
        .outerjoin(Scene, SceneRevision.scene_id == Scene.id)
        .order_by(*order)
    )


def names_status(condition: ColumnElement[bool]) -> bool:
    """Return whether a condition names a column of ShotStatus."""
    return any(_table_of(element) == ShotStatus.__tablename__ for element in iterate(condition))


def _tightened(
    wanted: Sequence[ColumnElement[bool]], after: Position | None
) -> list[ColumnElement[bool]]:
    """Return the conditions with one earliest and one latest time, those that exclude the most.

    SQLite begins its walk along an index at one bound, whichever, and then looks at every shot
    until the others hold.
    """
    others: list[ColumnElement[bool]] = []
    bounds: dict[bool, list[tuple[datetime, bool, ColumnElement[bool]]]] = {True: [], False: []}
    for condition in _conjuncts(wanted):
        bound = _time_bound(condition)
        if bound is None:
            others.append(condition)
        else:
            is_earliest, time, excludes = bound
            bounds[is_earliest].append((time, excludes, condition))
    earliest = max(bounds[True], key=lambda bound: bound[:2], default=None)
    latest = min(bounds[False], key=lambda bound: (bound[0], not bound[1]), default=None)
    if earliest is not None and after is not None and after[0] is not None:
        # every shot behind the page before is later
        time, excludes, _ = earliest
        if time < after[0] or (time == after[0] and not excludes):
            earliest = None
    return others + [bound[2] for bound in (earliest, latest) if bound is not None]


def _conjuncts(conditions: Iterable[Any]) -> Iterator[ColumnElement[bool]]:
    """Return conditions that all hold, those that are made of such ones taken apart."""
    for condition in conditions:
        if isinstance(condition, Grouping):
            yield from _conjuncts([condition.element])
        elif isinstance(condition, BooleanClauseList) and condition.operator is operators.and_:
            yield from _conjuncts(condition.clauses)
        else:
            yield condition


def _time_bound(condition: ColumnElement[bool]) -> tuple[bool, datetime, bool] | None:
    """Return the bound of a shot's time that a condition is, None for any other condition.

    The bound is whether it is the earliest time, the time, and whether it is excluded itself.
    """
    if not isinstance(condition, BinaryExpression):
        return None
    found = {
        operators.ge: (True, False),
        operators.gt: (True, True),
        operators.le: (False, False),
        operators.lt: (False, True),
    }.get(condition.operator)
    column, bound = condition.left, condition.right
    if found is None or not isinstance(bound, BindParameter):
        return None
    if _table_of(column) != Shot.__tablename__ or getattr(column, "name", "") != "triggered_at":
        return None
    return (found[0], bound.value, found[1]) if isinstance(bound.value, datetime) else None


def _by_shot(
    wanted: Sequence[ColumnElement[bool]], timed: bool, after: Position | None, page_size: int
) -> Subquery:
    of_status = [condition for condition in wanted if names_status(condition)]
    statement = select(Shot.id, Shot.triggered_at).where(
        *(condition for condition in wanted if not names_status(condition))
    )
    if of_status:
        there = select(literal(1)).where(ShotStatus.shot_id == Shot.id, *of_status)
        statement = statement.where(there.correlate(Shot).exists())
    return _one_page(statement, Shot.triggered_at, Shot.id, timed, after, page_size)


def _by_status(
    wanted: Sequence[ColumnElement[bool]], timed: bool, after: Position | None, page_size: int
) -> Subquery:
    moved = [replacement_traverse(condition, {}, _in_status) for condition in wanted]
    of_shot = [condition for condition in moved if _names_shot(condition)]
    statement = select(ShotStatus.shot_id.label("id"), ShotStatus.triggered_at).where(
        *(condition for condition in moved if not _names_shot(condition))
    )
    if of_shot:
        there = select(literal(1)).where(Shot.id == ShotStatus.shot_id, *of_shot)
        statement = statement.where(there.correlate(ShotStatus).exists())
    return _one_page(
        statement, ShotStatus.triggered_at, ShotStatus.shot_id, timed, after, page_size
    )


def _one_page(
    statement: Select[int, datetime | None],
    time: InstrumentedAttribute[datetime | None],
    number: InstrumentedAttribute[int],
    timed: bool,
    after: Position | None,
    page_size: int,
) -> Subquery:
    if timed:
        statement = statement.where(time.is_not(None)).order_by(time, number)
        if after is not None:
            statement = statement.where(tuple_(time, number) > after)
    else:
        statement = statement.where(time.is_(None)).order_by(number)
        if after is not None:
            statement = statement.where(number > after[1])
    return statement.limit(page_size).subquery("page")


def _in_status(element: ExternallyTraversible, **_: Any) -> ColumnElement[Any] | None:
    """Return the column of ShotStatus that repeats one of Shot, None for any other element."""
    if _table_of(element) != Shot.__tablename__:
        return None
    copies = {"id": ShotStatus.shot_id, "triggered_at": ShotStatus.triggered_at}
    copy = copies.get(str(getattr(element, "name", "")))
    return None if copy is None else copy.expression


def _names_shot(condition: ColumnElement[bool]) -> bool:
    return any(_table_of(element) == Shot.__tablename__ for element in iterate(condition))


def _table_of(element: ExternallyTraversible) -> str | None:
    """Return the name of the table whose column an element is, None where it is none."""
    if not isinstance(element, ColumnClause) or element.table is None:
        return None
    return str(getattr(element.table, "name", ""))
