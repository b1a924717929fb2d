"""Catalogues that every earlier revision made and filled: up to the newest and back, row by row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.exc import DatabaseError

from datastore import audit
from datastore.catalogue import open_catalogue
from datastore.errors import DowngradeRefusedError, RevisionMismatchError
from datastore.revision import EXPECTED_REVISION
from datastore.tables import OPERATIONAL_TABLES, Base
from datastore.triggers import missing_triggers
from migrations import runner
from tests.support.catalogues import new_database
from tests.support.stored_catalogues import (
    REVISIONS,
    columns_of,
    dump,
    fill,
    load,
    load_script,
    read_columns,
)

EARLIER = [revision for revision in REVISIONS if revision < EXPECTED_REVISION]


@pytest.fixture
def two_empty_urls(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    """URLs of two databases of the same kind without a catalogue."""
    if backend == "sqlite":
        return f"sqlite:///{tmp_path / 'one.sqlite'}", f"sqlite:///{tmp_path / 'other.sqlite'}"
    server = request.getfixturevalue("server")
    return new_database(server), new_database(server)


def run(url: str, statement: str) -> list[tuple[Any, ...]]:
    """Run a statement as somebody with a database tool does."""
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        result = connection.execute(text(statement))
        return [tuple(row) for row in result] if result.returns_rows else []


def expected_status(url: str) -> dict[int, tuple[Any, ...]]:
    """Work out each shot's status from its whole history, in Python."""
    status = {shot: [None] * 4 for (shot,) in run(url, "select id from shot")}
    for number, shot, name in run(url, "select id, shot_id, name from shot_event order by id"):
        status[shot][:2] = [name, number]
    for number, shot, name in run(url, "select id, shot_id, verdict from verdict order by id"):
        status[shot][2:] = [name, number]
    return {shot: tuple(values) for shot, values in status.items()}


def stored_status(url: str) -> dict[int, tuple[Any, ...]]:
    columns = "shot_id, state, state_event_id, verdict, verdict_id"
    return {row[0]: row[1:] for row in run(url, f"select {columns} from shot_status")}


@pytest.mark.parametrize("revision", EARLIER)
def test_a_filled_catalogue_of_an_earlier_revision_goes_up_and_down_with_all_rows(
    empty_url: str, revision: str, tmp_path: Path
) -> None:
    load(empty_url, revision)
    columns = columns_of(empty_url)
    rows = read_columns(empty_url, columns)
    assert set(rows) >= {"shot", "shot_event", "verdict", "audit"}
    assert all(rows.values()), [table for table, found in rows.items() if not found]
    with pytest.raises(RevisionMismatchError, match="agetrace catalogue upgrade"):
        open_catalogue(empty_url, tmp_path / "store")

    runner.upgrade(empty_url)

    assert runner.current(empty_url) == EXPECTED_REVISION
    assert read_columns(empty_url, columns) == rows
    assert stored_status(empty_url) == expected_status(empty_url)
    assert {("registered", "accepted"), ("planned", None), (None, "quarantined")} <= {
        (state, verdict) for state, _, verdict, _ in stored_status(empty_url).values()
    }
    with open_catalogue(empty_url, tmp_path / "store") as catalogue, catalogue.reading() as session:
        assert audit.verify(session) == []
        guarded = Base.metadata.tables.keys() - OPERATIONAL_TABLES
        assert missing_triggers(session.connection(), guarded) == []
    for table in ("shot", "session_event", "verdict"):
        with pytest.raises(DatabaseError, match="append-only"):
            run(empty_url, f'delete from "{table}"')

    runner.downgrade(empty_url, revision)

    assert runner.current(empty_url) == revision
    assert columns_of(empty_url) == columns
    assert read_columns(empty_url, columns) == rows
    with pytest.raises(DatabaseError, match="append-only"):
        run(empty_url, "delete from session_event")


def test_a_catalogue_that_came_back_is_as_the_revision_makes_it(
    two_empty_urls: tuple[str, str],
) -> None:
    made, came_back = two_empty_urls
    fill(made, EARLIER[0])
    fill(came_back, EARLIER[0])
    runner.upgrade(came_back)
    runner.downgrade(came_back, EARLIER[0])
    assert schema(came_back) == schema(made)


def schema(url: str) -> list[str]:
    """Tables, columns, constraints, indexes and triggers, in an order of their own."""
    engine = create_engine(url)
    with engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            query = "select sql from sqlite_master where sql is not null"
        else:
            query = (
                "select table_name || column_name || data_type || is_nullable"
                " from information_schema.columns where table_schema = 'public'"
                " union all select conname || pg_get_constraintdef(oid) from pg_constraint"
                " where connamespace = 'public'::regnamespace"
                " union all select indexdef from pg_indexes where schemaname = 'public'"
                " union all select pg_get_triggerdef(oid) from pg_trigger where not tgisinternal"
                " union all select proname from pg_proc where pronamespace = 'public'::regnamespace"
            )
        found = sorted(str(line) for line in connection.scalars(text(query)))
    engine.dispose()
    # a renamed table is quoted, words of a statement are not more than its words
    return [" ".join(line.replace('"', "").replace("( ", "(").split()) for line in found]


def test_a_newest_catalogue_can_be_stored_again_with_rows_in_every_table(
    two_empty_urls: tuple[str, str],
) -> None:
    filled, loaded = two_empty_urls
    fill(filled, EXPECTED_REVISION)
    columns = columns_of(filled)
    assert set(columns) == set(Base.metadata.tables)
    rows = read_columns(filled, columns)
    assert [table for table, found in rows.items() if not found] == []
    load_script(loaded, dump(filled))
    assert read_columns(loaded, columns) == rows
    if filled.startswith("sqlite"):
        # PostgreSQL words its conditions anew
        assert schema(loaded) == schema(filled)
    assert stored_status(filled) == expected_status(filled)


LOSSES = {
    "0005": [
        "1 rows of camera_fingerprint",
        "1 rows of dust_spot",
        "1 rows of flat_extraction",
        "1 rows of flat_observation",
        "1 rows of ledger_history",
    ],
    "0004": ["2 rows of perceptual_hash", "1 rows of dataset_audit", "1 rows of dataset_freeze"],
    "0003": [
        "1 rows of asset_reference",
        "1 rows of clock_probe",
        "1 rows of frame_measures",
        "1 rows of saved_selection",
        "1 values of asset_location.problem",
        "1 values of asset_location.problem_at",
        "1 values of shot.time_uncertainty_s",
    ],
    "0002": ["2 rows of occurrence", "1 values of timeslot_scheme.zone"],
    "0001": ["no words for 1 rows of session_event"],
}


def test_going_back_is_refused_where_something_recorded_would_be_lost(
    empty_url: str, tmp_path: Path
) -> None:
    fill(empty_url, EXPECTED_REVISION)
    columns = columns_of(empty_url)
    rows = read_columns(empty_url, columns)
    for revision, losses in LOSSES.items():
        with pytest.raises(DowngradeRefusedError, match="nothing was changed") as refused:
            runner.downgrade(empty_url, revision)
        for loss in losses:
            assert loss in str(refused.value)
    assert runner.current(empty_url) == EXPECTED_REVISION
    assert read_columns(empty_url, columns) == rows
    assert [path.name for path in tmp_path.iterdir() if ".revision-" in path.name] == []


def test_a_catalogue_with_rows_is_not_taken_out_of_its_database(empty_url: str) -> None:
    fill(empty_url, EARLIER[0])
    with pytest.raises(DowngradeRefusedError, match=r"2 rows of camera, .* 3 rows of audit"):
        runner.downgrade(empty_url, runner.NOTHING)
    assert runner.current(empty_url) == EARLIER[0]


def test_an_empty_catalogue_can_be_taken_out_of_its_database_and_made_anew(url: str) -> None:
    runner.downgrade(url, runner.NOTHING)
    assert runner.current(url) is None
    assert columns_of(url) == {}
    assert [line for line in schema(url) if "agetrace" in line] == []
    runner.create(url)
    assert runner.current(url) == EXPECTED_REVISION


@pytest.mark.parametrize("revision", ["9999", "nothing"])
def test_going_back_to_what_was_never_before_is_refused(url: str, revision: str) -> None:
    with pytest.raises(RevisionMismatchError, match=f"no {revision} before it"):
        runner.downgrade(url, revision)
    assert runner.downgrade(url, EXPECTED_REVISION) is None
    assert runner.current(url) == EXPECTED_REVISION
