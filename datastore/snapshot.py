"""A snapshot of a catalogue for readers: one SQLite file with tables, views and what they mean.

Made of SQLite and PostgreSQL alike, of one moment, for Datasette and any tool that reads SQLite. It
is no catalogue: it has no revision and no triggers, and nothing opens it as one.
"""

from __future__ import annotations

import json
import os
import sqlite3
import uuid
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, create_engine, insert, make_url, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from sqlalchemy.schema import CreateIndex, CreateTable

from datastore.catalogue import Catalogue
from datastore.durable import FULL_DISK_ERRORS, sync_folder, write_durably
from datastore.engine import sqlite_path
from datastore.errors import (
    CatalogueFullError,
    CatalogueUnavailableError,
    SnapshotRefusedError,
)
from datastore.table_meanings import table_meanings
from datastore.tables import Base

_PAGE: Final = 2000

_VIEWS: Final = {
    "shots": (
        "Every shot with its camera, scene, state, newest verdict, settings and measures.",
        """
        select shot.id, shot.uuid, session.uuid as session, camera.make as camera_make,
          camera.model as camera_model, camera.serial as camera_serial, camera.simulated, shot.kind,
          scene.name || '@' || scene_revision.revision as scene, shot.sequence, shot.attempt,
          shot.triggered_at, shot.time_source, shot.time_uncertainty_s, shot.exposure,
          shot.exposure_s, shot.iso, shot.f_number, shot.image_quality, shot.warm_up,
          shot_status.state, shot_status.verdict, verdict.reason as verdict_reason,
          verdict.author as verdict_author, read_back.exposure_s as read_back_exposure_s,
          read_back.iso as read_back_iso, exif.exposure_s as exif_exposure_s, exif.iso as exif_iso,
          exif.temperature_c as exif_temperature_c, exif.firmware as firmware,
          frame.sha256 as frame_sha256, frame.role as frame_role, frame.bytes as frame_bytes,
          frame_measures.black_level_dn, frame_measures.mean_dn, frame_measures.clipped_share,
          frame_measures.sharpness, frame_measures.temperature_c
        from shot
        join session on session.id = shot.session_id
        left join camera on camera.id = shot.camera_id
        left join scene_revision on scene_revision.id = shot.scene_revision_id
        left join scene on scene.id = scene_revision.scene_id
        left join shot_status on shot_status.shot_id = shot.id
        left join verdict on verdict.id = shot_status.verdict_id
        left join shot_settings as read_back
          on read_back.shot_id = shot.id and read_back.source = 'read-back'
        left join shot_settings as exif on exif.shot_id = shot.id and exif.source = 'exif'
        left join asset as frame on frame.id = (
          select id from asset where asset.shot_id = shot.id and role in ('raw', 'jpeg')
          order by role = 'raw' desc, id limit 1)
        left join frame_measures on frame_measures.asset_id = frame.id
        """,
    ),
    "counts": (
        "How many shots there are by camera, kind, scene, state and verdict.",
        """
        select camera_serial, kind, scene, state, verdict, count(*) as shots,
          min(triggered_at) as first, max(triggered_at) as last
        from shots group by camera_serial, kind, scene, state, verdict
        """,
    ),
    "sessions": (
        "Every session with its fixture, recipe, newest event and number of shots.",
        """
        select session.id, session.uuid, session.kind, session.started_at,
          fixture.name || '@' || fixture_revision.revision as fixture, recipe.name as recipe,
          session.operator, session.clock_source, newest.name as state, newest.at as state_at,
          (select count(*) from shot where shot.session_id = session.id) as shots, session.note
        from session
        left join fixture_revision on fixture_revision.id = session.fixture_revision_id
        left join fixture on fixture.id = fixture_revision.fixture_id
        left join recipe on recipe.id = session.recipe_id
        left join session_event as newest on newest.id = (
          select max(id) from session_event where session_id = session.id)
        """,
    ),
    "occurrences": (
        "Every due time of a schedule, and what became of it.",
        """
        select occurrence.id, occurrence.uuid, schedule.name as schedule, fixture.name as fixture,
          occurrence.due_at, occurrence.starts_at, occurrence.window_ends_at, occurrence.state,
          occurrence.reason, occurrence.detail, occurrence.attempts, occurrence.settled_at,
          (select group_concat(session.uuid, ' ') from occurrence_session
            join session on session.id = occurrence_session.session_id
            where occurrence_session.occurrence_id = occurrence.id) as sessions
        from occurrence
        join schedule on schedule.id = occurrence.schedule_id
        join fixture on fixture.id = schedule.fixture_id
        """,
    ),
}


@dataclass(frozen=True)
class Snapshot:
    """A snapshot that was made: its file, what tells Datasette about it, and how much there is."""

    path: Path
    metadata: Path
    bytes: int
    rows: int


def make_snapshot(
    catalogue: Catalogue, path: Path, *, at: datetime, replace: bool = False
) -> Snapshot:
    """Write all that a catalogue says at one moment into an SQLite file for readers.

    Parameters
    ----------
    catalogue
        Read in one transaction, page by page; writers need not wait.
    path
        Of the new file; `PATH.metadata.json`, without the file's suffix, is written beside it.
    at
        Civil time, told in the metadata.
    replace
        Whether a file that is there makes way for it, once the new one is whole.

    Raises
    ------
    SnapshotRefusedError
        If there is a file, or it is the catalogue's own; nothing was changed.
    CatalogueFullError
        If there is no room.
    CatalogueUnavailableError
        If the file cannot be written.
    """
    _refuse_taken(catalogue, path, replace=replace)
    metadata = path.with_name(f"{path.stem}.metadata.json")
    unfinished = path.with_name(f"unfinished-{uuid.uuid4().hex}.sqlite")
    try:
        with catalogue.reading() as session:
            rows = _write(session, unfinished)
        with unfinished.open("rb") as file:
            os.fsync(file.fileno())
            size = os.fstat(file.fileno()).st_size
        write_durably(metadata, json.dumps(_metadata(path.stem, at), indent=2).encode())
        unfinished.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        if error.errno in FULL_DISK_ERRORS:
            raise CatalogueFullError(f"there is no room for a snapshot at {path}") from error
        raise CatalogueUnavailableError(
            f"no snapshot could be written to {path}: {error.strerror}"
        ) from error
    finally:
        for leftover in path.parent.glob(f"{unfinished.name}*"):
            leftover.unlink(missing_ok=True)
    return Snapshot(path, metadata, size, rows)


def _refuse_taken(catalogue: Catalogue, path: Path, *, replace: bool) -> None:
    own = sqlite_path(make_url(catalogue.url))
    if own is not None and path.exists() and own.exists() and own.samefile(path):
        raise SnapshotRefusedError(f"{path} is the catalogue itself; name another file")
    if path.is_dir() or (path.exists() and not replace):
        raise SnapshotRefusedError(
            f"there is a {path} already; name another file, or ask for its replacement"
        )
    if not path.parent.is_dir():
        raise SnapshotRefusedError(f"there is no folder {path.parent}")


def _write(session: Session, unfinished: Path) -> int:
    engine = create_engine(f"sqlite:///{unfinished}")
    try:
        with engine.connect() as target:
            # nobody but us sees the file until it is whole and flushed
            target.exec_driver_sql("pragma journal_mode = off")
            target.exec_driver_sql("pragma synchronous = off")
            rows = sum(_copy_table(session, target, table) for table in Base.metadata.sorted_tables)
            for table in Base.metadata.sorted_tables:
                for index in table.indexes:
                    target.execute(CreateIndex(index))
            for name, (_, query) in _VIEWS.items():
                target.exec_driver_sql(f"create view {name} as {query}")
            target.commit()
        with engine.connect() as target:
            target.exec_driver_sql("analyze")
            target.commit()
            target.exec_driver_sql("pragma journal_mode = delete")
    except DBAPIError as error:
        code = getattr(error.orig, "sqlite_errorcode", None)
        if code is None:
            raise
        if code & 0xFF == sqlite3.SQLITE_FULL:
            raise CatalogueFullError(f"there is no room for a snapshot at {unfinished}") from error
        raise CatalogueUnavailableError(
            f"no snapshot could be written to {unfinished.parent}: {error.orig}"
        ) from error
    finally:
        engine.dispose()
    return rows


def _copy_table(session: Session, target: Connection, table: Any) -> int:
    target.execute(CreateTable(table))
    found = session.connection().execution_options(yield_per=_PAGE).execute(select(table))
    count = 0
    for page in found.partitions():
        target.execute(insert(table), [dict(row._mapping) for row in page])
        count += len(page)
    return count


def _metadata(name: str, at: datetime) -> dict[str, Any]:
    """Return what Datasette shows beside the data."""
    tables: dict[str, dict[str, Any]] = {
        table.name: {
            "description": " ".join(table.meaning.split()),
            "columns": {column.name: column.meaning for column in table.columns if column.meaning},
        }
        for table in table_meanings()
    }
    tables |= {view: {"description": words} for view, (words, _) in _VIEWS.items()}
    return {
        "title": "agetrace catalogue",
        "description": f"A snapshot of {at.isoformat(timespec='seconds')}; times are in UTC."
        " Begin with the views shots, counts, sessions and occurrences.",
        "databases": {name: {"tables": tables}},
    }
