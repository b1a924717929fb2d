"""`agetrace retrain`: do what a policy owes to a closed timeslot."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agetrace.cli._pixels import WithoutPixels, pixels_of
from agetrace.cli._shared import (
    JsonOption,
    catalogue_of,
    print_json,
    progress_bar,
    read_text,
    say,
)


def retrain(
    context: typer.Context,
    policy: Annotated[Path, typer.Argument(help="YAML policy.")],
    timeslot: Annotated[
        int | None,
        typer.Option(help="Ordinal of the timeslot that closed; the newest one otherwise."),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Try a retraining that was refused once more.")
    ] = False,
    without_pixels: WithoutPixels = False,
    as_json: JsonOption = False,
) -> None:
    """Extend the dataset, audit, freeze, train, compare with the model in service, promote or not.

    A policy retrains once for each timeslot: calling again does nothing, or goes on where it was
    interrupted. A dataset that fails its audit is refused, and the model in service stays.

    Example: agetrace retrain monthly.yaml --timeslot 7
    """
    from training.threads import prepare_process

    prepare_process()
    from training.retraining.policy import read_policy

    # a wrong policy is told before torch is imported, which takes seconds
    found = read_policy(read_text(policy), str(policy))
    from agetrace.capturing import clock_of
    from training.retraining.cycle import retrain as retrain_policy

    with (
        catalogue_of(context) as (home, catalogue),
        progress_bar(found.name, quiet=as_json) as advance,
    ):
        result = retrain_policy(
            catalogue,
            found,
            timeslot,
            work_folder=home.work_root,
            clock=clock_of(home),
            pixels=pixels_of(home, catalogue, without_pixels, quiet=as_json),
            again=again,
            progress=advance,
        )
    if as_json:
        print_json(result.to_json())
        return
    when = "" if result.is_new else "already "
    say(
        f"policy {result.policy}, timeslot {result.timeslot} of {result.scheme}:"
        f" {when}{result.step}" + (f": {result.reason}" if result.reason else "")
    )
