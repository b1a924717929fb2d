"""`agetrace store verify | repair | reconcile | gc` as their users meet them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import time_machine

from agetrace.settings import load_home
from capture.spool import Spool
from datastore.assets import register_asset
from datastore.store import LocalStore
from datastore.tables import new_uuid
from tests.support.catalogue_rows import NOW, add_camera, add_session, add_shot
from tests.support.command_line import CommandLine
from tests.support.imports import jpeg
from tests.support.object_stores import ACCESS_KEY, BUCKET, KEYS, SECRET_KEY, moto_server
from tests.support.stored_files import flip_a_bit


@pytest.fixture
def home(tmp_path: Path) -> CommandLine:
    """Return a home without files."""
    home = CommandLine(tmp_path / "lab")
    home.run("init", home.home)
    return home


def own_store(home: CommandLine) -> LocalStore:
    return LocalStore(load_home(home.home).store_root)


def fill(home: CommandLine, count: int = 3, size: int = 3000) -> list[str]:
    """Put the frames of a session into the home's own store."""
    generator = np.random.default_rng(5)
    with load_home(home.home).open_catalogue() as catalogue:
        stored = [catalogue.store.put_bytes(generator.bytes(size)) for _ in range(count)]
        with catalogue.writing() as transaction:
            session, camera = add_session(transaction), add_camera(transaction)
            for sequence, file in enumerate(stored):
                shot = add_shot(transaction, session, camera, sequence)
                register_asset(transaction, file, "raw", NOW, shot_id=shot.id)
    return [file.sha256 for file in stored]


def test_a_flipped_bit_is_found_quarantined_and_repaired_from_the_replica(
    home: CommandLine, tmp_path: Path
) -> None:
    sound, bad, gone = fill(home)
    home.run("store", "add", "vault", "--kind=local", f"--root={tmp_path / 'vault'}")
    home.run("store", "replicate", "vault")
    own, vault = own_store(home), LocalStore(tmp_path / "vault", "vault")
    damaged = flip_a_bit(own.path(bad))
    own.path(gone).unlink()

    found = home.run("store", "verify", "--json", code=1).document

    assert (found["store"], found["verified"]) == ("local", 1)
    assert {one["sha256"]: one["problem"] for one in found["findings"]} == {
        bad: "damaged",
        gone: "missing",
    }
    assert all(one["shot_id"] and one["session_id"] for one in found["findings"])
    (kept,) = (own.root / "quarantine").iterdir()
    assert kept.read_bytes() == damaged
    planned = home.run("store", "repair", "--dry-run")
    assert "2 copies (0.0 MB) could be restored" in planned.message
    assert not own.contains(bad)

    repaired = home.run("store", "repair", "--json").document

    assert (repaired["repaired"], repaired["failed"]) == (2, 0)
    assert kept.read_bytes() == damaged
    for sha256 in (sound, bad, gone):
        assert own.verify(sha256)
    assert "3 files (0.0 MB) are sound" in home.run("store", "verify").message
    assert home.run("store", "verify", "--store", "vault", "--json").document["verified"] == 3
    home.run("catalogue", "check")

    # without a sound copy anywhere, the shot is named
    flip_a_bit(own.path(bad))
    flip_a_bit(vault.path(bad))
    home.run("store", "verify", code=1)
    lost = home.run("store", "repair", "--json", code=1).document
    assert (lost["failed"], lost["lost"]) == (1, 1)
    assert lost["unrepaired"][0]["shot_id"] == found["findings"][0]["shot_id"]
    told = home.run("store", "repair", code=1)
    assert "2 could not be restored; 2 of them have no sound copy" in told.message
    assert lost["unrepaired"][0]["session_id"] in told.out


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Endpoint of moto, with its keys in the environment."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    with moto_server() as found:
        yield found


def bucket(endpoint: str) -> Any:
    import boto3  # type: ignore[import-untyped]

    return boto3.resource(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        region_name="us-east-1",
    ).Bucket(BUCKET)


def test_disk_and_bucket_are_repaired_from_each_other(home: CommandLine, endpoint: str) -> None:
    here, there, gone = fill(home)
    home.run(
        *("store", "add", "cloud", "--kind=s3", f"--bucket={BUCKET}", f"--endpoint={endpoint}"),
        *("--access-key-variable=TEST_S3_ACCESS_KEY", "--secret-key-variable=TEST_S3_SECRET_KEY"),
        *("--allow-http", "--prefix=lab"),
    )
    home.run("store", "replicate", "cloud")
    own, objects = own_store(home), bucket(endpoint)
    keys = {one.key.rpartition("/")[2]: one.key for one in objects.objects.all()}
    flip_a_bit(own.path(here))
    data = bytearray(own.read_bytes(there))
    data[100] ^= 1
    objects.put_object(Key=keys[there], Body=bytes(data))
    objects.Object(keys[gone]).delete()

    home.run("store", "verify", code=1)
    found = home.run("store", "verify", "--store", "cloud", "--json", code=1).document

    assert (found["verified"], found["damaged"], found["missing"]) == (1, 1, 1)
    # other tests of this process have had other prefixes in the bucket
    kept = [one for one in objects.objects.filter(Prefix="lab/") if "/quarantine/" in one.key]
    assert [one.get()["Body"].read() for one in kept] == [bytes(data)]
    assert home.run("store", "repair", "--store", "local", "--json").document["repaired"] == 1
    assert home.run("store", "repair", "--json").document["repaired"] == 2
    assert home.run("store", "verify", "--json").document["verified"] == 3
    assert home.run("store", "verify", "--store", "cloud", "--json").document["verified"] == 3
    matched = home.run("store", "reconcile", "--store", "cloud", "--json").document
    assert (matched["matched"], matched["orphans"]) == (3, [])


def test_frames_that_no_row_names_are_exported_and_imported(
    home: CommandLine, tmp_path: Path
) -> None:
    fill(home)
    own = own_store(home)
    # as after the restore of an older backup
    frames = {own.put_bytes(jpeg(seed)).sha256 for seed in (1, 2)}
    found = tmp_path / "found"
    report = home.run("store", "reconcile", "--export-orphans", found, "--json").document
    assert report["without_row"] == {"in-work": 2}
    assert not list(found.iterdir())

    with time_machine.travel(datetime.now(UTC) + timedelta(days=1)):
        answer = home.run("store", "reconcile", "--export-orphans", found)
        assert "files without a row: 2 exported" in answer.message
        assert {path.name for path in found.iterdir()} == {f"{sha256}.jpg" for sha256 in frames}
        home.run("import", "folder", found, "--kind", "natural")
        after = home.run("store", "reconcile", "--json").document
    assert (after["matched"], after["without_row"]) == (5, {})
    shots = home.run("shots", "--json", "--kind", "natural").lines
    assert {file["sha256"] for shot in shots for file in shot["assets"]} == frames


def test_garbage_is_set_aside_and_what_waits_in_the_spool_stays(home: CommandLine) -> None:
    fill(home)
    own = own_store(home)
    garbage = own.put_bytes(b"garbage").sha256
    spool, uuid = Spool(load_home(home.home).spool_root), new_uuid()
    file = spool.receive(uuid, 1, memoryview(b"a frame"), "/store", "DSC_1.NEF")
    spool.seal(uuid, [file], {})
    own.put_file(file.path, keep_source=False)

    seen = home.run("store", "reconcile", "--json").document

    assert (seen["matched"], seen["findings"]) == (3, [])
    assert {one["sha256"]: one["detail"] for one in seen["orphans"]} == {
        garbage: "",
        file.sha256: f"It waits in the spool, for shot {uuid}.",
    }
    assert home.run("store", "gc", "--json").document["younger"] == 1
    with time_machine.travel(datetime.now(UTC) + timedelta(days=3)):
        planned = home.run("store", "gc", "--json", "--dry-run").document
        assert [one["sha256"] for one in planned["collected"]] == [garbage]
        own.put_bytes(b"more garbage")
        said = home.run("store", "gc", "--at-most", "1", code=2).message
        assert "more than 1 files that no row names" in said
        answer = home.run("store", "gc")
    assert "2 files (0.0 MB) were set aside" in answer.message
    assert len(list((own.root / "quarantine").iterdir())) == 2
    assert home.run("store", "reconcile", "--json").document["without_row"] == {"explained": 1}


def test_rows_without_a_file_make_reconciling_fail(home: CommandLine) -> None:
    _, _, gone = fill(home)
    own_store(home).path(gone).unlink()
    told = home.run("store", "reconcile", code=1)
    assert gone in told.out
    assert "2 files are what the catalogue names" in told.message


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("verify", "--store", "vault"), "no store 'vault', only local"),
        (("repair", "--store", "vault"), "no store 'vault', only local"),
        (("reconcile", "--store", "vault"), "no store 'vault', only local"),
        (("gc", "--store", "vault"), "no store 'vault', only local"),
        (("gc", "--older-than-hours", "-1"), "older-than-hours"),
        (("verify", "--limit", "0"), "limit"),
        (("reconcile", "--export-orphans", "agetrace.toml/x"), "agetrace.toml"),
    ],
)
def test_a_request_that_is_wrong_is_refused(
    home: CommandLine, words: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home.home)
    assert said in home.run("store", *words, code=2).message


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read_is_told_and_left_alone(home: CommandLine) -> None:
    closed, *_ = fill(home)
    path = own_store(home).path(closed)
    path.chmod(0)
    found = home.run("store", "verify", "--json", code=1).document
    assert found["unreadable"] == 1
    assert path.exists()
