"""Timeslot schemes and scenes that an import's declarations name; knows no file."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session as Transaction
from sqlalchemy.orm import selectinload

from datastore.catalogue import Catalogue
from datastore.errors import UnknownSceneError
from datastore.importing._mapping import Mapping, MappingError
from datastore.tables import Scene, SceneRevision, TimeslotScheme
from datastore.timeslots import Interval, add_scheme, find_scheme, intervals


def timeslots_of(catalogue: Catalogue, mapping: Mapping | None) -> tuple[Interval, ...]:
    """Return the timeslots of the scheme that a mapping names or describes.

    Raises
    ------
    MappingError
        If the catalogue has another scheme of the name that the mapping describes.
    TimeslotSchemeError
        If the mapping names a scheme that the catalogue does not have.
    """
    if mapping is None or mapping.timeslots is None:
        return ()
    scheme = mapping.timeslots.scheme
    with catalogue.reading() as session:
        if isinstance(scheme, str):
            return _intervals(find_scheme(session, scheme))
        described = tuple(intervals(scheme))
        known = _find(session, scheme.name)
        if known is not None and _intervals(known) != described:
            raise MappingError(
                f"the mapping {mapping.name} describes other timeslots than the scheme"
                f" {scheme.name} of the catalogue has, and schemes never change: give its scheme"
                " another name"
            )
        return described


def add_missing_scheme(catalogue: Catalogue, mapping: Mapping | None, at: datetime) -> None:
    """Add the scheme that a mapping describes, if the catalogue has none of this name."""
    if mapping is None or mapping.timeslots is None or isinstance(mapping.timeslots.scheme, str):
        return
    with catalogue.reading() as session:
        is_known = _find(session, mapping.timeslots.scheme.name) is not None
    if not is_known:
        add_scheme(catalogue, mapping.timeslots.scheme, at)


def find_scenes(catalogue: Catalogue, names: Iterable[str]) -> dict[str, int]:
    """Return the row numbers of scenes' revisions by ``name`` or ``name@revision``.

    Raises
    ------
    UnknownSceneError
        If there is no such scene, or several fixtures have one of this name.
    """
    with catalogue.reading() as session:
        return {name: _find_scene(session, name) for name in sorted(names)}


def _find(session: Transaction, name: str) -> TimeslotScheme | None:
    return session.scalar(
        select(TimeslotScheme)
        .where(TimeslotScheme.name == name)
        .options(selectinload(TimeslotScheme.timeslots))
    )


def _intervals(scheme: TimeslotScheme) -> tuple[Interval, ...]:
    return tuple(Interval(slot.ordinal, slot.starts_at, slot.ends_at) for slot in scheme.timeslots)


def _find_scene(session: Transaction, text: str) -> int:
    name, _, revision = text.partition("@")
    found = session.execute(
        select(SceneRevision.scene_id, SceneRevision.revision, SceneRevision.id)
        .join(SceneRevision.scene)
        .where(Scene.name == name)
        .order_by(SceneRevision.revision)
    ).all()
    if len({scene_id for scene_id, _, _ in found}) > 1:
        raise UnknownSceneError(f"several fixtures have a scene {name!r}: rename one of them")
    for _, number, row_id in reversed(found):
        if revision in ("", str(number)):
            return row_id
    raise UnknownSceneError(
        f"no scene {text!r} is in the catalogue: `agetrace scene list` shows those that are"
    )
