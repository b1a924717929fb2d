"""`agetrace shots counts`: how many shots there are."""

from __future__ import annotations

from typing import Annotated

import typer

from agetrace.cli._shared import JsonOption, catalogue_of, print_records


def counts(
    context: typer.Context,
    expression: Annotated[
        str | None,
        typer.Argument(help="What holds of the shots that count, as `shots where` takes it."),
    ] = None,
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

    Example: agetrace shots counts "kind = dark-field" --by camera,verdict
    """
    from datastore.counts import count_shots
    from datastore.selections import parse

    dimensions = [word.strip() for word in by.split(",")]
    with catalogue_of(context) as (home, catalogue):
        found = count_shots(
            catalogue,
            dimensions,
            where=None if expression is None else parse(expression),
            scheme=scheme or home.settings.timeslots.default_scheme,
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
