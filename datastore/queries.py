"""Queries of shots: reading those that pass a filter, page by page.

Pages follow the order of time and go on behind the last shot of the page before (keyset paging),
so that shots which are added meanwhile neither repeat nor hide one that was there. Shots of
unknown time come last, in the order of their registration.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, select
from sqlalchemy.orm import Session as Transaction

from datastore._shot_filter import ShotFilter, conditions, newest_state, newest_verdict
from datastore._shot_pages import Position, page_statement
from datastore.catalogue import Catalogue
from datastore.store import LocalStore
from datastore.tables import Asset, TimeslotScheme
from datastore.timeslots import find_scheme, timeslot_of

__all__ = [
    "AssetRecord",
    "ShotFilter",
    "ShotRecord",
    "iterate_shots",
    "newest_state",
    "newest_verdict",
    "page_statement",
]


@dataclass(frozen=True)
class AssetRecord:
    """A file of a shot; `path` is where the local store keeps it."""

    role: str
    sha256: str
    bytes: int
    path: str

    def to_json(self) -> dict[str, Any]:
        """Return the record as JSON."""
        return {"role": self.role, "sha256": self.sha256, "bytes": self.bytes, "path": self.path}


@dataclass(frozen=True)
class ShotRecord:
    """A shot as queries tell of it; what is unknown is None.

    `id` is the shot's UUID and `session_id` that of its session. `state` is the newest event,
    `verdict` the newest verdict, `timeslot` the ordinal in the scheme of the query.
    """

    id: str
    camera_serial: str | None
    kind: str
    scene: str | None
    scene_revision: int | None
    timeslot: int | None
    session_id: str
    triggered_at: datetime | None
    exposure_s: float | None
    iso: int | None
    f_number: float | None
    state: str | None
    verdict: str | None
    assets: tuple[AssetRecord, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the line of `agetrace shots --json`."""
        return {
            "id": self.id,
            "camera_serial": self.camera_serial,
            "kind": self.kind,
            "scene": self.scene,
            "timeslot": self.timeslot,
            "session_id": self.session_id,
            "triggered_at": None if self.triggered_at is None else self.triggered_at.isoformat(),
            "exposure_s": self.exposure_s,
            "iso": self.iso,
            "f_number": self.f_number,
            "state": self.state,
            "verdict": self.verdict,
            "assets": [asset.to_json() for asset in self.assets],
        }


def iterate_shots(
    catalogue: Catalogue,
    chosen: ShotFilter,
    scheme: str | None = None,
    page_size: int = 500,
) -> Iterator[ShotRecord]:
    """Return the shots that pass a filter, in the order of time.

    The filter is checked at once; the shots are read page by page, two statements per page, each
    page in a short transaction of its own.

    Parameters
    ----------
    catalogue
        The catalogue to look in.
    chosen
        What to look for.
    scheme
        Name of the timeslot scheme for the records' `timeslot`; None leaves it unknown.
    page_size
        Shots per page.

    Raises
    ------
    UnknownCameraError, UnknownSceneError, UnknownSessionError, TimeslotSchemeError
        If the filter names what the catalogue does not have.
    FilterError
        If timeslots are asked for without a scheme, or the scheme has none of these ordinals.
    """
    with catalogue.reading() as transaction:
        found_scheme = None if scheme is None else find_scheme(transaction, scheme)
        wanted = conditions(transaction, chosen, found_scheme)
    return _records(catalogue, chosen, wanted, found_scheme, page_size)


def _records(
    catalogue: Catalogue,
    chosen: ShotFilter,
    wanted: Sequence[ColumnElement[bool]],
    scheme: TimeslotScheme | None,
    page_size: int,
) -> Iterator[ShotRecord]:
    for timed in (True,) if chosen.needs_time else (True, False):
        after: Position | None = None
        while True:
            statement = page_statement(
                wanted,
                timed=timed,
                after=after,
                page_size=page_size,
                by_status=chosen.is_rare_status,
            )
            with catalogue.reading() as transaction:
                rows = transaction.execute(statement).all()
                assets = _assets(transaction, catalogue.store, rows, chosen.role)
            for row in rows:
                yield _record(row, scheme, assets[row.row_id])
            if len(rows) < page_size:
                break
            after = (rows[-1].triggered_at, rows[-1].row_id)


def _assets(
    transaction: Transaction,
    store: LocalStore,
    rows: Sequence[Row[*tuple[Any, ...]]],
    role: str | None,
) -> defaultdict[int, list[AssetRecord]]:
    """Return the assets of a page's shots by the number of the shot's row."""
    statement = (
        select(Asset.shot_id, Asset.role, Asset.sha256, Asset.bytes)
        .where(Asset.shot_id.in_([row.row_id for row in rows]))
        .order_by(Asset.id)
    )
    if role is not None:
        statement = statement.where(Asset.role == role)
    found: defaultdict[int, list[AssetRecord]] = defaultdict(list)
    for shot_id, asset_role, sha256, size in transaction.execute(statement):
        assert shot_id is not None
        found[shot_id].append(AssetRecord(asset_role, sha256, size, str(store.path(sha256))))
    return found


def _record(
    row: Row[*tuple[Any, ...]], scheme: TimeslotScheme | None, assets: Sequence[AssetRecord]
) -> ShotRecord:
    timeslot = None if scheme is None else timeslot_of(row.triggered_at, scheme)
    return ShotRecord(
        id=row.uuid,
        camera_serial=row.serial,
        kind=row.kind,
        scene=row.scene,
        scene_revision=row.scene_revision,
        timeslot=None if timeslot is None else timeslot.ordinal,
        session_id=row.session_uuid,
        triggered_at=row.triggered_at,
        exposure_s=row.exposure_s,
        iso=row.iso,
        f_number=row.f_number,
        state=row.state,
        verdict=row.verdict,
        assets=tuple(assets),
    )
