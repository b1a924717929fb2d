"""Every test that asks for `catalogue` or `url` runs on SQLite and on PostgreSQL."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL

from datastore.catalogue import Catalogue, open_catalogue
from migrations import runner
from tests.support.catalogues import (
    database_name,
    new_database,
    postgresql_server,
    sqlite_url,
)
from tests.support.object_stores import SeaweedServer, moto_server, seaweed_server


@pytest.fixture(scope="session")
def server() -> Iterator[URL]:
    """URL of a PostgreSQL server."""
    with postgresql_server() as url:
        yield url


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    """Endpoint of moto, a server that speaks S3 and checks no checksum."""
    with moto_server() as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def seaweed() -> Iterator[SeaweedServer]:
    """Return a SeaweedFS server, which speaks S3 and checks the sha256."""
    with seaweed_server() as server:
        yield server


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an empty SQLite catalogue to copy."""
    folder = tmp_path_factory.mktemp("template")
    runner.create(sqlite_url(folder))
    return folder / "catalogue.sqlite"


@pytest.fixture(scope="session")
def postgresql_template(server: URL) -> str:
    """Return the name of a database with an empty catalogue to copy."""
    url = new_database(server)
    runner.create(url)
    return database_name(url)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def backend(request: pytest.FixtureRequest) -> str:
    """Name of the database's kind."""
    return str(request.param)


@pytest.fixture
def empty_url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of a database without a catalogue."""
    if backend == "sqlite":
        return sqlite_url(tmp_path)
    return new_database(request.getfixturevalue("server"))


@pytest.fixture
def url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of an empty catalogue."""
    if backend == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "catalogue.sqlite")
        return sqlite_url(tmp_path)
    server = request.getfixturevalue("server")
    return new_database(server, request.getfixturevalue("postgresql_template"))


@pytest.fixture
def catalogue(url: str, tmp_path: Path) -> Iterator[Catalogue]:
    """Return an empty open catalogue."""
    with open_catalogue(url, tmp_path / "store") as opened:
        yield opened


@pytest.fixture
def sqlite_catalogue(sqlite_template: Path, tmp_path: Path) -> Iterator[Catalogue]:
    """Return an empty open catalogue on SQLite, for what concerns it alone."""
    shutil.copy(sqlite_template, tmp_path / "catalogue.sqlite")
    with open_catalogue(sqlite_url(tmp_path), tmp_path / "store") as opened:
        yield opened
