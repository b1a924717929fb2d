"""The root of the command line; each noun's commands live in a module of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from agetrace.cli import (
    camera,
    catalogue,
    daemon,
    dataset,
    defects,
    demo,
    estimate,
    evidence,
    experiment,
    export,
    fixture,
    home,
    imports,
    job,
    model,
    occurrence,
    plan,
    recipe,
    retrain,
    scene,
    schedule,
    session,
    shots,
    store,
    timeslot,
    verdict,
)

app = typer.Typer(
    name="agetrace",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Find out how image sensors age, and prove it.\n\n"
    "Example: agetrace init lab && agetrace --home lab fixture add fixture.yaml",
)


@app.callback()
def root(
    context: typer.Context,
    home_folder: Annotated[
        Path | None,
        typer.Option(
            "--home", envvar="AGETRACE_HOME", help="Home folder; the current one otherwise."
        ),
    ] = None,
    log_format: Annotated[
        Literal["json", "plain"] | None,
        typer.Option(
            "--log-format",
            envvar="AGETRACE_LOG_FORMAT",
            help="Write log lines on standard error; none otherwise, but for the daemon's.",
        ),
    ] = None,
) -> None:
    """Find out how image sensors age, and prove it.

    Example: agetrace init lab && agetrace --home lab fixture add fixture.yaml
    """
    context.obj = home_folder


app.command("init")(home.init)
app.command("evidence")(evidence.evidence)
app.command("demo")(demo.demo)
app.command("retrain")(retrain.retrain)
app.add_typer(shots.app, name="shots")
app.add_typer(catalogue.app, name="catalogue")
app.add_typer(fixture.app, name="fixture")
app.add_typer(camera.app, name="camera")
app.add_typer(scene.app, name="scene")
app.add_typer(timeslot.app, name="timeslot")
app.add_typer(recipe.app, name="recipe")
app.add_typer(session.app, name="session")
app.add_typer(daemon.app, name="daemon")
app.add_typer(schedule.app, name="schedule")
app.add_typer(occurrence.app, name="occurrence")
app.add_typer(verdict.app, name="verdict")
app.add_typer(imports.app, name="import")
app.add_typer(plan.app, name="plan")
app.add_typer(dataset.app, name="dataset")
app.add_typer(export.app, name="export")
app.add_typer(defects.app, name="defects")
app.add_typer(estimate.app, name="estimate")
app.add_typer(experiment.app, name="experiment")
app.add_typer(model.app, name="model")
app.add_typer(job.app, name="job")
app.add_typer(store.app, name="store")
