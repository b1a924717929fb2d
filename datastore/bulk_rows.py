"""Rows in bulk, at the pace of the database's own bulk door; knows no table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Column, Connection, Dialect, Table
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session as Transaction


def insert_rows(
    transaction: Transaction, table: Table, names: Sequence[str], rows: Iterable[tuple[Any, ...]]
) -> None:
    """Insert rows into a table: by COPY on PostgreSQL, by one prepared statement on SQLite.

    Parameters
    ----------
    transaction
        An open transaction that may write.
    table
        Where the rows go.
    names
        Columns of the table, in the order of a row's values.
    rows
        Values as the columns' types take them; what is not named gets no value.
    """
    columns = [table.c[name] for name in names]
    connection = transaction.connection()
    bound = _bound(rows, columns, connection.dialect)
    quote = connection.dialect.identifier_preparer.quote
    target = f"{quote(table.name)} ({', '.join(quote(column.name) for column in columns)})"
    if connection.dialect.name == "postgresql":
        _copy(connection, f"copy {target} from stdin", bound)
        return
    # S608: both are names of our own tables
    statement = f"insert into {target} values ({', '.join('?' * len(columns))})"  # noqa: S608
    given = list(bound)
    if given:
        connection.exec_driver_sql(statement, given)


def _bound(
    rows: Iterable[tuple[Any, ...]], columns: Sequence[Column[Any]], dialect: Dialect
) -> Iterator[tuple[Any, ...]]:
    """Return the rows as the driver takes them, by the types of their columns."""
    converting = []
    for place, column in enumerate(columns):
        processor = column.type.dialect_impl(dialect).bind_processor(dialect)
        if processor is not None:
            converting.append((place, processor))
    if not converting:
        yield from rows
        return
    for row in rows:
        bound = list(row)
        for place, processor in converting:
            bound[place] = processor(bound[place])
        yield tuple(bound)


def _copy(connection: Connection, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
    """Send rows through PostgreSQL's COPY; its errors become those of SQLAlchemy."""
    driver, opened = connection.dialect.loaded_dbapi, connection.connection.driver_connection
    assert opened is not None
    try:
        with opened.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)
    except driver.Error as error:
        raise DBAPIError.instance(
            statement, None, error, driver.Error, dialect=connection.dialect
        ) from error
