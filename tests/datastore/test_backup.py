"""Backups: whole and checked while others write, never in place of a sound one."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from datastore import audit
from datastore.backup import back_up
from datastore.catalogue import Catalogue, open_catalogue
from datastore.errors import (
    BackupRefusedError,
    CatalogueDamagedError,
    CatalogueUnavailableError,
    NoCatalogueError,
)
from datastore.tables import Session
from tests.support.catalogue_rows import NOW, add_session
from tests.support.catalogues import sqlite_url


def fill(catalogue: Catalogue, count: int = 3) -> None:
    for _ in range(count):
        with catalogue.writing() as transaction:
            session = add_session(transaction)
            audit.append(transaction, "session.start", {"session": session.uuid}, NOW)


def sessions_and_head(url: str, store: Path) -> tuple[int, str]:
    with open_catalogue(url, store) as opened, opened.reading() as transaction:
        assert audit.verify(transaction) == []
        count = transaction.scalar(select(func.count()).select_from(Session)) or 0
        return count, audit.head(transaction)


def test_a_backup_is_a_catalogue_with_the_same_rows(
    sqlite_catalogue: Catalogue, tmp_path: Path
) -> None:
    fill(sqlite_catalogue)
    made = back_up(sqlite_url(tmp_path), tmp_path / "deep" / "backups", at=NOW)
    assert made.path.name == "catalogue-20260101T120000000000Z.sqlite"
    assert made.sha256 == hashlib.sha256(made.path.read_bytes()).hexdigest()
    assert made.bytes == made.path.stat().st_size
    count, head = sessions_and_head(f"sqlite:///{made.path}", tmp_path / "store")
    assert (count, head, made.audit_entries) == (3, made.audit_head, 3)
    beside = json.loads(made.path.with_suffix(".json").read_text())
    assert beside["audit_head"] == head
    assert beside["sha256"] == made.sha256
    assert beside["path"] == made.path.name


def test_a_backup_needs_no_second_file(sqlite_catalogue: Catalogue, tmp_path: Path) -> None:
    fill(sqlite_catalogue)
    made = back_up(sqlite_url(tmp_path), tmp_path / "backups", at=NOW)
    names = {file.name for file in (tmp_path / "backups").iterdir()}
    assert names == {made.path.name, made.path.with_suffix(".json").name}
    with sqlite3.connect(f"{made.path.as_uri()}?immutable=1", uri=True) as alone:
        assert alone.execute("pragma journal_mode").fetchone() == ("delete",)
        assert alone.execute("select count(*) from session").fetchone() == (3,)
    alone.close()


def test_a_backup_while_others_write_is_one_moment_of_it(
    sqlite_catalogue: Catalogue, tmp_path: Path
) -> None:
    stop = threading.Event()
    written = []

    def write() -> None:
        while not stop.is_set():
            fill(sqlite_catalogue, 1)
            written.append(time.monotonic())

    writer = threading.Thread(target=write)
    writer.start()
    try:
        made = [
            back_up(sqlite_url(tmp_path), tmp_path / "backups", at=NOW + timedelta(seconds=second))
            for second in range(5)
        ]
    finally:
        stop.set()
        writer.join()
    counts = []
    for backup in made:
        count, head = sessions_and_head(f"sqlite:///{backup.path}", tmp_path / "store")
        assert (count, head) == (backup.audit_entries, backup.audit_head)
        counts.append(count)
    assert counts == sorted(counts)
    assert len(written) > counts[0]


def test_only_so_many_backups_are_kept_and_nothing_else_is_removed(
    sqlite_catalogue: Catalogue, tmp_path: Path
) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    (folder / "thesis.sqlite").write_text("mine")
    made = [
        back_up(sqlite_url(tmp_path), folder, at=NOW + timedelta(days=day), keep=3)
        for day in range(5)
    ]
    assert [backup.removed for backup in made[3:]] == [(made[0].path,), (made[1].path,)]
    kept = sorted(file.name for file in folder.glob("catalogue-*.sqlite"))
    assert kept == [backup.path.name for backup in made[2:]]
    assert len(list(folder.glob("catalogue-*.json"))) == 3
    assert (folder / "thesis.sqlite").read_text() == "mine"
    # a clock that went back must not cost the newest one
    old = back_up(sqlite_url(tmp_path), folder, at=NOW - timedelta(days=1), keep=1)
    assert [file.name for file in folder.glob("catalogue-*.sqlite")] == [old.path.name]


def test_a_damaged_catalogue_is_not_backed_up_and_costs_no_older_backup(
    sqlite_catalogue: Catalogue, tmp_path: Path
) -> None:
    fill(sqlite_catalogue, 200)
    sqlite_catalogue.close()
    sound = back_up(sqlite_url(tmp_path), tmp_path / "backups", at=NOW)
    database = tmp_path / "catalogue.sqlite"
    data = bytearray(database.read_bytes())
    for start in range(8192, len(data), 16384):
        data[start : start + 4096] = os.urandom(4096)
    database.write_bytes(data)
    with pytest.raises(CatalogueDamagedError, match="no backup was made"):
        back_up(sqlite_url(tmp_path), tmp_path / "backups", at=NOW + timedelta(days=1), keep=1)
    names = sorted(file.name for file in (tmp_path / "backups").iterdir())
    assert names == [sound.path.with_suffix(".json").name, sound.path.name]


def test_a_backup_of_this_moment_is_not_overwritten(
    sqlite_catalogue: Catalogue, tmp_path: Path
) -> None:
    made = back_up(sqlite_url(tmp_path), tmp_path, at=NOW)
    fill(sqlite_catalogue)
    with pytest.raises(BackupRefusedError, match="already"):
        back_up(sqlite_url(tmp_path), tmp_path, at=NOW)
    assert hashlib.sha256(made.path.read_bytes()).hexdigest() == made.sha256


def test_what_cannot_be_backed_up_is_said(tmp_path: Path) -> None:
    with pytest.raises(NoCatalogueError, match="agetrace init"):
        back_up(sqlite_url(tmp_path), tmp_path / "backups", at=NOW)
    (tmp_path / "catalogue.sqlite").write_text("no database at all, but long enough")
    with pytest.raises(CatalogueDamagedError):
        back_up(sqlite_url(tmp_path), tmp_path / "backups", at=NOW)
    assert list((tmp_path / "backups").iterdir()) == []


def test_a_place_that_is_no_folder_is_named(sqlite_catalogue: Catalogue, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CatalogueUnavailableError, match="file/backups"):
        back_up(sqlite_url(tmp_path), tmp_path / "file" / "backups", at=NOW)


def test_postgresql_is_backed_up_by_its_own_means(tmp_path: Path) -> None:
    with pytest.raises(BackupRefusedError, match=r"pg_dump .*postgresql://me:\*\*\*@host/lab"):
        back_up("postgresql+psycopg://me:secret@host/lab", tmp_path, at=NOW)


KILLED = """\
import os, sys
from datetime import UTC, datetime
from pathlib import Path
import datastore.backup as backup
number = int(sys.argv[2])
calls = 0
def dying(original):
    def call(*arguments, **keywords):
        global calls
        calls += 1
        if calls == number:
            os.kill(os.getpid(), 9)
        return original(*arguments, **keywords)
    return call
backup.sync_folder = dying(backup.sync_folder)
backup._name = dying(backup._name)
folder = Path(sys.argv[1])
backup.back_up(f"sqlite:///{folder / 'catalogue.sqlite'}", folder / "backups",
               at=datetime.now(UTC), keep=1)
"""


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_killed_backup_leaves_none_that_is_not_whole(
    sqlite_catalogue: Catalogue, tmp_path: Path, number: int
) -> None:
    fill(sqlite_catalogue)
    folder = tmp_path / "backups"
    first = back_up(sqlite_url(tmp_path), folder, at=NOW)
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), str(number)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert first.path.exists()
    for copy in folder.glob("catalogue-*.sqlite"):
        described = json.loads(copy.with_suffix(".json").read_text())
        assert hashlib.sha256(copy.read_bytes()).hexdigest() == described["sha256"]
    for leftover in folder.glob("unfinished-*"):
        os.utime(leftover, (0, 0))
    back_up(sqlite_url(tmp_path), folder, at=NOW + timedelta(days=9999), keep=1)
    assert list(folder.glob("unfinished-*")) == []
