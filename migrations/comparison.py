"""Whether a catalogue's tables are those of the models; reads, and changes nothing."""

from __future__ import annotations

from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import CheckConstraint, Connection, inspect

from datastore.engine import create_engines, parse_url, translated_errors
from datastore.tables import Base


def schema_problems(url: str) -> list[str]:
    """Return where the tables of a catalogue differ from the models, a sentence each.

    Raises
    ------
    NoCatalogueError, CatalogueUnavailableError
        If the catalogue cannot be read.
    """
    parsed = parse_url(url)
    engines = create_engines(parsed)
    try:
        with translated_errors(parsed), engines.read.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            differences = compare_metadata(context, Base.metadata)
            return [
                *(f"the schema differs from the models: {_in_words(d)}" for d in differences),
                *_check_problems(connection),
            ]
    finally:
        engines.dispose()


def _check_problems(connection: Connection) -> list[str]:
    """Compare the names of check constraints, which Alembic does not look at."""
    found = inspect(connection)
    present = set(found.get_table_names())
    problems = []
    for table in Base.metadata.sorted_tables:
        if table.name not in present:
            continue
        wanted = {str(c.name) for c in table.constraints if isinstance(c, CheckConstraint)}
        there = {str(check["name"]) for check in found.get_check_constraints(table.name)}
        for name in sorted(wanted ^ there):
            said = "lacks" if name in wanted else "has, beyond the models,"
            problems.append(f"the table {table.name} {said} the condition {name}")
    return problems


def _in_words(difference: Any) -> str:
    if isinstance(difference, list):
        return "; ".join(_in_words(part) for part in difference)
    kind, *rest = difference
    named = [str(getattr(part, "name", None) or part) for part in rest if part is not None]
    return f"{str(kind).replace('_', ' ')} {' '.join(named)}"
