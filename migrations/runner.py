"""Creating and upgrading catalogues: runs Alembic's revisions, with a backup and checks around."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, event, inspect, text

from datastore.engine import create_engines, parse_url, sqlite_path, translated_errors
from datastore.errors import (
    CatalogueDamagedError,
    CatalogueExistsError,
    NoCatalogueError,
    RevisionMismatchError,
)
from datastore.revision import stored_revision
from datastore.tables import OPERATIONAL_TABLES, Base
from datastore.triggers import missing_triggers

SCRIPTS = Path(__file__).parent


def create(url: str) -> None:
    """Create an empty catalogue at this program's revision.

    Parameters
    ----------
    url
        Of an SQLite file whose folder exists, or of an empty PostgreSQL database.

    Raises
    ------
    CatalogueExistsError
        If there is a catalogue already; it is left as it was.
    NetworkFileSystemError
        If an SQLite file would lie on a network file system.
    """
    parsed = parse_url(url)
    path = sqlite_path(parsed)
    is_new_file = path is not None and not path.exists()
    try:
        with _transaction(parsed, must_exist=False) as connection:
            if stored_revision(connection) is not None:
                place = parsed.render_as_string(hide_password=True)
                raise CatalogueExistsError(
                    f"{place} holds a catalogue already, and nothing was changed"
                )
            _run(connection, SCRIPTS)
            _require_guarded(connection)
    except BaseException:
        if is_new_file and path is not None:
            for suffix in ("", "-wal", "-shm"):
                path.with_name(path.name + suffix).unlink(missing_ok=True)
        raise


def upgrade(url: str, *, scripts: Path = SCRIPTS) -> Path | None:
    """Bring a catalogue to the newest revision; one that is there already is left alone.

    An SQLite catalogue is backed up first, beside its file. A PostgreSQL catalogue is backed up
    with the means of its server before this is called. Either way the change is one transaction
    that is rolled back unless every row and every guard is still there at its end.

    Parameters
    ----------
    url
        Of an existing catalogue.
    scripts
        Alembic's folder of revisions.

    Returns
    -------
    Path or None
        The backup, None where none was made.

    Raises
    ------
    NoCatalogueError
        If there is no catalogue.
    RevisionMismatchError
        If its revision is none that this program knows, a newer one for example.
    CatalogueDamagedError
        If rows, foreign keys or triggers would not survive; nothing was changed.
    """
    parsed = parse_url(url)
    before = current(url)
    if before is None:
        place = parsed.render_as_string(hide_password=True)
        raise NoCatalogueError(f"{place} holds no catalogue: make one with `agetrace init`")
    known = ScriptDirectory.from_config(_config(scripts))
    if before == known.get_current_head():
        return None
    if before not in {script.revision for script in known.walk_revisions()}:
        place = parsed.render_as_string(hide_password=True)
        raise RevisionMismatchError(
            f"the catalogue {place} has revision {before}, which this program does not know:"
            " install the agetrace that made it, or a newer one"
        )
    path = sqlite_path(parsed)
    backup = None if path is None else _back_up(path, before)
    with _transaction(parsed, must_exist=True) as connection:
        counts = _row_counts(connection)
        _run(connection, scripts)
        _require_rows(counts, _row_counts(connection))
        _require_foreign_keys(connection)
        _require_guarded(connection)
    return backup


def current(url: str) -> str | None:
    """Return the revision of the database at `url`, None where it holds no catalogue.

    Raises
    ------
    NoCatalogueError
        If the SQLite file is absent.
    """
    parsed = parse_url(url)
    engines = create_engines(parsed)
    try:
        with translated_errors(parsed), engines.read.connect() as connection:
            return stored_revision(connection)
    finally:
        engines.dispose()


@contextmanager
def _transaction(url: URL, *, must_exist: bool) -> Iterator[Connection]:
    engines = create_engines(url, must_exist=must_exist)
    if sqlite_path(url) is not None:
        # rebuilding a table that others refer to is refused with foreign keys on, and the switch
        # does nothing inside a transaction
        event.listen(engines.write, "connect", _switch_foreign_keys_off)
    try:
        with translated_errors(url), engines.write.begin() as connection:
            yield connection
    finally:
        engines.dispose()


def _switch_foreign_keys_off(connection: Any, _record: Any) -> None:
    connection.execute("pragma foreign_keys = off")


def _run(connection: Connection, scripts: Path) -> None:
    config = _config(scripts)
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _config(scripts: Path) -> Config:
    config = Config()
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _back_up(path: Path, revision: str) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
    backup = path.with_name(f"{path.name}.revision-{revision}-{stamp}")
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(backup)) as target:
        source.backup(target)
    return backup


def _row_counts(connection: Connection) -> dict[str, int]:
    quote = connection.dialect.identifier_preparer.quote
    return {
        table: connection.scalar(text(f"select count(*) from {quote(table)}")) or 0  # noqa: S608
        for table in inspect(connection).get_table_names()
    }


def _require_rows(before: dict[str, int], after: dict[str, int]) -> None:
    lost = [
        f"{table}: {count} -> {after.get(table, 0)}"
        for table, count in before.items()
        if after.get(table, 0) < count
    ]
    if lost:
        raise CatalogueDamagedError(
            f"the upgrade would lose rows and was undone: {', '.join(sorted(lost))}"
        )


def _require_foreign_keys(connection: Connection) -> None:
    if connection.dialect.name != "sqlite":
        return
    broken = connection.execute(text("pragma foreign_key_check")).all()
    if broken:
        tables = ", ".join(sorted({str(row[0]) for row in broken}))
        raise CatalogueDamagedError(
            f"the upgrade would leave rows that refer to nothing and was undone: {tables}"
        )


def _require_guarded(connection: Connection) -> None:
    missing = missing_triggers(connection, Base.metadata.tables.keys() - OPERATIONAL_TABLES)
    if missing:
        raise CatalogueDamagedError(
            f"append-only tables would lose their triggers, undone: {', '.join(missing)}"
        )
