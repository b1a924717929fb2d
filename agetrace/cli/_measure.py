"""`agetrace shots measure`: measures of frames that earlier versions registered without."""

from __future__ import annotations

from typing import Annotated

import typer

from agetrace.cli._shared import JsonOption, catalogue_of, print_json, progress_bar, say


def measure(
    context: typer.Context,
    processes: Annotated[
        int | None,
        typer.Option(min=1, help="Decode so many files at once; one per processor otherwise."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure the frames that have no measures yet; those that are new have theirs.

    It can be interrupted: what is measured is kept, and the next call goes on. The exit code is 1
    if the files of some frames are not in the home's own store.

    Example: agetrace shots measure
    """
    from datastore.clocks import HostClock
    from datastore.measuring import measure_missing

    with (
        catalogue_of(context) as (_, catalogue),
        progress_bar("measuring frames", quiet=as_json) as advance,
    ):
        report = measure_missing(
            catalogue, clock=HostClock(), processes=processes, progress=advance
        )
    if as_json:
        print_json(report.to_json())
    else:
        say(f"{report.measured} frames were measured")
        if report.unmeasurable:
            say(f"{report.unmeasurable} are damaged: nothing could be measured")
        if report.not_here:
            say(f"the files of {report.not_here} are not in this home's store")
    if report.not_here:
        raise typer.Exit(1)
