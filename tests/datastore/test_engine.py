"""The engines: which databases are accepted, and how they are set up."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from datastore.catalogue import Catalogue, open_catalogue
from datastore.engine import parse_url, refuse_network_file_system
from datastore.errors import CatalogueBusyError, CatalogueUrlError, NetworkFileSystemError

MOUNTS = """\
/dev/sda1 / ext4 rw 0 0
server:/lab /mnt/lab nfs4 rw 0 0
/dev/sdb1 /mnt/lab/local xfs rw 0 0
//nas/share /mnt/two\\040words cifs rw 0 0
/dev/sdc1 /mnt/over ext4 rw 0 0
user@host: /mnt/over fuse.sshfs rw 0 0
"""


@pytest.fixture
def mounts(tmp_path: Path) -> Path:
    table = tmp_path / "mounts"
    table.write_text(MOUNTS)
    return table


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/mnt/lab/home/catalogue.sqlite", "nfs4"),
        ("/mnt/two words/catalogue.sqlite", "cifs"),
        ("/mnt/over/catalogue.sqlite", "fuse.sshfs"),
    ],
)
def test_sqlite_on_a_network_file_system_is_refused(path: str, kind: str, mounts: Path) -> None:
    with pytest.raises(NetworkFileSystemError, match=kind) as refused:
        refuse_network_file_system(Path(path), mounts)
    assert "AGETRACE_DATABASE_URL" in str(refused.value)


@pytest.mark.parametrize("path", ["/home/catalogue.sqlite", "/mnt/lab/local/c", "/mnt/laboratory"])
def test_sqlite_on_a_local_file_system_is_accepted(path: str, mounts: Path) -> None:
    refuse_network_file_system(Path(path), mounts)


@pytest.mark.parametrize(
    "url", ["", "catalogue.sqlite", "mysql://host/database", "sqlite://", "sqlite:///:memory:"]
)
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(CatalogueUrlError):
        parse_url(url)


def test_postgresql_is_reached_by_psycopg_however_it_is_written() -> None:
    assert parse_url("postgresql://host/database").drivername == "postgresql+psycopg"


def test_sqlite_is_set_up_for_durability_and_its_own_rules(sqlite_catalogue: Catalogue) -> None:
    with sqlite_catalogue.writing() as session:
        values = {
            name: session.scalar(text(f"pragma {name}"))
            for name in ("journal_mode", "synchronous", "foreign_keys", "recursive_triggers")
        }
    full = 2
    assert values == {
        "journal_mode": "wal",
        "synchronous": full,
        "foreign_keys": 1,
        "recursive_triggers": 1,
    }
    with sqlite_catalogue.reading() as session:
        assert session.scalar(text("pragma query_only")) == 1


def test_readers_are_not_held_up_by_a_writer(sqlite_catalogue: Catalogue) -> None:
    with sqlite_catalogue.writing() as writer:
        writer.execute(text("insert into store (name, kind, created_at) values ('a', 'b', 0)"))
        with sqlite_catalogue.reading() as reader:
            assert reader.scalar(text("select count(*) from store")) == 0


def test_a_process_that_uses_every_connection_finds_the_catalogue_busy(
    sqlite_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("datastore.engine.BUSY_TIMEOUT_S", 1)
    path = tmp_path / "catalogue.sqlite"
    path.write_bytes(sqlite_template.read_bytes())
    with (
        open_catalogue(f"sqlite:///{path}", tmp_path / "store") as catalogue,
        catalogue.writing(),
        pytest.raises(CatalogueBusyError, match="every connection"),
        catalogue.writing(),
    ):
        raise AssertionError("one engine has one connection to write with")
