"""Restoring: a sound backup takes the catalogue's place, nothing is lost, whoever is killed."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from datastore import audit, leases
from datastore.backup import Backup, back_up
from datastore.catalogue import Catalogue, open_catalogue
from datastore.checking import check_catalogue, heads_of_backups
from datastore.clocks import database_now
from datastore.errors import CatalogueDamagedError, RestoreRefusedError
from datastore.restoring import Restored, restore
from datastore.tables import Daemon, Session
from tests.support.catalogue_rows import NOW, add_session
from tests.support.catalogues import sqlite_url

LATER = NOW + timedelta(days=1)


def add(catalogue: Catalogue) -> str:
    with catalogue.writing() as transaction:
        session = add_session(transaction)
        audit.append(transaction, "session.start", {"session": session.uuid}, NOW)
        return session.uuid


def sessions_of(path: Path, store: Path) -> list[str]:
    with open_catalogue(f"sqlite:///{path}", store) as opened, opened.reading() as transaction:
        assert audit.verify(transaction) == []
        return list(transaction.scalars(select(Session.uuid).order_by(Session.id)))


@pytest.fixture
def backup(sqlite_catalogue: Catalogue, tmp_path: Path) -> Backup:
    """Backup of one session, after which another one began."""
    add(sqlite_catalogue)
    return back_up(sqlite_url(tmp_path), tmp_path / "backups", at=NOW)


def bring_back(folder: Path, backup: Path) -> Restored:
    url = sqlite_url(folder)
    return restore(url, backup, at=LATER, operator="Ana", backups=folder / "backups")


def test_a_backup_takes_the_place_of_the_catalogue_which_is_kept(
    sqlite_catalogue: Catalogue, backup: Backup, tmp_path: Path
) -> None:
    newer = [add(sqlite_catalogue), add(sqlite_catalogue)]
    back_up(sqlite_url(tmp_path), tmp_path / "backups", at=NOW + timedelta(hours=1))
    sqlite_catalogue.close()
    path = tmp_path / "catalogue.sqlite"
    before = sessions_of(path, tmp_path)

    done = bring_back(tmp_path, backup.path)

    assert sessions_of(path, tmp_path) == before[:1]
    assert done.set_aside is not None and sessions_of(done.set_aside, tmp_path) == before
    assert (done.missing_sessions, done.missing_audit_entries) == (tuple(newer), 2)
    assert done.hash_known
    assert list(tmp_path.glob("unfinished*")) == []
    heads, problems = heads_of_backups(tmp_path / "backups")
    assert len(heads) == 2
    with open_catalogue(sqlite_url(tmp_path), tmp_path) as opened:
        # the newer backup's head is known to be left behind, a rewritten audit is still found
        assert check_catalogue(opened, heads) == problems == []
        add(opened)


@pytest.mark.parametrize("state", ["absent", "damaged"])
def test_a_catalogue_that_is_lost_is_restored(
    sqlite_catalogue: Catalogue, backup: Backup, tmp_path: Path, state: str
) -> None:
    sqlite_catalogue.close()
    path = tmp_path / "catalogue.sqlite"
    path.unlink()
    if state == "damaged":
        path.write_bytes(b"no database, but long enough to be one" * 200)
        path.with_name("catalogue.sqlite-wal").write_bytes(b"its log")
    done = bring_back(tmp_path, backup.path)
    assert len(sessions_of(path, tmp_path)) == 1
    assert done.missing_sessions is None
    if state == "damaged":
        assert done.set_aside is not None
        assert done.set_aside.read_bytes().startswith(b"no database")
        log = done.set_aside.with_name(f"{done.set_aside.name}-wal")
        assert log.read_bytes() == b"its log"


def test_nothing_is_restored_while_somebody_works(
    sqlite_catalogue: Catalogue, backup: Backup, tmp_path: Path
) -> None:
    path = tmp_path / "catalogue.sqlite"
    with sqlite_catalogue.reading() as session:
        session.scalar(select(Session.id))
        with pytest.raises(RestoreRefusedError, match="another process has the catalogue"):
            bring_back(tmp_path, backup.path)
    lease = leases.acquire(sqlite_catalogue, ["camera:1"], "process 7 on lab", 600)
    sqlite_catalogue.close()
    with pytest.raises(RestoreRefusedError, match="camera:1 is leased to process 7 on lab"):
        bring_back(tmp_path, backup.path)
    lease.release()
    with sqlite_catalogue.writing() as session:
        now = database_now(session)
        session.add(
            Daemon(
                holder="process 8",
                version="1",
                clock_source="host",
                state="running",
                started_at=now,
                seen_at=now,
            )
        )
    sqlite_catalogue.close()
    with pytest.raises(RestoreRefusedError, match="a daemon is at work: process 8"):
        bring_back(tmp_path, backup.path)
    assert list(tmp_path.glob("*before-restore*")) == []
    assert len(sessions_of(path, tmp_path)) == 1


def test_a_backup_that_is_not_what_it_was_is_refused(
    sqlite_catalogue: Catalogue, backup: Backup, tmp_path: Path
) -> None:
    sqlite_catalogue.close()
    untouched = (tmp_path / "catalogue.sqlite").read_bytes()
    sound = backup.path.read_bytes()

    backup.path.write_bytes(sound[:-1] + b"x")
    with pytest.raises(CatalogueDamagedError, match="when it was made"):
        bring_back(tmp_path, backup.path)

    # rewritten so that hash and file fit again: the audit does not
    backup.path.write_bytes(sound)
    with closing(sqlite3.connect(backup.path)) as connection:
        connection.execute("drop trigger append_only_audit_update")
        connection.execute("update audit set action = 'nothing'")
        connection.commit()
    backup.path.with_suffix(".json").unlink()
    with pytest.raises(CatalogueDamagedError, match="audit of the backup"):
        bring_back(tmp_path, backup.path)

    with closing(sqlite3.connect(backup.path)) as connection:
        connection.execute("update alembic_version set version_num = '9999'")
        connection.commit()
    with pytest.raises(RestoreRefusedError, match="revision 9999"):
        bring_back(tmp_path, backup.path)
    other = tmp_path / "other.sqlite"
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("create table mine (id integer)")
    with pytest.raises(RestoreRefusedError, match="holds no catalogue"):
        bring_back(tmp_path, other)
    with pytest.raises(RestoreRefusedError, match="there is no backup"):
        bring_back(tmp_path, tmp_path / "absent.sqlite")
    assert (tmp_path / "catalogue.sqlite").read_bytes() == untouched
    assert [path.name for path in tmp_path.iterdir() if "restore" in path.name] == []


def test_postgresql_is_restored_by_its_own_means(tmp_path: Path) -> None:
    with pytest.raises(RestoreRefusedError, match=r"pg_restore .*postgresql://me:\*\*\*@host/lab"):
        restore(
            "postgresql+psycopg://me:secret@host/lab",
            tmp_path / "dump",
            at=NOW,
            operator=None,
            backups=tmp_path,
        )


KILLED = """\
import os, sys
from datetime import UTC, datetime
from pathlib import Path
import datastore.restoring as restoring
number, calls = int(sys.argv[3]), 0
def dying(original):
    def call(*arguments, **keywords):
        global calls
        calls += 1
        if calls == number:
            os.kill(os.getpid(), 9)
        found = original(*arguments, **keywords)
        calls += 1
        if calls == number:
            os.kill(os.getpid(), 9)
        return found
    return call
for name in ("copy_whole", "sync_folder", "_note", "_left_behind", "_exchange"):
    setattr(restoring, name, dying(getattr(restoring, name)))
os.link, Path.replace = dying(os.link), dying(Path.replace)
folder = Path(sys.argv[1])
restoring.restore(f"sqlite:///{folder / 'catalogue.sqlite'}", Path(sys.argv[2]),
                  at=datetime.now(UTC), operator=None, backups=folder / "backups")
"""
MOMENTS = 18


@pytest.mark.parametrize("number", [1, 8, 10, 12, 14, MOMENTS])
def test_a_killed_restore_leaves_one_catalogue_in_place_and_loses_none(
    sqlite_catalogue: Catalogue, backup: Backup, tmp_path: Path, number: int
) -> None:
    add(sqlite_catalogue)
    sqlite_catalogue.close()
    command = [sys.executable, "-c", KILLED, str(tmp_path), str(backup.path), str(number)]
    killed = subprocess.run(command, check=False)
    assert killed.returncode == -signal.SIGKILL
    in_place = sessions_of(tmp_path / "catalogue.sqlite", tmp_path)
    known = [in_place]
    known += [sessions_of(path, tmp_path) for path in tmp_path.glob("*before-restore*")]
    assert len(in_place) in (1, 2)
    assert max(map(len, known)) == 2
    done = bring_back(tmp_path, backup.path)
    assert len(sessions_of(done.path, tmp_path)) == 1
    assert json.loads(backup.path.with_suffix(".json").read_text())["sha256"] == backup.sha256
