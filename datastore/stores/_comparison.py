"""Compares the files that a store lists with the rows that speak of them; changes neither.

Both come in the order of their hashes and are merged: ten million take the memory of a page.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import func, select

from datastore.catalogue import Catalogue
from datastore.stores._locations import find_store_id
from datastore.stores.protocol import AssetStore, StoredName
from datastore.tables import Asset, AssetLocation

_PAGE: Final = 5000
_BATCH: Final = 500
_NO_PROBLEM: Final = ""


@dataclass(frozen=True)
class NamedFile:
    """What a row of a store says: which file is to be there, and how many bytes it has."""

    asset_id: int
    sha256: str
    bytes: int
    has_problem: bool


@dataclass(frozen=True)
class OrphanFile:
    """A file of a store of which no row speaks.

    Attributes
    ----------
    sha256
        The hash that its name claims; its bytes were not read.
    bytes, modified_at
        As the store lists it.
    is_copy
        Whether the catalogue knows the asset, and lacks only the row of this copy.
    """

    sha256: str
    bytes: int
    modified_at: datetime
    is_copy: bool

    def to_json(self) -> dict[str, Any]:
        """Return the file as JSON."""
        return {
            "sha256": self.sha256,
            "bytes": self.bytes,
            "modified_at": self.modified_at.isoformat(),
            "is_copy": self.is_copy,
        }


def compare(
    catalogue: Catalogue, store: AssetStore
) -> Iterator[tuple[StoredName | None, NamedFile | None]]:
    """Yield every file of a store with its row, in the order of their hashes.

    Either is None where the other stands alone. Files and rows that come while this runs may stand
    alone although both are there: look again before you judge.
    """
    files = store.names()
    rows = _rows(catalogue, store.name)
    file, row = next(files, None), next(rows, None)
    while file is not None or row is not None:
        if row is None or (file is not None and file.sha256 < row.sha256):
            yield file, None
            file = next(files, None)
        elif file is None or row.sha256 < file.sha256:
            yield None, row
            row = next(rows, None)
        else:
            yield file, row
            file, row = next(files, None), next(rows, None)


def orphans(
    catalogue: Catalogue, store_name: str, files: Iterator[StoredName]
) -> Iterator[OrphanFile]:
    """Yield those of some files of a store of which still no row speaks, in their order."""
    batch: list[StoredName] = []
    for file in files:
        batch.append(file)
        if len(batch) == _BATCH:
            yield from _still_orphans(catalogue, store_name, batch)
            batch = []
    yield from _still_orphans(catalogue, store_name, batch)


def _still_orphans(
    catalogue: Catalogue, store_name: str, files: list[StoredName]
) -> list[OrphanFile]:
    if not files:
        return []
    hashes = [file.sha256 for file in files]
    with catalogue.reading() as session:
        store_id = find_store_id(session, store_name)
        rows = session.execute(
            select(Asset.sha256, AssetLocation.store_id.is_not(None).label("is_here"))
            .outerjoin(
                AssetLocation,
                (AssetLocation.asset_id == Asset.id) & (AssetLocation.store_id == store_id),
            )
            .where(Asset.sha256.in_(hashes))
        )
        has_row = {row.sha256: bool(row.is_here) for row in rows}
    return [
        OrphanFile(file.sha256, file.bytes, file.modified_at, is_copy=file.sha256 in has_row)
        for file in files
        if not has_row.get(file.sha256, False)
    ]


def _rows(catalogue: Catalogue, store_name: str) -> Iterator[NamedFile]:
    with catalogue.reading() as session:
        store_id = find_store_id(session, store_name)
    # a joined table would have the database sort all rows for every page
    problem = (
        select(func.coalesce(AssetLocation.problem, _NO_PROBLEM))
        .where(AssetLocation.asset_id == Asset.id, AssetLocation.store_id == store_id)
        .scalar_subquery()
    )
    query = select(Asset.id, Asset.sha256, Asset.bytes, problem).order_by(Asset.sha256).limit(_PAGE)
    last = ""
    while True:
        with catalogue.reading() as session:
            page = session.execute(query.where(Asset.sha256 > last)).all()
        if not page:
            return
        for asset_id, sha256, size, found in page:
            if found is not None:
                yield NamedFile(asset_id, sha256, size, has_problem=found != _NO_PROBLEM)
        last = page[-1][1]
