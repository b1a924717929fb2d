"""Database engines of a catalogue, one that writes and one that only reads; knows no table."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from datastore.errors import (
    CatalogueBusyError,
    CatalogueFullError,
    CatalogueUnavailableError,
    CatalogueUrlError,
    NetworkFileSystemError,
    NoCatalogueError,
)

BUSY_TIMEOUT_S = 60
"""How long a writer waits for SQLite's one write lock."""

_SQLITE_UNAVAILABLE = frozenset(
    {
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_PERM,
    }
)

NETWORK_FILE_SYSTEMS = frozenset(
    (
        *("9p", "afs", "beegfs", "ceph", "cifs", "davfs", "gfs2", "glusterfs", "gpfs", "lustre"),
        *("ncpfs", "nfs", "nfs4", "ocfs2", "orangefs", "pvfs2", "smb3", "smbfs"),
        *("fuse.glusterfs", "fuse.rclone", "fuse.s3fs", "fuse.sshfs"),
    )
)
"""File systems on which SQLite's write-ahead log, a file of shared memory, cannot be trusted."""


@dataclass(frozen=True)
class Engines:
    """The engines of one database."""

    write: Engine
    read: Engine

    def dispose(self) -> None:
        """Close every connection."""
        self.write.dispose()
        self.read.dispose()


def parse_url(url: str) -> URL:
    """Return the parsed database URL.

    Raises
    ------
    CatalogueUrlError
        If it is no URL, names another kind of database, or an SQLite database in memory.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise CatalogueUrlError(
            "the database URL cannot be read: it looks like `sqlite:////folder/catalogue.sqlite`"
            " or `postgresql+psycopg://user@host/database`"
        ) from None
    if parsed.drivername in ("postgresql", "postgres"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername not in ("sqlite", "sqlite+pysqlite", "postgresql+psycopg"):
        raise CatalogueUrlError(
            f"a catalogue lives on sqlite or postgresql+psycopg, not on {parsed.drivername}"
        )
    if sqlite_path(parsed) is None and parsed.get_backend_name() == "sqlite":
        raise CatalogueUrlError("a catalogue needs a file: `sqlite:////folder/catalogue.sqlite`")
    return parsed


def sqlite_path(url: URL) -> Path | None:
    """Return the file of an SQLite URL, None for another database or one in memory."""
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return None
    return Path(str(url.database))


def refuse_network_file_system(path: Path, mounts: Path = Path("/proc/mounts")) -> None:
    """Refuse a place for an SQLite file whose locks cannot be trusted.

    Raises
    ------
    NetworkFileSystemError
        If `path` lies on a network file system, by the table of `mounts`.
    """
    kind = _file_system(path, mounts)
    if kind in NETWORK_FILE_SYSTEMS:
        raise NetworkFileSystemError(
            f"{path} lies on a network file system ({kind}), where SQLite loses data: keep the"
            " catalogue on a local disk, or put it on PostgreSQL with AGETRACE_DATABASE_URL"
        )


def _file_system(path: Path, mounts: Path) -> str | None:
    """Return the kind of file system that `path` lies on, None where it cannot be told."""
    try:
        lines = mounts.read_text().splitlines()
    except OSError:
        return None
    resolved = path.resolve()
    best: tuple[int, str] | None = None
    for line in lines:
        fields = line.split()
        if len(fields) < 3:
            continue
        place = Path(fields[1].encode().decode("unicode_escape"))
        if resolved.is_relative_to(place):
            depth = len(place.parts)
            # a later mount on the same place hides the earlier one
            if best is None or depth >= best[0]:
                best = (depth, fields[2])
    return None if best is None else best[1]


def create_engines(url: URL, *, must_exist: bool = True, read_only: bool = False) -> Engines:
    """Return the engines of the database at `url`; connects to nothing yet.

    The write engine of SQLite has one connection and begins every transaction with BEGIN
    IMMEDIATE, so that reading before writing never meets a lock that it cannot wait for. The read
    engine refuses to write on both databases and sees one snapshot per transaction; with
    `read_only` it also opens an SQLite file that this process may not write to, and the write
    engine is of no use.

    Raises
    ------
    NoCatalogueError
        If `must_exist` and the SQLite file is absent.
    NetworkFileSystemError
        If an SQLite file would lie on a network file system.
    CatalogueUnavailableError
        If the driver of PostgreSQL is not installed.
    """
    path = sqlite_path(url)
    if path is None:
        return _postgresql_engines(url)
    refuse_network_file_system(path)
    if must_exist and not path.is_file():
        raise NoCatalogueError(
            f"there is no catalogue at {path}: move it back if it was moved, or make one with"
            " `agetrace init`"
        )
    write = create_engine(url, pool_size=1, max_overflow=0, pool_timeout=BUSY_TIMEOUT_S)
    event.listen(write, "connect", _prepare_sqlite_writer)
    event.listen(write, "begin", _begin_immediate)
    read = create_engine(url)
    if must_exist:
        event.listen(write, "do_connect", _connect_to_existing)
        event.listen(read, "do_connect", _connect_to_read if read_only else _connect_to_existing)
    event.listen(read, "connect", _prepare_sqlite_reader)
    event.listen(read, "begin", _begin)
    return Engines(write, read)


def _connect_to_existing(
    _dialect: Any, _record: Any, arguments: list[Any], options: dict[str, Any]
) -> None:
    """Have SQLite open the file, never make it.

    An empty file in the place of a catalogue that was moved away for a moment would have SQLite
    delete its write-ahead log, and with it what was committed last.
    """
    _open_with("mode=rw", arguments, options)


def _connect_to_read(
    _dialect: Any, _record: Any, arguments: list[Any], options: dict[str, Any]
) -> None:
    """Have SQLite open the file as far as this process may.

    A reader of a write-ahead log writes to the log's index, where it can. On a file system that
    nobody can write to, the file stands still and needs none.
    """
    file = Path(arguments[0])
    if os.access(file, os.W_OK) and os.access(file.parent, os.W_OK):
        mode = "mode=rw"
    elif os.statvfs(file).f_flag & os.ST_RDONLY:
        mode = "mode=ro&immutable=1"
    else:
        mode = "mode=ro"
    _open_with(mode, arguments, options)


def _open_with(mode: str, arguments: list[Any], options: dict[str, Any]) -> None:
    if not options.get("uri"):
        arguments[0] = f"{Path(arguments[0]).resolve().as_uri()}?{mode}"
        options["uri"] = True


def _prepare_sqlite_writer(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    connection.execute(f"pragma busy_timeout = {BUSY_TIMEOUT_S * 1000}")
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = full")
    connection.execute("pragma foreign_keys = on")
    # without it INSERT OR REPLACE deletes rows behind the append-only triggers' back
    connection.execute("pragma recursive_triggers = on")


def _prepare_sqlite_reader(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    connection.execute(f"pragma busy_timeout = {BUSY_TIMEOUT_S * 1000}")
    connection.execute("pragma query_only = on")


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("begin immediate")


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("begin")


def _postgresql_engines(url: URL) -> Engines:
    try:
        write = create_engine(url, pool_pre_ping=True)
        read = create_engine(url, pool_pre_ping=True, isolation_level="REPEATABLE READ")
    except ModuleNotFoundError as error:
        raise CatalogueUnavailableError(
            "PostgreSQL needs its driver: install it with `pip install 'agetrace[postgresql]'`"
        ) from error
    event.listen(read, "connect", _prepare_postgresql_reader)
    return Engines(write, read)


def _prepare_postgresql_reader(connection: Any, _record: Any) -> None:
    connection.execute("set session default_transaction_read_only = on")
    connection.commit()


@contextmanager
def translated_errors(url: URL) -> Iterator[None]:
    """Turn the databases' ways of saying busy, full and unreachable into the datastore's errors.

    Raises
    ------
    CatalogueBusyError, CatalogueFullError, CatalogueUnavailableError
        In place of the driver's error, without the password of `url`.
    """
    place = url.render_as_string(hide_password=True)
    try:
        yield
    except PoolTimeoutError as error:
        raise CatalogueBusyError(
            f"every connection of this process to the catalogue {place} was in use for too long;"
            " nothing was changed: try again"
        ) from error
    except DBAPIError as error:
        if _means_full(error):
            raise CatalogueFullError(
                f"the disk of the catalogue {place} is full; nothing was changed: free some space"
            ) from error
        if _sqlite_code(error) == sqlite3.SQLITE_BUSY:
            raise CatalogueBusyError(
                f"the catalogue {place} was locked by another process for more than"
                f" {BUSY_TIMEOUT_S} s; nothing was changed: try again"
            ) from error
        if _means_unavailable(error):
            raise CatalogueUnavailableError(
                f"the catalogue {place} cannot be used: {error.orig}"
            ) from error
        raise


def _sqlite_code(error: DBAPIError) -> int | None:
    """Return SQLite's primary result code, None for another database's error."""
    code = getattr(error.orig, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def _means_full(error: DBAPIError) -> bool:
    disk_full = "53100"
    return (
        _sqlite_code(error) == sqlite3.SQLITE_FULL
        or getattr(error.orig, "sqlstate", None) == disk_full
    )


def _means_unavailable(error: DBAPIError) -> bool:
    code = _sqlite_code(error)
    if code is not None:
        return code in _SQLITE_UNAVAILABLE
    # a server that was never reached, or was lost, has no word on the statement
    never_reached = getattr(error.orig, "sqlstate", None) is None
    return isinstance(error, OperationalError) and (error.connection_invalidated or never_reached)
