"""Rows of files: an asset with its location in the local store; moves no bytes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from datastore import frame_measures
from datastore.errors import AssetTakenError
from datastore.frames.measures import FrameMeasures
from datastore.locks import lock_until_commit
from datastore.store import LOCAL_STORE, StoredFile
from datastore.tables import Asset, AssetLocation, Store

_BATCH = 500


def register_asset(
    session: Session,
    stored: StoredFile,
    role: str,
    at: datetime,
    *,
    shot_id: int | None = None,
    original_name: str | None = None,
    width: int | None = None,
    height: int | None = None,
    exif: dict[str, Any] | None = None,
    metadata_reader: str | None = None,
    measures: FrameMeasures | None = None,
) -> Asset:
    """Record a file that `LocalStore` has stored, with its location.

    A file whose bytes are known already keeps its first row, which is returned.

    Parameters
    ----------
    session
        A writing transaction.
    stored
        What the store returned.
    role
        `raw`, `jpeg`, `preview`, `sidecar`, `other`, `manifest`, `model` or `measurement`.
    at
        Civil time, which is also when the bytes were verified.
    shot_id
        The shot that made it; None for files that no shutter made.
    original_name, width, height, exif, metadata_reader
        What is known of the file; None where it is not.
    measures
        What its frame shows; None for files that are no frames.

    Raises
    ------
    AssetTakenError
        If another shot has the same bytes: two releases of a shutter never make the same file.
    """
    known = session.scalar(select(Asset).where(Asset.sha256 == stored.sha256))
    if known is not None:
        if shot_id not in (None, known.shot_id):
            raise AssetTakenError(
                f"the file {original_name or stored.sha256} has the bytes of"
                f" {known.original_name or 'a file'} that is in the catalogue already"
                f" ({stored.sha256}), and belongs to another shot or to none"
            )
        return known
    asset = Asset(
        sha256=stored.sha256,
        bytes=stored.bytes,
        role=role,
        shot_id=shot_id,
        original_name=original_name,
        width=width,
        height=height,
        exif=exif,
        metadata_reader=metadata_reader,
        created_at=at,
    )
    session.add(asset)
    session.flush()
    store_id = _local_store_id(session, at)
    session.add(AssetLocation(asset_id=asset.id, store_id=store_id, verified_at=at))
    frame_measures.record(session, asset.id, measures, at)
    return asset


def find_asset_ids(session: Session, hashes: Sequence[str]) -> dict[str, int]:
    """Return the row numbers of the assets that the catalogue has, by their sha256.

    They are looked up in batches that every database takes as bound parameters.
    """
    found: dict[str, int] = {}
    table = Asset.__table__  # the mapper would double what the look-up of many costs
    for start in range(0, len(hashes), _BATCH):
        batch = hashes[start : start + _BATCH]
        rows = session.execute(select(table.c.sha256, table.c.id).where(table.c.sha256.in_(batch)))
        found.update((sha256, asset_id) for sha256, asset_id in rows)
    return found


def _local_store_id(session: Session, at: datetime) -> int:
    named = select(Store.id).where(Store.name == LOCAL_STORE)
    known = session.scalar(named)
    if known is not None:
        return known
    lock_until_commit(session, "store")
    known = session.scalar(named)
    if known is not None:
        return known
    store = Store(name=LOCAL_STORE, kind="local", created_at=at)
    session.add(store)
    session.flush()
    return store.id
