"""`agetrace fixture`: the only way that fixtures, their cameras and scenes come to be."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agetrace.cli._shared import JsonOption, catalogue_of, print_json, print_records, say

app = typer.Typer(no_args_is_help=True, help="Register fixtures, their cameras and scenes.")

FileArgument = Annotated[Path, typer.Argument(help="YAML description of the fixture.")]


@app.command()
def add(context: typer.Context, file: FileArgument, as_json: JsonOption = False) -> None:
    """Register a new fixture from its description.

    Example: agetrace fixture add fixture.yaml
    """
    _register(context, file, as_json, revise=False)


@app.command()
def revise(context: typer.Context, file: FileArgument, as_json: JsonOption = False) -> None:
    """Record a change of a fixture as its next revision.

    Example: agetrace fixture revise fixture.yaml
    """
    _register(context, file, as_json, revise=True)


@app.command("list")
def list_(context: typer.Context, as_json: JsonOption = False) -> None:
    """List the fixtures with their cameras.

    Example: agetrace fixture list
    """
    from sqlalchemy import select

    from datastore.tables import Fixture

    with catalogue_of(context) as (_, catalogue), catalogue.reading() as session:
        records = [
            {
                "name": fixture.name,
                "revision": fixture.revisions[-1].revision,
                "simulated": fixture.simulated,
                "cameras": [mount.camera.serial for mount in fixture.revisions[-1].mounts],
            }
            for fixture in session.scalars(select(Fixture).order_by(Fixture.name))
        ]
    print_records(records, ["name", "revision", "simulated", "cameras"], as_json=as_json)


def _register(context: typer.Context, file: Path, as_json: bool, *, revise: bool) -> None:
    from datastore import equipment
    from datastore.clocks import HostClock

    description = equipment.read_description(file)
    with catalogue_of(context) as (_, catalogue):
        act = equipment.revise_fixture if revise else equipment.add_fixture
        revision = act(catalogue, description, HostClock().now())
    if as_json:
        print_json({"fixture": description.name, "revision": revision})
    else:
        say(
            f"{description.name} is at revision {revision}: {len(description.cameras)} cameras,"
            f" {len(description.scenes)} scenes"
        )
