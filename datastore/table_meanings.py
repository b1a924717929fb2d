"""What tables and columns mean, as the models' docstrings say it; reads source code, no database.

`python -m datastore.table_meanings > docs/reference/tables.md` writes the reference anew.
"""

from __future__ import annotations

import ast
import inspect
import sys
from dataclasses import dataclass

from sqlalchemy import CheckConstraint, Column, Table, UniqueConstraint

from datastore.tables import OPERATIONAL_TABLES, Base

_HEAD = """\
# Tables of the catalogue

Written by `python -m datastore.table_meanings > docs/reference/tables.md`; nobody edits it. Types
are SQLAlchemy's: BIGINT and DOUBLE have 64 bits, a time has a zone (SQLite keeps it in UTC, without
one), and an unknown value is NULL. Rows of **append-only** tables are never changed or removed,
which triggers guard; those of **operational** tables change.
"""
_TYPES = {"UtcDateTime": "time", "String": "text", "LargeBinary": "bytes"}


@dataclass(frozen=True)
class ColumnMeaning:
    """A column: its type and keys in words, and its docstring, empty where it has none."""

    name: str
    type: str
    nullable: bool
    keys: str
    meaning: str


@dataclass(frozen=True)
class TableMeaning:
    """A table with its docstring, its columns and the conditions that its rows meet."""

    name: str
    meaning: str
    operational: bool
    columns: tuple[ColumnMeaning, ...]
    conditions: tuple[str, ...]


def table_meanings() -> list[TableMeaning]:
    """Return what every table means, by name."""
    found = []
    for mapper in Base.registry.mappers:
        table = mapper.local_table
        if not isinstance(table, Table):
            continue
        words = _attribute_words(mapper.class_)
        found.append(
            TableMeaning(
                name=table.name,
                meaning=inspect.getdoc(mapper.class_) or "",
                operational=table.name in OPERATIONAL_TABLES,
                columns=tuple(_column(column, words) for column in table.columns),
                conditions=tuple(sorted(_conditions(table))),
            )
        )
    return sorted(found, key=lambda table: table.name)


def _attribute_words(model: type) -> dict[str, str]:
    """Return the text that follows each attribute of a class in its source."""
    (definition,) = ast.parse(inspect.getsource(model)).body
    assert isinstance(definition, ast.ClassDef)
    words = {}
    for statement, following in zip(definition.body, definition.body[1:], strict=False):
        if (
            isinstance(statement, ast.AnnAssign)
            and isinstance(statement.target, ast.Name)
            and isinstance(following, ast.Expr)
            and isinstance(following.value, ast.Constant)
        ):
            words[statement.target.id] = " ".join(str(following.value.value).split())
    return words


def _column(column: Column[object], words: dict[str, str]) -> ColumnMeaning:
    kind = type(column.type).__name__
    keys = ["primary key"] if column.primary_key else []
    keys += ["unique"] if column.unique else []
    keys += [f"-> {key.column.table.name}" for key in column.foreign_keys]
    return ColumnMeaning(
        name=column.name,
        type=_TYPES.get(kind, str(column.type)),
        nullable=bool(column.nullable),
        keys=", ".join(keys),
        meaning=words.get(column.key, ""),
    )


def _conditions(table: Table) -> list[str]:
    found = []
    for constraint in table.constraints:
        if isinstance(constraint, CheckConstraint):
            found.append(str(constraint.sqltext))
        elif isinstance(constraint, UniqueConstraint) and len(constraint.columns) > 1:
            found.append(f"unique ({', '.join(column.name for column in constraint.columns)})")
    return found


def reference() -> str:
    """Return the Markdown of docs/reference/tables.md."""
    lines = [_HEAD]
    for table in table_meanings():
        kind = "operational" if table.operational else "append-only"
        lines += [f"## {table.name}", "", f"{table.meaning} (**{kind}**)", ""]
        lines += ["| column | type | null | keys | meaning |", "| --- | --- | --- | --- | --- |"]
        lines += [
            f"| `{column.name}` | {column.type} | {'yes' if column.nullable else ''}"
            f" | {column.keys} | {column.meaning} |"
            for column in table.columns
        ]
        if table.conditions:
            lines += ["", "Every row: " + "; ".join(f"`{words}`" for words in table.conditions)]
        lines.append("")
    return "\n".join(lines).rstrip("\n") + "\n"


if __name__ == "__main__":
    sys.stdout.write(reference())
