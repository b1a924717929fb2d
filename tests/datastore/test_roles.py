"""A catalogue that hosts share: joining it, and what the documented roles may do."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import URL, NullPool, create_engine, func, select, text
from sqlalchemy.exc import ProgrammingError

from agetrace.settings import create_home, load_home
from datastore import audit, leases
from datastore.catalogue import open_catalogue
from datastore.errors import RevisionMismatchError
from datastore.revision import EXPECTED_REVISION
from datastore.tables import OPERATIONAL_TABLES, Shot
from tests.support.catalogue_rows import NOW, add_camera, add_session, add_shot

GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "catalogue.md"

pytestmark = pytest.mark.postgresql


def run(url: URL, statements: str) -> None:
    engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements.split(";\n"):
            if statement.strip():
                connection.execute(text(statement))


def test_hosts_share_a_catalogue_in_the_roles_that_are_documented(
    server: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_administrator, as_owner = re.findall(r"```sql\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    run(server, as_administrator)

    def url_of(role: str) -> URL:
        return server.set(username=role, database="lab")

    def text_of(role: str) -> str:
        return url_of(role).render_as_string(hide_password=False)

    monkeypatch.setenv("AGETRACE_DATABASE_URL", text_of("agetrace_owner"))
    first = create_home(tmp_path / "first")
    run(url_of("agetrace_owner"), as_owner)
    for table in OPERATIONAL_TABLES:
        assert f"{table}," in as_owner or f"{table}\n" in as_owner

    monkeypatch.setenv("AGETRACE_DATABASE_URL", text_of("north"))
    joined = subprocess.run(
        [sys.executable, "-m", "agetrace", "init", str(tmp_path / "second")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "joined the catalogue that AGETRACE_DATABASE_URL names" in " ".join(
        joined.stderr.split()
    )
    second = load_home(tmp_path / "second")
    assert second.store_root != first.store_root and second.store_root.is_dir()
    with second.open_catalogue() as catalogue:
        with catalogue.writing() as session:
            add_shot(session, add_session(session), add_camera(session), 1)
            audit.append(session, "session.start", {}, NOW)
        leases.acquire(catalogue, ["camera:7100001"], "north", 60).release()

    may_not(
        *(url_of, "north", "delete from shot", "update shot set iso = 1", "truncate verdict"),
        *("drop table shot", "alter table shot disable trigger all", "delete from lease"),
        *("create table mine (id int)", "set session_replication_role = replica"),
        *("drop trigger append_only_shot_change on shot", "insert into alembic_version values (1)"),
        "create or replace function agetrace_refuse_change() returns trigger language plpgsql"
        " as 'begin return new; end'",
    )
    with (
        open_catalogue(text_of("ana"), tmp_path / "store") as catalogue,
        catalogue.reading() as session,
    ):
        assert session.scalar(select(func.count()).select_from(Shot)) == 1
        assert audit.verify(session) == []
    may_not(
        *(url_of, "ana", "delete from shot", "insert into store (name, kind) values ('a', 'b')"),
        *("update lease set holder = 'me'", "update shot_status set verdict = 'accepted'"),
    )
    run(url_of("agetrace_owner"), "update alembic_version set version_num = '0003'")
    with pytest.raises(RevisionMismatchError, match="agetrace catalogue upgrade"):
        create_home(tmp_path / "third")
    run(url_of("agetrace_owner"), f"update alembic_version set version_num = '{EXPECTED_REVISION}'")


def may_not(url_of: Callable[[str], URL], role: str, *statements: str) -> None:
    for statement in statements:
        with pytest.raises(ProgrammingError, match=r"permission denied|must be owner"):
            run(url_of(role), statement)
