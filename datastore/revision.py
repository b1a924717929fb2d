"""The catalogue's revision that this program reads and writes; `migrations` ends at it."""

from __future__ import annotations

from sqlalchemy import Connection, inspect, text

from datastore.errors import NoCatalogueError, RevisionMismatchError

EXPECTED_REVISION = "0008"
"""Revisions are numbered in order, so that an older one sorts before a newer one."""

_VERSION_TABLE = "alembic_version"


def stored_revision(connection: Connection) -> str | None:
    """Return the revision of the connected database, None where there is no catalogue."""
    if not inspect(connection).has_table(_VERSION_TABLE):
        return None
    revision = connection.scalar(text(f"select version_num from {_VERSION_TABLE}"))  # noqa: S608
    return None if revision is None else str(revision)


def require_expected_revision(connection: Connection) -> None:
    """Refuse a catalogue of another revision.

    Raises
    ------
    NoCatalogueError
        If the database holds no catalogue.
    RevisionMismatchError
        If its revision is older or newer than the expected one; names the command that helps and
        hides the password of the URL.
    """
    url = connection.engine.url.render_as_string(hide_password=True)
    revision = stored_revision(connection)
    if revision is None:
        raise NoCatalogueError(f"{url} holds no catalogue: make one with `agetrace init`")
    if revision == EXPECTED_REVISION:
        return
    if revision < EXPECTED_REVISION:
        advice = "run `agetrace catalogue upgrade`, which makes a backup first"
    else:
        advice = (
            "it was made by a newer agetrace: install that one"
            " (`agetrace catalogue upgrade` only goes forward)"
        )
    raise RevisionMismatchError(
        f"the catalogue {url} has revision {revision}, this program expects"
        f" {EXPECTED_REVISION}: {advice}"
    )
