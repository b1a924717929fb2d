"""Collecting garbage: only what no row names and nobody touches is set aside; none is deleted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from datastore.assets import register_asset
from datastore.catalogue import Catalogue
from datastore.clocks import FixedClock
from datastore.errors import GarbageError
from datastore.stores.collection import CollectionReport, collect_garbage
from datastore.tables import AuditEntry
from tests.support.catalogue_rows import NOW
from tests.support.stored_files import actions, add_replica, store_files

TWO_DAYS = timedelta(hours=48)
NEXT_WEEK = datetime.now(UTC) + timedelta(days=7)


def collected(
    catalogue: Catalogue,
    *,
    at: datetime = NEXT_WEEK,
    at_most: int = 100,
    dry_run: bool = False,
    spared: tuple[str, ...] = (),
) -> CollectionReport:
    return collect_garbage(
        catalogue,
        catalogue.store,
        clock=FixedClock(at),
        older_than=TWO_DAYS,
        at_most=at_most,
        dry_run=dry_run,
        spared=spared,
    )


def test_old_files_that_no_row_names_are_set_aside(catalogue: Catalogue) -> None:
    named = store_files(catalogue, 3)
    store = catalogue.store
    garbage = [store.put_bytes(b"garbage %d" % number).sha256 for number in range(2)]
    (store.root / "unfinished" / "partial").write_bytes(b"par")
    planned = collected(catalogue, dry_run=True)
    assert [file.sha256 for file in planned.collected] == sorted(garbage)
    assert all(store.contains(sha256) for sha256 in garbage)
    assert actions(catalogue) == []
    report = collected(catalogue)
    assert report.collected == planned.collected
    assert (report.collected_bytes, report.younger) == (2 * len(b"garbage 0"), 0)
    assert not any(store.contains(sha256) for sha256 in garbage)
    for sha256 in named:
        store.verify(sha256)
    kept = [store.set_aside_before(sha256)[0] for sha256 in garbage]
    assert [path.read_bytes() for path in kept] == [b"garbage 0", b"garbage 1"]
    assert actions(catalogue) == ["store.gc"]
    with catalogue.reading() as session:
        entry = session.scalars(select(AuditEntry)).one().entry
    assert entry["kept"] == {sha: str(path) for sha, path in zip(garbage, kept, strict=True)}
    assert collected(catalogue).collected == []


def test_unfinished_files_of_dead_processes_are_removed(sqlite_catalogue: Catalogue) -> None:
    store = sqlite_catalogue.store
    store.put_bytes(b"something")
    partial = store.root / "unfinished" / "partial"
    partial.write_bytes(b"par")
    assert collected(sqlite_catalogue).unfinished == 0
    for dry_run in (True, False):
        report = collect_garbage(
            sqlite_catalogue,
            store,
            clock=FixedClock(NEXT_WEEK),
            older_than=timedelta(0),
            at_most=5,
            dry_run=dry_run,
        )
        assert report.unfinished == 1
    assert not partial.exists()


def test_young_files_and_what_the_spool_knows_stay(sqlite_catalogue: Catalogue) -> None:
    sha256 = sqlite_catalogue.store.put_bytes(b"its row is on its way").sha256
    young = collected(sqlite_catalogue, at=datetime.now(UTC))
    assert (young.collected, young.younger) == ([], 1)
    spared = collected(sqlite_catalogue, spared=(sha256,))
    assert (spared.collected, spared.younger) == ([], 0)
    assert sqlite_catalogue.store.contains(sha256)


def test_copies_that_lack_only_their_row_stay(catalogue: Catalogue, tmp_path: Path) -> None:
    store_files(catalogue, 1)
    replica = add_replica(catalogue, tmp_path / "replica")
    with catalogue.writing() as session:
        late = register_asset(session, catalogue.store.put_bytes(b"late"), "other", NOW)
    replica.put_bytes(b"late")
    garbage = replica.put_bytes(b"garbage").sha256
    report = collect_garbage(
        catalogue, replica, clock=FixedClock(NEXT_WEEK), older_than=TWO_DAYS, at_most=5
    )
    assert [file.sha256 for file in report.collected] == [garbage]
    assert replica.contains(late.sha256)


def test_more_than_can_be_garbage_is_refused(sqlite_catalogue: Catalogue) -> None:
    hashes = [sqlite_catalogue.store.put_bytes(b"%d" % number).sha256 for number in range(4)]
    with pytest.raises(GarbageError, match="more than 3 files"):
        collected(sqlite_catalogue, at_most=3)
    assert all(sqlite_catalogue.store.contains(sha256) for sha256 in hashes)
    assert len(collected(sqlite_catalogue, at_most=4).collected) == 4


def test_a_file_whose_row_comes_at_the_last_moment_stays(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = catalogue.store.put_bytes(b"frame")
    real = catalogue.store.set_aside_unused

    def set_aside_unused(sha256: str, untouched_since: datetime) -> str | None:
        kept = real(sha256, untouched_since)
        # a process that slept for days goes on right now
        with catalogue.writing() as session:
            register_asset(session, stored, "raw", NOW)
        return kept

    monkeypatch.setattr(catalogue.store, "set_aside_unused", set_aside_unused)
    report = collected(catalogue)
    assert (report.collected, report.younger) == ([], 1)
    assert catalogue.store.verify(stored.sha256) == stored
