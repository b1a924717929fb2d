"""What shots to look for: the filter of queries and its conditions in SQL."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, get_args

from sqlalchemy import ColumnElement, ScalarSelect, and_, exists, func, select
from sqlalchemy.orm import Session as Transaction

from datastore.errors import (
    FilterError,
    UnknownCameraError,
    UnknownSceneError,
    UnknownSessionError,
)
from datastore.tables import (
    Asset,
    AssetRole,
    Camera,
    FrameKind,
    Scene,
    SceneRevision,
    Session,
    Shot,
    ShotEvent,
    ShotState,
    ShotStatus,
    Timeslot,
    TimeslotScheme,
    Verdict,
    VerdictName,
)

_EXPOSURE_TOLERANCE = 1e-6
"""Relative; a third of a second is written in several ways."""


@dataclass(frozen=True)
class ShotFilter:
    """What shots to look for: all conditions hold, and several values of one mean any of them.

    Parameters
    ----------
    cameras
        Serials.
    kinds
        Kinds of frame.
    scenes
        Names of scenes, or `name@revision`.
    timeslots
        Ordinals in the scheme that the query names.
    session
        UUID of a session.
    since, until
        `since <= time < until`, with zones.
    isos, exposures_s
        Requested settings; an exposure matches to a millionth of itself.
    states
        Names of the newest event.
    verdicts
        Newest verdicts.
    role
        Only shots with an asset of this role, and of their assets only those.
    """

    cameras: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    scenes: tuple[str, ...] = ()
    timeslots: tuple[int, ...] = ()
    session: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    isos: tuple[int, ...] = ()
    exposures_s: tuple[float, ...] = ()
    states: tuple[str, ...] = ()
    verdicts: tuple[str, ...] = ()
    role: str | None = None

    def __post_init__(self) -> None:
        _refuse_unknown_words("kind", self.kinds, FrameKind)
        _refuse_unknown_words("state", self.states, ShotState)
        _refuse_unknown_words("verdict", self.verdicts, VerdictName)
        _refuse_unknown_words("role", () if self.role is None else (self.role,), AssetRole)
        for name, at in (("since", self.since), ("until", self.until)):
            if at is not None and at.tzinfo is None:
                raise FilterError(f"{name} needs a zone: {at.isoformat()} has none")

    def __bool__(self) -> bool:
        """Refuse to be taken for its result."""
        raise TypeError("a ShotFilter is no result: give it to iterate_shots")

    @property
    def needs_time(self) -> bool:
        """Whether a shot of unknown time cannot pass."""
        return self.since is not None or self.until is not None or len(self.timeslots) > 0

    @property
    def is_rare_status(self) -> bool:
        """Whether few shots have one of these states, or one of these verdicts."""
        return any(
            words and common not in words
            for words, common in ((self.states, "registered"), (self.verdicts, "accepted"))
        )


def newest_state() -> ScalarSelect[str]:
    """Return the name of a shot's newest event, for a statement that selects from Shot."""
    return (
        select(ShotEvent.name)
        .where(ShotEvent.shot_id == Shot.id)
        .order_by(ShotEvent.id.desc())
        .limit(1)
        .scalar_subquery()
    )


def newest_verdict() -> ScalarSelect[str]:
    """Return a shot's newest verdict, for a statement that selects from Shot."""
    return (
        select(Verdict.verdict)
        .where(Verdict.shot_id == Shot.id)
        .order_by(Verdict.id.desc())
        .limit(1)
        .scalar_subquery()
    )


def conditions(
    transaction: Transaction, chosen: ShotFilter, scheme: TimeslotScheme | None
) -> list[ColumnElement[bool]]:
    """Return the conditions on Shot and ShotStatus that a filter stands for.

    Raises
    ------
    UnknownCameraError, UnknownSceneError, UnknownSessionError
        If the filter names what the catalogue does not have.
    FilterError
        If timeslots are asked for without a scheme, or the scheme has none of these ordinals.
    """
    found: list[ColumnElement[bool]] = []
    if chosen.cameras:
        found.append(Shot.camera_id.in_(_camera_ids(transaction, chosen.cameras)))
    if chosen.kinds:
        found.append(Shot.kind.in_(chosen.kinds))
    if chosen.scenes:
        found.append(Shot.scene_revision_id.in_(_scene_revision_ids(transaction, chosen.scenes)))
    if chosen.session is not None:
        found.append(Shot.session_id == _session_id(transaction, chosen.session))
    if chosen.since is not None:
        found.append(Shot.triggered_at >= chosen.since)
    if chosen.until is not None:
        found.append(Shot.triggered_at < chosen.until)
    if chosen.timeslots:
        found.append(_in_timeslots(chosen.timeslots, scheme))
    if chosen.isos:
        found.append(Shot.iso.in_(chosen.isos))
    if chosen.exposures_s:
        found.append(Shot.exposure_s.in_(_written_exposures(transaction, chosen.exposures_s)))
    if chosen.states:
        found.append(ShotStatus.state.in_(chosen.states))
    if chosen.verdicts:
        found.append(ShotStatus.verdict.in_(chosen.verdicts))
    if chosen.role is not None:
        found.append(exists().where(Asset.shot_id == Shot.id, Asset.role == chosen.role))
    return found


def _refuse_unknown_words(what: str, words: Iterable[str], known: Any) -> None:
    for word in words:
        if word not in get_args(known):
            raise FilterError(f"{word!r} is no {what}: use {', '.join(get_args(known))}")


def _camera_ids(transaction: Transaction, serials: Sequence[str]) -> list[int]:
    found = transaction.execute(select(Camera.id, Camera.serial).where(Camera.serial.in_(serials)))
    ids = defaultdict(list)
    for camera_id, serial in found:
        ids[serial].append(camera_id)
    for serial in serials:
        if serial not in ids:
            known = ", ".join(transaction.scalars(select(Camera.serial).order_by(Camera.serial)))
            raise UnknownCameraError(
                f"no camera has the serial {serial!r}: the catalogue has {known or 'none yet'}"
            )
    return [camera_id for serial in serials for camera_id in ids[serial]]


def _scene_revision_ids(transaction: Transaction, scenes: Sequence[str]) -> list[int]:
    ids: list[int] = []
    for text in scenes:
        name, _, revision = text.partition("@")
        statement = select(SceneRevision.id).join(SceneRevision.scene).where(Scene.name == name)
        if revision:
            if not revision.isdecimal():
                raise FilterError(f"a scene's revision is a number, as in {name}@1: {text!r}")
            statement = statement.where(SceneRevision.revision == int(revision))
        found = list(transaction.scalars(statement))
        if not found:
            raise UnknownSceneError(f"no scene is called {text!r}: see `agetrace scene list`")
        ids += found
    return ids


def _session_id(transaction: Transaction, uuid: str) -> int:
    found = transaction.scalar(select(Session.id).where(Session.uuid == uuid))
    if found is None:
        raise UnknownSessionError(f"no session is called {uuid!r}")
    return found


def _in_timeslots(ordinals: Sequence[int], scheme: TimeslotScheme | None) -> ColumnElement[bool]:
    if scheme is None:
        raise FilterError("timeslots are numbers in a scheme: name the scheme too")
    named = {timeslot.ordinal: timeslot for timeslot in scheme.timeslots}
    for ordinal in ordinals:
        if ordinal not in named:
            raise FilterError(
                f"the scheme {scheme.name} has no timeslot {ordinal}, it has 1 to {max(named)}"
            )
    # the outer bounds let the index on time do its work
    return and_(
        Shot.triggered_at >= min(named[ordinal].starts_at for ordinal in ordinals),
        Shot.triggered_at < max(named[ordinal].ends_at for ordinal in ordinals),
        exists().where(
            Timeslot.scheme_id == scheme.id,
            Timeslot.ordinal.in_(ordinals),
            Timeslot.starts_at <= Shot.triggered_at,
            Shot.triggered_at < Timeslot.ends_at,
        ),
    )


def _written_exposures(transaction: Transaction, exposures_s: Sequence[float]) -> list[float]:
    """Return the exposures of shots that are these, however they were rounded.

    They are few, and equality with each leaves the order of time to the index.
    """
    found: set[float] = set()
    for exposure_s in exposures_s:
        margin = exposure_s * _EXPOSURE_TOLERANCE
        least = select(func.min(Shot.exposure_s)).where(Shot.exposure_s <= exposure_s + margin)
        written = transaction.scalar(least.where(Shot.exposure_s >= exposure_s - margin))
        while written is not None:
            found.add(written)
            written = transaction.scalar(least.where(Shot.exposure_s > written))
    return sorted(found)
