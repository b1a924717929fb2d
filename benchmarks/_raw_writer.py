"""Hand-written bulk inserts of shots, what `write_shots` is held against.

The same schema, indexes, triggers and settings of the database, the same transactions; rows are
ready tuples beforehand, and there is no audit, no look-up of what is known and no conversion.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import make_url

from datastore.bulk import BulkShot

Row = tuple[Any, ...]
COLUMNS = {
    "shot": (
        *("id", "uuid", "session_id", "camera_id", "sequence", "attempt", "kind"),
        *("scene_revision_id", "triggered_at", "time_source", "exposure", "exposure_s", "iso"),
        "warm_up",
    ),
    "shot_event": ("shot_id", "name", "at"),
    "asset": ("id", "sha256", "bytes", "role", "shot_id", "created_at"),
    "asset_location": ("asset_id", "store_id", "verified_at"),
    "frame_measures": ("asset_id", "mean_dn", "temperature_c", "code_version", "measured_at"),
    "verdict": ("shot_id", "verdict", "reason", "author", "at"),
}


def ready_rows(
    shots: Sequence[BulkShot], first_shot_id: int, first_asset_id: int, *, as_text: bool
) -> dict[str, list[Row]]:
    """Return the rows of synthetic shots by table; `as_text` gives times as SQLite keeps them."""
    rows: dict[str, list[Row]] = {table: [] for table in COLUMNS}

    def time(at: Any) -> Any:
        if at is None or not as_text:
            return at
        return at.replace(tzinfo=None).isoformat(" ", "microseconds")

    asset_id = first_asset_id
    for shot_id, shot in enumerate(shots, first_shot_id):
        rows["shot"].append(
            (
                *(shot_id, shot.uuid, shot.session_id, shot.camera_id, shot.sequence),
                *(shot.attempt, shot.kind, shot.scene_revision_id, time(shot.triggered_at)),
                *(shot.time_source, shot.exposure, shot.exposure_s, shot.iso, shot.warm_up),
            )
        )
        rows["shot_event"] += [(shot_id, event.name, time(event.at)) for event in shot.events]
        for asset in shot.assets:
            at = time(asset.created_at)
            rows["asset"].append((asset_id, asset.sha256, asset.bytes, asset.role, shot_id, at))
            rows["asset_location"].append((asset_id, 1, time(asset.verified_at)))
            measures = asset.measures
            if measures is not None:
                values = (measures.mean_dn, measures.temperature_c, measures.code_version, at)
                rows["frame_measures"].append((asset_id, *values))
            asset_id += 1
        if (verdict := shot.verdict) is not None:
            words = (verdict.verdict, verdict.reason, verdict.author)
            rows["verdict"].append((shot_id, *words, time(verdict.at)))
    return rows


class RawSqlite:
    """Inserts by `sqlite3.Connection.executemany`."""

    name = f"sqlite3 {sqlite3.sqlite_version} executemany, ready tuples"
    as_text = True

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        for pragma in (
            *("journal_mode = wal", "synchronous = full", "foreign_keys = on"),
            "recursive_triggers = on",
        ):
            self._connection.execute(f"pragma {pragma}")

    def write(self, rows: dict[str, list[Row]]) -> None:
        """Insert the rows in one transaction."""
        self._connection.execute("begin immediate")
        for table, columns in COLUMNS.items():
            marks = ", ".join("?" * len(columns))
            self._connection.executemany(
                f"insert into {table} ({', '.join(columns)}) values ({marks})", rows[table]
            )
        self._connection.execute("commit")

    def newest(self, table: str) -> int:
        """Return the largest number of a row."""
        return int(self._connection.execute(f"select max(id) from {table}").fetchone()[0] or 0)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


class RawPostgresql:
    """Inserts by psycopg's `executemany`."""

    as_text = False

    def __init__(self, url: str) -> None:
        import psycopg

        self.name = f"psycopg {psycopg.__version__} executemany, ready tuples"
        plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        self._connection = psycopg.connect(plain)

    def write(self, rows: dict[str, list[Row]]) -> None:
        """Insert the rows in one transaction."""
        with self._connection.transaction(), self._connection.cursor() as cursor:
            for table, columns in COLUMNS.items():
                marks = ", ".join(["%s"] * len(columns))
                cursor.executemany(
                    f"insert into {table} ({', '.join(columns)}) values ({marks})", rows[table]
                )

    def newest(self, table: str) -> int:
        """Return the largest number of a row."""
        with closing(self._connection.cursor()) as cursor:
            row = cursor.execute(f"select coalesce(max(id), 0) from {table}").fetchone()
        self._connection.commit()
        assert row is not None
        return int(row[0])

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
