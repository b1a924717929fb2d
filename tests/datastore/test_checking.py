"""What is wrong with a catalogue is found, and nothing is found in a sound one."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import NullPool, create_engine, text

from datastore.backup import back_up
from datastore.catalogue import Catalogue, open_catalogue
from datastore.checking import KnownHead, check_catalogue, heads_of_backups
from datastore.errors import CatalogueUnavailableError
from datastore.revision import EXPECTED_REVISION
from migrations.comparison import schema_problems
from tests.support.catalogue_rows import NOW
from tests.support.catalogues import sqlite_url
from tests.support.stored_catalogues import fill


@pytest.fixture
def filled(empty_url: str) -> str:
    """URL of a catalogue with rows in every table."""
    fill(empty_url, EXPECTED_REVISION)
    return empty_url


def tamper(url: str, *statements: str) -> None:
    """Change a database as somebody does who may do everything."""
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def problems_of(url: str, folder: Path, *heads: str) -> str:
    known = [KnownHead(head, "a note") for head in heads]
    with open_catalogue(url, folder / "store") as catalogue:
        found = check_catalogue(catalogue, known)
    return "\n".join([*found, *schema_problems(url)])


def without_guard(table: str, url: str) -> str:
    name = "update" if url.startswith("sqlite") else "change"
    where = "" if url.startswith("sqlite") else f" on {table}"
    return f"drop trigger append_only_{table}_{name}{where}"


def test_a_sound_catalogue_has_no_problem(filled: str, tmp_path: Path) -> None:
    assert problems_of(filled, tmp_path) == ""


def test_what_was_tampered_with_is_found(filled: str, tmp_path: Path) -> None:
    tamper(
        filled,
        without_guard("audit", filled),
        "update audit set action = 'nothing' where id = 2",
        "update shot_status set verdict = 'rejected' where shot_id = 1",
        "update shot_status set state_event_id = null where shot_id = 2",
        "delete from shot_status where shot_id = 20",
        "drop index ix_shot_iso_time",
        "alter table camera add column nickname varchar",
    )
    found = problems_of(filled, tmp_path, "ab" * 32)
    for words in (
        "append_only_audit_",
        "audit entry 2: its content is not what was hashed",
        "the status of 3 shots is not what their events and verdicts say: 1, 2, 20",
        f"no longer contains the head {'ab' * 32} that a note noted",
        "differs from the models: remove column camera nickname",
        "differs from the models: add index ix_shot_iso_time",
    ):
        assert words in found, found
    assert len(found.splitlines()) == 6


def test_rows_that_refer_to_nothing_are_found(sqlite_catalogue: Catalogue, tmp_path: Path) -> None:
    tamper(
        sqlite_url(tmp_path),
        "insert into shot_event (shot_id, name, at) values (77, 'planned', '2026-01-01 00:00:00')",
    )
    assert "1 rows of shot_event refer to rows of shot that are not there" in problems_of(
        sqlite_url(tmp_path), tmp_path
    )


def test_a_file_that_is_damaged_is_said_to_be(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path)
    fill(url, EXPECTED_REVISION)
    path = tmp_path / "catalogue.sqlite"
    tamper(url, "pragma wal_checkpoint(truncate)")
    data = bytearray(path.read_bytes())
    for page in range(40, len(data) // 4096, 3):
        data[page * 4096 : page * 4096 + 2048] = bytes(2048)
    path.write_bytes(data)
    try:
        found = problems_of(url, tmp_path)
    except CatalogueUnavailableError:
        return
    assert "the catalogue's file is damaged" in found


def test_heads_of_backups_are_read_and_bad_descriptions_named(
    sqlite_catalogue: Catalogue, tmp_path: Path
) -> None:
    made = back_up(sqlite_url(tmp_path), tmp_path / "backups", at=NOW)
    bad = tmp_path / "backups" / "catalogue-20250101T120000000000Z.json"
    bad.write_text("{")
    heads, problems = heads_of_backups(tmp_path / "backups")
    assert [head.sha256 for head in heads] == [made.audit_head]
    assert len(problems) == 1 and bad.name in problems[0]
    assert heads_of_backups(tmp_path / "absent") == ([], [])
