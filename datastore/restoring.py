"""Putting a backup in the place of an SQLite catalogue, which is set aside and never deleted.

The present catalogue gets a second name, then the copy of the backup takes the first one in one
step: whoever is killed leaves the old catalogue or the new one in place, and both to be found.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from datastore import audit
from datastore.backup import copy_whole
from datastore.checking import RESTORED, heads_of_backups
from datastore.clocks import as_utc
from datastore.durable import sync_folder
from datastore.engine import parse_url, refuse_network_file_system, sqlite_path
from datastore.errors import CatalogueDamagedError, CatalogueUnavailableError, RestoreRefusedError
from datastore.revision import EXPECTED_REVISION

_UNFINISHED: Final = "unfinished-restore-"
_DAEMON_SILENT: Final = timedelta(minutes=5)
_WAIT_S: Final = 5.0
_DAMAGED: Final = frozenset(
    {
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_ERROR,  # a table of ours is not there
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_NOTADB,
    }
)


@dataclass(frozen=True)
class Restored:
    """What restoring a backup did.

    Attributes
    ----------
    path
        The catalogue, which holds what the backup held, and an audit entry that says so.
    set_aside
        The former catalogue under its new name, None where there was none.
    backup, revision
        What was restored, and the revision of its tables.
    hash_known
        Whether a hash that lay beside the backup was compared with it.
    missing_sessions
        UUIDs of sessions of the former catalogue that the restored one does not know; None where
        the former one could not be read.
    missing_audit_entries
        How many entries of the former audit are not in the restored one; None as above.
    """

    path: Path
    set_aside: Path | None
    backup: Path
    revision: str
    hash_known: bool
    missing_sessions: tuple[str, ...] | None
    missing_audit_entries: int | None

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            **asdict(self),
            "path": str(self.path),
            "set_aside": None if self.set_aside is None else str(self.set_aside),
            "backup": str(self.backup),
        }


@dataclass(frozen=True)
class _Left:
    """What the former catalogue knows beyond the backup."""

    sessions: tuple[str, ...]
    audit_sha256s: tuple[str, ...]


def restore(
    url: str, backup: Path, *, at: datetime, operator: str | None, backups: Path
) -> Restored:
    """Put a backup in the place of the present SQLite catalogue.

    Parameters
    ----------
    url
        Of the catalogue; it need not be there, or sound.
    backup
        A copy that `datastore.backup.back_up` or an upgrade made.
    at, operator
        Civil time and who asks for it, for the audit.
    backups
        Folder of backups: the heads of those that are newer are noted as left behind.

    Raises
    ------
    RestoreRefusedError
        If the catalogue is not SQLite, somebody works with it, or the backup is no sound
        catalogue of a revision that this program knows. Nothing was changed.
    CatalogueDamagedError
        If the backup is damaged; nothing was changed.
    CatalogueFullError, CatalogueUnavailableError
        If there is no room, or a file cannot be written; nothing was changed.
    """
    parsed = parse_url(url)
    path = sqlite_path(parsed)
    if path is None:
        place = parsed.set(drivername="postgresql").render_as_string(hide_password=True)
        raise RestoreRefusedError(
            "only an SQLite catalogue is restored by agetrace; restore PostgreSQL with its own"
            f" means into an empty database: pg_restore --no-owner --dbname='{place}'"
            " catalogue.dump"
        )
    # a link to another disk stays one
    path = path.resolve()
    refuse_network_file_system(path)
    at = as_utc(at)
    hash_known = _verify_hash(backup)
    copy = path.with_name(f"{_UNFINISHED}{uuid.uuid4().hex}")
    try:
        copy_whole(backup, copy)
        revision = _verify_content(copy, backup)
        with _held(path) as present:
            left = None if present is None else _left_behind(present, copy)
            set_aside = _free_name(path, at) if path.exists() else None
            _note(copy, backup, set_aside, left, at, operator, backups)
            _exchange(path, copy, set_aside)
    except OSError as error:
        raise CatalogueUnavailableError(
            f"{backup} could not be restored to {path}: {error.strerror}; the catalogue was left"
            " as it was"
        ) from error
    finally:
        for leftover in path.parent.glob(f"{copy.name}*"):
            leftover.unlink(missing_ok=True)
    return Restored(
        path=path,
        set_aside=set_aside,
        backup=backup,
        revision=revision,
        hash_known=hash_known,
        missing_sessions=None if left is None else left.sessions,
        missing_audit_entries=None if left is None else len(left.audit_sha256s),
    )


def _verify_hash(backup: Path) -> bool:
    """Compare a backup with the hash beside it; returns whether there is one."""
    if not backup.is_file():
        raise RestoreRefusedError(f"there is no backup {backup}")
    description = backup.with_suffix(".json")
    if description == backup or not description.is_file():
        return False
    try:
        expected = json.loads(description.read_text(encoding="utf-8"))["sha256"]
    except (ValueError, KeyError, TypeError) as error:
        raise RestoreRefusedError(
            f"{description}, which should tell the hash of the backup, cannot be read: {error!r}"
        ) from None
    with backup.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != expected:
        raise CatalogueDamagedError(
            f"the backup {backup} has the sha256 {found}, and {expected} when it was made: take"
            " another backup; nothing was changed"
        )
    return True


def _verify_content(copy: Path, backup: Path) -> str:
    """Require a copy to be a catalogue with a whole audit; returns its revision."""
    try:
        with closing(sqlite3.connect(copy)) as connection:
            (revision,) = connection.execute("select version_num from alembic_version").fetchone()
    except (sqlite3.Error, TypeError):
        raise RestoreRefusedError(f"{backup} holds no catalogue; nothing was changed") from None
    if str(revision) > EXPECTED_REVISION:
        raise RestoreRefusedError(
            f"the backup {backup} has revision {revision}, which this program does not know:"
            " restore it with the agetrace that made it; nothing was changed"
        )
    engine = create_engine(f"sqlite:///{copy}")
    with Session(engine) as session:
        breaks = audit.verify(session)
    engine.dispose()
    if breaks:
        raise CatalogueDamagedError(
            f"the audit of the backup {backup} does not hold: {breaks[0]}; nothing was changed"
        )
    return str(revision)


@contextmanager
def _held(path: Path) -> Iterator[sqlite3.Connection | None]:
    """Keep everybody out of the present catalogue; yields None where it cannot be read.

    Without its write-ahead log it is one file, of which nothing is left that SQLite could take for
    the log of the file that comes after it.
    """
    if not path.exists():
        yield None
        return
    connection = sqlite3.connect(path, timeout=_WAIT_S, isolation_level=None)
    with closing(connection):
        readable = True
        try:
            _refuse_leased(connection)
            connection.execute("pragma journal_mode = delete")
            connection.execute("begin exclusive")
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise RestoreRefusedError(
                    f"another process has the catalogue {path} open: end it, and restore again"
                ) from None
            if code not in _DAMAGED:
                raise CatalogueUnavailableError(
                    f"the catalogue {path} cannot be set aside: {error}; nothing was changed"
                ) from error
            readable = False
        yield connection if readable else None


def _refuse_leased(connection: sqlite3.Connection) -> None:
    held = connection.execute(
        "select resource || ' is leased to ' || holder from lease"
        " where expires_at > strftime('%Y-%m-%d %H:%M:%f', 'now') order by 1"
    ).fetchall()
    has_daemons = connection.execute(
        "select 1 from sqlite_master where type = 'table' and name = 'daemon'"
    ).fetchone()
    if has_daemons:
        held += connection.execute(
            "select 'a daemon is at work: ' || holder from daemon where state <> 'stopped'"
            " and seen_at > strftime('%Y-%m-%d %H:%M:%f', 'now', ?) order by 1",
            (f"-{_DAEMON_SILENT.total_seconds()} seconds",),
        ).fetchall()
    if held:
        raise RestoreRefusedError(
            "somebody works with the catalogue, and nothing was changed:"
            f" {'; '.join(str(row[0]) for row in held)}: end it, and restore again"
        )


def _left_behind(present: sqlite3.Connection, copy: Path) -> _Left | None:
    names = ("select uuid from session order by id", "select sha256 from audit order by id")
    try:
        sessions, entries = ([row[0] for row in present.execute(query)] for query in names)
    except sqlite3.DatabaseError:
        return None
    with closing(sqlite3.connect(copy)) as restored:
        kept = [{row[0] for row in restored.execute(query)} for query in names]
    return _Left(
        tuple(uuid for uuid in sessions if uuid not in kept[0]),
        tuple(sha256 for sha256 in entries if sha256 not in kept[1]),
    )


def _note(
    copy: Path,
    backup: Path,
    set_aside: Path | None,
    left: _Left | None,
    at: datetime,
    operator: str | None,
    backups: Path,
) -> None:
    """Write into the restored catalogue's audit what it is, before it takes its place."""
    known = set() if left is None else set(left.audit_sha256s)
    heads = {head.sha256 for head in heads_of_backups(backups)[0]} & known
    if left is not None and left.audit_sha256s:
        heads.add(left.audit_sha256s[-1])
    engine = create_engine(f"sqlite:///{copy}")
    with Session(engine) as session, session.begin():
        entry = {
            "backup": backup.name,
            "set_aside": None if set_aside is None else set_aside.name,
            "operator": operator,
            "sessions_left_behind": None if left is None else len(left.sessions),
            "heads_left_behind": sorted(heads),
        }
        audit.append(session, RESTORED, entry, at)
    engine.dispose()
    with copy.open("rb") as file:
        os.fsync(file.fileno())


def _free_name(path: Path, at: datetime) -> Path:
    return path.with_name(
        f"{path.name}.before-restore-{at:%Y%m%dT%H%M%S%f}Z-{uuid.uuid4().hex[:4]}"
    )


def _exchange(path: Path, copy: Path, set_aside: Path | None) -> None:
    """Give the present catalogue its second name, then the first one to the copy."""
    if set_aside is not None:
        os.link(path, set_aside)
        for suffix in ("-wal", "-shm", "-journal"):
            # left only by a catalogue that could not be opened
            beside = path.with_name(path.name + suffix)
            if beside.exists():
                beside.replace(set_aside.with_name(set_aside.name + suffix))
        sync_folder(path.parent)
    copy.replace(path)
    sync_folder(path.parent)
