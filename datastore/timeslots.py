"""Timeslot schemes: dividing time into timeslots, and looking a time up in one.

A timeslot is a half-open interval of UTC, `starts_at <= time < ends_at`. It is never stored on a
shot: a scheme that is added later sorts the shots that are there already.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    RootModel,
    ValidationInfo,
    field_validator,
    model_validator,
)
from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from datastore import audit
from datastore.catalogue import Catalogue
from datastore.clocks import as_utc
from datastore.descriptions import read_description
from datastore.errors import TimeslotSchemeError
from datastore.locks import lock_until_commit
from datastore.tables import Timeslot, TimeslotScheme
from datastore.zones import ZoneName

MOST_TIMESLOTS = 10_000
"""A scheme with more is a mistake in its dates."""


def _midnight_of_a_date(value: Any) -> Any:
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime.combine(value, time(), UTC)
    return value


Boundary = Annotated[AwareDatetime, BeforeValidator(_midnight_of_a_date)]
"""A time with a zone, or a date, which stands for its midnight in UTC."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Span(_Model):
    """One half-open interval of an explicit list."""

    start: Boundary
    end: Boundary


class _Named(_Model):
    name: str = Field(min_length=1)
    description: str | None = None
    zone: ZoneName | None = None
    """In which people see the timeslots; it changes nothing about their bounds."""


class _Regular(_Named):
    start: Boundary
    end: Boundary

    @field_validator("end")
    @classmethod
    def _after_start(cls, end: datetime, info: ValidationInfo) -> datetime:
        start = info.data.get("start")
        if start is not None and end <= start:
            raise ValueError("must be later than start")
        return end


class WeeklyScheme(_Regular):
    """Timeslots of seven days from `start` on; the last one ends at `end`."""

    division: Literal["weekly"]


class MonthlyScheme(_Regular):
    """Timeslots of a month, on the day and hour of `start`; the last one ends at `end`."""

    division: Literal["monthly"]

    @field_validator("start")
    @classmethod
    def _in_every_month(cls, start: datetime) -> datetime:
        if as_utc(start).day > 28:
            raise ValueError("must lie on a day that every month has, the 28th at the latest")
        return start


class EveryDaysScheme(_Regular):
    """Timeslots of `days` days from `start` on; the last one ends at `end`."""

    division: Literal["every-days"]
    days: int = Field(gt=0)


class ExplicitScheme(_Named):
    """Timeslots as listed, in order of time, without overlap; gaps are allowed."""

    division: Literal["explicit"]
    timeslots: tuple[Span, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _ordered(self) -> ExplicitScheme:
        end: datetime | None = None
        for ordinal, span in enumerate(self.timeslots, 1):
            if span.end <= span.start:
                raise ValueError(f"timeslot {ordinal} must end later than it starts")
            if end is not None and span.start < end:
                raise ValueError(
                    f"timeslot {ordinal} starts before timeslot {ordinal - 1} ends: they must be"
                    " in order and must not overlap"
                )
            end = span.end
        return self


Scheme = WeeklyScheme | MonthlyScheme | EveryDaysScheme | ExplicitScheme


class _AnyScheme(RootModel[Annotated[Scheme, Field(discriminator="division")]]):
    pass


@dataclass(frozen=True)
class Interval:
    """A timeslot of a scheme that need not be in the catalogue; ordinals count from 1."""

    ordinal: int
    starts_at: datetime
    ends_at: datetime


def read_scheme(path: Path) -> Scheme:
    """Read the YAML description of a timeslot scheme.

    Raises
    ------
    TimeslotSchemeError
        Naming the file and the fields that are wrong.
    """
    return read_description(path, _AnyScheme, TimeslotSchemeError).root


def intervals(scheme: Scheme) -> list[Interval]:
    """Return the timeslots of a scheme in order of time.

    Raises
    ------
    TimeslotSchemeError
        If there are more than `MOST_TIMESLOTS`.
    """
    found: list[Interval] = []
    for ordinal, (starts_at, ends_at) in enumerate(_spans(scheme), 1):
        if ordinal > MOST_TIMESLOTS:
            raise TimeslotSchemeError(
                f"the scheme {scheme.name} has more than {MOST_TIMESLOTS} timeslots: look at its"
                " start and end"
            )
        found.append(Interval(ordinal, as_utc(starts_at), as_utc(ends_at)))
    return found


def _spans(scheme: Scheme) -> Iterator[tuple[datetime, datetime]]:
    if isinstance(scheme, ExplicitScheme):
        yield from ((span.start, span.end) for span in scheme.timeslots)
        return
    start, end = as_utc(scheme.start), as_utc(scheme.end)
    count = 0
    boundary = start
    while boundary < end:
        count += 1
        following = _boundary(scheme, start, count)
        yield boundary, min(following, end)
        boundary = following


def _boundary(
    scheme: WeeklyScheme | MonthlyScheme | EveryDaysScheme, start: datetime, count: int
) -> datetime:
    """Return where the timeslot after the first `count` ones starts."""
    if isinstance(scheme, MonthlyScheme):
        months = start.month - 1 + count
        return start.replace(year=start.year + months // 12, month=months % 12 + 1)
    days = 7 if isinstance(scheme, WeeklyScheme) else scheme.days
    return start + timedelta(days=days * count)


def add_scheme(catalogue: Catalogue, scheme: Scheme, at: datetime) -> int:
    """Add a timeslot scheme, and return how many timeslots it has.

    Raises
    ------
    TimeslotSchemeError
        If a scheme of this name exists already: schemes never change, results refer to them.
    """
    found = intervals(scheme)
    with catalogue.writing() as session:
        lock_until_commit(session, "timeslot_scheme")
        known = select(TimeslotScheme.id).where(TimeslotScheme.name == scheme.name)
        if session.scalar(known) is not None:
            raise TimeslotSchemeError(
                f"a timeslot scheme {scheme.name} exists already, and schemes never change:"
                " choose another name"
            )
        session.add(
            TimeslotScheme(
                name=scheme.name,
                description=scheme.description,
                zone=scheme.zone,
                created_at=at,
                timeslots=[
                    Timeslot(
                        ordinal=interval.ordinal,
                        starts_at=interval.starts_at,
                        ends_at=interval.ends_at,
                    )
                    for interval in found
                ],
            )
        )
        entry = {"scheme": scheme.model_dump(mode="json"), "timeslots": len(found)}
        audit.append(session, "timeslot-scheme.add", entry, at)
    return len(found)


def find_scheme(session: Session, name: str) -> TimeslotScheme:
    """Return a scheme with its timeslots, usable after the transaction too.

    Raises
    ------
    TimeslotSchemeError
        If there is none of this name; the message lists those that there are.
    """
    scheme = session.scalar(
        select(TimeslotScheme)
        .where(TimeslotScheme.name == name)
        .options(selectinload(TimeslotScheme.timeslots))
    )
    if scheme is None:
        names = list(session.scalars(select(TimeslotScheme.name).order_by(TimeslotScheme.name)))
        known = f"there are {', '.join(names)}" if names else "there is none yet"
        raise TimeslotSchemeError(
            f"no timeslot scheme is called {name!r} ({known}):"
            " add one with `agetrace timeslot scheme add`"
        )
    return scheme


def timeslot_of(at: datetime | None, scheme: TimeslotScheme) -> Timeslot | None:
    """Return the timeslot of a scheme that contains `at`.

    None where no timeslot does, and where the time is unknown.

    Raises
    ------
    ValueError
        If the time has no zone.
    """
    if at is None:
        return None
    at = as_utc(at)
    index = bisect_right(scheme.timeslots, at, key=lambda timeslot: timeslot.starts_at) - 1
    if index < 0 or at >= scheme.timeslots[index].ends_at:
        return None
    return scheme.timeslots[index]
