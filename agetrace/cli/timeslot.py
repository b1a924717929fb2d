"""`agetrace timeslot scheme`: the divisions of time that label research."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agetrace.cli._shared import JsonOption, catalogue_of, print_json, print_records, say

app = typer.Typer(no_args_is_help=True, help="Timeslot schemes.")
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
                "timeslots": len(scheme.timeslots),
                "starts_at": scheme.timeslots[0].starts_at.isoformat(),
                "ends_at": scheme.timeslots[-1].ends_at.isoformat(),
            }
            for scheme in session.scalars(select(TimeslotScheme).order_by(TimeslotScheme.name))
        ]
    print_records(records, ["name", "timeslots", "starts_at", "ends_at"], as_json=as_json)


@scheme_app.command()
def show(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the scheme.")],
    as_json: JsonOption = False,
) -> None:
    """Show a scheme's timeslots.

    Example: agetrace timeslot scheme show monthly
    """
    from datastore import timeslots

    with catalogue_of(context) as (_, catalogue), catalogue.reading() as session:
        scheme = timeslots.find_scheme(session, name)
        records = [
            {
                "ordinal": timeslot.ordinal,
                "starts_at": timeslot.starts_at.isoformat(),
                "ends_at": timeslot.ends_at.isoformat(),
            }
            for timeslot in scheme.timeslots
        ]
    print_records(records, ["ordinal", "starts_at", "ends_at"], as_json=as_json)
