"""What a dataset's labels stand for, as read from YAML: timeslots, presets, bins of age."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from datastore.descriptions import Name


class Strict(BaseModel):
    """Base of every part of a specification: frozen, no unknown fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)


PRESETS: dict[str, tuple[tuple[str, str], ...]] = {
    "ntif-1-5-vs-21-25": (("1-5", "1-5"), ("21-25", "21-25")),
    "ntif-five-class": tuple(
        (f"{first}-{first + 4}", f"{first}-{first + 4}") for first in range(1, 26, 5)
    ),
}
"""Classes of published tasks, by name: label and timeslots (NTIF: Ahmed et al., CoDIT 2020)."""

_RANGE = re.compile(r"\s*(-?[0-9]+)\s*(?:-\s*(-?[0-9]+)\s*)?")
_MOST_TIMESLOTS = 10_000


def _ordinals(value: Any) -> Any:
    """Read timeslots from text such as `1-5, 8`."""
    if not isinstance(value, str):
        return value
    ordinals: list[int] = []
    for part in value.split(","):
        match = _RANGE.fullmatch(part)
        if match is None:
            raise ValueError(f"{part.strip()!r} is no range of timeslots; write for example 1-5, 8")
        first = int(match[1])
        last = first if match[2] is None else int(match[2])
        if last < first or last - first >= _MOST_TIMESLOTS:
            raise ValueError(f"{part.strip()!r} does not run from a lower to a higher timeslot")
        ordinals += range(first, last + 1)
    return tuple(ordinals)


class ClassSpec(Strict):
    """A label and the timeslots that it stands for, as a list or as text such as `1-5, 8`."""

    name: Name
    timeslots: Annotated[tuple[int, ...], BeforeValidator(_ordinals), Field(min_length=1)]

    @field_validator("timeslots")
    @classmethod
    def _distinct(cls, ordinals: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(ordinals)) != len(ordinals):
            raise ValueError("a timeslot is named twice")
        return tuple(sorted(ordinals))


def _aware(value: Any) -> Any:
    if isinstance(value, date) and not isinstance(value, datetime):
        value = value.isoformat()
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise ValueError(f"{value} names no zone; write for example 2024-01-31T12:00:00+00:00")
    return value.astimezone(UTC)


Origin = Annotated[datetime, BeforeValidator(_aware)]


class AgeBins(Strict):
    """Classes by age: one from each edge to the next, in days since the origin of ages.

    A bin stands for the timeslots that lie in it whole; those across an edge belong to none.
    """

    edges_days: Annotated[tuple[Annotated[int, Field(ge=0, strict=True)], ...], Field(min_length=3)]

    @field_validator("edges_days")
    @classmethod
    def _rising(cls, edges: tuple[int, ...]) -> tuple[int, ...]:
        if list(edges) != sorted(set(edges)):
            raise ValueError("the edges do not rise from each to the next")
        return edges

    def bins(self, origin: datetime) -> list[tuple[str, datetime, datetime]]:
        """Return the name, start and end of each class."""
        return [
            (f"age-{low}-{high}", origin + timedelta(days=low), origin + timedelta(days=high))
            for low, high in pairwise(self.edges_days)
        ]
