"""Writing shots in bulk: whole histories of shots at the pace of the database's own bulk doors.

Owns the order of tables, the numbers of rows, and the audit entry of each batch. It moves no
files: whoever writes an asset has put its bytes into a store before.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from operator import attrgetter
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session as Transaction

from datastore import audit
from datastore.bulk_rows import insert_rows
from datastore.canonical import content_sha256
from datastore.catalogue import Catalogue
from datastore.clocks import CivilClock
from datastore.errors import BulkRowsError
from datastore.locks import lock_until_commit
from datastore.store import LOCAL_STORE
from datastore.tables import (
    Asset,
    AssetLocation,
    Base,
    FrameMeasures,
    PerceptualHash,
    Shot,
    ShotEvent,
    ShotSettings,
    Store,
    Verdict,
)

BATCH = 10_000
"""Shots in a transaction: the write lock of SQLite is held for about a second."""

_LOOKED_UP_AT_ONCE = 1000

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class BulkEvent:
    """A row of `shot_event`."""

    name: str
    at: datetime
    detail: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class BulkSettings:
    """A row of `shot_settings`."""

    source: str
    exposure_s: float | None = None
    iso: int | None = None
    f_number: float | None = None
    image_quality: str | None = None
    temperature_c: float | None = None
    taken_at: datetime | None = None
    taken_at_text: str | None = None
    firmware: str | None = None
    long_exposure_noise_reduction: bool | None = None
    raw_values: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class BulkMeasures:
    """A row of `frame_measures`."""

    code_version: str
    measured_at: datetime
    black_level_dn: float | None = None
    mean_dn: float | None = None
    clipped_share: float | None = None
    sharpness: float | None = None
    temperature_c: float | None = None


@dataclass(frozen=True, slots=True)
class BulkPerceptualHash:
    """A row of `perceptual_hash`."""

    code_version: str
    measured_at: datetime
    hash: str | None = None


@dataclass(frozen=True, slots=True)
class BulkAsset:
    """A row of `asset`, with its location where the bytes lie in a store.

    `verified_at` is when the bytes in `store` were last found to be the asset's; None where no
    store of the catalogue holds them.
    """

    sha256: str
    bytes: int
    role: str
    created_at: datetime
    original_name: str | None = None
    width: int | None = None
    height: int | None = None
    exif: dict[str, Any] | None = None
    metadata_reader: str | None = None
    store: str = "local"
    verified_at: datetime | None = None
    measures: BulkMeasures | None = None
    perceptual_hash: BulkPerceptualHash | None = None


@dataclass(frozen=True, slots=True)
class BulkVerdict:
    """A row of `verdict`."""

    verdict: str
    reason: str
    author: str
    at: datetime
    numbers: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class BulkShot:
    """A shot with everything that is known of it.

    Its session, camera and scene revision are in the catalogue already and are named by the
    numbers of their rows; the meaning of the other fields is that of the table `shot`. The events
    are in the order in which they happened.
    """

    uuid: str
    session_id: int
    camera_id: int | None
    sequence: int
    kind: str
    attempt: int = 1
    scene_revision_id: int | None = None
    triggered_at: datetime | None = None
    time_source: str | None = None
    time_uncertainty_s: float | None = None
    exposure: str | None = None
    exposure_s: float | None = None
    iso: int | None = None
    f_number: float | None = None
    image_quality: str | None = None
    warm_up: bool = False
    since_opened_s: float | None = None
    since_last_shot_s: float | None = None
    events: tuple[BulkEvent, ...] = ()
    settings: tuple[BulkSettings, ...] = ()
    assets: tuple[BulkAsset, ...] = ()
    verdict: BulkVerdict | None = None


@dataclass(frozen=True)
class BulkReport:
    """What became of the shots: `written` are new, `present` were in the catalogue before."""

    written: int
    present: int


def write_shots(
    catalogue: Catalogue,
    rows: Iterable[BulkShot],
    *,
    clock: CivilClock,
    batch: int = BATCH,
    progress: Progress | None = None,
) -> BulkReport:
    """Write shots with their events, settings, assets, measures, hashes and verdicts.

    Every batch is one transaction with one audit entry. A shot whose UUID the catalogue has is
    left as it is there, so that a call that was interrupted is gone on with by the same call.
    `rows` is read a batch at a time.

    Parameters
    ----------
    catalogue
        Where the shots go.
    rows
        The shots, in any order.
    clock
        Dates the audit entries.
    batch
        Shots in a transaction.
    progress
        Called after every batch with the numbers of shots written and of shots present before.

    Raises
    ------
    BulkRowsError
        If rows contradict the catalogue or each other: nothing of their batch was written, the
        batches before it stay.
    """
    written = present = 0
    shots = iter(rows)
    while pending := list(islice(shots, batch)):
        with catalogue.writing() as transaction:
            new = _unknown(transaction, pending)
            if new:
                try:
                    _write(transaction, new, clock.now())
                except IntegrityError as error:
                    raise BulkRowsError(
                        f"of the shots {new[0].uuid} to {new[-1].uuid} ({len(new)} shots) none was"
                        f" written, because one contradicts the catalogue: {error.orig}"
                    ) from error
        written += len(new)
        present += len(pending) - len(new)
        if progress is not None:
            progress(written, present)
    return BulkReport(written, present)


def _unknown(transaction: Transaction, shots: Sequence[BulkShot]) -> list[BulkShot]:
    """Return the shots that the catalogue has not, each once."""
    named = {shot.uuid: shot for shot in shots}
    uuids = list(named)
    for start in range(0, len(uuids), _LOOKED_UP_AT_ONCE):
        some = uuids[start : start + _LOOKED_UP_AT_ONCE]
        for known in transaction.scalars(select(Shot.uuid).where(Shot.uuid.in_(some))):
            del named[known]
    return list(named.values())


def _write(transaction: Transaction, shots: Sequence[BulkShot], at: datetime) -> None:
    shot_ids = _new_ids(transaction, Shot, len(shots))
    numbered = list(zip(shot_ids, shots, strict=True))
    owned = [(shot_id, asset) for shot_id, shot in numbered for asset in shot.assets]
    asset_ids = _new_ids(transaction, Asset, len(owned))
    filed = list(zip(asset_ids, (asset for _, asset in owned), strict=True))
    _insert(transaction, Shot, ("id",), BulkShot, (((number,), shot) for number, shot in numbered))
    _insert(
        transaction,
        ShotEvent,
        ("shot_id",),
        BulkEvent,
        (((number,), event) for number, shot in numbered for event in shot.events),
    )
    _insert(
        transaction,
        ShotSettings,
        ("shot_id",),
        BulkSettings,
        (((number,), settings) for number, shot in numbered for settings in shot.settings),
    )
    _insert(
        transaction,
        Asset,
        ("id", "shot_id"),
        BulkAsset,
        (
            ((asset_id, shot_id), asset)
            for asset_id, (shot_id, asset) in zip(asset_ids, owned, strict=True)
        ),
    )
    _insert_locations(transaction, filed, at)
    _insert(
        transaction,
        FrameMeasures,
        ("asset_id",),
        BulkMeasures,
        (((number,), asset.measures) for number, asset in filed if asset.measures is not None),
    )
    _insert(
        transaction,
        PerceptualHash,
        ("asset_id",),
        BulkPerceptualHash,
        (
            ((number,), asset.perceptual_hash)
            for number, asset in filed
            if asset.perceptual_hash is not None
        ),
    )
    _insert(
        transaction,
        Verdict,
        ("shot_id",),
        BulkVerdict,
        (((number,), shot.verdict) for number, shot in numbered if shot.verdict is not None),
    )
    entry = {
        "shots": len(shots),
        "shots_sha256": content_sha256(sorted(shot.uuid for shot in shots)),
        "assets_sha256": content_sha256(sorted(asset.sha256 for _, asset in owned)),
    }
    audit.append(transaction, "shots.write", entry, at)


def _insert_locations(
    transaction: Transaction, filed: Sequence[tuple[int, BulkAsset]], at: datetime
) -> None:
    kept = [(number, asset) for number, asset in filed if asset.verified_at is not None]
    stores = {name: _store_id(transaction, name, at) for name in {asset.store for _, asset in kept}}
    _insert(
        transaction,
        AssetLocation,
        ("asset_id", "store_id"),
        BulkAsset,
        (((number, stores[asset.store]), asset) for number, asset in kept),
    )


def _store_id(transaction: Transaction, name: str, at: datetime) -> int:
    known = transaction.scalar(select(Store.id).where(Store.name == name))
    if known is not None:
        return known
    if name != LOCAL_STORE:
        raise BulkRowsError(f"no store is called {name!r}: see `agetrace store list`")
    # a home's own store gets its row with the first file
    lock_until_commit(transaction, "store")
    store = Store(name=name, kind="local", created_at=at)
    transaction.add(store)
    transaction.flush()
    return store.id


def _new_ids(transaction: Transaction, model: type[Shot | Asset], count: int) -> Sequence[int]:
    """Return numbers for new rows that no other transaction takes."""
    if transaction.get_bind().dialect.name == "sqlite":
        # the transaction has the one write lock
        newest = transaction.scalar(select(func.max(model.id))) or 0
        return range(newest + 1, newest + 1 + count)
    sequence = func.pg_get_serial_sequence(model.__tablename__, "id")
    return transaction.scalars(
        select(func.nextval(sequence)).select_from(func.generate_series(1, count))
    ).all()


def _insert(
    transaction: Transaction,
    model: type[Base],
    number_columns: tuple[str, ...],
    record_type: type[Any],
    records: Iterable[tuple[tuple[int, ...], Any]],
) -> None:
    """Insert records, each behind the numbers that it has no field for.

    A record's fields that are columns of the table are its values.
    """
    table = model.metadata.tables[model.__tablename__]
    fields = [field.name for field in dataclasses.fields(record_type) if field.name in table.c]
    values: Callable[[Any], tuple[Any, ...]] = (
        attrgetter(*fields) if len(fields) > 1 else lambda record: (getattr(record, fields[0]),)
    )
    insert_rows(
        transaction,
        table,
        (*number_columns, *fields),
        ((*numbers, *values(record)) for numbers, record in records),
    )
