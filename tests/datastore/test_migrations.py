"""Migrations: they end at the models, back up first, and lose nothing."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import CheckConstraint, create_engine, func, inspect, select, text
from sqlalchemy.exc import DatabaseError

from datastore.catalogue import Catalogue, open_catalogue
from datastore.errors import (
    CatalogueDamagedError,
    CatalogueExistsError,
    CatalogueUnavailableError,
    NoCatalogueError,
    RevisionMismatchError,
)
from datastore.revision import EXPECTED_REVISION
from datastore.tables import Base, Camera, SessionEvent, Shot
from migrations import runner
from tests.support.catalogue_rows import add_camera, add_session, add_shot
from tests.support.catalogues import sqlite_url


def test_the_migrations_end_at_the_revision_that_the_program_expects() -> None:
    config = Config()
    config.set_main_option("script_location", str(runner.SCRIPTS))
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_current_head() == EXPECTED_REVISION


def test_the_migrated_tables_are_those_of_the_models(url: str) -> None:
    engine = create_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
    engine.dispose()


def test_every_constraint_has_its_name_and_every_foreign_key_restricts(url: str) -> None:
    engine = create_engine(url)
    found = inspect(engine)
    for table in Base.metadata.tables:
        constraints = [
            *found.get_unique_constraints(table),
            *found.get_check_constraints(table),
            *found.get_foreign_keys(table),
            found.get_pk_constraint(table),
        ]
        assert all(constraint["name"] for constraint in constraints), table
        for key in found.get_foreign_keys(table):
            assert key["options"].get("ondelete") == "RESTRICT", (table, key)
    model_checks = {
        (table.name, str(constraint.name))
        for table in Base.metadata.tables.values()
        for constraint in table.constraints
        if isinstance(constraint, CheckConstraint)
    }
    migrated_checks = {
        (table, str(check["name"]))
        for table in Base.metadata.tables
        for check in found.get_check_constraints(table)
    }
    assert migrated_checks == model_checks
    engine.dispose()


def test_creating_makes_an_empty_catalogue_of_this_revision(empty_url: str, tmp_path: Path) -> None:
    runner.create(empty_url)
    assert runner.current(empty_url) == EXPECTED_REVISION
    with open_catalogue(empty_url, tmp_path / "store") as catalogue:
        assert count_rows(catalogue) == 0


def test_creating_twice_is_refused_and_changes_nothing(url: str, tmp_path: Path) -> None:
    with open_catalogue(url, tmp_path) as catalogue, catalogue.writing() as session:
        add_camera(session)
    with pytest.raises(CatalogueExistsError, match="nothing was changed"):
        runner.create(url)
    with open_catalogue(url, tmp_path) as catalogue, catalogue.reading() as session:
        assert session.scalar(select(func.count()).select_from(Camera)) == 1


def test_creating_in_a_folder_that_is_absent_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CatalogueUnavailableError):
        runner.create(sqlite_url(tmp_path / "absent"))
    assert list(tmp_path.iterdir()) == []


def test_upgrading_a_current_catalogue_changes_nothing(url: str, tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    assert runner.upgrade(url) is None
    assert runner.current(url) == EXPECTED_REVISION
    assert [path for path in sorted(tmp_path.iterdir()) if "revision" in path.name] == []
    assert set(before) <= set(tmp_path.iterdir())


def test_upgrading_what_is_no_catalogue_is_refused(empty_url: str) -> None:
    with pytest.raises(NoCatalogueError, match="agetrace init"):
        runner.upgrade(empty_url)


@pytest.mark.parametrize("revision", ["0000", "9999"])
def test_upgrading_from_an_unknown_revision_is_refused(
    url: str, revision: str, tmp_path: Path
) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text(f"update alembic_version set version_num = '{revision}'"))
    engine.dispose()
    with pytest.raises(RevisionMismatchError, match=f"{revision}, which this program does not"):
        runner.upgrade(url)
    assert runner.current(url) == revision
    assert [path for path in tmp_path.iterdir() if "revision" in path.name] == []


NEXT = f"{int(EXPECTED_REVISION) + 1:04d}"
NEXT_REVISION = f'''
"""A revision to come."""

import sqlalchemy as sa
from alembic import op

from datastore.triggers import append_only_statements

revision = "{NEXT}"
down_revision = "{EXPECTED_REVISION}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("camera", recreate="auto") as camera:
        camera.add_column(sa.Column("nickname", sa.String(), nullable=True))
        camera.create_unique_constraint("uq_camera_nickname", ["nickname"])
'''
GUARD_AGAIN = """
    for statement in append_only_statements(op.get_bind().dialect.name, ["camera"]):
        op.execute(statement)
"""
LOSE_ROWS = """
    op.execute("delete from lease")
"""
LOSE_PARENTS = """
    op.execute("drop table camera")
    op.execute("create table camera (id integer primary key)")
    for number in range(3):
        op.execute(f"insert into camera values ({number + 100})")
"""


def scripts_with(folder: Path, revision: str) -> Path:
    """Return a copy of the migrations that goes on with another revision."""
    scripts = folder / "scripts"
    shutil.copytree(runner.SCRIPTS, scripts, ignore=shutil.ignore_patterns("__pycache__"))
    (scripts / "versions" / f"{NEXT}_next.py").write_text(revision)
    return scripts


@pytest.fixture
def filled(url: str, tmp_path: Path) -> str:
    """URL of a catalogue with shots of a camera."""
    with open_catalogue(url, tmp_path / "store") as catalogue, catalogue.writing() as session:
        camera, run = add_camera(session), add_session(session)
        for sequence in range(3):
            add_shot(session, run, camera, sequence)
    return url


def count_shots(url: str) -> int | None:
    engine = create_engine(url)
    with engine.connect() as connection:
        found = connection.scalar(select(func.count()).select_from(Shot).join(Shot.camera))
    engine.dispose()
    return found


def test_an_upgrade_keeps_every_row_and_guard_and_backs_up_first(
    filled: str, tmp_path: Path
) -> None:
    scripts = scripts_with(tmp_path, NEXT_REVISION + GUARD_AGAIN)

    backup = runner.upgrade(filled, scripts=scripts)

    assert runner.current(filled) == NEXT
    assert count_shots(filled) == 3
    with pytest.raises(RevisionMismatchError, match="newer"):
        open_catalogue(filled, tmp_path / "store")
    if backup is None:
        assert filled.startswith("postgresql")
    else:
        assert backup.name.startswith(f"catalogue.sqlite.revision-{EXPECTED_REVISION}-")
        with open_catalogue(f"sqlite:///{backup}", tmp_path / "store") as catalogue:
            assert count_rows(catalogue) == 3


def count_rows(catalogue: Catalogue) -> int | None:
    with catalogue.reading() as session:
        return session.scalar(select(func.count()).select_from(Shot))


def test_an_upgrade_that_forgets_the_triggers_is_undone(filled: str, tmp_path: Path) -> None:
    if filled.startswith("postgresql"):
        body = "\n    op.execute('drop trigger append_only_camera_change on camera')\n"
    else:
        body = ""  # rebuilding the table drops them
    scripts = scripts_with(tmp_path, NEXT_REVISION + body)

    with pytest.raises(CatalogueDamagedError, match="append_only_camera"):
        runner.upgrade(filled, scripts=scripts)

    assert runner.current(filled) == EXPECTED_REVISION
    assert count_shots(filled) == 3


def test_an_upgrade_that_loses_rows_is_undone(filled: str, tmp_path: Path) -> None:
    from datastore import leases

    with open_catalogue(filled, tmp_path / "store") as catalogue:
        leases.acquire(catalogue, ["camera:1"], "somebody", 60)
    scripts = scripts_with(tmp_path, NEXT_REVISION + GUARD_AGAIN + LOSE_ROWS)

    with pytest.raises(CatalogueDamagedError, match="lease: 1 -> 0"):
        runner.upgrade(filled, scripts=scripts)

    assert runner.current(filled) == EXPECTED_REVISION


def test_an_upgrade_that_orphans_rows_is_undone(tmp_path: Path, sqlite_template: Path) -> None:
    shutil.copy(sqlite_template, tmp_path / "catalogue.sqlite")
    url = sqlite_url(tmp_path)
    with open_catalogue(url, tmp_path / "store") as catalogue, catalogue.writing() as session:
        add_shot(session, add_session(session), add_camera(session), 1)
    scripts = scripts_with(tmp_path, NEXT_REVISION + GUARD_AGAIN + LOSE_PARENTS)

    with pytest.raises(CatalogueDamagedError, match="refer to nothing"):
        runner.upgrade(url, scripts=scripts)

    assert runner.current(url) == EXPECTED_REVISION
    with closing(sqlite3.connect(tmp_path / "catalogue.sqlite")) as connection:
        assert connection.execute("select serial from camera").fetchall() == [("7100001",)]


def test_later_revisions_keep_the_events_of_the_first(empty_url: str, tmp_path: Path) -> None:
    first = tmp_path / "first"
    later = shutil.ignore_patterns("__pycache__", "000[2-9]_*")
    shutil.copytree(runner.SCRIPTS, first, ignore=later)
    engine = create_engine(empty_url)
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(first))
        config.set_main_option("path_separator", "os")
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.execute(
            text(
                "insert into session (id, uuid, kind, clock_source, started_at)"
                " values (1, 'u', 'capture', 'host', '2026-01-01 12:00:00')"
            )
        )
        for name in ("started", "completed"):
            connection.execute(
                text(
                    "insert into session_event (session_id, name, at)"
                    f" values (1, '{name}', '2026-01-01 12:00:00')"
                )
            )
    engine.dispose()

    runner.upgrade(empty_url)

    with open_catalogue(empty_url, tmp_path / "store") as catalogue:
        with catalogue.reading() as session:
            names = list(session.scalars(select(SessionEvent.name).order_by(SessionEvent.id)))
        assert names == ["started", "completed"]
        with catalogue.writing() as session:
            at = datetime(2026, 1, 1, 13, tzinfo=UTC)
            session.add(SessionEvent(session_id=1, name="resumed", at=at))
        with pytest.raises(DatabaseError, match="append-only"), catalogue.writing() as session:
            session.execute(text("delete from session_event"))
