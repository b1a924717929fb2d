"""Repairing: copies come back from sound ones; what has none is named with its research."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

import pytest
from sqlalchemy import select

from datastore.assets import register_asset
from datastore.catalogue import Catalogue
from datastore.clocks import FixedClock
from datastore.errors import StoreUnavailableError
from datastore.store import LocalStore
from datastore.stores.description import LocalDescription
from datastore.stores.mounted import create_local_store
from datastore.stores.protocol import AssetStore
from datastore.stores.reconciliation import reconcile
from datastore.stores.registry import Stores
from datastore.stores.repair import RepairReport, repair
from datastore.stores.verification import verify
from datastore.tables import AuditEntry, Dataset, DatasetItem, Experiment
from tests.support.catalogue_rows import NOW, add_camera, add_session, add_shot
from tests.support.stored_files import (
    LATER,
    actions,
    add_replica,
    flip_a_bit,
    locations,
    problems,
    store_files,
    verified,
)

AFTERWARDS = LATER + timedelta(days=1)


def stores_of(*stores: LocalStore) -> Mapping[str, AssetStore]:
    return {store.name: store for store in stores}


def verify_all(catalogue: Catalogue, *stores: LocalStore) -> None:
    for store in stores:
        verify(catalogue, store, clock=FixedClock(LATER))


def repair_all(catalogue: Catalogue, *stores: LocalStore, dry_run: bool = False) -> RepairReport:
    return repair(catalogue, stores_of(*stores), clock=FixedClock(AFTERWARDS), dry_run=dry_run)


def test_a_flipped_bit_is_repaired_from_the_replica(catalogue: Catalogue, tmp_path: Path) -> None:
    first, bad, gone = store_files(catalogue, 3)
    replica = add_replica(catalogue, tmp_path / "replica")
    own = catalogue.store
    damaged = flip_a_bit(own.path(bad))
    own.path(gone).unlink()
    verify_all(catalogue, own, replica)
    planned = repair_all(catalogue, own, replica, dry_run=True)
    assert (planned.repaired, planned.failed) == (2, 0)
    assert problems(catalogue) == {bad: "damaged", gone: "missing"}
    report = repair_all(catalogue, own, replica)
    assert (report.repaired, report.repaired_bytes, report.failed) == (2, 2 * 992, 0)
    for sha256 in (first, bad, gone):
        own.verify(sha256)
    assert problems(catalogue) == {}
    assert verified(catalogue) == {first: LATER, bad: AFTERWARDS, gone: AFTERWARDS}
    (kept,) = own.set_aside_before(bad)
    assert kept.read_bytes() == damaged
    assert actions(catalogue).count("asset.repair") == 2
    with catalogue.reading() as session:
        entry = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
        assert entry is not None
        assert entry.entry == {"sha256": gone, "store": "local", "source": "replica"}
    assert repair_all(catalogue, own, replica) == RepairReport()


def test_both_stores_are_repaired_from_each_other(catalogue: Catalogue, tmp_path: Path) -> None:
    here, there = store_files(catalogue, 2)
    replica = add_replica(catalogue, tmp_path / "replica")
    flip_a_bit(catalogue.store.path(here))
    flip_a_bit(replica.path(there))
    verify_all(catalogue, catalogue.store, replica)
    only = repair(
        catalogue,
        stores_of(catalogue.store, replica),
        clock=FixedClock(AFTERWARDS),
        names=["replica"],
    )
    assert (only.repaired, problems(catalogue)) == (1, {here: "damaged"})
    assert repair_all(catalogue, catalogue.store, replica).repaired == 1
    for store in (catalogue.store, replica):
        assert store.verify(here)
        assert store.verify(there)


def test_a_copy_that_was_brought_again_is_found_sound(catalogue: Catalogue) -> None:
    (sha256,) = store_files(catalogue, 1)
    sound = catalogue.store.read_bytes(sha256)
    catalogue.store.path(sha256).unlink()
    verify_all(catalogue, catalogue.store)
    catalogue.store.put_bytes(sound)
    report = repair_all(catalogue, catalogue.store)
    assert (report.sound_again, report.repaired, report.failed) == (1, 0, 0)
    assert problems(catalogue) == {}
    assert actions(catalogue)[-1] == "asset.sound-again"


def test_what_cannot_be_read_makes_way_for_a_sound_copy(
    sqlite_catalogue: Catalogue, tmp_path: Path
) -> None:
    (sha256,) = store_files(sqlite_catalogue, 1)
    replica = add_replica(sqlite_catalogue, tmp_path / "replica")
    path = sqlite_catalogue.store.path(sha256)
    path.unlink()
    path.mkdir()
    verify_all(sqlite_catalogue, sqlite_catalogue.store)
    assert problems(sqlite_catalogue) == {sha256: "unreadable"}
    assert repair_all(sqlite_catalogue, sqlite_catalogue.store, replica).repaired == 1
    sqlite_catalogue.store.verify(sha256)
    assert [kept.is_dir() for kept in sqlite_catalogue.store.set_aside_before(sha256)] == [True]


def test_a_source_that_proves_damaged_is_noted_and_the_next_one_taken(
    sqlite_catalogue: Catalogue, tmp_path: Path
) -> None:
    (sha256,) = store_files(sqlite_catalogue, 1)
    second = add_replica(sqlite_catalogue, tmp_path / "second", "second")
    third = add_replica(sqlite_catalogue, tmp_path / "third", "third")
    sqlite_catalogue.store.path(sha256).unlink()
    verify_all(sqlite_catalogue, sqlite_catalogue.store)
    bad = flip_a_bit(second.path(sha256))
    report = repair_all(sqlite_catalogue, sqlite_catalogue.store, second, third)
    assert (report.repaired, report.failed) == (1, 0)
    sqlite_catalogue.store.verify(sha256)
    # its own row says so from now on, and the next repair restores it, too
    assert problems(sqlite_catalogue, "second") == {sha256: "damaged"}
    assert second.set_aside_before(sha256)[0].read_bytes() == bad
    assert repair_all(sqlite_catalogue, sqlite_catalogue.store, second, third).repaired == 1
    second.verify(sha256)


def test_sound_bytes_in_the_own_quarantine_are_taken_back(sqlite_catalogue: Catalogue) -> None:
    (sha256,) = store_files(sqlite_catalogue, 1)
    sqlite_catalogue.store.set_aside(sha256)
    verify_all(sqlite_catalogue, sqlite_catalogue.store)
    assert repair_all(sqlite_catalogue, sqlite_catalogue.store).repaired == 1
    sqlite_catalogue.store.verify(sha256)


def test_what_has_no_sound_copy_is_named_with_shot_session_and_research(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    store = catalogue.store
    with catalogue.writing() as session:
        taken_in = add_session(session)
        shot = add_shot(session, taken_in, add_camera(session), 1)
        frame = register_asset(session, store.put_bytes(b"a frame"), "raw", NOW, shot_id=shot.id)
        manifest = register_asset(session, store.put_bytes(b"its manifest"), "manifest", NOW)
        dataset = Dataset(
            version="v" * 64,
            name="years",
            specification={},
            waived=[],
            manifest_asset_id=manifest.id,
            created_at=NOW,
        )
        session.add(dataset)
        session.flush()
        session.add(
            DatasetItem(
                dataset_id=dataset.id,
                position=0,
                asset_id=frame.id,
                class_name="early",
                block="train",
            )
        )
        experiment = Experiment(
            name="srnet",
            dataset_id=dataset.id,
            specification={},
            content_sha256="e" * 64,
            code_version="1",
            created_at=NOW,
        )
        session.add(experiment)
        session.flush()
        uuids = shot.uuid, taken_in.uuid, experiment.uuid
    replica = add_replica(catalogue, tmp_path / "replica")
    for each in (store, replica):
        flip_a_bit(each.path(frame.sha256), 3)
    verify_all(catalogue, store, replica)
    report = repair_all(catalogue, store, replica)
    assert (report.repaired, report.failed, report.lost) == (0, 2, 2)
    told = report.to_json()["unrepaired"][0]
    assert (told["store"], told["problem"], told["lost"]) == ("local", "damaged", True)
    assert (told["shot_id"], told["session_id"]) == uuids[:2]
    assert told["uses"] == [
        {"kind": "dataset", "name": "years", "identity": "v" * 64},
        {"kind": "experiment", "name": "srnet", "identity": uuids[2]},
    ]
    assert set(problems(catalogue)) == set(problems(catalogue, "replica")) == {frame.sha256}


class OutOfReach(LocalStore):
    """A store whose server does not answer."""

    def open(self, sha256: str) -> BinaryIO:
        raise StoreUnavailableError("the server does not answer")


def test_a_copy_out_of_reach_is_not_lost(catalogue: Catalogue, tmp_path: Path) -> None:
    hashes = store_files(catalogue, 2)
    replica = add_replica(catalogue, tmp_path / "replica")
    for sha256 in hashes:
        catalogue.store.path(sha256).unlink()
    verify_all(catalogue, catalogue.store)
    report = repair_all(catalogue, catalogue.store, OutOfReach(replica.root, "replica"))
    assert (report.repaired, report.failed, report.lost) == (0, 2, 0)
    assert "does not answer" in report.unrepaired[0].detail
    # nor is one in a store that only another host knows
    stores = Stores(catalogue.store, {})
    assert repair(catalogue, stores, clock=FixedClock(AFTERWARDS)).lost == 0
    promised = repair(catalogue, stores, clock=FixedClock(AFTERWARDS), dry_run=True)
    assert (promised.failed, promised.lost) == (2, 0)
    assert "replica" in promised.unrepaired[0].detail
    assert problems(catalogue, "replica") == {}


def test_a_lost_disk_is_filled_anew(sqlite_catalogue: Catalogue, tmp_path: Path) -> None:
    hashes = store_files(sqlite_catalogue, 5)
    replica = add_replica(sqlite_catalogue, tmp_path / "replica")
    verify_all(sqlite_catalogue, replica)
    shutil.rmtree(sqlite_catalogue.store.root)
    (sqlite_catalogue.store.root / "sha256").mkdir(parents=True)
    verify_all(sqlite_catalogue, sqlite_catalogue.store)
    told: list[tuple[int, int]] = []

    def tell(done: int, total: int) -> None:
        told.append((done, total))

    report = repair(
        sqlite_catalogue,
        stores_of(sqlite_catalogue.store, replica),
        clock=FixedClock(AFTERWARDS),
        progress=tell,
    )
    assert (report.repaired, report.failed) == (5, 0)
    assert told == [(number, 5) for number in range(1, 6)]
    assert {row.verified_at for row in locations(sqlite_catalogue).values()} == {AFTERWARDS}
    for sha256 in hashes:
        sqlite_catalogue.store.verify(sha256)


def test_an_unmounted_store_is_not_written_to(sqlite_catalogue: Catalogue, tmp_path: Path) -> None:
    (sha256,) = store_files(sqlite_catalogue, 1)
    replica = add_replica(sqlite_catalogue, tmp_path / "replica")
    sqlite_catalogue.store.path(sha256).unlink()
    verify_all(sqlite_catalogue, sqlite_catalogue.store)
    sqlite_catalogue.store.root.rename(tmp_path / "elsewhere")
    report = repair_all(sqlite_catalogue, sqlite_catalogue.store, replica)
    assert (report.repaired, report.failed, report.lost) == (0, 1, 0)
    assert "mount its disk" in report.unrepaired[0].detail
    assert not sqlite_catalogue.store.root.exists()


def test_a_new_disk_of_a_replica_needs_its_sign_alone(
    sqlite_catalogue: Catalogue, tmp_path: Path
) -> None:
    store_files(sqlite_catalogue, 2)
    add_replica(sqlite_catalogue, tmp_path / "replica")
    shutil.rmtree(tmp_path / "replica")
    description = LocalDescription(kind="local", root=tmp_path / "replica")
    stores = Stores(sqlite_catalogue.store, {"replica": description})
    with pytest.raises(StoreUnavailableError, match="needs the file"):
        stores["replica"]
    create_local_store("replica", description)
    report = reconcile(sqlite_catalogue, stores["replica"], clock=FixedClock(LATER))
    assert report.counts == {"missing": 2}
    assert repair(sqlite_catalogue, stores, clock=FixedClock(AFTERWARDS)).repaired == 2
    assert verify(sqlite_catalogue, stores["replica"], clock=FixedClock(AFTERWARDS)).verified == 2
