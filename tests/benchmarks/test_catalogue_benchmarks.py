"""The benchmarks of the catalogue: both sides do the same, and every comparison is told."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from benchmarks import _bulk_import, _folder_import, ingest
from benchmarks.__main__ import main, names
from benchmarks._synthetic_catalogue import (
    SCHEME,
    Synthetic,
    add_surroundings,
    bulk_shots,
    cached_catalogue,
)
from benchmarks.catalogue_query import both, compare
from datastore.bulk import write_shots
from datastore.catalogue import open_catalogue
from datastore.clocks import HostClock
from datastore.counts import count_shots
from migrations import runner

SMALL = Synthetic(3000, cameras=3, scenes=2, years=1)
TABLES = (
    *("shot", "shot_event", "shot_status", "asset", "asset_location", "frame_measures", "verdict"),
)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder where catalogues are cached."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path / "agetrace-synthetic"


def rows(path: Path, table: str) -> list[tuple[Any, ...]]:
    """Return the rows of a table, without the numbers that they got."""
    with closing(sqlite3.connect(path)) as connection:
        columns = [row[1] for row in connection.execute(f"pragma table_info({table})")]
        named = ", ".join(name for name in columns if name == "shot_id" or not name.endswith("id"))
        return sorted(connection.execute(f"select {named} from {table}").fetchall(), key=str)


def test_a_catalogue_that_is_filled_quickly_is_the_one_that_is_written_in_bulk(
    cache: Path, tmp_path: Path
) -> None:
    quickly = cached_catalogue(SMALL)
    url = f"sqlite:///{tmp_path / 'bulk.sqlite'}"
    runner.create(url)
    with open_catalogue(url, tmp_path / "store") as catalogue:
        add_surroundings(catalogue, SMALL)
        assert write_shots(catalogue, bulk_shots(SMALL), clock=HostClock()).written == 3000
    for table in TABLES:
        assert rows(quickly, table) == rows(tmp_path / "bulk.sqlite", table), table
    assert cached_catalogue(SMALL) == quickly
    assert [path.name for path in cache.iterdir()] == [quickly.name]


def test_pages_and_counts_are_the_same_by_hand(cache: Path) -> None:
    url = f"sqlite:///{cached_catalogue(SMALL)}"
    results = compare("small", url, SMALL, pages=18)
    assert [result.name.removeprefix("catalogue-query-small-") for result in results] == [
        "open",
        "page-cold-p99",
        "page-p99",
        "page-mean",
        "counts",
        "counts-goal",
    ]
    assert all(result.ratio == pytest.approx(result.peer / result.ours) for result in results)
    with both(url) as (catalogue, peer):
        by_hand = sum(row[-1] for row in peer.counts())
        ours = count_shots(catalogue, scheme=SCHEME)
    assert by_hand == sum(count.shots for count in ours if count.values[0] is not None) > 2900


def test_bulk_imports_are_compared() -> None:
    result = _bulk_import.bulk_sqlite(2000)
    assert result.unit == "shots/s"
    assert result.ratio == pytest.approx(result.ours / result.peer)
    assert "import" in names()


def test_a_folder_is_imported_on_both_sides() -> None:
    result = _folder_import.folder(3)
    assert (result.name, result.repeats) == ("import-folder", 3)
    assert result.ratio == pytest.approx(result.ours / result.peer)


def test_ingest_tells_every_comparison(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ingest, "SIZES", (ingest.Size(megabytes=1, few=3, many=3),))
    main(["ingest", "--json"])
    results = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [result["name"] for result in results] == ["ingest-1MB-bare", "ingest-1MB-durable"]
    assert all(result["repeats"] == 3 and result["ours"] > 0 for result in results)
