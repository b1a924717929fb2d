"""Every test that asks for `diary` or `catalogue` runs on SQLite and on PostgreSQL."""

from __future__ import annotations

import pytest

from datastore.catalogue import Catalogue
from tests.datastore.conftest import (
    backend,
    catalogue,
    postgresql_template,
    server,
    sqlite_catalogue,
    sqlite_template,
    url,
)
from tests.support.occurrence_diary import Diary, add_fixtures

__all__ = [
    "backend",
    "catalogue",
    "postgresql_template",
    "server",
    "sqlite_catalogue",
    "sqlite_template",
    "url",
]


@pytest.fixture
def diary(catalogue: Catalogue) -> Diary:
    """Return the schedules of a catalogue with two fixtures."""
    add_fixtures(catalogue, "north", "south")
    return Diary(catalogue)
