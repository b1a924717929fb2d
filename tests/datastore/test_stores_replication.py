"""Replication: sound copies first, then their rows; what is amiss is said and breaks nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO, get_args

import numpy as np
import pytest
from sqlalchemy import select, update

from datastore.assets import register_asset
from datastore.catalogue import Catalogue, open_catalogue
from datastore.clocks import FixedClock
from datastore.errors import StoreSettingsError, StoreUnavailableError
from datastore.store import LOCAL_STORE, LocalStore, StoredFile
from datastore.stores.description import ALL_ROLES, LocalDescription
from datastore.stores.mounted import create_local_store
from datastore.stores.policy import policy_of
from datastore.stores.protocol import AssetStore
from datastore.stores.registry import Stores
from datastore.stores.replication import ReplicationReport, count_lacking, replicate
from datastore.tables import Asset, AssetLocation, AssetRole, AuditEntry, Store
from tests.support.catalogue_rows import NOW

LATER = NOW + timedelta(days=1)


@pytest.fixture
def vault(tmp_path: Path) -> LocalStore:
    """Return a second store."""
    description = LocalDescription(kind="local", root=tmp_path / "vault")
    return create_local_store("vault", description)


def fill(catalogue: Catalogue, count: int, role: AssetRole = "raw", seed: int = 1) -> list[str]:
    """Put assets of a few kilobytes into the home's own store, and return their hashes."""
    generator = np.random.default_rng(seed)
    stored = [
        catalogue.store.put_bytes(generator.bytes(int(generator.integers(0, 9000))))
        for _ in range(count)
    ]
    with catalogue.writing() as session:
        for number, file in enumerate(stored):
            register_asset(session, file, role, NOW, original_name=f"{role}-{number}")
    return [file.sha256 for file in stored]


def run(
    catalogue: Catalogue,
    target: AssetStore,
    keeps: tuple[AssetRole, ...] = ALL_ROLES,
    limit: int | None = None,
    sources: dict[str, AssetStore] | None = None,
) -> ReplicationReport:
    own: dict[str, AssetStore] = {LOCAL_STORE: catalogue.store}
    return replicate(
        catalogue,
        sources if sources is not None else own,
        target,
        keeps=keeps,
        clock=FixedClock(LATER),
        limit=limit,
    )


def located(catalogue: Catalogue, name: str) -> set[str]:
    """Return the hashes of which the catalogue knows a sound copy in a store."""
    with catalogue.reading() as session:
        return set(
            session.scalars(
                select(Asset.sha256)
                .join(AssetLocation, AssetLocation.asset_id == Asset.id)
                .join(Store, AssetLocation.store_id == Store.id)
                .where(Store.name == name, AssetLocation.problem.is_(None))
            )
        )


def test_every_asset_gets_a_copy_that_is_dated(catalogue: Catalogue, vault: LocalStore) -> None:
    hashes = fill(catalogue, 40)
    seen: list[tuple[int, int]] = []

    report = replicate(
        catalogue,
        {LOCAL_STORE: catalogue.store},
        vault,
        keeps=ALL_ROLES,
        clock=FixedClock(LATER),
        progress=lambda done, total: seen.append((done, total)),
    )

    assert (report.copied, report.already, report.failed) == (40, 0, 0)
    assert report.is_complete
    assert [name.sha256 for name in vault.names()] == sorted(hashes)
    for sha256 in hashes:
        assert vault.read_bytes(sha256) == catalogue.store.read_bytes(sha256)
    assert report.copied_bytes == sum(name.bytes for name in vault.names())
    assert located(catalogue, "vault") == set(hashes)
    assert seen[-1] == (40, 40)
    with catalogue.reading() as session:
        dates = session.scalars(
            select(AssetLocation.verified_at).join(Store).where(Store.name == "vault")
        )
        assert set(dates) == {LATER}
        entries = session.execute(select(AuditEntry.action, AuditEntry.entry)).all()
    assert [action for action, _ in entries] == ["store.add", "store.replicate"]
    assert entries[1].entry["copied"] == 40


def test_a_second_run_copies_nothing_but_what_is_new(
    catalogue: Catalogue, vault: LocalStore
) -> None:
    first = fill(catalogue, 5)
    run(catalogue, vault)
    second = fill(catalogue, 3, seed=2)

    report = run(catalogue, vault)

    assert (report.copied, report.already) == (3, 0)
    assert located(catalogue, "vault") == {*first, *second}
    assert run(catalogue, vault).copied == 0


def test_a_limit_ends_a_run_that_the_next_goes_on_with(
    catalogue: Catalogue, vault: LocalStore
) -> None:
    fill(catalogue, 10)
    assert [run(catalogue, vault, limit=4).copied for _ in range(4)] == [4, 4, 2, 0]


def test_a_store_gets_only_the_roles_that_it_keeps(catalogue: Catalogue, vault: LocalStore) -> None:
    raw = fill(catalogue, 3, "raw")
    jpeg = fill(catalogue, 3, "jpeg", seed=2)
    fill(catalogue, 3, "preview", seed=3)

    run(catalogue, vault, keeps=("raw", "jpeg"))

    assert located(catalogue, "vault") == {*raw, *jpeg}
    with catalogue.reading() as session:
        store_id = session.scalar(select(Store.id).where(Store.name == "vault"))
    assert store_id is not None
    assert count_lacking(catalogue, store_id, ("raw", "jpeg")) == 0
    assert count_lacking(catalogue, store_id, ALL_ROLES) == 3


def test_bytes_that_are_there_without_a_row_are_read_and_recorded(
    catalogue: Catalogue, vault: LocalStore
) -> None:
    hashes = fill(catalogue, 6)
    for sha256 in hashes[:4]:
        vault.put_file(catalogue.store.path(sha256))
    flip_a_bit(vault.path(hashes[3]))

    report = run(catalogue, vault)

    assert (report.already, report.copied, report.failed) == (3, 3, 0)
    assert vault.read_bytes(hashes[3]) == catalogue.store.read_bytes(hashes[3])
    assert len(vault.set_aside_before(hashes[3])) == 1


def flip_a_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)


def test_a_copy_with_a_problem_is_brought_anew(catalogue: Catalogue, vault: LocalStore) -> None:
    (sha256,) = fill(catalogue, 1)
    run(catalogue, vault)
    flip_a_bit(vault.path(sha256))
    with catalogue.writing() as session:
        vault_id = select(Store.id).where(Store.name == "vault").scalar_subquery()
        session.execute(
            update(AssetLocation)
            .where(AssetLocation.store_id == vault_id)
            .values(problem="damaged", problem_at=NOW)
        )
    assert located(catalogue, "vault") == set()

    assert run(catalogue, vault).copied == 1

    assert located(catalogue, "vault") == {sha256}
    assert vault.verify(sha256)


def test_damaged_and_lost_sources_are_told_and_copied_nowhere(
    catalogue: Catalogue, vault: LocalStore
) -> None:
    damaged, lost, sound = fill(catalogue, 3)
    flip_a_bit(catalogue.store.path(damaged))
    catalogue.store.path(lost).unlink()

    report = run(catalogue, vault)

    assert (report.copied, report.failed) == (1, 2)
    assert not report.is_complete
    reasons = {failure.sha256: failure.reason for failure in report.failures}
    assert "damaged" in reasons[damaged]
    assert "agetrace store verify --store local" in reasons[damaged]
    assert "local has lost it" in reasons[lost]
    assert located(catalogue, "vault") == {sound}
    assert [name.sha256 for name in vault.names()] == [sound]
    assert not any((vault.root / "unfinished").iterdir())


def test_another_store_helps_where_the_nearest_cannot(
    catalogue: Catalogue, vault: LocalStore, tmp_path: Path
) -> None:
    hashes = fill(catalogue, 4)
    run(catalogue, vault)
    flip_a_bit(catalogue.store.path(hashes[0]))
    catalogue.store.path(hashes[1]).unlink()
    third = create_local_store("third", LocalDescription(kind="local", root=tmp_path / "third"))

    report = run(
        catalogue, third, sources={LOCAL_STORE: catalogue.store, "vault": vault, "third": third}
    )

    assert (report.copied, report.failed) == (4, 0)
    assert {name.sha256 for name in third.names()} == set(hashes)
    for sha256 in hashes:
        assert third.verify(sha256)


def test_an_asset_without_any_sound_copy_fails_with_its_reason(
    catalogue: Catalogue, vault: LocalStore
) -> None:
    fill(catalogue, 1)

    report = run(catalogue, vault, sources={})

    assert report.failed == 1
    assert "no store of these settings has a sound copy" in report.failures[0].reason


class LeavingStore(LocalStore):
    """A store that can be reached for a few puts only."""

    left = 3

    def put_stream(self, source: BinaryIO, *, sha256: str) -> StoredFile:
        if self.left == 0:
            raise StoreUnavailableError("the cable was pulled")
        self.left -= 1
        return super().put_stream(source, sha256=sha256)


def test_a_target_that_goes_away_ends_the_run_with_what_arrived(
    catalogue: Catalogue, vault: LocalStore
) -> None:
    fill(catalogue, 30)
    leaving = LeavingStore(vault.root, "vault")

    report = run(catalogue, leaving)

    assert report.stopped == "the cable was pulled"
    assert not report.is_complete
    assert report.copied <= 3
    assert located(catalogue, "vault") == {name.sha256 for name in vault.names()}
    again = run(catalogue, vault)
    assert (again.copied, again.already) == (30 - report.copied, 0)
    assert len(located(catalogue, "vault")) == 30


def test_the_rate_is_kept(sqlite_catalogue: Catalogue, vault: LocalStore) -> None:
    stored = [sqlite_catalogue.store.put_bytes(bytes([n]) * 100_000) for n in range(8)]
    with sqlite_catalogue.writing() as session:
        for file in stored:
            register_asset(session, file, "raw", NOW)
    started_s = time.monotonic()

    replicate(
        sqlite_catalogue,
        {LOCAL_STORE: sqlite_catalogue.store},
        vault,
        keeps=ALL_ROLES,
        clock=FixedClock(LATER),
        bytes_per_s=800_000,
    )

    # a second's worth may be due before anybody waits
    assert 0.7 < time.monotonic() - started_s < 10


def test_stores_are_opened_by_name_when_they_are_needed(tmp_path: Path) -> None:
    there = LocalDescription(kind="local", root=tmp_path / "there", keeps=("raw",))
    away = LocalDescription(kind="local", root=tmp_path / "away")
    create_local_store("there", there)
    own = LocalStore(tmp_path / "own")

    stores = Stores(own, {"there": there, "away": away})

    assert list(stores) == [LOCAL_STORE, "there", "away"]
    assert "away" in stores and "elsewhere" not in stores
    assert stores[LOCAL_STORE] is own
    assert stores["there"] is stores["there"]
    assert (stores["there"].name, stores["there"].place) == ("there", str(there.root))
    with pytest.raises(StoreUnavailableError, match="is its disk mounted"):
        stores["away"]
    with pytest.raises(StoreSettingsError, match="no store 'elsewhere', only local, there, away"):
        stores["elsewhere"]
    assert stores.policy.stores_for("raw") == (LOCAL_STORE, "there", "away")
    assert stores.policy.copies_wanted("jpeg") == 2


def test_an_empty_mount_point_is_no_store_and_a_folder_has_one_owner(tmp_path: Path) -> None:
    vault = LocalDescription(kind="local", root=tmp_path / "vault")
    create_local_store("vault", vault)
    create_local_store("vault", vault)

    with pytest.raises(StoreSettingsError, match="belongs to the store 'vault', not to 'second'"):
        create_local_store("second", vault)

    (tmp_path / "vault").rename(tmp_path / "elsewhere")
    (tmp_path / "vault").mkdir()
    with pytest.raises(StoreUnavailableError, match="is its disk mounted"):
        Stores(LocalStore(tmp_path / "own"), {"vault": vault})["vault"]


def test_a_disk_that_goes_away_meanwhile_is_neither_empty_nor_written_beside(
    tmp_path: Path,
) -> None:
    mount_point = tmp_path / "mnt"
    description = LocalDescription(kind="local", root=mount_point / "vault")
    store = create_local_store("vault", description)
    kept = store.put_bytes(b"frame").sha256
    names = store.names()

    mount_point.rename(tmp_path / "away")
    mount_point.mkdir()

    acts: list[Callable[[], object]] = [
        lambda: store.contains(kept),
        lambda: store.open(kept),
        lambda: store.put_bytes(b"another"),
        lambda: list(names),
        lambda: list(store.names()),
        lambda: store.set_aside(kept),
    ]
    for act in acts:
        with pytest.raises(StoreUnavailableError, match="is its disk mounted"):
            act()
    assert list(mount_point.iterdir()) == []
    mount_point.rmdir()
    (tmp_path / "away").rename(mount_point)
    assert [name.sha256 for name in store.names()] == [kept]
    assert not store.contains("a" * 64)


def test_a_store_keeps_its_kind(catalogue: Catalogue, vault: LocalStore) -> None:
    with catalogue.writing() as session:
        session.add(Store(name="vault", kind="s3", created_at=NOW))
    with pytest.raises(StoreSettingsError, match="is of the kind s3, not local"):
        run(catalogue, vault)


def test_the_policy_counts_the_copies_of_every_role() -> None:
    policy = policy_of({"bucket": ("raw",), "disk": ("raw", "jpeg")})
    wanted = {role: policy.copies_wanted(role) for role in get_args(AssetRole)}
    assert wanted.pop("raw") == 3
    assert wanted.pop("jpeg") == 2
    assert set(wanted.values()) == {1}


def test_two_replications_into_one_store_get_along(
    url: str, catalogue: Catalogue, vault: LocalStore
) -> None:
    hashes = fill(catalogue, 40)

    def run_apart(_: int) -> ReplicationReport:
        with open_catalogue(url, catalogue.store.root) as own:
            return run(own, vault)

    with ThreadPoolExecutor(2) as pool:
        reports = list(pool.map(run_apart, range(2)))

    assert all(report.is_complete for report in reports)
    assert sum(report.copied + report.already for report in reports) >= 40
    assert located(catalogue, "vault") == set(hashes)
    assert [name.sha256 for name in vault.names()] == sorted(hashes)
    assert not (vault.root / "quarantine").exists()


class AwayStore(LocalStore):
    """A store that cannot be reached, and counts how often somebody waited for it."""

    asked = 0

    def open(self, sha256: str) -> BinaryIO:
        self.asked += 1
        raise StoreUnavailableError("nobody answers")


def test_a_source_that_is_away_is_not_waited_for_again_and_again(
    sqlite_catalogue: Catalogue, vault: LocalStore, tmp_path: Path
) -> None:
    fill(sqlite_catalogue, 30)
    run(sqlite_catalogue, vault)
    for name in sqlite_catalogue.store.names():
        sqlite_catalogue.store.path(name.sha256).unlink()
    away = AwayStore(vault.root, "vault")
    third = create_local_store("third", LocalDescription(kind="local", root=tmp_path / "third"))

    report = run(
        sqlite_catalogue, third, sources={LOCAL_STORE: sqlite_catalogue.store, "vault": away}
    )

    assert report.failed == 30
    assert "vault does not give it: nobody answers" in report.failures[0].reason
    assert "vault could not be reached; local has lost it" in report.failures[-1].reason
    assert away.asked <= 8
