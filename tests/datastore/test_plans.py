"""The databases go the ways that were meant: along one index to a page, along one to the counts.

A plan that was good on a few rows can be bad on millions, and nothing but the plan tells.
"""

from __future__ import annotations

import random
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, event, text

from datastore.bulk import BulkAsset, BulkEvent, BulkShot, BulkVerdict, write_shots
from datastore.catalogue import Catalogue, open_catalogue
from datastore.clocks import FixedClock
from datastore.counts import count_shots
from datastore.queries import ShotFilter, iterate_shots
from datastore.tables import Fixture, FixtureRevision, Scene, SceneRevision, new_uuid
from datastore.timeslots import MonthlyScheme, add_scheme
from tests.support.catalogue_rows import NOW, add_camera, add_session
from tests.support.catalogues import new_database, sqlite_url

SHOTS = 4000
START = datetime(2024, 1, 1, tzinfo=UTC)
SERIALS = ("1", "2", "3", "4")
SCENES = ("bricks", "leaves", "sky")
SESSIONS = 20
GROWING = ("shot", "shot_event", "shot_status", "asset", "verdict")
"""Tables with a row or more for every shot."""
DAY = timedelta(days=1)


@dataclass
class Plans:
    """A filled catalogue that remembers what it was asked, and how its database would answer."""

    catalogue: Catalogue
    backend: str
    session: str
    asked: list[tuple[str, Any]]

    def of_page(self, **chosen: Any) -> list[str]:
        """Return the plans of the statements for the second page of a filter."""
        records = iterate_shots(self.catalogue, ShotFilter(**chosen), "months", page_size=5)
        assert len(list(islice(records, 5))) == 5
        del self.asked[:]
        next(records)
        return self._explained()

    def of_counts(self, *by: str) -> list[str]:
        del self.asked[:]
        assert sum(count.shots for count in count_shots(self.catalogue, by, scheme="months"))
        return self._explained()

    def _explained(self) -> list[str]:
        asked = [(sql, values) for sql, values in self.asked if _is_about_shots(sql)]
        explain = _explain_sqlite if self.backend == "sqlite" else _explain_postgresql
        with self.catalogue.reading() as transaction:
            return [explain(transaction.connection(), sql, values) for sql, values in asked]


def _explain_sqlite(connection: Connection, sql: str, values: Any) -> str:
    """Return the plan, steps below those that they belong to."""
    depth = {0: 0}
    lines = []
    for number, parent, _, words in connection.exec_driver_sql(f"explain query plan {sql}", values):
        depth[number] = depth[parent] + 1
        lines.append(" " * depth[parent] + words)
    return "\n".join(lines)


def _explain_postgresql(connection: Connection, sql: str, values: Any) -> str:
    """Return the plan that it makes where rows are many.

    What can be done another way is done so: a few thousand rows are soon read and sorted.
    """
    for way in ("seqscan", "bitmapscan", "hashjoin", "mergejoin"):
        connection.exec_driver_sql(f"set local enable_{way} = off")
    sorts = "off" if "LIMIT" in sql else "on"
    connection.exec_driver_sql(f"set local enable_sort = {sorts}")
    rows = connection.exec_driver_sql(f"explain (costs off) {sql}", values)
    return "\n".join(row[0] for row in rows)


def _is_about_shots(sql: str) -> bool:
    return any(re.search(rf"\bFROM {table}\b", sql) for table in GROWING)


@pytest.fixture(
    scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)]
)
def plans(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Plans]:
    folder = tmp_path_factory.mktemp("plans")
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_template"), folder / "catalogue.sqlite")
        url = sqlite_url(folder)
    else:
        server = request.getfixturevalue("server")
        url = new_database(server, request.getfixturevalue("postgresql_template"))
    with open_catalogue(url, folder / "store") as catalogue:
        session = fill(catalogue)
        engine = create_engine(url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text("analyze" if request.param == "sqlite" else "vacuum analyze"))
        engine.dispose()
        asked: list[tuple[str, Any]] = []
        with catalogue.reading() as transaction:
            reader = transaction.get_bind()

        def note(_connection: Any, _cursor: Any, sql: str, values: Any, *_: Any) -> None:
            asked.append((sql, values))

        event.listen(reader, "before_cursor_execute", note)
        yield Plans(catalogue, request.param, session, asked)


def fill(catalogue: Catalogue) -> str:
    """Add shots of four months, and return the UUID of a session."""
    generator = random.Random(1)
    with catalogue.writing() as transaction:
        sessions = [add_session(transaction) for _ in range(SESSIONS)]
        cameras = [add_camera(transaction, serial).id for serial in SERIALS]
        transaction.add(Fixture(id=1, name="box", simulated=True, created_at=NOW))
        transaction.flush()
        transaction.add(
            FixtureRevision(
                id=1, fixture_id=1, revision=1, content_sha256="0", description={}, created_at=NOW
            )
        )
        transaction.add_all(
            Scene(id=number, fixture_id=1, name=name) for number, name in enumerate(SCENES, 1)
        )
        transaction.flush()
        transaction.add_all(
            SceneRevision(
                id=number,
                scene_id=number,
                revision=1,
                fixture_revision_id=1,
                background="b",
                foreground="f",
                illumination="i",
                content_sha256="0",
            )
            for number in range(1, len(SCENES) + 1)
        )
        session_ids = [session.id for session in sessions]
        session_uuid = sessions[SESSIONS // 2].uuid
    add_scheme(
        catalogue,
        MonthlyScheme(
            name="months", division="monthly", start=START, end=datetime(2024, 5, 1, tzinfo=UTC)
        ),
        NOW,
    )
    write_shots(
        catalogue,
        (_shot(number, generator, session_ids, cameras) for number in range(SHOTS)),
        clock=FixedClock(NOW),
    )
    return session_uuid


def _shot(
    number: int, generator: random.Random, session_ids: list[int], cameras: list[int]
) -> BulkShot:
    at = START + number * 120 * DAY / SHOTS
    is_scene = generator.random() < 0.6
    return BulkShot(
        uuid=new_uuid(),
        session_id=session_ids[number * SESSIONS // SHOTS],
        camera_id=generator.choice(cameras),
        sequence=number,
        kind="fixed-background" if is_scene else "dark-field",
        scene_revision_id=generator.randint(1, len(SCENES)) if is_scene else None,
        triggered_at=at,
        exposure_s=generator.choice([0.1, 1.0, 4.0]),
        iso=generator.choice([100, 200, 400]),
        events=(
            BulkEvent("planned", at),
            BulkEvent("failed" if number % 100 == 0 else "registered", at),
        ),
        assets=(BulkAsset(sha256=f"{number:064x}", bytes=1, role="raw", created_at=at),),
        verdict=BulkVerdict("quarantined" if number % 50 == 1 else "accepted", "r", "a", at),
    )


FILTERS: list[tuple[str, dict[str, Any], set[str]]] = [
    ("nothing", {}, {"ix_shot_time"}),
    ("camera", {"cameras": ("2",)}, {"ix_shot_camera_time"}),
    (
        "camera, kind and time",
        {"cameras": ("2",), "kinds": ("dark-field",), "since": START + DAY},
        {"ix_shot_camera_kind_time"},
    ),
    (
        "scene and camera",
        {"scenes": ("leaves",), "cameras": ("3",)},
        {"ix_shot_scene_camera_time", "ix_shot_scene_time", "ix_shot_camera_time"},
    ),
    ("scene", {"scenes": ("sky",)}, {"ix_shot_scene_time"}),
    ("kind", {"kinds": ("dark-field",)}, {"ix_shot_kind_time"}),
    ("session", {"session": None}, {"ix_shot_session_time"}),
    ("iso", {"isos": (200,)}, {"ix_shot_iso_time"}),
    ("exposure", {"exposures_s": (4.0,)}, {"ix_shot_exposure_time"}),
    (
        "iso and exposure",
        {"isos": (200,), "exposures_s": (4.0,)},
        {"ix_shot_exposure_time", "ix_shot_iso_time"},
    ),
    ("timeslot", {"timeslots": (2,)}, {"ix_shot_time"}),
    ("quarantined", {"verdicts": ("quarantined",)}, {"ix_shot_status_verdict_time"}),
    ("failed", {"states": ("failed",)}, {"ix_shot_status_state_time"}),
    (
        "quarantined of a camera and kind",
        {"verdicts": ("quarantined",), "cameras": ("2",), "kinds": ("fixed-background",)},
        {"ix_shot_status_verdict_time"},
    ),
    (
        "quarantined in a month",
        {"verdicts": ("quarantined",), "timeslots": (3,)},
        {"ix_shot_status_verdict_time"},
    ),
    (
        "accepted of a camera",
        {"verdicts": ("accepted",), "cameras": ("2",)},
        {"ix_shot_camera_time"},
    ),
]


@pytest.mark.parametrize(
    ("chosen", "indexes"),
    [(chosen, indexes) for _, chosen, indexes in FILTERS],
    ids=[name for name, _, _ in FILTERS],
)
def test_a_page_lies_along_one_index(
    plans: Plans, chosen: dict[str, Any], indexes: set[str]
) -> None:
    named = {**chosen, **({"session": plans.session} if "session" in chosen else {})}
    if plans.backend == "postgresql" and len(chosen) > 1:
        # it counts on conditions that one shot in twenty meets being met soon
        indexes = indexes | {"ix_shot_time"}
    *looked_up, page, assets = plans.of_page(**named)
    assert any(index in page for index in indexes), page
    assert "ix_asset_shot_id" in assets, assets
    for plan in (*looked_up, page, assets):
        assert not full_scans(plan), plan
    assert not sorts_of_many(plans.backend, page), page


@pytest.mark.parametrize("timeslots", [(), (2, 3)], ids=["any time", "timeslots"])
def test_a_page_begins_where_the_one_before_ended_and_nowhere_earlier(
    plans: Plans, timeslots: tuple[int, ...]
) -> None:
    chosen = ShotFilter(timeslots=timeslots, since=START + 40 * DAY, until=START + 80 * DAY)
    sizes = (7, 1000, SHOTS)
    found = [
        [shot.id for shot in iterate_shots(plans.catalogue, chosen, "months", page_size=size)]
        for size in sizes
    ]
    assert found[0] == found[1] == found[2]
    assert len(found[0]) == sum(40 * SHOTS <= 120 * number < 80 * SHOTS for number in range(SHOTS))
    *_, page, _ = plans.of_page(timeslots=timeslots, since=chosen.since, until=chosen.until)
    (statement,) = (sql for sql, _ in plans.asked if re.match(r"SELECT(?s:.)*LIMIT", sql))
    # a second bound would be the one that SQLite begins at
    assert len(re.findall(r"\btriggered_at >=? [?%]", statement)) == 0, statement
    assert len(re.findall(r"\btriggered_at <=? [?%]", statement)) == 1, statement
    if plans.backend == "sqlite":
        assert "(triggered_at>? AND triggered_at<?)" in page, page


@pytest.mark.parametrize(
    ("by", "index"),
    [
        (("timeslot", "scene", "camera"), "ix_shot_scene_camera_time"),
        (("timeslot", "camera", "kind"), "ix_shot_camera_kind_time"),
        (("timeslot",), "ix_shot_scene_camera_time"),
        (("timeslot", "verdict"), "ix_shot_status_verdict_time"),
        (("timeslot", "state"), "ix_shot_status_state_time"),
    ],
)
def test_counts_by_timeslot_read_an_index_alone(
    plans: Plans, by: tuple[str, ...], index: str
) -> None:
    found = plans.of_counts(*by)
    assert found
    alone = "USING COVERING INDEX" if plans.backend == "sqlite" else "Index Only Scan using"
    for plan in found:
        assert not full_scans(plan), plan
        reads = [
            line for line in plan.splitlines() if re.search(r"(SEARCH|on) shot(_status)?\b", line)
        ]
        assert reads, plan
        assert all(f"{alone} {index}" in line for line in reads), plan


@pytest.mark.parametrize(
    ("by", "index"),
    [
        (("scene", "camera"), "ix_shot_scene_camera_time"),
        (("kind",), "ix_shot_kind_time"),
        (("session",), "ix_shot_session_time"),
        (("verdict",), "ix_shot_status_verdict_time"),
    ],
)
def test_other_counts_read_an_index_alone(plans: Plans, by: tuple[str, ...], index: str) -> None:
    (plan,) = plans.of_counts(*by)
    assert index in plan, plan
    assert "COVERING INDEX" in plan or "Index Only Scan" in plan, plan


def full_scans(plan: str) -> list[str]:
    """Return the lines of a plan that read all rows of a growing table."""
    tables = "|".join(GROWING)
    return [
        line
        for line in plan.splitlines()
        if re.search(rf"SCAN ({tables})\b|Seq Scan on ({tables})\b", line)
    ]


def sorts_of_many(backend: str, plan: str) -> list[str]:
    """Return the lines of a plan that sort anything but the few shots of a page."""
    lines = plan.splitlines()
    if backend == "postgresql":
        return [line for line in lines if re.search(r"\bSort\b", line)]
    # how the page is found stands below the line that says so, what is made of it does not
    return [line for line in lines if line.startswith(" ") and "TEMP B-TREE" in line]
