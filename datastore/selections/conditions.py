"""Conditions on shots: what holds of a single one, how they compose, how they are written.

A condition either holds of a shot or does not. Where a fact is unknown, no comparison with it
holds, so `not iso = 100` holds of shots of other and of unknown ISO alike; `iso is known` leaves
the latter out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Final

from datastore.errors import FilterError
from datastore.selections.fields import Value, field_of

KEYWORDS: Final = frozenset(
    {"and", "or", "not", "in", "between", "is", "known", "unknown", "defect", "within", "rows"}
    | {"columns", "to", "everything"}
)
BARE: Final = re.compile(r"[A-Za-z0-9_.:@/+\-]+")
"""What needs no quotes."""


class Condition:
    """What is asked of a shot; `&`, `|` and `~` make one of others, and `str` writes it down."""

    def __and__(self, other: Condition) -> Condition:
        """Return the condition that both hold."""
        return everything_of((self, other))

    def __or__(self, other: Condition) -> Condition:
        """Return the condition that one or both hold."""
        return Any((self, other))

    def __invert__(self) -> Condition:
        """Return the condition that this one does not hold."""
        return Not(self)

    def __bool__(self) -> bool:
        """Refuse to be taken for its result, as `and` and `or` of Python would."""
        raise TypeError("a condition has no truth of its own: compose with &, | and ~")


@dataclass(frozen=True)
class OneOf(Condition):
    """The shot's value of a field is one of several.

    Raises
    ------
    FilterError
        If the field, or one of the values, is not known.
    """

    field: str
    values: tuple[Value, ...]

    def __post_init__(self) -> None:
        known = field_of(self.field)
        if not self.values:
            raise FilterError(f"{self.field} needs a value")
        if known.kind == "time":
            raise FilterError("time is compared with >=, <, > or <=, or lies between two times")
        object.__setattr__(self, "values", tuple(known.value(value) for value in self.values))

    def __str__(self) -> str:
        """Write the condition."""
        if len(self.values) == 1:
            return f"{self.field} = {written(self.values[0])}"
        return f"{self.field} in ({', '.join(written(value) for value in self.values)})"


@dataclass(frozen=True)
class Within(Condition):
    """The shot's value of a field lies between two; None leaves a side open.

    Raises
    ------
    FilterError
        If the field has no order, or a bound is none of its values.
    """

    field: str
    lowest: Value | None = None
    highest: Value | None = None
    with_lowest: bool = True
    with_highest: bool = True

    def __post_init__(self) -> None:
        known = field_of(self.field)
        if not known.is_ordered:
            raise FilterError(f"{self.field} has no order: compare it with = or in")
        if self.lowest is None and self.highest is None:
            raise FilterError(f"{self.field} needs a bound")
        for name in ("lowest", "highest"):
            bound = getattr(self, name)
            if bound is not None:
                object.__setattr__(self, name, known.value(bound))
        # an open side has no end that could belong to it
        if self.lowest is None:
            object.__setattr__(self, "with_lowest", True)
        if self.highest is None:
            object.__setattr__(self, "with_highest", True)

    def __str__(self) -> str:
        """Write the condition."""
        if self.lowest is not None and self.highest is not None:
            if self.with_lowest and self.with_highest:
                return f"{self.field} between {written(self.lowest)} and {written(self.highest)}"
            lower = Within(self.field, self.lowest, None, self.with_lowest)
            upper = Within(self.field, None, self.highest, with_highest=self.with_highest)
            return f"({lower} and {upper})"
        if self.lowest is not None:
            return f"{self.field} {'>=' if self.with_lowest else '>'} {written(self.lowest)}"
        assert self.highest is not None
        return f"{self.field} {'<=' if self.with_highest else '<'} {written(self.highest)}"


@dataclass(frozen=True)
class Known(Condition):
    """The shot has a value of a field at all; raises FilterError for an unknown field."""

    field: str

    def __post_init__(self) -> None:
        field_of(self.field)

    def __str__(self) -> str:
        """Write the condition."""
        return f"{self.field} is known"


@dataclass(frozen=True)
class DefectWithin(Condition):
    """The camera had a defect in a region of the sensor when the shot was taken.

    The camera's newest ledger tells: a defect counts from the first dark session on that showed it.

    Attributes
    ----------
    rows, columns
        First and last photosite of the region, both included, in full `raw_image` space.

    Raises
    ------
    FilterError
        If a bound is negative, or the last lies before the first.
    """

    rows: tuple[int, int]
    columns: tuple[int, int]

    def __post_init__(self) -> None:
        for name, (first, last) in (("rows", self.rows), ("columns", self.columns)):
            if not 0 <= first <= last:
                raise FilterError(
                    f"{name} of a region go from a first to a last: {first} to {last}"
                )

    def __str__(self) -> str:
        """Write the condition."""
        (top, bottom), (left, right) = self.rows, self.columns
        return f"defect within rows {top} to {bottom} columns {left} to {right}"


@dataclass(frozen=True)
class All(Condition):
    """Every one of several conditions holds; of none, always."""

    conditions: tuple[Condition, ...] = ()

    def __str__(self) -> str:
        """Write the condition."""
        if not self.conditions:
            return "everything"
        return " and ".join(_enclosed(each, (All, Any)) for each in self.conditions)


@dataclass(frozen=True)
class Any(Condition):
    """One or more of several conditions hold.

    Raises
    ------
    FilterError
        If there is none.
    """

    conditions: tuple[Condition, ...]

    def __post_init__(self) -> None:
        if not self.conditions:
            raise FilterError("`or` needs conditions")

    def __str__(self) -> str:
        """Write the condition."""
        if len(self.conditions) == 1:
            return str(self.conditions[0])
        return " or ".join(_enclosed(each, (Any,)) for each in self.conditions)


@dataclass(frozen=True)
class Not(Condition):
    """A condition does not hold."""

    condition: Condition

    def __str__(self) -> str:
        """Write the condition."""
        if isinstance(self.condition, Known):
            return f"{self.condition.field} is unknown"
        return f"not {_enclosed(self.condition, (All, Any))}"


EVERYTHING: Final = All()
"""The condition that holds of every shot."""


def everything_of(conditions: Iterable[Condition]) -> Condition:
    """Return the condition that all of several hold, without needless nesting."""
    flat: list[Condition] = []
    for condition in conditions:
        flat.extend(condition.conditions if isinstance(condition, All) else (condition,))
    return flat[0] if len(flat) == 1 else All(tuple(flat))


def written(value: Value) -> str:
    """Return a value as expressions have it, quoted where it must be."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, (int, float, Fraction)):
        return str(value)
    if BARE.fullmatch(value) and value not in KEYWORDS:
        return value
    return "'" + value.replace("'", "''") + "'"


def _enclosed(condition: Condition, kinds: tuple[type[Condition], ...]) -> str:
    # a composition of one is written as that one
    is_composed = isinstance(condition, kinds) and not (
        isinstance(condition, (All, Any)) and len(condition.conditions) == 0
    )
    return f"({condition})" if is_composed else str(condition)
