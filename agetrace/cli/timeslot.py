"""`agetrace timeslot`: the divisions of time that label research, and the look-up in them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agetrace.cli._shared import JsonOption, catalogue_of, print_json, print_records, say

if TYPE_CHECKING:
    from datastore.tables import Timeslot

app = typer.Typer(no_args_is_help=True, help="Timeslot schemes, and the timeslot of a time.")
scheme_app = typer.Typer(no_args_is_help=True, help="Add, list and show timeslot schemes.")
app.add_typer(scheme_app, name="scheme")


@scheme_app.command("add")
def add(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="YAML description of the scheme.")],
    as_json: JsonOption = False,
) -> None:
    """Add a scheme: weekly, monthly, every so many days, or an explicit list.

    Example: agetrace timeslot scheme add monthly.yaml
    """
    from datastore import timeslots
    from datastore.clocks import HostClock

    scheme = timeslots.read_scheme(file)
    with catalogue_of(context) as (_, catalogue):
        timeslots.add_scheme(catalogue, scheme, HostClock().now())
    count = len(timeslots.intervals(scheme))
    if as_json:
        print_json({"scheme": scheme.name, "timeslots": count})
    else:
        say(f"{scheme.name} has {count} timeslots")


@scheme_app.command("list")
def list_(context: typer.Context, as_json: JsonOption = False) -> None:
    """List the schemes.

    Example: agetrace timeslot scheme list
    """
    from sqlalchemy import select

    from datastore.tables import TimeslotScheme

    with catalogue_of(context) as (_, catalogue), catalogue.reading() as session:
        records = [
            {
                "name": scheme.name,
                "zone": scheme.zone,
                "timeslots": len(scheme.timeslots),
                "starts_at": scheme.timeslots[0].starts_at.isoformat(),
                "ends_at": scheme.timeslots[-1].ends_at.isoformat(),
            }
            for scheme in session.scalars(select(TimeslotScheme).order_by(TimeslotScheme.name))
        ]
    columns = ["name", "zone", "timeslots", "starts_at", "ends_at"]
    print_records(records, columns, as_json=as_json)


@scheme_app.command()
def show(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the scheme.")],
    as_json: JsonOption = False,
) -> None:
    """Show a scheme's timeslots: in UTC, and in the scheme's own zone where it has one.

    Example: agetrace timeslot scheme show monthly
    """
    from datastore import timeslots

    with catalogue_of(context) as (_, catalogue), catalogue.reading() as session:
        scheme = timeslots.find_scheme(session, name)
        records = [_record(timeslot, scheme.zone) for timeslot in scheme.timeslots]
    local = ["local_starts_at", "local_ends_at"] if scheme.zone is not None else []
    print_records(records, ["ordinal", *local, "starts_at", "ends_at"], as_json=as_json)


@app.command()
def of(
    context: typer.Context,
    time: Annotated[str, typer.Argument(help="A time with a zone: 2026-03-01T06:00+01:00.")],
    scheme: Annotated[
        str | None, typer.Option(help="Name of the scheme; the home's default otherwise.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say which timeslot a time falls in.

    Example: agetrace timeslot of 2026-03-01T06:00+01:00 --scheme monthly
    """
    from agetrace.errors import RequestError
    from datastore import timeslots

    at = _aware(time)
    with catalogue_of(context) as (home, catalogue):
        name = scheme or home.settings.timeslots.default_scheme
        if name is None:
            raise RequestError("which scheme? Name one with --scheme; the home has no default")
        with catalogue.reading() as session:
            found = timeslots.find_scheme(session, name)
    timeslot = timeslots.timeslot_of(at, found)
    record = None if timeslot is None else _record(timeslot, found.zone)
    if as_json:
        print_json({"scheme": name, "time": at.isoformat(), "timeslot": record})
    elif record is None:
        say(f"no timeslot of {name} holds {at.isoformat()}")
    else:
        starts, ends = (
            record[f"local_{bound}"] or record[bound] for bound in ("starts_at", "ends_at")
        )
        typer.echo(f"timeslot {record['ordinal']} of {name}: {starts} to {ends}")


def _record(timeslot: Timeslot, zone: str | None) -> dict[str, Any]:
    from datastore.zones import local_text

    bounds = {"starts_at": timeslot.starts_at, "ends_at": timeslot.ends_at}
    return {
        "ordinal": timeslot.ordinal,
        **{name: at.isoformat() for name, at in bounds.items()},
        **{
            f"local_{name}": None if zone is None else local_text(at, zone)
            for name, at in bounds.items()
        },
    }


def _aware(text: str) -> datetime:
    from agetrace.errors import RequestError
    from datastore.clocks import as_utc

    try:
        return as_utc(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        raise RequestError(
            f"{text!r} is no time with a zone: write one such as 2026-03-01T06:00+01:00"
        ) from None
