"""Backups of an SQLite catalogue: a whole, checked copy with the audit's head beside it.

A backup is two files: the copy, and what is known of it as JSON. Both are written beside their
places, flushed, and named in one step, the copy last: what has a copy's name is whole.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sqlite3
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from datastore.audit import GENESIS_SHA256
from datastore.clocks import as_utc
from datastore.durable import FULL_DISK_ERRORS, sync_folder
from datastore.engine import BUSY_TIMEOUT_S, parse_url, sqlite_path
from datastore.errors import (
    BackupRefusedError,
    CatalogueDamagedError,
    CatalogueFullError,
    CatalogueUnavailableError,
    NoCatalogueError,
)

_NAME: Final = re.compile(r"catalogue-\d{8}T\d{12}Z\.sqlite")
_UNFINISHED: Final = "unfinished-"
_ABANDONED_S: Final = 24 * 3600.0


@dataclass(frozen=True)
class Backup:
    """A backup of a catalogue.

    Attributes
    ----------
    path
        The copy, a catalogue of its own; what follows lies beside it as JSON.
    bytes, sha256
        Size and hash of the copy.
    revision
        Of its tables.
    audit_head, audit_entries
        Newest hash of the copy's audit, and how many entries lead to it. Where the JSON is kept
        apart from the catalogue, an audit that is rewritten later no longer contains that hash.
    taken_at
        Civil time.
    removed
        Older backups that were removed for it.
    """

    path: Path
    bytes: int
    sha256: str
    revision: str
    audit_head: str
    audit_entries: int
    taken_at: datetime
    removed: tuple[Path, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the backup as JSON."""
        return {
            **asdict(self),
            "path": str(self.path),
            "taken_at": self.taken_at.isoformat(),
            "removed": [str(path) for path in self.removed],
        }


def back_up(url: str, folder: Path, *, at: datetime, keep: int | None = None) -> Backup:
    """Copy an SQLite catalogue of any revision while it is in use; writers need not wait.

    Parameters
    ----------
    url
        Of the catalogue.
    folder
        Where the backup goes; made if need be.
    at
        Civil time, which names the backup.
    keep
        How many backups of the folder are left, the new one included; None leaves all.

    Raises
    ------
    BackupRefusedError
        If the catalogue is not SQLite, or the folder has a backup of this moment already.
    NoCatalogueError
        If there is no catalogue.
    CatalogueDamagedError
        If the catalogue is damaged.
    CatalogueFullError
        If there is no room.
    CatalogueUnavailableError
        If the catalogue cannot be read, or the folder not be written to.
    """
    source = _source_of(url)
    at = as_utc(at)
    path = folder / f"catalogue-{at:%Y%m%dT%H%M%S%f}Z.sqlite"
    if path.exists():
        raise BackupRefusedError(f"there is a backup {path} already; it was left as it was")
    with _reported(source, folder):
        folder.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(folder)
        unfinished = folder / f"{_UNFINISHED}{uuid.uuid4().hex}"
        try:
            made = _copy(source, unfinished, path, at)
            _name(unfinished, path, made)
        finally:
            for leftover in folder.glob(f"{unfinished.name}*"):
                leftover.unlink(missing_ok=True)
        removed = () if keep is None else _remove_old(folder, path, keep)
    return Backup(**{**asdict(made), "removed": removed})


def _source_of(url: str) -> Path:
    parsed = parse_url(url)
    source = sqlite_path(parsed)
    if source is None:
        place = parsed.set(drivername="postgresql").render_as_string(hide_password=True)
        raise BackupRefusedError(
            "only an SQLite catalogue is backed up by agetrace; back up PostgreSQL with its own"
            f" means: pg_dump --format=custom --file=catalogue.dump '{place}'"
        )
    if not source.is_file():
        raise NoCatalogueError(f"there is no catalogue at {source}: make one with `agetrace init`")
    return source


def copy_whole(source: Path, path: Path) -> None:
    """Copy an SQLite catalogue, checked and durable, to a path that then holds all of it.

    Raises
    ------
    CatalogueDamagedError, CatalogueFullError, CatalogueUnavailableError
        As `back_up`; nothing is left at `path`.
    """
    with _reported(source, path.parent):
        _remove_abandoned(path.parent)
        unfinished = path.with_name(f"{_UNFINISHED}{uuid.uuid4().hex}")
        try:
            with _copied_pages(source, unfinished):
                pass
            with unfinished.open("rb") as file:
                os.fsync(file.fileno())
            unfinished.replace(path)
            sync_folder(path.parent)
        finally:
            for leftover in path.parent.glob(f"{unfinished.name}*"):
                leftover.unlink(missing_ok=True)


@contextmanager
def _copied_pages(source: Path, unfinished: Path) -> Iterator[sqlite3.Connection]:
    """Copy a catalogue and yield a connection to the copy, which was found to be sound."""
    # a reader of a write-ahead log needs to write its index: it is opened for writing
    from_url = f"{source.resolve().as_uri()}?mode=rw"
    with (
        closing(sqlite3.connect(from_url, uri=True, timeout=BUSY_TIMEOUT_S)) as original,
        closing(sqlite3.connect(unfinished)) as copy,
    ):
        original.execute("pragma query_only = on")
        # in one step: with several it begins anew whenever somebody writes in between
        original.backup(copy)
        # one file that any medium and any reader can take
        copy.execute("pragma journal_mode = delete")
        problems = [str(row[0]) for row in copy.execute("pragma integrity_check")]
        if problems != ["ok"]:
            raise CatalogueDamagedError(
                f"the catalogue {source} is damaged, and no backup was made of it:"
                f" {'; '.join(problems[:3])}; older backups were left alone"
            )
        yield copy


def _copy(source: Path, unfinished: Path, path: Path, at: datetime) -> Backup:
    with _copied_pages(source, unfinished) as copy:
        (revision,) = copy.execute("select version_num from alembic_version").fetchone()
        newest = copy.execute("select sha256 from audit order by id desc limit 1").fetchone()
        (entries,) = copy.execute("select count(*) from audit").fetchone()
    with unfinished.open("rb") as file:
        os.fsync(file.fileno())
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        size = file.tell()
    return Backup(
        path=path,
        bytes=size,
        sha256=sha256,
        revision=revision,
        audit_head=GENESIS_SHA256 if newest is None else newest[0],
        audit_entries=entries,
        taken_at=at,
    )


def _name(unfinished: Path, path: Path, made: Backup) -> None:
    """Give copy and description their names, the copy last."""
    description = unfinished.with_suffix(".json")
    known = {name: value for name, value in made.to_json().items() if name != "removed"}
    with description.open("x", encoding="utf-8") as file:
        json.dump({**known, "path": path.name}, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    description.replace(path.with_suffix(".json"))
    sync_folder(path.parent)
    unfinished.replace(path)
    sync_folder(path.parent)


def _remove_old(folder: Path, newest: Path, keep: int) -> tuple[Path, ...]:
    """Remove the oldest backups by their names; never the one that was just made."""
    others = sorted(
        file for file in folder.iterdir() if _NAME.fullmatch(file.name) and file != newest
    )
    removed = tuple(others[: max(0, len(others) - (keep - 1))])
    for file in removed:
        file.unlink()
        file.with_suffix(".json").unlink(missing_ok=True)
    return removed


def _remove_abandoned(folder: Path) -> None:
    oldest = time.time() - _ABANDONED_S
    for file in folder.glob(f"{_UNFINISHED}*"):
        if file.stat().st_mtime < oldest:
            file.unlink(missing_ok=True)


@contextmanager
def _reported(source: Path, folder: Path) -> Iterator[None]:
    """Turn what databases and disks say into the datastore's errors."""
    full = f"there is no room for a backup in {folder}: free some space; older backups are whole"
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_FULL:
            raise CatalogueFullError(full) from error
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise CatalogueDamagedError(
                f"the catalogue {source} is damaged, and no backup was made of it: {error}"
            ) from error
        raise CatalogueUnavailableError(
            f"the catalogue {source} could not be backed up to {folder}: {error}"
        ) from error
    except OSError as error:
        if error.errno in FULL_DISK_ERRORS:
            raise CatalogueFullError(full) from error
        raise CatalogueUnavailableError(
            f"no backup could be written to {folder}: {error.strerror}"
        ) from error
