"""`agetrace occurrence`: what became of each due time, and the operator's part in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from agetrace.cli._shared import (
    JsonOption,
    catalogue_of,
    login,
    parse_time,
    print_json,
    print_records,
    say,
)

if TYPE_CHECKING:
    from sqlalchemy.orm import Session as Transaction

    from datastore.tables import Occurrence

app = typer.Typer(no_args_is_help=True, help="List, show, attend and cancel occurrences.")

OccurrenceArgument = Annotated[
    str, typer.Argument(help="Occurrence, or the beginning of its UUID.")
]
OperatorOption = Annotated[str | None, typer.Option(help="Who says so; this login otherwise.")]
_STATES = ("pending", "claimed", "completed", "partial", "failed", "missed", "cancelled")

_LIMIT = 100

_COLUMNS = ["id", "schedule", "due_at", "state", "reason", "attempts", "detail"]
_EVENT_COLUMNS = ["at", "name", "by", "reason", "detail"]
_SESSION_COLUMNS = ["id", "started_at", "state", "exit_reason"]


@app.command("list")
def list_(
    context: typer.Context,
    schedule: Annotated[list[str] | None, typer.Option(help="Name of the schedule.")] = None,
    fixture: Annotated[list[str] | None, typer.Option(help="Name of the fixture.")] = None,
    state: Annotated[list[str] | None, typer.Option(help="State of the occurrence.")] = None,
    since: Annotated[str | None, typer.Option(help="Due not before this ISO 8601 time.")] = None,
    until: Annotated[str | None, typer.Option(help="Due before this ISO 8601 time.")] = None,
    limit: Annotated[
        int | None, typer.Option(help="At most so many on either side of now.", min=1)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the occurrences by due time; several values of one option mean any of them.

    Without --since, --until and --limit: the newest 100 that were due, and the next 100 to come.

    Example: agetrace occurrence list --schedule weekly-darks --state missed --since 2026-01-01
    """
    from agetrace.capturing import clock_of
    from capture.schedules.occurrences import (
        OccurrenceFilter,
        iterate_occurrences,
        list_occurrences_around,
    )
    from capture.schedules.schedule_rows import find_schedule

    for word in state or ():
        if word not in _STATES:
            raise typer.BadParameter(
                f"{word!r} is no state; there are {', '.join(_STATES)}", param_hint="--state"
            )
    chosen = OccurrenceFilter(
        schedules=tuple(schedule or ()),
        fixtures=tuple(fixture or ()),
        states=tuple(state or ()),
        since=parse_time("--since", since),
        until=parse_time("--until", until),
    )
    if limit is None and chosen.since is None and chosen.until is None:
        limit = _LIMIT
    with catalogue_of(context) as (home, catalogue):
        with catalogue.reading() as transaction:
            for name in chosen.schedules:
                find_schedule(transaction, name)
        if limit is None:
            records = iterate_occurrences(catalogue, chosen)
            print_records((record.to_json() for record in records), _COLUMNS, as_json=as_json)
            return
        now = clock_of(home).now()
        with catalogue.reading() as transaction:
            nearest, has_more = list_occurrences_around(transaction, now, chosen, limit=limit)
    print_records((record.to_json() for record in nearest), _COLUMNS, as_json=as_json)
    if has_more:
        say("there are more: --since and --until show all of a time, --limit more around now")


@app.command()
def show(
    context: typer.Context, occurrence: OccurrenceArgument, as_json: JsonOption = False
) -> None:
    """Show an occurrence, its history and its sessions.

    Example: agetrace occurrence show 5e4c
    """
    from capture.schedules.occurrences import find_occurrence, record_of

    with catalogue_of(context) as (_, catalogue), catalogue.reading() as transaction:
        row = find_occurrence(transaction, occurrence)
        record = record_of(row).to_json()
        sessions = _sessions(transaction, row)
        events = [
            {
                "at": event.at.isoformat(),
                "name": event.name,
                "by": event.by,
                "reason": event.reason,
                "detail": event.detail,
            }
            for event in row.events
        ]
    if as_json:
        print_json({**record, "events": events, "sessions": sessions})
        return
    facts = {name: value for name, value in record.items() if value not in (None, [])}
    print_records(
        [{"field": name, "value": value} for name, value in facts.items()],
        ["field", "value"],
        wrapped="value",
    )
    print_records(events, _EVENT_COLUMNS, wrapped="detail")
    if sessions:
        print_records(sessions, _SESSION_COLUMNS)


@app.command()
def attend(
    context: typer.Context,
    occurrence: OccurrenceArgument,
    operator: OperatorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say that you are there, so that an attended occurrence may begin inside its window.

    Example: agetrace occurrence attend 5e4c
    """
    from agetrace.capturing import clock_of
    from capture.schedules import occurrences

    with catalogue_of(context) as (home, catalogue):
        who, at = operator or login(), clock_of(home).now()
        record = occurrences.attend(catalogue, occurrence, operator=who, at=at)
    if as_json:
        print_json({**record.to_json(), "attended_by": who})
    else:
        say(f"{record.schedule} begins between {record.starts_at} and {record.window_ends_at}")


@app.command()
def cancel(
    context: typer.Context,
    occurrence: OccurrenceArgument,
    reason: Annotated[str | None, typer.Option(help="Why, for the history.")] = None,
    operator: OperatorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Cancel an occurrence that has not begun; its row stays and says so.

    Example: agetrace occurrence cancel 5e4c --reason holiday
    """
    from agetrace.capturing import clock_of
    from capture.schedules import occurrences

    with catalogue_of(context) as (home, catalogue):
        who, at = operator or login(), clock_of(home).now()
        record = occurrences.cancel(catalogue, occurrence, operator=who, reason=reason, at=at)
    if as_json:
        print_json(record.to_json())
    else:
        say(f"occurrence {record.id} of {record.schedule}: {record.detail}")


def _sessions(transaction: Transaction, occurrence: Occurrence) -> list[dict[str, Any]]:
    from capture.attendance import ENDS, state_of

    found = []
    for session in occurrence.sessions:
        state = state_of(transaction, session.id)
        ends = [event.detail or {} for event in session.events if event.name in ENDS]
        found.append(
            {
                "id": session.uuid,
                "started_at": session.started_at.isoformat(),
                "state": state,
                "exit_reason": ends[-1].get("exit_reason") if state in ENDS else None,
            }
        )
    return found
