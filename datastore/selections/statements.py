"""Conditions in SQL: what a condition asks of the rows, in forms that indexes can answer.

A comparison with an unknown value is neither true nor false to SQL. Negations are therefore moved
down to the single comparisons, whose opposites say what becomes of unknown values.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any as AnyValue
from typing import Final

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    exists,
    false,
    func,
    not_,
    or_,
    select,
    true,
)
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.orm import Session as Transaction

from datastore.errors import (
    FilterError,
    UnknownCameraError,
    UnknownSceneError,
    UnknownSessionError,
)
from datastore.selections.comparisons import Test, about, holds, on_column, test_of
from datastore.selections.conditions import (
    All,
    Any,
    Condition,
    DefectWithin,
    Known,
    Not,
    OneOf,
    Within,
)
from datastore.tables import (
    Asset,
    Camera,
    DefectLedger,
    Fixture,
    FixtureRevision,
    FrameMeasures,
    LedgerDefect,
    Recipe,
    Scene,
    SceneRevision,
    Session,
    Shot,
    ShotSettings,
    ShotStatus,
    Timeslot,
    TimeslotScheme,
)

_OWN: Final[Mapping[str, InstrumentedAttribute[AnyValue]]] = {
    "kind": Shot.kind,
    "time": Shot.triggered_at,
    "iso": Shot.iso,
    "exposure_s": Shot.exposure_s,
    "f_number": Shot.f_number,
    "warm_up": Shot.warm_up,
    "attempt": Shot.attempt,
    "state": ShotStatus.state,
    "verdict": ShotStatus.verdict,
}
"""Columns of the shot and of its status, which every statement joins."""

_MEASURES: Final[Mapping[str, InstrumentedAttribute[AnyValue]]] = {
    "black_level_dn": FrameMeasures.black_level_dn,
    "mean_dn": FrameMeasures.mean_dn,
    "clipped_share": FrameMeasures.clipped_share,
    "sharpness": FrameMeasures.sharpness,
}
_MOST_COMPARISONS: Final = 500
_MOST_VALUES: Final = 10_000
"""What both databases still take in one statement."""
_COMMON: Final = {"verdict": frozenset({"accepted"}), "state": frozenset({"registered"})}
"""What nearly all shots are."""


def conditions_on_shots(
    transaction: Transaction, condition: Condition, scheme: TimeslotScheme | None
) -> list[ColumnElement[bool]]:
    """Return the conditions on Shot and ShotStatus, joined, that all hold where `condition` does.

    Parameters
    ----------
    transaction
        In which names are looked up.
    condition
        What is asked of a shot.
    scheme
        The scheme that timeslots are numbers in; None where there is none.

    Raises
    ------
    UnknownCameraError, UnknownSceneError, UnknownSessionError
        If the catalogue does not have what the condition names.
    FilterError
        If timeslots are asked for without a scheme, the scheme has none of these ordinals, or more
        is asked for than a statement can hold.
    """
    _refuse_too_much(condition)
    translation = _Translation(transaction, scheme)
    return [translation.of(each, negated=False) for each in _conjuncts(condition)]


def is_rare(condition: Condition) -> bool:
    """Return whether the status of the shots finds them faster than the shots themselves do.

    That is so where an uncommon state or verdict is asked for.
    """
    return any(
        isinstance(each, OneOf)
        and each.field in _COMMON
        and not _COMMON[each.field] & set(map(str, each.values))
        for each in _conjuncts(condition)
    )


def needs_time(condition: Condition) -> bool:
    """Return whether a shot of unknown time cannot pass."""
    return any(
        isinstance(each, DefectWithin)
        or (isinstance(each, (OneOf, Within, Known)) and each.field in ("time", "timeslot"))
        for each in _conjuncts(condition)
    )


def names_timeslots(condition: Condition) -> bool:
    """Return whether a condition speaks of timeslots anywhere."""
    if isinstance(condition, (All, Any)):
        return any(map(names_timeslots, condition.conditions))
    if isinstance(condition, Not):
        return names_timeslots(condition.condition)
    return isinstance(condition, (OneOf, Within, Known)) and condition.field == "timeslot"


def _refuse_too_much(condition: Condition) -> None:
    comparisons = values = 0
    waiting = [condition]
    while waiting:
        each = waiting.pop()
        if isinstance(each, (All, Any)):
            waiting.extend(each.conditions)
        elif isinstance(each, Not):
            waiting.append(each.condition)
        else:
            comparisons += 1
            values += len(each.values) if isinstance(each, OneOf) else 1
    if comparisons > _MOST_COMPARISONS or values > _MOST_VALUES:
        raise FilterError(
            f"a selection has at most {_MOST_COMPARISONS} comparisons with {_MOST_VALUES} values:"
            " save parts of it as tables, or ask several times"
        )


def _conjuncts(condition: Condition) -> tuple[Condition, ...]:
    return condition.conditions if isinstance(condition, All) else (condition,)


class _Translation:
    """Conditions in SQL, with the names looked up that they hold."""

    def __init__(self, transaction: Transaction, scheme: TimeslotScheme | None) -> None:
        self._transaction = transaction
        self._scheme = scheme

    def of(self, condition: Condition, *, negated: bool) -> ColumnElement[bool]:
        """Return a condition, or its opposite, as one that is never unknown where it matters."""
        match condition:
            case Not():
                return self.of(condition.condition, negated=not negated)
            case All() | Any():
                parts = [self.of(each, negated=negated) for each in condition.conditions]
                if isinstance(condition, All) != negated:
                    return and_(true(), *parts)
                return or_(false(), *parts)
            case DefectWithin():
                return self._defect(condition, negated)
            case OneOf() | Within() | Known():
                return self._comparison(condition, negated)
            case _:
                raise TypeError(f"no condition: {condition!r}")

    def _comparison(self, condition: OneOf | Within | Known, negated: bool) -> ColumnElement[bool]:
        name = condition.field
        if name == "exposure_s" and isinstance(condition, OneOf):
            recorded = self._recorded_exposures(condition)
            return on_column(Shot.exposure_s.expression, lambda c: c.in_(recorded), negated, name)
        if name in _OWN:
            return on_column(_OWN[name].expression, test_of(condition), negated, name)
        if name == "timeslot":
            return self._timeslot(condition, negated)
        if name in ("camera", "scene"):
            column = Shot.camera_id if name == "camera" else Shot.scene_revision_id
            if isinstance(condition, Known):
                return column.is_(None) if negated else column.is_not(None)
            ids = self._camera_ids(condition) if name == "camera" else self._scene_ids(condition)
            return on_column(column.expression, lambda c: c.in_(ids), negated, name)
        if name == "session":
            return self._session(condition, negated)
        if name == "simulated":
            return self._simulated(condition, negated)
        found = _elsewhere(name, test_of(condition))
        return not_(found) if negated else found

    def _timeslot(self, condition: OneOf | Within | Known, negated: bool) -> ColumnElement[bool]:
        if self._scheme is None:
            raise FilterError("timeslots are numbers in a scheme: name the scheme too")
        named = {timeslot.ordinal: timeslot for timeslot in self._scheme.timeslots}
        if isinstance(condition, OneOf):
            for ordinal in condition.values:
                if ordinal not in named:
                    raise FilterError(
                        f"the scheme {self._scheme.name} has no timeslot {ordinal},"
                        f" it has 1 to {max(named, default=0)}"
                    )
        ordinals = [ordinal for ordinal in named if holds(condition, ordinal)]
        if not ordinals:
            return true() if negated else false()
        found = and_(
            # the outer bounds let an index on time do its work
            Shot.triggered_at >= min(named[ordinal].starts_at for ordinal in ordinals),
            Shot.triggered_at < max(named[ordinal].ends_at for ordinal in ordinals),
            exists().where(
                Timeslot.scheme_id == self._scheme.id,
                Timeslot.ordinal.in_(ordinals),
                Timeslot.starts_at <= Shot.triggered_at,
                Shot.triggered_at < Timeslot.ends_at,
            ),
        )
        return or_(Shot.triggered_at.is_(None), not_(found)) if negated else found

    def _simulated(self, condition: OneOf | Within | Known, negated: bool) -> ColumnElement[bool]:
        such = select(Camera.id).where(test_of(condition)(Camera.simulated.expression))
        ids = list(self._transaction.scalars(such))
        if not ids:
            return true() if negated else false()
        return on_column(Shot.camera_id.expression, lambda c: c.in_(ids), negated, "simulated")

    def _defect(self, region: DefectWithin, negated: bool) -> ColumnElement[bool]:
        """Ask for the cameras with such a defect, each from its first onset on.

        They are looked up at once: a ledger is read as often as the cameras have one, not as often
        as there are shots.
        """
        newest = select(func.max(DefectLedger.id)).group_by(DefectLedger.camera_id)
        first = func.min(LedgerDefect.onset_before)
        rows = self._transaction.execute(
            select(DefectLedger.camera_id, LedgerDefect.pre_existing, first)
            .join(LedgerDefect.ledger)
            .where(
                LedgerDefect.ledger_id.in_(newest),
                LedgerDefect.row.between(*region.rows),
                LedgerDefect.column.between(*region.columns),
            )
            .group_by(DefectLedger.camera_id, LedgerDefect.pre_existing)
        )
        had: dict[int, ColumnElement[bool]] = {}
        for camera_id, pre_existing, onset in rows:
            of_camera = Shot.camera_id == camera_id
            if pre_existing:
                had[camera_id] = of_camera
            else:
                had.setdefault(camera_id, and_(of_camera, Shot.triggered_at >= onset))
        if not had:
            return true() if negated else false()
        found = and_(
            Shot.triggered_at.is_not(None), Shot.camera_id.in_(list(had)), or_(*had.values())
        )
        if negated:
            return or_(Shot.triggered_at.is_(None), Shot.camera_id.is_(None), not_(found))
        return found

    def _recorded_exposures(self, condition: OneOf) -> list[float]:
        """Return the exposures of shots that are these, however they were rounded.

        They are few, and equality with each leaves the order of time to the index.
        """
        found: set[float] = set()
        least = select(func.min(Shot.exposure_s))
        for value in condition.values:
            lowest, highest = about(value)
            within = least.where(Shot.exposure_s <= highest)
            recorded = self._transaction.scalar(within.where(Shot.exposure_s >= lowest))
            while recorded is not None:
                found.add(recorded)
                recorded = self._transaction.scalar(within.where(Shot.exposure_s > recorded))
        return sorted(found)

    def _camera_ids(self, condition: OneOf | Within) -> list[int]:
        assert isinstance(condition, OneOf)
        serials = [str(value) for value in condition.values]
        rows = self._transaction.execute(
            select(Camera.id, Camera.serial).where(Camera.serial.in_(serials))
        )
        ids = defaultdict(list)
        for camera_id, serial in rows:
            ids[serial].append(camera_id)
        for serial in serials:
            if serial not in ids:
                known = self._transaction.scalars(select(Camera.serial).order_by(Camera.serial))
                raise UnknownCameraError(
                    f"no camera has the serial {serial!r}:"
                    f" the catalogue has {', '.join(known) or 'none yet'}"
                )
        return [camera_id for serial in serials for camera_id in ids[serial]]

    def _scene_ids(self, condition: OneOf | Within) -> list[int]:
        assert isinstance(condition, OneOf)
        ids: list[int] = []
        for text in map(str, condition.values):
            name, _, revision = text.partition("@")
            statement = select(SceneRevision.id).join(SceneRevision.scene).where(Scene.name == name)
            if revision:
                if not revision.isdecimal():
                    raise FilterError(f"a scene's revision is a number, as in {name}@1: {text!r}")
                statement = statement.where(SceneRevision.revision == int(revision))
            found = list(self._transaction.scalars(statement))
            if not found:
                raise UnknownSceneError(f"no scene is called {text!r}: see `agetrace scene list`")
            ids += found
        return ids

    def _session(self, condition: OneOf | Within | Known, negated: bool) -> ColumnElement[bool]:
        if isinstance(condition, Known):
            return false() if negated else true()
        assert isinstance(condition, OneOf)
        ids = []
        for uuid in map(str, condition.values):
            found = self._transaction.scalar(select(Session.id).where(Session.uuid == uuid))
            if found is None:
                raise UnknownSessionError(f"no session is called {uuid!r}")
            ids.append(found)
        return Shot.session_id.not_in(ids) if negated else Shot.session_id.in_(ids)


def _elsewhere(name: str, test: Test) -> ColumnElement[bool]:
    """Return whether a row that belongs to the shot passes a test; true or false, never unknown."""
    of_asset = exists().where(Asset.shot_id == Shot.id)
    if name == "role":
        return of_asset.where(test(Asset.role.expression))
    if name in _MEASURES:
        return of_asset.where(FrameMeasures.asset_id == Asset.id, test(_MEASURES[name].expression))
    if name == "temperature_c":
        return or_(
            of_asset.where(
                FrameMeasures.asset_id == Asset.id, test(FrameMeasures.temperature_c.expression)
            ),
            exists().where(
                ShotSettings.shot_id == Shot.id, test(ShotSettings.temperature_c.expression)
            ),
        )
    if name == "firmware":
        return exists().where(
            ShotSettings.shot_id == Shot.id, test(ShotSettings.firmware.expression)
        )
    return Shot.session_id.in_(_sessions(name, test))


def _sessions(name: str, test: Test) -> Select[int]:
    statement = select(Session.id)
    if name == "operator":
        return statement.where(test(Session.operator.expression))
    if name == "origin":
        return statement.where(test(Session.kind.expression))
    if name == "recipe":
        return statement.join(Session.recipe).where(test(Recipe.name.expression))
    assert name == "fixture"
    return (
        statement.join(Session.fixture_revision)
        .join(FixtureRevision.fixture)
        .where(test(Fixture.name.expression))
    )
