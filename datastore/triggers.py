"""Triggers on SQLite and PostgreSQL: they guard append-only tables and derive shots' status."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sqlalchemy import Connection, text

_FUNCTION = "agetrace_refuse_change"
_REFUSE_CHANGE = f"""
create or replace function {_FUNCTION}() returns trigger language plpgsql as $$
begin
  raise exception 'table % is append-only: a correction is a new row', tg_table_name
    using errcode = 'restrict_violation';
end $$
"""


def append_only_statements(dialect: str, tables: Iterable[str]) -> list[str]:
    """Return the statements that make `tables` append-only.

    Parameters
    ----------
    dialect
        `sqlite` or `postgresql`.
    tables
        Names of existing tables.
    """
    if dialect == "sqlite":
        return [
            statement
            for table in tables
            for statement in (_sqlite_trigger(table, "update"), _sqlite_trigger(table, "delete"))
        ]
    statements = [_REFUSE_CHANGE]
    for table in tables:
        statements.append(
            f"create or replace trigger {trigger_name(table, 'change')}"
            f' before update or delete on "{table}"'
            f" for each row execute function {_FUNCTION}()"
        )
        statements.append(
            f"create or replace trigger {trigger_name(table, 'truncate')}"
            f' before truncate on "{table}"'
            f" for each statement execute function {_FUNCTION}()"
        )
    return statements


_STATUS_TRIGGERS: Final = {
    "shot": (
        "insert into shot_status (shot_id, triggered_at) values (new.id, new.triggered_at)"
        " on conflict (shot_id) do nothing"
    ),
    "shot_event": (
        "update shot_status set state = new.name, state_event_id = new.id"
        " where shot_id = new.shot_id"
        " and (state_event_id is null or state_event_id < new.id)"
    ),
    "verdict": (
        "update shot_status set verdict = new.verdict, verdict_id = new.id"
        " where shot_id = new.shot_id and (verdict_id is null or verdict_id < new.id)"
    ),
}


def shot_status_statements(dialect: str) -> list[str]:
    """Return the statements that have each new shot, event and verdict show in `shot_status`.

    Parameters
    ----------
    dialect
        `sqlite` or `postgresql`.
    """
    statements = []
    for table, change in _STATUS_TRIGGERS.items():
        name = status_trigger_name(table)
        if dialect == "sqlite":
            statements.append(
                f"create trigger if not exists {name} after insert on {table} begin {change}; end"
            )
            continue
        function = f"agetrace_{name}"
        statements.append(
            f"create or replace function {function}() returns trigger language plpgsql as $$"
            f" begin {change}; return null; end $$"
        )
        statements.append(
            f"create or replace trigger {name} after insert on {table}"
            f" for each row execute function {function}()"
        )
    return statements


def without_shot_status_statements(dialect: str) -> list[str]:
    """Return the statements that take back those of `shot_status_statements`.

    Parameters
    ----------
    dialect
        `sqlite` or `postgresql`.
    """
    names = {table: status_trigger_name(table) for table in _STATUS_TRIGGERS}
    if dialect == "sqlite":
        return [f"drop trigger {name}" for name in names.values()]
    return [
        statement
        for table, name in names.items()
        for statement in (f"drop trigger {name} on {table}", f"drop function agetrace_{name}()")
    ]


def without_guards_statements(dialect: str) -> list[str]:
    """Return what takes back, once no table is left, what `append_only_statements` made beside."""
    return [] if dialect == "sqlite" else [f"drop function {_FUNCTION}()"]


def status_trigger_name(table: str) -> str:
    """Return the name of the trigger that derives shots' status from a table's new rows."""
    return f"shot_status_from_{table}"


def trigger_name(table: str, change: str) -> str:
    """Return the name of the trigger that refuses a kind of change of a table."""
    return f"append_only_{table}_{change}"


def missing_triggers(connection: Connection, tables: Iterable[str]) -> list[str]:
    """Return the names of triggers that are not there: guards of `tables`, and shots' status."""
    status = {status_trigger_name(table) for table in _STATUS_TRIGGERS}
    return sorted({*missing_guards(connection, tables), *(status - _triggers(connection))})


def missing_guards(connection: Connection, tables: Iterable[str]) -> list[str]:
    """Return the names of the triggers that should make `tables` append-only and are not there."""
    sqlite = connection.dialect.name == "sqlite"
    changes = ("update", "delete") if sqlite else ("change", "truncate")
    expected = {trigger_name(table, change) for table in tables for change in changes}
    return sorted(expected - _triggers(connection))


def _triggers(connection: Connection) -> set[str]:
    if connection.dialect.name == "sqlite":
        query = "select name from sqlite_master where type = 'trigger'"
    else:
        query = "select tgname from pg_trigger where not tgisinternal and tgenabled <> 'D'"
    return set(connection.scalars(text(query)))


def _sqlite_trigger(table: str, change: str) -> str:
    return (
        f"create trigger if not exists {trigger_name(table, change)} before {change}"
        f' on "{table}" begin select raise(abort, \'table {table} is append-only:'
        " a correction is a new row'); end"
    )
