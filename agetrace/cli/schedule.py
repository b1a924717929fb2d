"""`agetrace schedule`: captures that happen by themselves; adding, showing, stopping them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from agetrace.cli._schedule_preview import preview
from agetrace.cli._shared import (
    JsonOption,
    catalogue_of,
    login,
    print_json,
    print_records,
    say,
)

if TYPE_CHECKING:
    from datetime import datetime

    from capture.schedules import DueTime, ScheduleDescription

app = typer.Typer(no_args_is_help=True, help="Add, preview, show, pause and retire schedules.")
app.command()(preview)
app.command("preview")(preview)

NameArgument = Annotated[str, typer.Argument(help="Name of the schedule.")]
OperatorOption = Annotated[str | None, typer.Option(help="Who asks; this login otherwise.")]
ReasonOption = Annotated[str | None, typer.Option(help="Why, for the history.")]

_FORESEEN_YEARS = 10
_SHOWN = 5
_COLUMNS = ["name", "state", "fixture", "recipe", "next_due", "next_due_at", "occurrences"]


@app.command()
def add(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="YAML description of the schedule.")],
    operator: OperatorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a schedule; its due times count from now on, and it does not change any more.

    Its recipe is a file beside it or a ready one; the catalogue keeps what it says now.

    Example: agetrace schedule add weekly-darks.yaml
    """
    from agetrace.capturing import clock_of
    from capture.schedules.description import read_recipe_of, read_schedule
    from capture.schedules.schedule_rows import add_schedule

    description = read_schedule(file)
    recipe = read_recipe_of(description, file.parent)
    with catalogue_of(context) as (home, catalogue):
        now = clock_of(home).now()
        who = operator or login()
        schedule = add_schedule(catalogue, description, recipe, operator=who, at=now)
    first = _next_due(description, now)
    if as_json:
        print_json(
            {
                "id": schedule.uuid,
                "name": schedule.name,
                "recipe": recipe.name,
                "recipe_sha256": recipe.content_sha256,
                "first_due_at": None if first is None else first.due_at.isoformat(),
            }
        )
        return
    due = "" if first is None else f", first due {_in_words(first, description)}"
    say(f"{schedule.name} takes {recipe.name} on the fixture {description.fixture}{due}")


@app.command("list")
def list_(context: typer.Context, as_json: JsonOption = False) -> None:
    """List the schedules: their states, when they are due next, and what became of due times.

    Example: agetrace schedule list
    """
    from agetrace.capturing import clock_of
    from capture.schedules.schedule_rows import list_schedules
    from datastore.zones import local_text

    with catalogue_of(context) as (home, catalogue):
        now = clock_of(home).now()
        with catalogue.reading() as transaction:
            schedules = list_schedules(transaction)
    records = []
    for schedule in schedules:
        due = _next_due(schedule.description, now) if schedule.state == "active" else None
        zone = schedule.description.zone
        records.append(
            {
                **schedule.to_json(),
                "next_due_at": None if due is None else due.due_at.isoformat(),
                "next_due": None if due is None else local_text(due.due_at, zone),
            }
        )
    print_records(records, _COLUMNS, as_json=as_json)


@app.command()
def show(context: typer.Context, name: NameArgument, as_json: JsonOption = False) -> None:
    """Show a schedule: what it says, what was done to it, and its next due times.

    Example: agetrace schedule show weekly-darks
    """
    import itertools

    from agetrace.capturing import clock_of
    from capture.schedules import planned
    from capture.schedules.schedule_rows import find_schedule, list_schedules

    with catalogue_of(context) as (home, catalogue):
        now = clock_of(home).now()
        with catalogue.reading() as transaction:
            row = find_schedule(transaction, name)
            (schedule,) = [one for one in list_schedules(transaction) if one.name == name]
    events: list[dict[str, Any]] = [
        {
            "at": event.at.isoformat(),
            "name": event.name,
            "operator": event.operator,
            "reason": event.reason,
        }
        for event in row.events
    ]
    due: list[DueTime] = []
    if schedule.state == "active":
        upcoming = planned(schedule.description, now, _foreseen(now))
        due = list(itertools.islice(upcoming, _SHOWN))
    if as_json:
        times = [time.due_at.isoformat() for time in due]
        print_json({**schedule.to_json(), "events": events, "next_due_at": times})
        return
    facts = {**schedule.description.model_dump(mode="json"), "recipe": schedule.recipe}
    facts |= {"state": schedule.state, "occurrences": schedule.occurrences}
    print_records(
        [{"field": field, "value": value} for field, value in facts.items() if value is not None],
        ["field", "value"],
    )
    print_records(events, ["at", "name", "operator", "reason"])
    for time in due:
        say(f"due {_in_words(time, schedule.description)}")


@app.command()
def pause(
    context: typer.Context,
    name: NameArgument,
    reason: ReasonOption = None,
    operator: OperatorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Pause a schedule: its due times are cancelled, one by one, until it is resumed.

    Example: agetrace schedule pause weekly-darks --reason "the laboratory is being painted"
    """
    _change(context, "pause", name, operator, reason, as_json=as_json)


@app.command()
def resume(
    context: typer.Context,
    name: NameArgument,
    reason: ReasonOption = None,
    operator: OperatorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Resume a paused schedule from now on.

    Example: agetrace schedule resume weekly-darks
    """
    _change(context, "resume", name, operator, reason, as_json=as_json)


@app.command()
def retire(
    context: typer.Context,
    name: NameArgument,
    reason: ReasonOption = None,
    operator: OperatorOption = None,
    as_json: JsonOption = False,
) -> None:
    """End a schedule for ever; what is pending is cancelled, its history stays.

    Example: agetrace schedule retire weekly-darks --reason "replaced by daily-darks"
    """
    _change(context, "retire", name, operator, reason, as_json=as_json)


def _change(
    context: typer.Context,
    change: Literal["pause", "resume", "retire"],
    name: str,
    operator: str | None,
    reason: str | None,
    *,
    as_json: bool,
) -> None:
    from agetrace.capturing import clock_of
    from capture.schedules import schedule_rows

    changes = {
        "pause": schedule_rows.pause,
        "resume": schedule_rows.resume,
        "retire": schedule_rows.retire,
    }
    with catalogue_of(context) as (home, catalogue):
        at = clock_of(home).now()
        changes[change](catalogue, name, operator=operator or login(), reason=reason, at=at)
        with catalogue.reading() as transaction:
            state = schedule_rows.state_of(transaction, name)
    if as_json:
        print_json({"name": name, "state": state})
    else:
        say(f"{name} is {state}")


def _next_due(description: ScheduleDescription, now: datetime) -> DueTime | None:
    from capture.schedules import planned

    return next(planned(description, now, _foreseen(now)), None)


def _foreseen(now: datetime) -> datetime:
    from datetime import timedelta

    return now + timedelta(days=366 * _FORESEEN_YEARS)


def _in_words(time: DueTime, description: ScheduleDescription) -> str:
    from datastore.zones import local_text

    local = local_text(time.due_at, description.zone)
    return f"{local} in {description.zone} ({time.due_at.isoformat(sep=' ')})"
