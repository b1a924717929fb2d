"""The filter of queries: what shots to look for by plain values; a condition of selections."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, get_args

from sqlalchemy import ScalarSelect, select

from datastore.errors import FilterError
from datastore.selections import Condition, OneOf, Within
from datastore.selections.conditions import everything_of
from datastore.tables import (
    AssetRole,
    FrameKind,
    Shot,
    ShotEvent,
    ShotState,
    Verdict,
    VerdictName,
)


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

    def condition(self) -> Condition:
        """Return what the filter asks of each shot."""
        asked: list[Condition] = [
            OneOf(name, tuple(values))
            for name, values in (
                ("camera", self.cameras),
                ("kind", self.kinds),
                ("scene", self.scenes),
                ("session", () if self.session is None else (self.session,)),
                ("timeslot", self.timeslots),
                ("iso", self.isos),
                ("exposure_s", self.exposures_s),
                ("state", self.states),
                ("verdict", self.verdicts),
                ("role", () if self.role is None else (self.role,)),
            )
            if values
        ]
        if self.since is not None or self.until is not None:
            asked.append(Within("time", self.since, self.until, with_highest=False))
        return everything_of(asked)


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


def _refuse_unknown_words(what: str, words: Iterable[str], known: Any) -> None:
    for word in words:
        if word not in get_args(known):
            raise FilterError(f"{word!r} is no {what}: use {', '.join(get_args(known))}")
