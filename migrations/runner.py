"""Creating, upgrading and downgrading catalogues: Alembic's revisions, backup and checks around."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, event, inspect, text

from datastore.backup import copy_whole
from datastore.engine import create_engines, parse_url, sqlite_path, translated_errors
from datastore.errors import (
    CatalogueDamagedError,
    CatalogueExistsError,
    DowngradeRefusedError,
    NoCatalogueError,
    RevisionMismatchError,
)
from datastore.revision import stored_revision
from datastore.tables import OPERATIONAL_TABLES, Base
from datastore.triggers import missing_guards, missing_triggers

SCRIPTS = Path(__file__).parent
NOTHING = "base"
"""What there is before the first revision: no table of ours."""

_DERIVED_TABLES = frozenset({"shot_status"})
_VERSION_TABLE = "alembic_version"


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
            command.upgrade(_config(SCRIPTS, connection), "head")
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
    before = _known_revision(parsed, scripts)
    if before == ScriptDirectory.from_config(_config(scripts)).get_current_head():
        return None
    backup = _back_up(parsed, before)
    with _transaction(parsed, must_exist=True) as connection:
        counts = _row_counts(connection)
        command.upgrade(_config(scripts, connection), "head")
        _require_rows(counts, _row_counts(connection))
        _require_foreign_keys(connection)
        _require_guarded(connection)
    return backup


def downgrade(url: str, revision: str, *, scripts: Path = SCRIPTS) -> Path | None:
    """Bring a catalogue back to an older revision, for an older program; it loses no row.

    An SQLite catalogue is backed up first, as by `upgrade`. The change is one transaction, which
    is undone where the older revision has no place for something that is recorded. Only what
    triggers derive, and would derive again, goes.

    Parameters
    ----------
    url
        Of an existing catalogue.
    revision
        Where to go, or `NOTHING` to take a catalogue without rows out of its database.
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
        If this program does not know its revision, or `revision` is none before it.
    DowngradeRefusedError
        If rows or values would be lost; names the tables and columns and how many there are.
        Nothing was changed.
    CatalogueDamagedError
        If foreign keys or triggers would not survive; nothing was changed.
    """
    parsed = parse_url(url)
    before = _known_revision(parsed, scripts)
    script = ScriptDirectory.from_config(_config(scripts))
    older = {found.revision for found in script.iterate_revisions(before, NOTHING)}
    if revision == before:
        return None
    if revision not in {*older, NOTHING}:
        place = parsed.render_as_string(hide_password=True)
        raise RevisionMismatchError(
            f"the catalogue {place} has revision {before}: there is no {revision} before it"
        )
    backup = _back_up(parsed, before)
    try:
        with _transaction(parsed, must_exist=True) as connection:
            counts = _value_counts(connection)
            command.downgrade(_config(scripts, connection), revision)
            _require_values(counts, _value_counts(connection))
            _require_foreign_keys(connection)
            _require_append_only(connection)
    except DowngradeRefusedError:
        # of a catalogue that stays as it is
        if backup is not None:
            backup.unlink()
        raise
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


def _config(scripts: Path, connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    if connection is not None:
        config.attributes["connection"] = connection
    return config


def _known_revision(url: URL, scripts: Path) -> str:
    """Return the revision of a catalogue; raises where there is none, or one of another program."""
    place = url.render_as_string(hide_password=True)
    revision = current(url.render_as_string(hide_password=False))
    if revision is None:
        raise NoCatalogueError(f"{place} holds no catalogue: make one with `agetrace init`")
    known = ScriptDirectory.from_config(_config(scripts)).walk_revisions()
    if revision not in {script.revision for script in known}:
        raise RevisionMismatchError(
            f"the catalogue {place} has revision {revision}, which this program does not know:"
            " install the agetrace that made it, or a newer one"
        )
    return revision


def _back_up(url: URL, revision: str) -> Path | None:
    """Keep an SQLite catalogue as it is, beside its file, under a name that says its revision."""
    path = sqlite_path(url)
    if path is None:
        return None
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
    backup = path.with_name(f"{path.name}.revision-{revision}-{stamp}")
    copy_whole(path, backup)
    return backup


def _row_counts(connection: Connection) -> dict[str, int]:
    quote = connection.dialect.identifier_preparer.quote
    return {
        table: connection.scalar(text(f"select count(*) from {quote(table)}")) or 0  # noqa: S608
        for table in inspect(connection).get_table_names()
    }


def _value_counts(connection: Connection) -> dict[tuple[str, str], int]:
    """Return how many rows each column of each table has a value in; every row has its key."""
    quote = connection.dialect.identifier_preparer.quote
    found: dict[tuple[str, str], int] = {}
    for (_, table), columns in inspect(connection).get_multi_columns().items():
        if table in {*_DERIVED_TABLES, _VERSION_TABLE}:
            continue
        names = [str(column["name"]) for column in columns]
        counted = ", ".join(f"count({quote(name)})" for name in names)
        counts = connection.execute(text(f"select {counted} from {quote(table)}")).one()  # noqa: S608
        found |= {(table, name): count for name, count in zip(names, counts, strict=True)}
    return found


def _require_values(before: dict[tuple[str, str], int], after: dict[tuple[str, str], int]) -> None:
    """Refuse to lose rows of a table, or values of a column of a table that stays."""
    remaining = {table for table, _ in after}
    rows: dict[str, int] = {}
    values = []
    for (table, column), count in before.items():
        lost = count - after.get((table, column), 0)
        if table not in remaining:
            rows[table] = max(lost, rows.get(table, 0))
        elif lost > 0:
            values.append(f"{lost} values of {table}.{column}")
    lost_rows = [f"{count} rows of {table}" for table, count in rows.items() if count]
    if lost_rows or values:
        raise DowngradeRefusedError(
            "the older revision has no place for what is recorded, and nothing was changed:"
            f" {', '.join(sorted(lost_rows) + sorted(values))}"
        )


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
            f"the change would leave rows that refer to nothing and was undone: {tables}"
        )


def _require_guarded(connection: Connection) -> None:
    missing = missing_triggers(connection, Base.metadata.tables.keys() - OPERATIONAL_TABLES)
    _refuse_missing(missing)


def _require_append_only(connection: Connection) -> None:
    """Require the guards of the tables that are there, whatever the revision."""
    tables = set(inspect(connection).get_table_names()) - OPERATIONAL_TABLES - {_VERSION_TABLE}
    _refuse_missing(missing_guards(connection, tables))


def _refuse_missing(missing: list[str]) -> None:
    if missing:
        raise CatalogueDamagedError(
            f"append-only tables would lose their triggers, undone: {', '.join(missing)}"
        )
