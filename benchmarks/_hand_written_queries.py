"""Queries that somebody who knows the schema would write by hand, what ours are held against.

Each names the index's columns in its conditions, takes the numbers of rows from the order in which
the synthetic catalogue was made, and returns plain tuples.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import make_url

from benchmarks._synthetic_catalogue import SCHEME

PAGE = 100


@dataclass(frozen=True)
class Condition:
    """A condition in SQL with its values."""

    sql: str
    values: tuple[Any, ...]
    of_status: bool = False
    """Whether its column is one of shot_status, which then leads the query."""


_PAGE = """
select shot.id, shot.uuid, camera.serial, shot.kind, scene.name, scene_revision.revision,
    session.uuid, shot.triggered_at, shot.exposure_s, shot.iso, shot.f_number,
    shot_status.state, shot_status.verdict
from (
    select {lead}.{number} as id, {lead}.triggered_at from {source}
    where {conditions} and {lead}.triggered_at >= ?
    order by {lead}.triggered_at, {lead}.{number} limit {page}
) page
join shot on shot.id = page.id
join session on session.id = shot.session_id
left join camera on camera.id = shot.camera_id
left join scene_revision on scene_revision.id = shot.scene_revision_id
left join scene on scene.id = scene_revision.scene_id
left join shot_status on shot_status.shot_id = shot.id
order by page.triggered_at, page.id
"""
_ASSETS = "select shot_id, role, sha256, bytes from asset where shot_id in ({marks})"
_COUNTS = f"""
select scene_revision.id, camera.id, timeslot.ordinal, (
    select count(*) from shot
    where scene_revision_id = scene_revision.id and camera_id = camera.id
        and triggered_at >= timeslot.starts_at and triggered_at < timeslot.ends_at
) from scene_revision cross join camera cross join timeslot
where timeslot.scheme_id = (select id from timeslot_scheme where name = '{SCHEME}')
"""
_COUNTS_WITHOUT_SCENE = f"""
select camera.id, timeslot.ordinal, (
    select count(*) from shot
    where scene_revision_id is null and camera_id = camera.id
        and triggered_at >= timeslot.starts_at and triggered_at < timeslot.ends_at
) from camera cross join timeslot
where timeslot.scheme_id = (select id from timeslot_scheme where name = '{SCHEME}')
"""


class HandWritten:
    """Queries over one plain connection of sqlite3 or psycopg.

    Parameters
    ----------
    url
        Of a synthetic catalogue.
    """

    def __init__(self, url: str) -> None:
        parsed = make_url(url)
        self._connection: Any
        if parsed.get_backend_name() == "sqlite":
            path = Path(str(parsed.database))
            self.name = f"sqlite3 {sqlite3.sqlite_version}"
            self._mark = "?"
            self._connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
            return
        import psycopg

        self.name = f"psycopg {psycopg.__version__}"
        self._mark = "%s"
        plain = parsed.set(drivername="postgresql").render_as_string(hide_password=False)
        self._connection = psycopg.connect(plain, autocommit=True)

    def page(self, conditions: Sequence[Condition], since: datetime) -> list[tuple[Any, ...]]:
        """Return a page of shots with their files, from a time on."""
        by_status = any(condition.of_status for condition in conditions)
        has_shot = not by_status or any(not condition.of_status for condition in conditions)
        joined = " join shot on shot.id = shot_status.shot_id" if has_shot else ""
        sql = _PAGE.format(
            lead="shot_status" if by_status else "shot",
            number="shot_id" if by_status else "id",
            source=f"shot_status{joined}" if by_status else "shot",
            conditions=" and ".join(condition.sql for condition in conditions),
            page=PAGE,
        )
        values = [value for condition in conditions for value in condition.values]
        rows = self._all(sql, [*values, since])
        if not rows:
            return []
        marks = ", ".join("?" * len(rows))
        assets: dict[int, list[Any]] = {}
        for asset in self._all(_ASSETS.format(marks=marks), [row[0] for row in rows]):
            assets.setdefault(asset[0], []).append(asset)
        return [(*row, assets.get(row[0], [])) for row in rows]

    def counts(self) -> list[tuple[Any, ...]]:
        """Return how many shots there are by scene, camera and timeslot, and without a scene."""
        return self._all(_COUNTS, []) + self._all(_COUNTS_WITHOUT_SCENE, [])

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _all(self, sql: str, values: Sequence[Any]) -> list[Any]:
        given = [self._bound(value) for value in values]
        rows: list[Any] = self._connection.execute(sql.replace("?", self._mark), given).fetchall()
        return rows

    def _bound(self, value: Any) -> Any:
        if isinstance(value, datetime) and self._mark == "?":
            return value.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
        return value
