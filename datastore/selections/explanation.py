"""How a database answers a selection: the statement, what is bound in it, and the plan."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select
from sqlalchemy.orm import Session as Transaction


def explain(transaction: Transaction, condition: str, statement: Select[*tuple[Any, ...]]) -> str:
    """Return a statement with its bound values apart, and the database's plan for it, as text.

    Parameters
    ----------
    transaction
        In which the database is asked.
    condition
        What the statement was made of.
    statement
        What is explained; it is not carried out.
    """
    connection = transaction.connection()
    compiled = statement.compile(connection, compile_kwargs={"render_postcompile": True})
    is_sqlite = connection.dialect.name == "sqlite"
    ask = "explain query plan" if is_sqlite else "explain"
    parameters: Any = compiled.construct_params()
    for name, process in compiled._bind_processors.items():
        if name in parameters and callable(process):
            parameters[name] = process(parameters[name])
    bound = parameters
    if compiled.positional:
        assert compiled.positiontup is not None
        bound = tuple(parameters[name] for name in compiled.positiontup)
    rows = connection.exec_driver_sql(f"{ask} {compiled}", bound).all()
    plan = _tree(rows) if is_sqlite else [str(row[0]) for row in rows]
    values = [f"  {name} = {value!r}" for name, value in parameters.items()]
    return "\n".join(
        [f"condition: {condition}", "", str(compiled), "", "bound:", *values, "", "plan:"]
        + [f"  {line}" for line in plan]
    )


def _tree(rows: Any) -> list[str]:
    """Return SQLite's plan with every step indented below the one that it belongs to."""
    depth = {0: 0}
    lines = []
    for identifier, parent, _, step in rows:
        depth[identifier] = depth.get(parent, 0) + 1
        lines.append("  " * (depth[identifier] - 1) + str(step))
    return lines
