"""Giving a catalogue's unused space back, and telling its planner what the tables hold."""

from __future__ import annotations

import shutil
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import URL, Connection, text
from sqlalchemy.exc import DBAPIError

from datastore.engine import create_engines, parse_url, sqlite_path, translated_errors
from datastore.errors import CatalogueFullError

_ROWS_LOOKED_AT: Final = 1000
"""Rows of an index that SQLite looks at to guess how selective it is."""

_SQLITE_STATEMENTS: Final = (
    "vacuum",
    f"pragma analysis_limit = {_ROWS_LOOKED_AT}",
    "analyze",
    "pragma optimize",
    "pragma wal_checkpoint(truncate)",
)


@dataclass(frozen=True)
class VacuumReport:
    """Size of a catalogue before and after, in bytes."""

    bytes_before: int
    bytes_after: int


def vacuum(url: str) -> VacuumReport:
    """Make a catalogue as small as its rows are, and renew the statistics of its planner.

    On SQLite writers wait, for as long as it takes to write the whole file anew; on PostgreSQL
    nobody does.

    Raises
    ------
    NoCatalogueError
        If there is none.
    CatalogueFullError
        If there is no room for the copies that SQLite makes meanwhile; nothing was changed.
    CatalogueBusyError
        If another process held the write lock for too long.
    """
    parsed = parse_url(url)
    path = sqlite_path(parsed)
    return _vacuum_postgresql(parsed) if path is None else _vacuum_sqlite(parsed, path)


def _vacuum_sqlite(url: URL, path: Path) -> VacuumReport:
    engines = create_engines(url)
    try:
        with translated_errors(url):
            before = _bytes_of(path)
            # one copy in a temporary file, one in the write-ahead log
            free = shutil.disk_usage(path.parent).free
            if free < 2 * before:
                raise CatalogueFullError(
                    f"making {path} smaller takes {2 * before} bytes beside it, and {free} are"
                    " free; nothing was changed: free some space"
                )
            with engines.write.connect() as connection:
                for statement in _SQLITE_STATEMENTS:
                    _execute_outside(connection, statement)
            return VacuumReport(before, _bytes_of(path))
    finally:
        engines.dispose()


def _execute_outside(connection: Connection, statement: str) -> None:
    """Execute a statement outside a transaction, which SQLAlchemy would begin."""
    try:
        connection.connection.cursor().execute(statement)
    except sqlite3.Error as error:
        raise DBAPIError(statement, None, error) from error


def _bytes_of(path: Path) -> int:
    files = (path, path.with_name(path.name + "-wal"))
    return sum(file.stat().st_size for file in files if file.exists())


def _vacuum_postgresql(url: URL) -> VacuumReport:
    size = text("select pg_database_size(current_database())")
    engines = create_engines(url)
    try:
        with (
            translated_errors(url),
            engines.write.connect().execution_options(isolation_level="AUTOCOMMIT") as connection,
        ):
            before = int(connection.execute(size).scalar_one())
            connection.execute(text("vacuum (analyze)"))
            return VacuumReport(before, int(connection.execute(size).scalar_one()))
    finally:
        engines.dispose()
