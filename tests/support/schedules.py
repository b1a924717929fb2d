"""Schedules for tests: their descriptions, and what became of their occurrences."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from capture.recipes import Recipe, parse_recipe
from capture.schedules.description import ScheduleDescription
from capture.schedules.schedule_rows import add_schedule
from datastore.catalogue import Catalogue
from datastore.tables import Occurrence


@dataclass(frozen=True)
class Became:
    """What became of an occurrence, by its rows."""

    uuid: str
    due_at: datetime
    state: str
    reason: str | None
    detail: str | None
    attempts: int
    events: list[str]
    sessions: list[str]
    settled_at: datetime | None


def dark_recipe(count: int = 1, exposure: str = "1/30") -> Recipe:
    """Return a recipe of dark fields."""
    shot = f'{{kind: dark-field, exposure: "{exposure}", iso: 100, count: {count}}}'
    return parse_recipe(f"name: dark\nattempts: 2\nshots:\n  - {shot}\n", "test recipe")


def schedule(
    catalogue: Catalogue, at: datetime, recipe: Recipe | None = None, **fields: Any
) -> str:
    """Add a schedule that is due every day at noon in UTC unless `fields` say otherwise."""
    description = {
        "name": "daily",
        "fixture": "virtual",
        "recipe": "dark.yaml",
        "rule": {"kind": "cron", "expression": "0 12 * * *"},
        "zone": "UTC",
        "window_s": 4 * 3600,
        **fields,
    }
    added = add_schedule(
        catalogue,
        ScheduleDescription.model_validate(description),
        recipe or dark_recipe(),
        operator="test",
        at=at,
    )
    return added.name


def occurrences(catalogue: Catalogue) -> list[Became]:
    """Return what became of every occurrence, by its due time."""
    with catalogue.reading() as transaction:
        return [
            Became(
                uuid=row.uuid,
                due_at=row.due_at,
                state=row.state,
                reason=row.reason,
                detail=row.detail,
                attempts=row.attempts,
                events=[event.name for event in row.events],
                sessions=[session.uuid for session in row.sessions],
                settled_at=row.settled_at,
            )
            for row in transaction.scalars(select(Occurrence).order_by(Occurrence.due_at))
        ]
