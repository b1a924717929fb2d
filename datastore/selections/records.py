"""What selections tell of a shot and of its assets; chooses nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.orm import Session as Transaction

from datastore.store import LocalStore
from datastore.tables import Asset, FrameMeasures, TimeslotScheme
from datastore.timeslots import timeslot_of


@dataclass(frozen=True)
class Measures:
    """What a frame shows as a whole, None where that is not known; see `FrameMeasures`."""

    black_level_dn: float | None
    mean_dn: float | None
    clipped_share: float | None
    sharpness: float | None
    temperature_c: float | None


@dataclass(frozen=True)
class AssetRecord:
    """A file of a shot; `path` is where the local store keeps it."""

    role: str
    sha256: str
    bytes: int
    path: str
    original_name: str | None = None
    measures: Measures | None = None

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


def read_records(
    transaction: Transaction,
    store: LocalStore,
    rows: Sequence[Row[*tuple[Any, ...]]],
    scheme: TimeslotScheme | None,
    role: str | None = None,
) -> list[ShotRecord]:
    """Return the records of a page's rows, in their order.

    Parameters
    ----------
    transaction
        That read the rows.
    store
        That keeps the assets.
    rows
        Of the statement of a page.
    scheme
        Labels the shots; None labels none.
    role
        Of the assets, only those of this role; None for all.
    """
    assets = _assets(transaction, store, [row.row_id for row in rows], role)
    return [_record(row, scheme, assets[row.row_id]) for row in rows]


def _assets(
    transaction: Transaction, store: LocalStore, shot_ids: Sequence[int], role: str | None
) -> defaultdict[int, list[AssetRecord]]:
    """Return the assets of a page's shots by the number of the shot's row."""
    statement = (
        select(
            Asset.shot_id,
            Asset.role,
            Asset.sha256,
            Asset.bytes,
            Asset.original_name,
            FrameMeasures.asset_id,
            FrameMeasures.black_level_dn,
            FrameMeasures.mean_dn,
            FrameMeasures.clipped_share,
            FrameMeasures.sharpness,
            FrameMeasures.temperature_c,
        )
        .outerjoin(FrameMeasures, FrameMeasures.asset_id == Asset.id)
        .where(Asset.shot_id.in_(shot_ids))
        .order_by(Asset.id)
    )
    if role is not None:
        statement = statement.where(Asset.role == role)
    found: defaultdict[int, list[AssetRecord]] = defaultdict(list)
    if not shot_ids:
        return found
    for shot_id, asset_role, sha256, size, name, measured, *measures in transaction.execute(
        statement
    ):
        assert shot_id is not None
        found[shot_id].append(
            AssetRecord(
                role=asset_role,
                sha256=sha256,
                bytes=size,
                path=str(store.path(sha256)),
                original_name=name,
                measures=None if measured is None else Measures(*measures),
            )
        )
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
