"""What every store holds by the catalogue's rows: files, bytes, age of the oldest verification."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from datastore.catalogue import Catalogue
from datastore.tables import Asset, AssetLocation, Store


@dataclass(frozen=True)
class Holding:
    """What a store holds.

    Attributes
    ----------
    store_id, name, kind
        Of the store's row.
    assets, bytes
        Its files, those with a problem included, and their size together.
    problems
        Files with a problem.
    oldest_verified_at
        When the file that was longest unread was found sound; None without a file.
    """

    store_id: int
    name: str
    kind: str
    assets: int
    bytes: int
    problems: int
    oldest_verified_at: datetime | None


def list_holdings(catalogue: Catalogue) -> list[Holding]:
    """Return what each store of the catalogue holds, in the order in which they were added."""
    query = (
        select(
            Store.id,
            Store.name,
            Store.kind,
            func.count(AssetLocation.asset_id),
            func.coalesce(func.sum(Asset.bytes), 0),
            func.count(AssetLocation.problem),
            func.min(AssetLocation.verified_at),
        )
        .outerjoin(AssetLocation, AssetLocation.store_id == Store.id)
        .outerjoin(Asset, AssetLocation.asset_id == Asset.id)
        .group_by(Store.id)
        .order_by(Store.id)
    )
    with catalogue.reading() as session:
        return [
            Holding(store_id, name, kind, assets, int(size), problems, oldest)
            for store_id, name, kind, assets, size, problems, oldest in session.execute(query)
        ]
