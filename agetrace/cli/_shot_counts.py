"""`agetrace shots counts`: how many shots there are."""

from __future__ import annotations

from typing import Annotated

import typer

from agetrace.cli._shared import JsonOption, catalogue_of, print_records


def counts(
    context: typer.Context,
    by: Annotated[
        str,
        typer.Option(
            help="What to count by: timeslot, scene, camera, kind, verdict, state, session."
        ),
    ] = "timeslot,scene,camera",
    scheme: Annotated[
        str | None, typer.Option(help="Timeslot scheme; the home's default otherwise.")
    ] = None,
    as_json: JsonOption = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
) -> None:
    """Count the shots.

    Example: agetrace shots counts --by timeslot,scene,camera --json
    """
    from datastore.counts import count_shots

    dimensions = [word.strip() for word in by.split(",")]
    with catalogue_of(context) as (home, catalogue):
        found = count_shots(
            catalogue, dimensions, scheme=scheme or home.settings.timeslots.default_scheme
        )
    print_records(
        (
            dict(zip(dimensions, count.values, strict=True)) | {"shots": count.shots}
            for count in found
        ),
        [*dimensions, "shots"],
        as_json=as_json,
        as_csv=as_csv,
    )
