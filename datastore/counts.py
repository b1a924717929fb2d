"""How many shots there are: counts by timeslot, scene, camera and other words of the record.

Owns the choice of statement: where an index ends in the time of the shots, the shots of every
timeslot are counted as one stretch of it, and no row of a shot is read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise, product
from typing import Any, Final, Literal, get_args

from sqlalchemy import (
    CTE,
    ColumnElement,
    FromClause,
    Select,
    and_,
    case,
    column,
    func,
    literal,
    null,
    select,
    true,
    union_all,
    values,
)
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.orm import Session as Transaction

from datastore._shot_filter import ShotFilter
from datastore._shot_pages import names_status
from datastore.catalogue import Catalogue
from datastore.errors import FilterError
from datastore.selections import Condition
from datastore.selections.statements import conditions_on_shots
from datastore.tables import (
    Camera,
    FrameKind,
    Scene,
    SceneRevision,
    Session,
    Shot,
    ShotState,
    ShotStatus,
    Timeslot,
    TimeslotScheme,
    UtcDateTime,
    VerdictName,
)
from datastore.timeslots import find_scheme

Dimension = Literal["timeslot", "scene", "camera", "kind", "verdict", "state", "session"]
Value = str | int | None

_EVER: Final = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))


@dataclass(frozen=True)
class ShotCount:
    """How many shots have the same values of what was asked for.

    Attributes
    ----------
    values
        In the order that was asked for: a timeslot is its ordinal, a scene its name, a camera its
        serial, a session its UUID; None where the shots have none.
    shots
        How many there are, at least one.
    """

    values: tuple[Value, ...]
    shots: int


def count_shots(
    catalogue: Catalogue,
    by: Sequence[Dimension | str] = ("timeslot", "scene", "camera"),
    where: ShotFilter | Condition | None = None,
    scheme: str | None = None,
) -> list[ShotCount]:
    """Count the shots by timeslot, scene, camera, kind, verdict, state or session.

    Parameters
    ----------
    catalogue
        The catalogue to look in.
    by
        What to count by, each once.
    where
        Which shots to count; None counts all of them.
    scheme
        Name of the timeslot scheme.

    Returns
    -------
    counts
        In the order of their values, unknown ones last; there are none of no shots.

    Raises
    ------
    FilterError
        If `by` names something else or something twice, or a timeslot without a scheme.
    UnknownCameraError, UnknownSceneError, UnknownSessionError, TimeslotSchemeError
        If the catalogue has not what `where` or `scheme` names.
    """
    _require_dimensions(by, scheme)
    with catalogue.reading() as transaction:
        found_scheme = None if scheme is None else find_scheme(transaction, scheme)
        asked = where.condition() if isinstance(where, ShotFilter) else where
        wanted = [] if asked is None else conditions_on_shots(transaction, asked, found_scheme)
        axes = _axes(by) if "timeslot" in by and not wanted else None
        if axes is not None and found_scheme is not None:
            counted, names = _by_stretches(transaction, axes, found_scheme), (*axes, "timeslot")
        else:
            counted, names = _by_groups(transaction, by, wanted, found_scheme), tuple(by)
        labels = {name: _labels(transaction, name) for name in by}
    places = [names.index(name) for name in by]
    counts: Counter[tuple[Value, ...]] = Counter()
    for group, shots in counted.items():
        named = zip(by, (group[place] for place in places), strict=True)
        counts[tuple(labels[name].get(value, value) for name, value in named)] += shots
    return [
        ShotCount(group, shots)
        for group, shots in sorted(counts.items(), key=lambda item: _order(item[0]))
        if shots
    ]


def _require_dimensions(by: Sequence[str], scheme: str | None) -> None:
    known = get_args(Dimension)
    for name in by:
        if name not in known:
            raise FilterError(f"shots are not counted by {name!r}: use {', '.join(known)}")
    if not by or len(set(by)) < len(by):
        raise FilterError(f"count by one or more of {', '.join(known)}, each once")
    if "timeslot" in by and scheme is None:
        raise FilterError("timeslots are numbers in a scheme: name the scheme too")


def _order(group: tuple[Value, ...]) -> tuple[tuple[bool, Value], ...]:
    return tuple((value is None, 0 if value is None else value) for value in group)


def _labels(transaction: Transaction, name: str) -> dict[Value, Value]:
    """Return what people call the rows that shots refer to by number."""
    statements = {
        "scene": select(SceneRevision.id, Scene.name).join(SceneRevision.scene),
        "camera": select(Camera.id, Camera.serial),
        "session": select(Session.id, Session.uuid),
    }
    if name not in statements:
        return {}
    return {row[0]: row[1] for row in transaction.execute(statements[name])}


@dataclass(frozen=True)
class _Axis:
    """A column of the shots, and the table whose column has all of its values."""

    column: InstrumentedAttribute[Any]
    values: ColumnElement[Any]
    origin: FromClause

    @property
    def is_nullable(self) -> bool:
        """Whether shots may have no value."""
        return bool(self.column.class_.__table__.c[self.column.key].nullable)


def _axes(by: Sequence[str]) -> dict[str, _Axis] | None:
    """Return the columns of an index that ends in the time and answers for `by`, if there is one.

    Their order is that of the index.
    """
    scene = _Axis(Shot.scene_revision_id, SceneRevision.__table__.c.id, SceneRevision.__table__)
    camera = _Axis(Shot.camera_id, Camera.__table__.c.id, Camera.__table__)
    kind = _words_axis(Shot.kind, get_args(FrameKind))
    verdict = _words_axis(ShotStatus.verdict, get_args(VerdictName))
    state = _words_axis(ShotStatus.state, get_args(ShotState))
    for axes in (
        {"scene": scene, "camera": camera},
        {"camera": camera, "kind": kind},
        {"verdict": verdict},
        {"state": state},
    ):
        if set(by) <= {"timeslot", *axes}:
            return axes
    return None


def _words_axis(attribute: InstrumentedAttribute[Any], words: Sequence[str]) -> _Axis:
    known = union_all(*(select(literal(word).label("word")) for word in words)).cte("known_word")
    return _Axis(attribute, known.c.word, known)


def _by_stretches(
    transaction: Transaction, axes: dict[str, _Axis], scheme: TimeslotScheme
) -> Counter[tuple[Value, ...]]:
    """Count by the columns of an index and the timeslot, one stretch of the index after another."""
    counted: Counter[tuple[Value, ...]] = Counter()
    for known in product(*((True, False)[: 1 + axis.is_nullable] for axis in axes.values())):
        for period in (_periods(scheme), None):
            statement = _stretches(list(axes.values()), known, period)
            for *group, shots in transaction.execute(statement):
                counted[tuple(group)] += shots
    return counted


def _periods(scheme: TimeslotScheme) -> CTE:
    """Return the timeslots and the gaps around them: together they are all of time."""
    first, last = _EVER
    bounds = [(first, first), *((slot.starts_at, slot.ends_at) for slot in scheme.timeslots)]
    gaps = [
        (before[1], after[0])
        for before, after in pairwise([*bounds, (last, last)])
        if before[1] < after[0]
    ]
    gap = (
        values(column("starts_at", UtcDateTime()), column("ends_at", UtcDateTime()), name="gap")
        .data(gaps)
        .cte("gap")
    )
    slots = select(Timeslot.ordinal, Timeslot.starts_at, Timeslot.ends_at)
    return union_all(
        slots.where(Timeslot.scheme_id == scheme.id),
        select(null(), gap.c.starts_at, gap.c.ends_at),
    ).cte("period")


def _stretches(axes: Sequence[_Axis], known: Sequence[bool], period: CTE | None) -> Select[Any]:
    """Return the statement for the shots whose columns are known or unknown as `known` says.

    Parameters
    ----------
    axes
        The columns of the index.
    known
        Of each column, whether it is known; an index finds unknown ones by another condition.
    period
        The stretches of time; None for the shots of unknown time.
    """
    table = axes[0].column.class_
    same = [
        axis.column == axis.values if is_known else axis.column.is_(None)
        for axis, is_known in zip(axes, known, strict=True)
    ]
    groups: list[ColumnElement[Any]] = [
        axis.values if is_known else null() for axis, is_known in zip(axes, known, strict=True)
    ]
    if period is None:
        groups.append(null())
        in_time = table.triggered_at.is_(None)
    else:
        groups.append(period.c.ordinal)
        in_time = and_(
            table.triggered_at >= period.c.starts_at, table.triggered_at < period.c.ends_at
        )
    shots = select(func.count()).select_from(table).where(*same, in_time).scalar_subquery()
    statement = select(*groups, shots)
    origins = [axis.origin for axis, is_known in zip(axes, known, strict=True) if is_known]
    if period is not None:
        origins.append(period)
    for number, origin in enumerate(origins):
        # each with each: that there are few of them is what makes it fast
        statement = statement.join(origin, true()) if number else statement.select_from(origin)
    return statement


def _by_groups(
    transaction: Transaction,
    by: Sequence[str],
    wanted: Sequence[ColumnElement[bool]],
    scheme: TimeslotScheme | None,
) -> Counter[tuple[Value, ...]]:
    """Count by looking at every shot that is wanted."""
    status = {"verdict": ShotStatus.verdict, "state": ShotStatus.state}
    groups: dict[str, ColumnElement[Any]] = {
        "scene": Shot.scene_revision_id.expression,
        "camera": Shot.camera_id.expression,
        "kind": Shot.kind.expression,
        "session": Shot.session_id.expression,
        **{name: attribute.expression for name, attribute in status.items()},
    }
    if scheme is not None:
        groups["timeslot"] = _ordinal(scheme)
    chosen = [groups[name].label(name) for name in by]
    statement = select(*chosen, func.count())
    if set(by) <= status.keys() and not wanted:
        statement = statement.select_from(ShotStatus)
    elif set(by) & status.keys() or any(map(names_status, wanted)):
        statement = statement.select_from(Shot).join(ShotStatus, ShotStatus.shot_id == Shot.id)
    else:
        statement = statement.select_from(Shot)
    statement = statement.where(*wanted).group_by(*chosen)
    return Counter({tuple(group): shots for *group, shots in transaction.execute(statement)})


def _ordinal(scheme: TimeslotScheme) -> ColumnElement[int | None]:
    """Return the ordinal of a shot's timeslot: that of the last one before it, if it lasts."""
    lasts = case((Shot.triggered_at < Timeslot.ends_at, Timeslot.ordinal))
    return (
        select(lasts)
        .where(Timeslot.scheme_id == scheme.id, Timeslot.starts_at <= Shot.triggered_at)
        .order_by(Timeslot.starts_at.desc())
        .limit(1)
        .correlate(Shot)
        .scalar_subquery()
    )
