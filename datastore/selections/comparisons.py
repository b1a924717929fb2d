"""What a comparison asks of one column, and what its opposite does; knows no other table."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any as AnyValue
from typing import Final, TypeAlias

from sqlalchemy import ColumnElement, and_, not_, or_

from datastore.selections.conditions import Known, OneOf, Within

Test: TypeAlias = Callable[[ColumnElement[AnyValue]], ColumnElement[bool]]
"""What a comparison asks of a column."""

_TOLERANCE: Final = Fraction(1, 1_000_000)
"""Relative; a third of a second is written in several ways."""
_NEVER_NULL: Final = frozenset({"kind", "warm_up", "attempt"})


def on_column(
    column: ColumnElement[AnyValue], test: Test, negated: bool, name: str
) -> ColumnElement[bool]:
    """Return whether the column of a field passes a test; with `negated`, whether it does not.

    An unknown value passes no test, and so passes every negated one.
    """
    if not negated:
        return test(column)
    opposite = not_(test(column))
    return opposite if name in _NEVER_NULL else or_(column.is_(None), opposite)


def test_of(condition: OneOf | Within | Known) -> Test:
    """Return what a comparison asks of a column."""
    if isinstance(condition, Known):
        return lambda column: column.is_not(None)
    if isinstance(condition, OneOf):
        values = condition.values
        if any(isinstance(value, (float, Fraction)) for value in values):
            return lambda column: or_(*(column.between(*about(value)) for value in values))
        return lambda column: column.in_(values)
    lowest, highest = _bound(condition.lowest), _bound(condition.highest)

    def lies_within(column: ColumnElement[AnyValue]) -> ColumnElement[bool]:
        bounds = []
        if lowest is not None:
            bounds.append(column >= lowest if condition.with_lowest else column > lowest)
        if highest is not None:
            bounds.append(column <= highest if condition.with_highest else column < highest)
        return and_(*bounds)

    return lies_within


def _bound(value: AnyValue) -> AnyValue:
    return float(value) if isinstance(value, Fraction) else value


def about(value: AnyValue) -> tuple[float, float]:
    """Return the bounds within which a recorded number is taken for a value."""
    margin = abs(Fraction(value)) * _TOLERANCE
    return float(Fraction(value) - margin), float(Fraction(value) + margin)


def holds(condition: OneOf | Within | Known, value: int) -> bool:
    """Return whether a comparison holds of a whole number."""
    if isinstance(condition, Known):
        return True
    if isinstance(condition, OneOf):
        return value in condition.values
    lowest: AnyValue = condition.lowest
    highest: AnyValue = condition.highest
    above = lowest is None or value > lowest or (condition.with_lowest and value == lowest)
    below = highest is None or value < highest or (condition.with_highest and value == highest)
    return bool(above and below)
