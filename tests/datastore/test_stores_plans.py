"""Looking after stores reads rows along an index, page by page, however many there are."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, insert, text

from datastore.catalogue import Catalogue
from datastore.stores import _comparison, _locations, repair
from datastore.tables import Asset, AssetLocation, Store
from tests.support.catalogue_rows import NOW

ROWS = 2000
LATER = NOW + timedelta(days=1)

READINGS: dict[str, tuple[Callable[[Catalogue], Iterable[Any]], dict[str, str]]] = {
    "compare": (
        lambda catalogue: _comparison.compare(catalogue, catalogue.store),
        {"sqlite": "sqlite_autoindex_asset_1", "postgresql": "uq_asset_sha256"},
    ),
    "longest-unread": (
        lambda catalogue: _locations.longest_unread(catalogue, 1, LATER),
        dict.fromkeys(("sqlite", "postgresql"), "ix_asset_location_unverified"),
    ),
    "with-problem": (
        lambda catalogue: _locations.with_problem(catalogue, 1),
        dict.fromkeys(("sqlite", "postgresql"), "ix_asset_location_problem"),
    ),
    "to-repair": (
        lambda catalogue: repair._copies_of_each(catalogue, ["local"], ["local"]),
        dict.fromkeys(("sqlite", "postgresql"), "ix_asset_location_problem"),
    ),
}


@pytest.mark.parametrize("name", READINGS)
def test_pages_lie_along_an_index(
    catalogue: Catalogue, backend: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module, constant in ((_comparison, "_PAGE"), (_locations, "PAGE"), (repair, "PAGE")):
        monkeypatch.setattr(module, constant, 100)
    fill(catalogue)
    read, indexes = READINGS[name]
    plans = explained(catalogue, backend, statements(catalogue, read))
    assert any(indexes[backend] in plan for plan in plans)
    for plan in plans:
        assert not any(word in plan for word in ("SCAN", "TEMP B-TREE", "Seq Scan", "Sort")), plan


def fill(catalogue: Catalogue) -> None:
    """Add assets with copies in two stores, every tenth with a problem."""
    assets = [
        {
            "id": number,
            "sha256": hashlib.sha256(b"%d" % number).hexdigest(),
            "bytes": 1,
            "role": "raw",
            "created_at": NOW,
        }
        for number in range(1, ROWS + 1)
    ]
    copies = [
        {
            "asset_id": number,
            "store_id": store_id,
            "verified_at": NOW + timedelta(seconds=number % 7),
            "problem": "missing" if number % 10 == 0 else None,
        }
        for number in range(1, ROWS + 1)
        for store_id in (1, 2)
    ]
    stores = [
        {"id": number, "name": name, "kind": "local", "created_at": NOW}
        for number, name in ((1, "local"), (2, "replica"))
    ]
    with catalogue.writing() as session:
        session.execute(insert(Store), stores)
        session.execute(insert(Asset), assets)
        session.execute(insert(AssetLocation), copies)
        session.execute(text("analyze"))


def statements(catalogue: Catalogue, read: Callable[[Catalogue], Iterable[Any]]) -> dict[str, Any]:
    """Return what a reading asks the database, with the values of the first time."""
    with catalogue.reading() as session:
        reader = session.get_bind()
    asked: dict[str, Any] = {}

    def note(_connection: Any, _cursor: Any, sql: str, values: Any, *_: Any) -> None:
        if " asset" in sql:
            asked.setdefault(sql, values)

    event.listen(reader, "before_cursor_execute", note)
    try:
        assert sum(1 for _ in read(catalogue)) >= ROWS // 10
    finally:
        event.remove(reader, "before_cursor_execute", note)
    return asked


def explained(catalogue: Catalogue, backend: str, asked: dict[str, Any]) -> list[str]:
    plans = []
    for sql, values in asked.items():
        with catalogue.reading() as session:
            connection = session.connection()
            if backend == "sqlite":
                rows = connection.exec_driver_sql(f"explain query plan {sql}", values)
                plans.append("\n".join(row[3] for row in rows))
                continue
            # what can be done another way is done so: two thousand rows are soon read and sorted
            for way in ("seqscan", "bitmapscan", "hashjoin", "mergejoin", "sort"):
                connection.exec_driver_sql(f"set local enable_{way} = off")
            rows = connection.exec_driver_sql(f"explain (costs off) {sql}", values)
            plans.append("\n".join(row[0] for row in rows))
    return plans
