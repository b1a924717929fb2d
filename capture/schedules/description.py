"""What a schedule says, read from YAML, and the due times that it plans; pure but for that file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from capture.errors import ScheduleError
from capture.recipes import Recipe, read_recipe, ready_recipes
from capture.schedules.rules import RepeatedHour, Rule, SkippedHour, due_times
from capture.yaml_files import parse_yaml
from datastore.clocks import as_utc
from datastore.descriptions import Name
from datastore.zones import ZoneName

_MOST_S: Final = 366 * 24 * 3600
"""Longest window and delay."""


def _not_empty(serials: tuple[str, ...]) -> tuple[str, ...]:
    # pydantic's own min_length also speaks up where the items were malformed
    if not serials:
        raise ValueError("names no camera: leave it out for all of the fixture's")
    if len(set(serials)) < len(serials):
        raise ValueError("names a camera twice")
    return serials


def _file_name(recipe: str) -> str:
    if Path(recipe).name != recipe:
        raise ValueError(
            "must be the name of a ready recipe, or of a file in the folder of the schedule"
        )
    return recipe


def _time(value: Any) -> Any:
    # 20260105 would pass for seconds since 1970
    if isinstance(value, (int, float)) or (isinstance(value, str) and "-" not in value):
        raise ValueError("write a time with its zone such as 2026-01-05T06:00+01:00")
    return value


Moment = Annotated[AwareDatetime, BeforeValidator(_time), AfterValidator(as_utc)]
Seconds = Annotated[float, Field(strict=True, ge=0, le=_MOST_S)]


class ScheduleDescription(BaseModel):
    """When, with what and how captures happen.

    Attributes
    ----------
    name, description
        What it is called and for.
    fixture, cameras
        Where, and the serials of the cameras; None for all that the fixture mounts.
    recipe
        What is taken: a file beside the schedule's, or the name of a ready recipe.
    rule, zone
        What recurs in local time, and the IANA zone of that time.
    repeated_hour
        What is due where a local time occurs twice: its first pass, its second, or both.
    skipped_hour
        What is due where a local time never occurs: the first moment after the gap, or nothing.
    window_s
        How long after the due time a session may begin, in seconds.
    jitter_s
        Starts are spread over this many seconds after the due time.
    starts_at, ends_at
        Due times lie in [starts_at, ends_at); None leaves that side open.
    priority
        Where two want the same equipment, the higher one goes first.
    attended
        Whether an operator must say that they are there before a session begins.
    late
        What becomes of an occurrence that could not begin when it should: `run` inside its window,
        or `miss` it.
    grace_s
        For `miss`: how late it may still begin, in seconds.
    attempts, retry_after_s
        How often a session is tried, and how many seconds lie between.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    description: str | None = None
    fixture: str = Field(min_length=1)
    cameras: Annotated[tuple[str, ...], AfterValidator(_not_empty)] | None = None
    recipe: Annotated[str, Field(min_length=1), AfterValidator(_file_name)]
    rule: Rule
    zone: ZoneName
    repeated_hour: RepeatedHour = "first"
    skipped_hour: SkippedHour = "shift"
    window_s: Annotated[Seconds, Field(gt=0)]
    jitter_s: Seconds = 0.0
    starts_at: Moment | None = None
    ends_at: Moment | None = None
    priority: Annotated[int, Field(strict=True, ge=-1000, le=1000)] = 0
    attended: bool = False
    late: Literal["run", "miss"] = "run"
    grace_s: Seconds = 60.0
    attempts: Annotated[int, Field(strict=True, ge=1, le=100)] = 1
    retry_after_s: Seconds = 300.0

    @model_validator(mode="after")
    def _consistent(self) -> ScheduleDescription:
        if self.jitter_s >= self.window_s:
            raise ValueError("jitter_s must be less than window_s: a start must lie in its window")
        start, end = self.starts_at, self.ends_at
        if start is not None and end is not None and end <= start:
            raise ValueError("ends_at must be later than starts_at")
        return self


@dataclass(frozen=True)
class DueTime:
    """A due time, when its session starts, and until when it may; all UTC.

    A session begins in [starts_at, window_ends_at).
    """

    due_at: datetime
    starts_at: datetime
    window_ends_at: datetime


def read_schedule(path: Path) -> ScheduleDescription:
    """Read and validate the YAML description of a schedule; errors name the field and its line.

    Raises
    ------
    ScheduleError
        If it cannot be read or is malformed.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ScheduleError(f"schedule {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ScheduleError(f"schedule {path}: not a text file in UTF-8") from None
    return parse_yaml(text, str(path), ScheduleDescription, ScheduleError, noun="schedule")


def read_recipe_of(description: ScheduleDescription, folder: Path) -> Recipe:
    """Read the recipe of a schedule.

    Parameters
    ----------
    description
        Names it.
    folder
        The schedule's; a file there goes before a ready recipe of that name.

    Raises
    ------
    RecipeError
        If there is none, or it is malformed.
    """
    beside = folder / description.recipe
    ready = ready_recipes().get(description.recipe)
    return read_recipe(ready if ready is not None and not beside.exists() else beside)


def planned(description: ScheduleDescription, start: datetime, end: datetime) -> Iterator[DueTime]:
    """Yield the due times of a schedule in [start, end), in order.

    The same schedule gives the same times for ever, however the time is divided.

    Parameters
    ----------
    description
        The schedule.
    start, end
        Aware times; due times outside the schedule's own starts_at and ends_at are left out.

    Raises
    ------
    ValueError
        If a time has no zone.
    """
    start, end = as_utc(start), as_utc(end)
    if description.starts_at is not None:
        start = max(start, description.starts_at)
    if description.ends_at is not None:
        end = min(end, description.ends_at)
    for due_at in due_times(
        description.rule,
        description.zone,
        start,
        end,
        repeated_hour=description.repeated_hour,
        skipped_hour=description.skipped_hour,
    ):
        yield DueTime(
            due_at=due_at,
            starts_at=due_at + jitter(description.name, due_at, description.jitter_s),
            window_ends_at=due_at + timedelta(seconds=description.window_s),
        )


def jitter(name: str, due_at: datetime, jitter_s: float) -> timedelta:
    """Return how long after a due time its session starts: in [0, jitter_s), in milliseconds.

    It looks drawn by lot, and is decided by the schedule's name and the due time alone, so that
    every expansion and every daemon find the same.
    """
    digest = hashlib.sha256(f"{name} {as_utc(due_at).isoformat()}".encode()).digest()
    milliseconds = int(jitter_s * 1000)
    return timedelta(milliseconds=int.from_bytes(digest[:8]) * milliseconds >> 64)
