"""Rows of where copies lie: reading them in pages, and noting what was found; moves no bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, func, select, tuple_, update
from sqlalchemy.orm import Session as Transaction

from datastore import audit
from datastore.catalogue import Catalogue
from datastore.tables import Asset, AssetLocation, LocationProblem, Session, Shot, Store

PAGE: Final = 1000
"""Rows that are read at once; no transaction stays open between two pages."""

MOST_LISTED: Final = 10_000
"""Findings that a report lists one by one; of more it only says how many they are."""


@dataclass(frozen=True)
class Location:
    """A copy of an asset in a store, as the catalogue knows it.

    Attributes
    ----------
    asset_id, store_id
        Row numbers; together they are the row's key.
    sha256, bytes, role, original_name
        Of the asset.
    shot_uuid, session_uuid
        The shot that made it and its session; None where no shutter did.
    verified_at
        When its bytes were last found to be the asset's.
    problem, problem_at
        What was found wrong since; None where nothing was.
    """

    asset_id: int
    store_id: int
    sha256: str
    bytes: int
    role: str
    original_name: str | None
    shot_uuid: str | None
    session_uuid: str | None
    verified_at: datetime
    problem: LocationProblem | None
    problem_at: datetime | None

    def to_json(self) -> dict[str, Any]:
        """Return what tells people which file it is."""
        return {
            "sha256": self.sha256,
            "bytes": self.bytes,
            "role": self.role,
            "original_name": self.original_name,
            "shot_id": self.shot_uuid,
            "session_id": self.session_uuid,
        }


def find_store_id(session: Transaction, name: str) -> int | None:
    """Return the row number of a store, None before it has its first file."""
    return session.scalar(select(Store.id).where(Store.name == name))


def count_locations(session: Transaction, store_id: int) -> int:
    """Return how many files a store has by its rows."""
    count = select(func.count()).where(AssetLocation.store_id == store_id)
    return session.scalar(count) or 0


def with_problem(catalogue: Catalogue, store_id: int) -> Iterator[Location]:
    """Yield the copies of a store with which something is wrong, in pages."""
    last = 0
    while page := _read(
        catalogue,
        _locations(store_id)
        .where(AssetLocation.problem.is_not(None), AssetLocation.asset_id > last)
        .order_by(AssetLocation.asset_id),
    ):
        yield from page
        last = page[-1].asset_id


def longest_unread(catalogue: Catalogue, store_id: int, started_at: datetime) -> Iterator[Location]:
    """Yield the copies of a store by the time of their last verification, in pages.

    Those with which something is wrong are left out. No transaction stays open meanwhile: on SQLite
    its snapshot would let the log grow for hours.
    """
    # a date in the future is a clock's mistake, and says nothing of when it was verified
    for is_wanted in (
        AssetLocation.verified_at > started_at,
        AssetLocation.verified_at <= started_at,
    ):
        yield from _by_verification(catalogue, store_id, is_wanted)


def _by_verification(
    catalogue: Catalogue, store_id: int, is_wanted: ColumnElement[bool]
) -> Iterator[Location]:
    key = tuple_(AssetLocation.verified_at, AssetLocation.asset_id)
    query = (
        _locations(store_id)
        .where(AssetLocation.problem.is_(None), is_wanted)
        .order_by(AssetLocation.verified_at, AssetLocation.asset_id)
    )
    following = query
    while page := _read(catalogue, following):
        yield from page
        following = query.where(key > (page[-1].verified_at, page[-1].asset_id))


def of_asset(session: Transaction, asset_id: int) -> dict[str, Location]:
    """Return all copies of an asset by the names of their stores."""
    query = _locations().where(AssetLocation.asset_id == asset_id).order_by(AssetLocation.store_id)
    rows = session.execute(
        query.join(Store, AssetLocation.store_id == Store.id).add_columns(Store.name)
    )
    return {name: Location(*values) for *values, name in rows}


def find_location(session: Transaction, asset_id: int, store_name: str) -> Location | None:
    """Return the row of a copy, None where there is none."""
    return of_asset(session, asset_id).get(store_name)


def note_sound(session: Transaction, locations: Sequence[Location], at: datetime) -> None:
    """Date copies that were found sound, and clear what was wrong with them.

    A problem that somebody noted since the row was read stays.
    """
    flawless = [one for one in locations if one.problem is None]
    for store_id in {one.store_id for one in flawless}:
        session.execute(
            update(AssetLocation)
            .where(
                AssetLocation.store_id == store_id,
                AssetLocation.asset_id.in_(
                    [one.asset_id for one in flawless if one.store_id == store_id]
                ),
                AssetLocation.problem.is_(None),
            )
            .values(verified_at=at)
        )
    for one in locations:
        if one.problem is not None:
            session.execute(
                update(AssetLocation)
                .where(*_is(one), AssetLocation.problem_at == one.problem_at)
                .values(verified_at=at, problem=None, problem_at=None)
            )


def note_problem(
    session: Transaction, location: Location, problem: LocationProblem, at: datetime
) -> bool:
    """Note what is wrong with a copy, and return whether that was unknown until now.

    A damaged file that was set aside is missing from then on; that it was damaged says more.
    """
    if location.problem == problem or (location.problem, problem) == ("damaged", "missing"):
        return False
    session.execute(
        update(AssetLocation).where(*_is(location)).values(problem=problem, problem_at=at)
    )
    return True


def note_quarantine(
    session: Transaction, location: Location, store_name: str, detail: str, at: datetime
) -> None:
    """Note that a damaged copy was set aside, with an entry of the audit of its own."""
    note_problem(session, location, "damaged", at)
    entry = {"sha256": location.sha256, "store": store_name, "detail": detail}
    audit.append(session, "asset.quarantine", entry, at)


def note_repaired(
    session: Transaction, location: Location, store_name: str, source: str, at: datetime
) -> None:
    """Note that a copy was restored, with an entry of the audit of its own."""
    session.execute(
        update(AssetLocation)
        .where(*_is(location))
        .values(verified_at=at, problem=None, problem_at=None)
    )
    entry = {"sha256": location.sha256, "store": store_name, "source": source}
    audit.append(session, "asset.repair", entry, at)


def note_adopted(session: Transaction, asset_id: int, store_id: int, at: datetime) -> None:
    """Add the row of a copy whose bytes were just read."""
    session.add(AssetLocation(asset_id=asset_id, store_id=store_id, verified_at=at))


def _is(location: Location) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return (
        AssetLocation.asset_id == location.asset_id,
        AssetLocation.store_id == location.store_id,
    )


def _locations(store_id: int | None = None) -> Select[*tuple[Any, ...]]:
    query = (
        select(
            Asset.id,
            AssetLocation.store_id,
            Asset.sha256,
            Asset.bytes,
            Asset.role,
            Asset.original_name,
            Shot.uuid.label("shot_uuid"),
            Session.uuid.label("session_uuid"),
            AssetLocation.verified_at,
            AssetLocation.problem,
            AssetLocation.problem_at,
        )
        .select_from(AssetLocation)
        .join(Asset, AssetLocation.asset_id == Asset.id)
        .outerjoin(Shot, Asset.shot_id == Shot.id)
        .outerjoin(Session, Shot.session_id == Session.id)
    )
    wanted: Select[*tuple[Any, ...]] = query
    return wanted if store_id is None else wanted.where(AssetLocation.store_id == store_id)


def _read(catalogue: Catalogue, query: Select[*tuple[Any, ...]]) -> list[Location]:
    with catalogue.reading() as session:
        return [Location(*row) for row in session.execute(query.limit(PAGE))]
