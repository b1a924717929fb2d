"""Replication that is killed, or whose server goes away: no file is lost, no row is false."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import func, select

from agetrace.settings import load_home
from datastore.assets import register_asset
from datastore.catalogue import Catalogue
from datastore.errors import StoreUnavailableError
from datastore.store import LocalStore
from datastore.stores.protocol import AssetStore
from datastore.tables import Asset, AssetLocation, Store
from tests.support.catalogue_rows import NOW
from tests.support.command_line import CommandLine
from tests.support.object_stores import KEYS, SeaweedServer, seaweed_server

pytestmark = [pytest.mark.prove, pytest.mark.timeout(900)]

FILE_BYTES = 400_000
RATE_MB_S = "4"
KILLS = 30
S3_OPTIONS = (
    "--kind=s3",
    "--bucket=frames",
    "--access-key-variable=TEST_S3_ACCESS_KEY",
    "--secret-key-variable=TEST_S3_SECRET_KEY",
    "--allow-http",
)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[SeaweedServer]:
    """Return a SeaweedFS server, with its keys in the environment."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    with seaweed_server() as server:
        yield server


@pytest.fixture
def home(tmp_path: Path) -> CommandLine:
    """Return a home without files."""
    home = CommandLine(tmp_path / "lab")
    home.run("init", home.home)
    return home


def fill(home: CommandLine, count: int) -> list[str]:
    """Put frames into the home's own store."""
    generator = np.random.default_rng(5)
    with load_home(home.home).open_catalogue() as catalogue:
        stored = [catalogue.store.put_bytes(generator.bytes(FILE_BYTES)) for _ in range(count)]
        with catalogue.writing() as session:
            for file in stored:
                register_asset(session, file, "raw", NOW)
    return [file.sha256 for file in stored]


def located(catalogue: Catalogue, name: str) -> set[str]:
    """Return the hashes of which the catalogue knows a copy in a store."""
    with catalogue.reading() as session:
        return set(
            session.scalars(
                select(Asset.sha256)
                .join(AssetLocation, AssetLocation.asset_id == Asset.id)
                .join(Store, AssetLocation.store_id == Store.id)
                .where(Store.name == name)
            )
        )


def require_true_rows(home: CommandLine, name: str) -> int:
    """Have every row's file be there and sound; return how many files have no row yet."""
    opened = load_home(home.home)
    with opened.open_catalogue() as catalogue:
        rows = located(catalogue, name)
    store = opened.open_stores()[name]
    own = LocalStore(home.home / "store")
    files = {found.sha256 for found in store.names()}
    assert rows <= files, "a row speaks of a file that is not there"
    for sha256 in files:
        assert read_patiently(store, sha256) == own.read_bytes(sha256)
    return len(files - rows)


def read_patiently(store: AssetStore, sha256: str) -> bytes:
    """Read a file of a server that may still be finding its volumes after a start."""
    deadline = time.monotonic() + 60
    while True:
        try:
            with store.open(sha256) as file:
                return file.read()
        except StoreUnavailableError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def start(home: CommandLine) -> subprocess.Popen[str]:
    return home.start("store", "replicate", "vault", "--rate-mb-s", RATE_MB_S, "--json")


def await_rows(home: CommandLine, process: subprocess.Popen[str], least: int) -> None:
    """Wait until the store has so many rows, or the process has ended."""
    deadline = time.monotonic() + 120
    with load_home(home.home).open_catalogue() as catalogue:
        while process.poll() is None and time.monotonic() < deadline:
            with catalogue.reading() as session:
                store_id = session.scalar(select(Store.id).where(Store.name == "vault"))
                count = select(func.count()).where(AssetLocation.store_id == store_id)
                if (session.scalar(count) or 0) >= least:
                    return
            time.sleep(0.01)


def rows_of(home: CommandLine) -> int:
    with load_home(home.home).open_catalogue() as catalogue:
        return len(located(catalogue, "vault"))


def into_a_folder(home: CommandLine, server: SeaweedServer) -> tuple[str, ...]:
    return "--kind=local", f"--root={home.home.parent / 'vault'}"


def into_a_bucket(home: CommandLine, server: SeaweedServer) -> tuple[str, ...]:
    return *S3_OPTIONS, f"--endpoint={server.endpoint}", "--prefix=lab"


@pytest.mark.parametrize("into", [into_a_folder, into_a_bucket])
def test_a_replication_that_is_killed_loses_nothing_and_records_nothing_false(
    home: CommandLine,
    server: SeaweedServer,
    into: Callable[[CommandLine, SeaweedServer], tuple[str, ...]],
    record_property: Callable[[str, object], None],
) -> None:
    """`agetrace store replicate` is killed (-9) at seeded moments and started again each time."""
    hashes = fill(home, 240)
    home.run("store", "add", "vault", *into(home, server))
    generator = np.random.default_rng(11)
    kills = while_copying = 0
    without_row = 0
    while kills < KILLS and rows_of(home) < len(hashes):
        process = start(home)
        before = rows_of(home)
        if generator.random() < 0.7:
            await_rows(home, process, before + 1)
            time.sleep(generator.uniform(0, 0.4))
        else:
            time.sleep(generator.uniform(0.1, 2.5))
        process.kill()
        process.communicate()
        kills += 1
        while_copying += before < rows_of(home) < len(hashes)
        without_row = max(without_row, require_true_rows(home, "vault"))

    report = home.run("store", "replicate", "vault", "--json").document

    assert report["failed"] == 0 and report["stopped"] is None
    assert require_true_rows(home, "vault") == 0
    with load_home(home.home).open_catalogue() as catalogue:
        assert located(catalogue, "vault") == located(catalogue, "local") == set(hashes)
    assert while_copying >= 5, "hardly any kill met a file on its way"
    # at most the files on their way have to be read again
    assert without_row <= 4
    record_property("kills", kills)
    record_property("while copying", while_copying)
    record_property("most files without a row", without_row)


@pytest.mark.parametrize("patience_s", [1, 60])
def test_a_server_that_is_stopped_and_started_again_gets_every_file(
    home: CommandLine,
    server: SeaweedServer,
    patience_s: int,
    record_property: Callable[[str, object], None],
) -> None:
    """SeaweedFS is killed under a replication: with patience it goes on, without it says so."""
    hashes = fill(home, 60)
    home.run("store", "add", "vault", *into_a_bucket(home, server))
    with (home.home / "agetrace.toml").open("a") as settings:
        settings.write(f"patience_s = {patience_s}\n")
    process = start(home)
    await_rows(home, process, 8)

    server.stop()
    stopped_at_s = time.monotonic()
    if patience_s == 1:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 1, err
        assert server.endpoint in out and "Traceback" not in err
        assert 8 <= rows_of(home) < len(hashes)
        server.start()
    else:
        server.start()
        out, err = process.communicate(timeout=300)
        assert process.returncode == 0, out + err
    away_s = time.monotonic() - stopped_at_s
    without_row = require_true_rows(home, "vault")

    home.run("store", "replicate", "vault", "--json")

    assert require_true_rows(home, "vault") == 0
    assert rows_of(home) == len(hashes)
    record_property("seconds until it ended", round(away_s, 1))
    record_property("files without a row", without_row)
