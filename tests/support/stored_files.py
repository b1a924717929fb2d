"""Stored files with their rows, what the rows say of them, and what befalls disks."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import select

from datastore import audit
from datastore.assets import register_asset
from datastore.catalogue import Catalogue
from datastore.store import LocalStore
from datastore.stores.registry import register_store
from datastore.tables import Asset, AssetLocation, AuditEntry, Store
from tests.support.catalogue_rows import NOW

LATER = NOW + timedelta(days=100)


def store_files(catalogue: Catalogue, count: int, size: int = 1000) -> list[str]:
    """Put files that were verified a day apart, the first one longest ago."""
    hashes = []
    with catalogue.writing() as session:
        for number in range(count):
            stored = catalogue.store.put_bytes(
                hashlib.sha256(b"%d" % number).digest() * (size // 32)
            )
            register_asset(session, stored, "other", NOW + timedelta(days=number))
            hashes.append(stored.sha256)
    return hashes


def locations(catalogue: Catalogue, store_name: str = "local") -> dict[str, AssetLocation]:
    """Return the rows of a store's copies by their hashes."""
    with catalogue.reading() as session:
        rows = session.execute(
            select(Asset.sha256, AssetLocation)
            .join(AssetLocation, AssetLocation.asset_id == Asset.id)
            .join(Store, AssetLocation.store_id == Store.id)
            .where(Store.name == store_name)
        )
        return {row.sha256: row.AssetLocation for row in rows}


def verified(catalogue: Catalogue, store_name: str = "local") -> dict[str, datetime]:
    """Return when each copy of a store was found sound last."""
    return {sha: row.verified_at for sha, row in locations(catalogue, store_name).items()}


def problems(catalogue: Catalogue, store_name: str = "local") -> dict[str, str]:
    """Return what the rows of a store's copies say is wrong."""
    return {
        sha: row.problem
        for sha, row in locations(catalogue, store_name).items()
        if row.problem is not None
    }


def flip_a_bit(path: Path, at: int = 17) -> bytes:
    """Change a stored file behind the store's back, and return what it holds from now on."""
    data = bytearray(path.read_bytes())
    data[at] ^= 4
    path.chmod(0o644)
    path.write_bytes(data)
    return bytes(data)


def actions(catalogue: Catalogue) -> list[str]:
    """Return what the audit says was done, in order; its chain is whole."""
    with catalogue.reading() as session:
        assert audit.verify(session) == []
        return list(session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)))


def add_replica(catalogue: Catalogue, root: Path, name: str = "replica") -> LocalStore:
    """Add a second local store with a copy of every asset."""
    replica = LocalStore(root, name)
    with catalogue.writing() as session:
        store_id = register_store(session, replica, NOW)
        for asset in session.scalars(select(Asset)):
            replica.put_bytes(catalogue.store.read_bytes(asset.sha256))
            session.add(AssetLocation(asset_id=asset.id, store_id=store_id, verified_at=NOW))
    return replica
