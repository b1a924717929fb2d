"""Every test that asks for `catalogue` or `url` runs on SQLite and on PostgreSQL."""

from __future__ import annotations

from tests.datastore.conftest import (
    backend,
    catalogue,
    postgresql_template,
    server,
    sqlite_catalogue,
    sqlite_template,
    url,
)

__all__ = [
    "backend",
    "catalogue",
    "postgresql_template",
    "server",
    "sqlite_catalogue",
    "sqlite_template",
    "url",
]
