"""Reconciling: rows without a file and files without a row are found; no shot gets a stray one."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from datastore.catalogue import Catalogue
from datastore.clocks import FixedClock
from datastore.errors import RequestError, StoreUnavailableError
from datastore.store import LocalStore
from datastore.stores import _comparison
from datastore.stores.reconciliation import ReconciliationReport, reconcile
from datastore.tables import Asset, Shot
from tests.support.imports import jpeg
from tests.support.stored_files import (
    actions,
    flip_a_bit,
    problems,
    store_files,
    verified,
)

MONTHS_LATER = datetime.now(UTC) + timedelta(days=100)


def reconciled(catalogue: Catalogue, **options: object) -> ReconciliationReport:
    return reconcile(catalogue, catalogue.store, clock=FixedClock(MONTHS_LATER), **options)  # type: ignore[arg-type]


def test_a_store_that_is_as_the_catalogue_says(catalogue: Catalogue) -> None:
    store_files(catalogue, 5)
    dates = verified(catalogue)
    told: list[tuple[int, int]] = []

    def tell(done: int, total: int) -> None:
        told.append((done, total))

    report = reconciled(catalogue, progress=tell)
    assert report.to_json() == {
        "store": "local",
        "matched": 5,
        "sound_again": 0,
        "problems": {},
        "findings": [],
        "without_row": {},
        "without_row_bytes": 0,
        "orphans": [],
    }
    assert told == [(number, 5) for number in range(1, 6)]
    # names and sizes were compared; that the bytes are sound is another matter
    assert verified(catalogue) == dates


def test_rows_without_a_sound_file_say_so(catalogue: Catalogue) -> None:
    gone, short, sound = store_files(catalogue, 3)
    catalogue.store.path(gone).unlink()
    cut = catalogue.store.path(short)
    cut.chmod(0o644)
    cut.write_bytes(cut.read_bytes()[:-1])
    report = reconciled(catalogue)
    assert {(one.problem, one.location.sha256) for one in report.findings} == {
        ("missing", gone),
        ("damaged", short),
    }
    assert report.matched == 1
    assert problems(catalogue) == {gone: "missing", short: "damaged"}
    assert len(catalogue.store.set_aside_before(short)) == 1
    assert sorted(actions(catalogue)) == ["asset.problem", "asset.quarantine"]
    assert catalogue.store.contains(sound)


def test_a_file_that_came_back_is_read_and_its_row_put_in_order(
    sqlite_catalogue: Catalogue,
) -> None:
    (sha256,) = store_files(sqlite_catalogue, 1)
    data = sqlite_catalogue.store.read_bytes(sha256)
    sqlite_catalogue.store.path(sha256).unlink()
    assert reconciled(sqlite_catalogue).counts["missing"] == 1
    sqlite_catalogue.store.put_bytes(data)
    report = reconciled(sqlite_catalogue)
    assert (report.matched, report.sound_again, report.findings) == (1, 1, [])
    assert problems(sqlite_catalogue) == {}


def test_files_without_a_row_are_told_by_what_is_known_of_them(sqlite_catalogue: Catalogue) -> None:
    store_files(sqlite_catalogue, 3)
    stray, spooled = (
        sqlite_catalogue.store.put_bytes(data).sha256 for data in (b"stray", b"spooled")
    )
    explanations = {spooled: "It waits in the spool."}
    report = reconciled(sqlite_catalogue, explanations=explanations)
    assert {orphan.file.sha256: orphan.outcome for orphan in report.orphans} == {
        stray: "orphan",
        spooled: "explained",
    }
    assert report.orphan_bytes == len(b"stray") + len(b"spooled")
    assert report.matched == 3
    # now, its row may still be on its way
    young = reconcile(sqlite_catalogue, sqlite_catalogue.store, clock=FixedClock(datetime.now(UTC)))
    assert young.orphan_counts == {"in-work": 2}


def test_orphans_are_exported_to_be_imported_and_given_to_no_shot(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    contents = {jpeg(): ".jpg", b"SIMPLE  =  T": ".fits", b"II*\0": ".raw", b"?": ".bin"}
    for data in contents:
        catalogue.store.put_bytes(data)
    bad = catalogue.store.put_bytes(b"to be damaged").sha256
    flip_a_bit(catalogue.store.path(bad), 3)
    folder = tmp_path / "found" / "here"
    report = reconciled(catalogue, export_folder=folder)
    assert report.orphan_counts == {"exported": 4, "orphan": 1}
    expected = {
        f"{hashlib.sha256(data).hexdigest()}{suffix}": data for data, suffix in contents.items()
    }
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == expected
    assert catalogue.store.contains(bad)
    # once more changes nothing
    assert reconciled(catalogue, export_folder=folder).orphan_counts == report.orphan_counts
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == expected
    with catalogue.reading() as session:
        for table in (Asset, Shot):
            assert session.scalar(select(func.count()).select_from(table)) == 0


def test_a_folder_that_cannot_be_is_refused_before_anything_is_done(
    sqlite_catalogue: Catalogue, tmp_path: Path
) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(RequestError, match="taken"):
        reconciled(sqlite_catalogue, export_folder=tmp_path / "taken" / "below")


def test_a_copy_of_a_known_asset_is_adopted_after_it_was_read(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    good, bad = store_files(catalogue, 2)
    # as after the restore of a backup that is older than the replica
    replica = LocalStore(tmp_path / "replica", "replica")
    for sha256 in (good, bad):
        replica.put_bytes(catalogue.store.read_bytes(sha256))
    flip_a_bit(replica.path(bad))
    clock = FixedClock(MONTHS_LATER)
    seen = reconcile(catalogue, replica, clock=clock)
    assert seen.orphan_counts == {"unrecorded": 2}
    assert verified(catalogue, "replica") == {}
    report = reconcile(catalogue, replica, clock=clock, adopt=True)
    assert {orphan.file.sha256: orphan.outcome for orphan in report.orphans} == {
        good: "adopted",
        bad: "unrecorded",
    }
    assert verified(catalogue, "replica") == {good: MONTHS_LATER}
    assert actions(catalogue)[-1] == "asset.adopt"
    assert reconcile(catalogue, replica, clock=clock, adopt=True).orphan_counts == {"unrecorded": 1}


def test_many_pages_are_merged_in_order(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_comparison, "_PAGE", 3)
    monkeypatch.setattr(_comparison, "_BATCH", 2)
    hashes = store_files(catalogue, 20)
    for sha256 in hashes[::3]:
        catalogue.store.path(sha256).unlink()
    strays = {catalogue.store.put_bytes(b"stray %d" % number).sha256 for number in range(7)}
    report = reconciled(catalogue)
    assert {one.location.sha256 for one in report.findings} == set(hashes[::3])
    assert [orphan.file.sha256 for orphan in report.orphans] == sorted(strays)
    assert report.matched == 13


def test_a_store_that_is_not_mounted_is_not_judged(
    sqlite_catalogue: Catalogue, tmp_path: Path
) -> None:
    store_files(sqlite_catalogue, 1)
    sqlite_catalogue.store.root.rename(tmp_path / "elsewhere")
    with pytest.raises(StoreUnavailableError):
        reconciled(sqlite_catalogue)
    assert problems(sqlite_catalogue) == {}
