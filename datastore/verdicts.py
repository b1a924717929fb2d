"""Verdicts: judgements on shots, of which the newest counts and none is changed."""

from __future__ import annotations

from datetime import datetime
from typing import Any, get_args

from sqlalchemy import select

from datastore import audit
from datastore.catalogue import Catalogue
from datastore.errors import UnknownShotError, VerdictError
from datastore.tables import Shot, Verdict, VerdictName


def add_verdict(
    catalogue: Catalogue,
    shot: str | int,
    verdict: VerdictName | str,
    reason: str,
    numbers: dict[str, Any] | None,
    author: str,
    at: datetime,
) -> Verdict:
    """Judge a shot; an earlier verdict stays and no longer counts.

    Parameters
    ----------
    catalogue
        The catalogue that keeps the shot.
    shot
        Its UUID, or the number of its row.
    verdict
        `accepted`, `quarantined` or `rejected`.
    reason
        Why, in a sentence.
    numbers
        The measurements behind it, None where there are none.
    author
        Who judges: a person's login or the name of a check.
    at
        Civil time with a zone.

    Raises
    ------
    UnknownShotError
        If the catalogue has no such shot.
    VerdictError
        If the verdict is none of the three, or reason or author is empty.
    """
    if verdict not in get_args(VerdictName):
        raise VerdictError(f"{verdict!r} is no verdict: use {', '.join(get_args(VerdictName))}")
    if not reason.strip():
        raise VerdictError("a verdict needs a reason")
    if not author.strip():
        raise VerdictError("a verdict needs an author")
    is_shot = Shot.id == shot if isinstance(shot, int) else Shot.uuid == shot
    with catalogue.writing() as session:
        found = session.execute(select(Shot.id, Shot.uuid).where(is_shot)).one_or_none()
        if found is None:
            raise UnknownShotError(f"no shot is called {shot}: see `agetrace shots`")
        row = Verdict(
            shot_id=found.id, verdict=verdict, reason=reason, numbers=numbers, author=author, at=at
        )
        session.add(row)
        entry = {
            "shot": found.uuid,
            "verdict": verdict,
            "reason": reason,
            "numbers": numbers,
            "author": author,
        }
        audit.append(session, "verdict.add", entry, at)
    return row
