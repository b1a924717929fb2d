"""Snapshots and the reference of tables: all rows, readable by anybody, with their meanings."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from datastore.catalogue import Catalogue, open_catalogue
from datastore.errors import (
    CatalogueBusyError,
    CatalogueFullError,
    NoCatalogueError,
    SnapshotRefusedError,
)
from datastore.revision import EXPECTED_REVISION
from datastore.snapshot import make_snapshot
from datastore.table_meanings import reference, table_meanings
from datastore.tables import Base
from datastore.vacuuming import vacuum
from tests.support.catalogue_rows import NOW, add_camera, add_session, add_shot
from tests.support.catalogues import sqlite_url
from tests.support.stored_catalogues import fill
from tests.support.stored_rows import START, sha256, uuid

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "tables.md"


def test_a_snapshot_holds_every_row_and_flat_views(empty_url: str, tmp_path: Path) -> None:
    fill(empty_url, EXPECTED_REVISION)
    file = tmp_path / "lab.db"
    with open_catalogue(empty_url, tmp_path / "store") as catalogue:
        made = make_snapshot(catalogue, file, at=NOW)
    assert {path.name for path in tmp_path.glob("*lab*")} == {"lab.db", "lab.metadata.json"}
    with closing(sqlite3.connect(f"{file.as_uri()}?immutable=1", uri=True)) as snapshot:
        snapshot.row_factory = sqlite3.Row
        assert snapshot.execute("pragma journal_mode").fetchone()[0] == "delete"
        assert snapshot.execute("pragma foreign_key_check").fetchall() == []
        counts = {
            table: snapshot.execute(f'select count(*) from "{table}"').fetchone()[0]
            for table in Base.metadata.tables
        }
        assert min(counts.values()) > 0
        assert sum(counts.values()) == made.rows
        keys = snapshot.execute("pragma foreign_key_list(shot)").fetchall()
        assert {key["table"] for key in keys} == {"camera", "session", "scene_revision"}
        shots = {row["id"]: dict(row) for row in snapshot.execute("select * from shots")}
        assert len(shots) == counts["shot"]
        expected = {
            "session": uuid(1001),
            "camera_serial": "7100001",
            "camera_model": "D7100",
            "kind": "dark-field",
            "exposure": "1/30",
            "state": "registered",
            "verdict": "accepted",
            "verdict_author": "Ana",
            "exif_temperature_c": 31.5,
            "frame_sha256": sha256(1),
            "frame_role": "raw",
            "mean_dn": 601.5,
        }
        assert {name: shots[1][name] for name in expected} == expected
        assert shots[4]["scene"] == "books@1"
        assert (shots[20]["camera_serial"], shots[20]["verdict"]) == (None, "quarantined")
        counted = snapshot.execute("select sum(shots) from counts").fetchone()[0]
        assert counted == counts["shot"]
        sessions = snapshot.execute(
            "select fixture, recipe, state, shots from sessions order by id"
        )
        assert tuple(sessions.fetchone()) == (
            "north@1",
            "weekly",
            "camera-lost",
            counts["shot"] - 1,
        )
        occurrences = snapshot.execute("select schedule, state, sessions from occurrences")
        assert [tuple(row) for row in occurrences] == [
            ("weekly", "completed", uuid(1001)),
            ("weekly", "missed", None),
        ]
        (started,) = snapshot.execute("select started_at from session where id = 1").fetchone()
        assert started == START.replace(tzinfo=None).isoformat(sep=" ")
    described = json.loads(made.metadata.read_text())["databases"]["lab"]["tables"]
    assert described["shots"]["description"]
    assert described["shot"]["columns"]["exposure"].startswith("Requested")
    with pytest.raises(NoCatalogueError):
        open_catalogue(f"sqlite:///{file}", tmp_path / "store")


def test_a_snapshot_replaces_nothing_unasked(sqlite_catalogue: Catalogue, tmp_path: Path) -> None:
    file = tmp_path / "lab.sqlite"
    file.write_text("mine")
    with pytest.raises(SnapshotRefusedError, match="already"):
        make_snapshot(sqlite_catalogue, file, at=NOW)
    assert file.read_text() == "mine"
    with pytest.raises(SnapshotRefusedError, match="the catalogue itself"):
        make_snapshot(sqlite_catalogue, tmp_path / "catalogue.sqlite", at=NOW, replace=True)
    with pytest.raises(SnapshotRefusedError, match="no folder"):
        make_snapshot(sqlite_catalogue, tmp_path / "absent" / "lab.sqlite", at=NOW)
    made = make_snapshot(sqlite_catalogue, file, at=NOW, replace=True)
    assert made.rows == 0
    assert file.read_bytes().startswith(b"SQLite format 3")
    assert list(tmp_path.glob("unfinished*")) == []


def test_the_reference_of_tables_is_current() -> None:
    assert REFERENCE.read_text(encoding="utf-8") == reference(), (
        "write it anew: python -m datastore.table_meanings > docs/reference/tables.md"
    )
    assert [table.name for table in table_meanings()] == sorted(Base.metadata.tables)
    assert all(table.meaning for table in table_meanings())


def test_vacuuming_makes_a_catalogue_small_and_loses_nothing(url: str, tmp_path: Path) -> None:
    with open_catalogue(url, tmp_path / "store") as catalogue, catalogue.writing() as session:
        camera, run = add_camera(session), add_session(session)
        for sequence in range(300):
            add_shot(session, run, camera, sequence)
        # a table whose rows may go: what it leaves is unused space
        session.connection().exec_driver_sql("delete from shot_status")
    done = vacuum(url)
    assert done.bytes_before > 0
    if url.startswith("sqlite"):
        assert done.bytes_after < done.bytes_before
        assert done.bytes_after == (tmp_path / "catalogue.sqlite").stat().st_size
        with closing(sqlite3.connect(tmp_path / "catalogue.sqlite")) as connection:
            assert connection.execute("select count(*) from sqlite_stat1").fetchone()[0] > 0
            assert connection.execute("select count(*) from shot").fetchone() == (300,)
    with pytest.raises(NoCatalogueError):
        vacuum(sqlite_url(tmp_path / "absent"))


def test_vacuuming_waits_for_a_writer_only_so_long(
    sqlite_catalogue: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("datastore.engine.BUSY_TIMEOUT_S", 1)
    with sqlite_catalogue.writing(), pytest.raises(CatalogueBusyError, match="locked"):
        vacuum(sqlite_url(tmp_path))


def test_vacuuming_without_room_is_refused_before_it_begins(
    sqlite_catalogue: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = (tmp_path / "catalogue.sqlite").stat().st_size
    almost = shutil.disk_usage(tmp_path)._replace(free=2 * size - 1)
    monkeypatch.setattr("shutil.disk_usage", lambda _: almost)
    with pytest.raises(CatalogueFullError, match="nothing was changed"):
        vacuum(sqlite_url(tmp_path))
