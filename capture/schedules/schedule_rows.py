"""Rows of schedules: adding, pausing, resuming and retiring them; every change is an event."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session as Transaction
from sqlalchemy.orm import selectinload

from capture.errors import ScheduleError, UnknownScheduleError
from capture.recipes import Recipe, expand
from capture.schedules.description import ScheduleDescription, planned
from capture.schedules.expansion import expand_within
from capture.schedules.history import hold_schedules
from capture.schedules.schedule_states import ScheduleState, description_of, state_after
from capture.schedules.sweeping import sweep_within
from capture.session_rows import load_fixture, recipe_row_id
from datastore import audit
from datastore.catalogue import Catalogue
from datastore.tables import (
    Occurrence,
    Schedule,
    ScheduleEvent,
    ScheduleEventName,
    ScheduleExpansion,
)

_FORESEEN: Final = timedelta(days=3653)
"""A schedule is due at least once in this time, ten years."""


@dataclass(frozen=True)
class ScheduleRecord:
    """A schedule as queries tell of it.

    Attributes
    ----------
    occurrences
        Number of its occurrences by state.
    """

    id: str
    name: str
    state: ScheduleState
    fixture: str
    recipe: str
    recipe_sha256: str
    operator: str | None
    created_at: datetime
    description: ScheduleDescription
    occurrences: dict[str, int]

    def to_json(self) -> dict[str, Any]:
        """Return the record as JSON values."""
        return {
            "id": self.id,
            "name": self.name,
            "state": self.state,
            "fixture": self.fixture,
            "recipe": self.recipe,
            "recipe_sha256": self.recipe_sha256,
            "operator": self.operator,
            "created_at": self.created_at.isoformat(),
            "occurrences": self.occurrences,
            "description": self.description.model_dump(mode="json"),
        }


def add_schedule(
    catalogue: Catalogue,
    description: ScheduleDescription,
    recipe: Recipe,
    *,
    operator: str | None,
    at: datetime,
) -> Schedule:
    """Write a new schedule and its recipe; its due times count from now on.

    Parameters
    ----------
    description
        What it says.
    recipe
        The recipe that it names; the row keeps this content whatever becomes of the file.
    operator
        Who adds it.
    at
        Civil time.

    Raises
    ------
    ScheduleError
        If there is one of this name, or it would not be due within ten years.
    datastore.errors.UnknownFixtureError, UnknownCameraError
        If the fixture is not in the catalogue, or does not mount a camera.
    RecipeError
        If the recipe asks for a scene that the fixture does not have.
    """
    with catalogue.writing() as transaction:
        hold_schedules(transaction)
        if _find(transaction, description.name) is not None:
            raise ScheduleError(
                f"the schedule {description.name} exists already, and a schedule does not change:"
                " retire it and give the new one another name"
            )
        fixture = load_fixture(transaction, description.fixture, description.cameras)
        expand(recipe, list(fixture.scenes))
        if next(planned(description, at, at + _FORESEEN), None) is None:
            raise ScheduleError(
                f"the schedule {description.name} is not due within ten years: look at its rule,"
                " starts_at and ends_at"
            )
        schedule = Schedule(
            name=description.name,
            fixture_id=fixture.fixture_id,
            recipe_id=recipe_row_id(transaction, recipe, at),
            description=description.model_dump(mode="json"),
            operator=operator,
            created_at=at,
        )
        transaction.add(schedule)
        transaction.flush()
        transaction.add(ScheduleExpansion(schedule_id=schedule.id, expanded_until=at))
        _note(transaction, schedule, "added", operator, None, at)
        return schedule


def pause(
    catalogue: Catalogue, name: str, *, operator: str | None, reason: str | None, at: datetime
) -> None:
    """Have a schedule's due times cancelled, one by one, until it is resumed.

    Occurrences that wait in their window are cancelled too; what runs goes on.

    Raises
    ------
    UnknownScheduleError
        If there is none of this name.
    ScheduleError
        If it is not active.
    """
    with catalogue.writing() as transaction:
        hold_schedules(transaction)
        schedule = find_schedule(transaction, name)
        _require_state(schedule, ("active",), "paused")
        _note(transaction, schedule, "paused", operator, reason, at)


def resume(
    catalogue: Catalogue, name: str, *, operator: str | None, reason: str | None, at: datetime
) -> None:
    """Have a paused schedule's due times carried out again, from this moment on.

    Raises
    ------
    UnknownScheduleError
        If there is none of this name.
    ScheduleError
        If it is not paused.
    """
    with catalogue.writing() as transaction:
        hold_schedules(transaction)
        schedule = find_schedule(transaction, name)
        _require_state(schedule, ("paused",), "resumed")
        _note(transaction, schedule, "resumed", operator, reason, at)


def retire(
    catalogue: Catalogue, name: str, *, operator: str | None, reason: str | None, at: datetime
) -> None:
    """End a schedule for ever: every due time until now has a row, what is pending is cancelled.

    What runs goes on. Due times whose window is over by now are missed, not cancelled.

    Raises
    ------
    UnknownScheduleError
        If there is none of this name.
    ScheduleError
        If it is retired already.
    """
    with catalogue.writing() as transaction:
        hold_schedules(transaction)
        schedule = find_schedule(transaction, name)
        _require_state(schedule, ("active", "paused"), "retired")
        expand_within(transaction, schedule.id, at, at=at)
        _note(transaction, schedule, "retired", operator, reason, at)
        pending = select(Occurrence.id).where(
            Occurrence.schedule_id == schedule.id, Occurrence.state == "pending"
        )
        sweep_within(transaction, list(transaction.scalars(pending)), now=at, by=operator)


def find_schedule(transaction: Transaction, name: str) -> Schedule:
    """Return a schedule by its name, with its events.

    Raises
    ------
    UnknownScheduleError
        If there is none; the message lists those that there are.
    """
    schedule = _find(transaction, name)
    if schedule is None:
        names = list(transaction.scalars(select(Schedule.name).order_by(Schedule.name)))
        known = f"there are {', '.join(names)}" if names else "there is none yet"
        raise UnknownScheduleError(
            f"no schedule is called {name!r} ({known}): add one with `agetrace schedule add`"
        )
    return schedule


def state_of(transaction: Transaction, name: str) -> ScheduleState:
    """Return the state of a schedule; raises as `find_schedule` does."""
    return state_after(find_schedule(transaction, name).events)


def list_schedules(transaction: Transaction) -> list[ScheduleRecord]:
    """Return every schedule by its name."""
    counts: dict[int, dict[str, int]] = {}
    query = select(Occurrence.schedule_id, Occurrence.state, func.count())
    groups = query.group_by(Occurrence.schedule_id, Occurrence.state).order_by(Occurrence.state)
    for schedule_id, state, count in transaction.execute(groups):
        counts.setdefault(schedule_id, {})[state] = count
    rows = transaction.scalars(
        select(Schedule)
        .options(
            selectinload(Schedule.events),
            selectinload(Schedule.fixture),
            selectinload(Schedule.recipe),
        )
        .order_by(Schedule.name)
    )
    return [
        ScheduleRecord(
            id=row.uuid,
            name=row.name,
            state=state_after(row.events),
            fixture=row.fixture.name,
            recipe=row.recipe.name,
            recipe_sha256=row.recipe.content_sha256,
            operator=row.operator,
            created_at=row.created_at,
            description=description_of(row),
            occurrences=counts.get(row.id, {}),
        )
        for row in rows
    ]


def _find(transaction: Transaction, name: str) -> Schedule | None:
    query = select(Schedule).where(Schedule.name == name)
    return transaction.scalar(query.options(selectinload(Schedule.events)))


def _require_state(schedule: Schedule, states: tuple[ScheduleState, ...], done: str) -> None:
    state = state_after(schedule.events)
    if state not in states:
        raise ScheduleError(
            f"the schedule {schedule.name} is {state}: only one that is {' or '.join(states)} can"
            f" be {done}"
        )


def _note(
    transaction: Transaction,
    schedule: Schedule,
    name: ScheduleEventName,
    operator: str | None,
    reason: str | None,
    at: datetime,
) -> None:
    """Write a change of a schedule, into its history and the audit."""
    schedule.events.append(ScheduleEvent(name=name, at=at, operator=operator, reason=reason))
    transaction.flush()
    entry: dict[str, Any] = {"schedule": schedule.name, "operator": operator}
    if name == "added":
        entry["description"] = schedule.description
    else:
        entry["reason"] = reason
    audit.append(transaction, f"schedule.{_VERBS[name]}", entry, at)


_VERBS: Final[dict[ScheduleEventName, str]] = {
    "added": "add",
    "paused": "pause",
    "resumed": "resume",
    "retired": "retire",
}
