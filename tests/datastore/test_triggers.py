"""No record of what happened is changed or deleted: every append-only table refuses."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    CursorResult,
    Table,
    func,
    insert,
    select,
    text,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from datastore.catalogue import Catalogue
from datastore.tables import OPERATIONAL_TABLES, Base, UtcDateTime
from datastore.triggers import missing_triggers, trigger_name
from tests.support.catalogue_rows import NOW

TABLES = {table.name: table for table in Base.metadata.sorted_tables}
DERIVED = {"shot_status"}
"""Tables that triggers fill."""
APPEND_ONLY = sorted(TABLES.keys() - OPERATIONAL_TABLES)


def fill(session: Session) -> None:
    """Put one row into every table; every number, foreign keys too, is 1."""
    for table in Base.metadata.sorted_tables:
        if table.name in DERIVED:
            continue
        values = {column.name: _value(table, column.name) for column in table.columns}
        if table.name == "timeslot":
            values["ends_at"] = NOW.replace(year=NOW.year + 1)
        session.execute(insert(table).values(values))


def _value(table: Table, column: str) -> Any:
    column_type = table.columns[column].type
    if column == "sha256":
        return "a" * 64
    if isinstance(column_type, JSON):
        return {}
    if isinstance(column_type, Boolean):
        return True
    if isinstance(column_type, UtcDateTime):
        return NOW
    if column_type.python_type is bytes:
        return b"bytes"
    if column_type.python_type is str:
        return _permitted_word(table, column)
    return 1


def _permitted_word(table: Table, column: str) -> str:
    for constraint in table.constraints:
        if isinstance(constraint, CheckConstraint):
            condition = str(constraint.sqltext)
            if f"{column} in ('" in condition:
                return condition.split("'")[1]
    return "text"


def count(session: Session, table: str) -> int | None:
    return session.scalar(select(func.count()).select_from(TABLES[table]))


def attempts(backend: str, table: str) -> list[str]:
    """Return every way to change or delete a row that the database's language offers."""
    column = list(TABLES[table].columns)[-1].name
    if backend == "postgresql":
        last = f'truncate "{table}" cascade'
    else:
        last = f'insert or replace into "{table}" select * from "{table}"'
    return [f'update "{table}" set "{column}" = "{column}"', f'delete from "{table}"', last]


def test_no_row_is_updated_or_deleted(catalogue: Catalogue, backend: str) -> None:
    with catalogue.writing() as session:
        fill(session)
    assert len(APPEND_ONLY) > 20
    for table in APPEND_ONLY:
        for attempt in attempts(backend, table):
            with (
                pytest.raises(DBAPIError, match="append-only: a correction is a new row"),
                catalogue.writing() as session,
            ):
                session.execute(text(attempt))
    with catalogue.reading() as session:
        assert {table: count(session, table) for table in APPEND_ONLY} == dict.fromkeys(
            APPEND_ONLY, 1
        )


@pytest.mark.parametrize("table", sorted(OPERATIONAL_TABLES))
def test_operational_rows_change(catalogue: Catalogue, table: str) -> None:
    with catalogue.writing() as session:
        fill(session)
        column = list(TABLES[table].columns)[-1].name
        changed = session.execute(text(f'update "{table}" set "{column}" = "{column}"'))
    assert isinstance(changed, CursorResult)
    assert changed.rowcount == 1


def test_every_table_is_either_guarded_or_operational(catalogue: Catalogue) -> None:
    with catalogue.reading() as session:
        assert missing_triggers(session.connection(), APPEND_ONLY) == []


def test_a_trigger_that_was_dropped_is_missed(catalogue: Catalogue) -> None:
    change = "change" if catalogue.url.startswith("postgresql") else "delete"
    name = trigger_name("shot", change)
    on_table = ' on "shot"' if catalogue.url.startswith("postgresql") else ""
    with catalogue.writing() as session:
        session.execute(text(f"drop trigger {name}{on_table}"))
    with catalogue.reading() as session:
        assert missing_triggers(session.connection(), APPEND_ONLY) == [name]
