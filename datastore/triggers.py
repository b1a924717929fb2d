"""Triggers that make tables append-only, on SQLite and PostgreSQL; knows no table by name."""

from __future__ import annotations

from collections.abc import Iterable

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


def trigger_name(table: str, change: str) -> str:
    """Return the name of the trigger that refuses a kind of change of a table."""
    return f"append_only_{table}_{change}"


def missing_triggers(connection: Connection, tables: Iterable[str]) -> list[str]:
    """Return the names of the triggers that should guard `tables` and are not there."""
    if connection.dialect.name == "sqlite":
        query = "select name from sqlite_master where type = 'trigger'"
        changes = ("update", "delete")
    else:
        query = "select tgname from pg_trigger where not tgisinternal and tgenabled <> 'D'"
        changes = ("change", "truncate")
    present = set(connection.scalars(text(query)))
    expected = {trigger_name(table, change) for table in tables for change in changes}
    return sorted(expected - present)


def _sqlite_trigger(table: str, change: str) -> str:
    return (
        f"create trigger if not exists {trigger_name(table, change)} before {change}"
        f' on "{table}" begin select raise(abort, \'table {table} is append-only:'
        " a correction is a new row'); end"
    )
