"""The catalogue: opening it, and transactions that commit, roll back, or only read."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import create_engine, func, make_url, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError

from datastore import audit
from datastore.catalogue import Catalogue, open_catalogue
from datastore.errors import (
    CatalogueFullError,
    CatalogueUnavailableError,
    NoCatalogueError,
    RevisionMismatchError,
)
from datastore.tables import Asset, AuditEntry, Recipe, Shot, ShotEvent
from tests.support.catalogue_rows import NOW, add_session


def recipe(name: str, created_at: datetime = NOW) -> Recipe:
    return Recipe(name=name, content_sha256=name, body={}, created_at=created_at)


def count_recipes(catalogue: Catalogue) -> int:
    with catalogue.reading() as session:
        return session.scalar(select(func.count()).select_from(Recipe)) or 0


def test_a_written_block_is_committed_and_its_objects_stay_usable(catalogue: Catalogue) -> None:
    with catalogue.writing() as session:
        row = recipe("darks")
        session.add(row)
    assert (row.name, row.id) == ("darks", 1)
    assert count_recipes(catalogue) == 1


def test_an_error_rolls_the_whole_block_back(catalogue: Catalogue) -> None:
    def write_and_fail() -> None:
        with catalogue.writing() as session:
            session.add(recipe("darks"))
            session.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_and_fail()
    assert count_recipes(catalogue) == 0


def test_reading_cannot_write(catalogue: Catalogue) -> None:
    with catalogue.reading() as session:
        session.add(recipe("darks"))
        with pytest.raises(DBAPIError, match=r"readonly|read-only"):
            session.flush()
    assert count_recipes(catalogue) == 0


def test_reading_sees_one_snapshot(catalogue: Catalogue) -> None:
    count = select(func.count()).select_from(Recipe)
    with catalogue.reading() as reader:
        assert reader.scalar(count) == 0
        with catalogue.writing() as writer:
            writer.add(recipe("darks"))
        assert reader.scalar(count) == 0
    assert count_recipes(catalogue) == 1


def test_a_time_without_a_zone_is_refused(catalogue: Catalogue) -> None:
    with (
        pytest.raises(StatementError, match="a time without a zone"),
        catalogue.writing() as session,
    ):
        session.add(recipe("darks", datetime(2026, 1, 1)))  # noqa: DTZ001
    assert count_recipes(catalogue) == 0


def test_times_come_back_in_utc_to_the_microsecond(catalogue: Catalogue) -> None:
    india = timezone(timedelta(hours=5, minutes=30))
    with catalogue.writing() as session:
        session.add(recipe("darks", datetime(2026, 3, 1, 2, 15, 0, 123456, tzinfo=india)))
    with catalogue.reading() as session:
        found = session.scalar(select(Recipe.created_at))
    assert found == datetime(2026, 2, 28, 20, 45, 0, 123456, tzinfo=UTC)
    assert found is not None and found.tzinfo is UTC


def test_what_is_unknown_is_null_in_json_columns_too(catalogue: Catalogue) -> None:
    with catalogue.writing() as session:
        row = add_session(session)
        shot = Shot(session_id=row.id, sequence=1, kind="natural")
        shot.events.append(ShotEvent(name="planned", at=NOW, detail=None))
        session.add(shot)
    with catalogue.reading() as session:
        assert session.scalar(text("select count(*) from shot_event where detail is null")) == 1


def test_sizes_beyond_32_bits_are_kept(catalogue: Catalogue) -> None:
    with catalogue.writing() as session:
        session.add(Asset(sha256="a" * 64, bytes=5 * 2**40, role="raw", created_at=NOW))
    with catalogue.reading() as session:
        assert session.scalar(select(Asset.bytes)) == 5 * 2**40


def test_foreign_keys_are_enforced(catalogue: Catalogue) -> None:
    with pytest.raises(IntegrityError), catalogue.writing() as session:
        session.add(Shot(session_id=99, sequence=1, kind="natural"))


WRITE = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from datastore import audit
from datastore.catalogue import open_catalogue

with open_catalogue(sys.argv[1], Path(sys.argv[2])) as catalogue:
    for number in range(25):
        with catalogue.writing() as session:
            entry = {"writer": sys.argv[3], "number": number}
            audit.append(session, "test", entry, datetime.now(UTC))
"""


def test_eight_processes_read_and_write_without_lock_errors(url: str, tmp_path: Path) -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITE, url, tmp_path, str(number)],
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(8)
    ]
    for writer in writers:
        _, errors = writer.communicate(timeout=100)
        assert writer.returncode == 0, errors

    with open_catalogue(url, tmp_path) as catalogue, catalogue.reading() as session:
        entries = session.scalars(select(AuditEntry.entry)).all()
        assert {(entry["writer"], entry["number"]) for entry in entries} == {
            (str(writer), number) for writer in range(8) for number in range(25)
        }
        assert audit.verify(session) == []


COMMIT_FOR_EVER = """
import sys
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from datastore import audit
from datastore.catalogue import open_catalogue

with open_catalogue(sys.argv[1], Path(sys.argv[2])) as catalogue:
    for number in count():
        with catalogue.writing() as session:
            audit.append(session, "test", {"number": number}, datetime.now(UTC))
        print(number, flush=True)
"""


def test_what_was_committed_survives_a_kill(url: str, tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", COMMIT_FOR_EVER, url, tmp_path], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        committed = [int(writer.stdout.readline()) for _ in range(30)]
        writer.kill()
        committed += [int(line) for line in writer.stdout]

    with open_catalogue(url, tmp_path) as catalogue, catalogue.reading() as session:
        kept = [
            entry["number"]
            for entry in session.scalars(select(AuditEntry.entry).order_by(AuditEntry.id))
        ]
        assert kept[: len(committed)] == committed
        assert len(kept) <= len(committed) + 1
        assert audit.verify(session) == []


@pytest.mark.parametrize("revision", ["0000", "9999"])
def test_another_revision_is_refused_and_the_command_named(
    url: str, revision: str, tmp_path: Path
) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text(f"update alembic_version set version_num = '{revision}'"))
    engine.dispose()
    shown = make_url(url)
    if shown.get_backend_name() == "postgresql":
        shown = shown.set(password="open-sesame")

    with pytest.raises(RevisionMismatchError, match="agetrace catalogue upgrade") as refused:
        open_catalogue(shown.render_as_string(hide_password=False), tmp_path)

    assert revision in str(refused.value)
    assert "open-sesame" not in str(refused.value)
    assert refused.value.exit_code == 2


def test_a_missing_catalogue_is_refused_and_not_created(empty_url: str, tmp_path: Path) -> None:
    with pytest.raises(NoCatalogueError, match="agetrace init"):
        open_catalogue(empty_url, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_catalogue_that_is_moved_away_and_back_loses_nothing(
    sqlite_catalogue: Catalogue,
) -> None:
    path = Path(make_url(sqlite_catalogue.url).database or "")
    away = path.with_name("away")
    with sqlite_catalogue.reading() as waiting:
        waiting.scalar(select(func.count()).select_from(AuditEntry))
        with sqlite_catalogue.writing() as session:
            audit.append(session, "last-of-all", {}, NOW)
        path.rename(away)
        # it needs a second connection, and SQLite would make a file for it
        with (
            pytest.raises(CatalogueUnavailableError),
            sqlite_catalogue.reading() as session,
        ):
            session.scalar(select(AuditEntry.action))
        assert not path.exists()
        away.rename(path)
    with sqlite_catalogue.reading() as session:
        newest = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
    assert newest is not None
    assert newest.action == "last-of-all"


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "catalogue.sqlite").write_bytes(b"this is a letter, not a database " * 100)
    with pytest.raises(CatalogueUnavailableError, match="file is not a database"):
        open_catalogue(f"sqlite:///{tmp_path}/catalogue.sqlite", tmp_path)


@pytest.mark.postgresql
def test_an_unreachable_server_is_reported_without_its_password(tmp_path: Path) -> None:
    pytest.importorskip("psycopg", reason="the driver of PostgreSQL is not installed")
    with pytest.raises(CatalogueUnavailableError) as refused:
        open_catalogue("postgresql://me:open-sesame@127.0.0.1:1/agetrace", tmp_path)
    assert "127.0.0.1" in str(refused.value)
    assert "open-sesame" not in str(refused.value)


def test_a_full_disk_rolls_the_block_back(sqlite_catalogue: Catalogue) -> None:
    with sqlite_catalogue.writing() as session:
        pages = session.scalar(text("pragma page_count"))
        session.execute(text(f"pragma max_page_count = {pages}"))
    large = [recipe("x" * 1000 + str(number)) for number in range(1000)]
    with (
        pytest.raises(CatalogueFullError, match="free some space"),
        sqlite_catalogue.writing() as session,
    ):
        session.add_all(large)
    assert count_recipes(sqlite_catalogue) == 0


def test_importing_the_catalogue_is_light() -> None:
    heavy = "{'alembic', 'pydantic', 'numpy', 'torch', 'rawpy', 'psycopg'}"
    code = f"import sys, datastore.catalogue; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
