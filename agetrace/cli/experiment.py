"""`agetrace experiment`: train and judge networks on frozen datasets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agetrace.cli._shared import (
    JsonOption,
    catalogue_of,
    print_json,
    print_records,
    progress_bar,
    read_text,
    say,
)

app = typer.Typer(no_args_is_help=True, help="Run and show experiments.")


@app.command()
def run(
    context: typer.Context,
    specification: Annotated[Path, typer.Argument(help="YAML specification of the experiment.")],
    as_json: JsonOption = False,
) -> None:
    """Train the runs of an experiment and judge them on every block; finished runs are kept.

    Example: agetrace experiment run nano.yaml
    """
    from training.threads import prepare_process

    prepare_process()
    from training.experiments.spec import read_spec

    # a wrong specification is told before torch is imported, which takes seconds
    spec = read_spec(read_text(specification), str(specification))
    from datastore.clocks import HostClock
    from training.experiments.runner import run_experiment
    from training.experiments.summary import ROW_COLUMNS

    with (
        catalogue_of(context) as (home, catalogue),
        progress_bar(spec.name, quiet=as_json) as advance,
    ):
        summary = run_experiment(
            catalogue, spec, work_folder=home.work_root, clock=HostClock(), progress=advance
        )
    if as_json:
        print_json(summary.to_json())
    else:
        say(f"experiment {summary.name} {summary.uuid}: {summary.runs} runs")
        print_records(summary.rows(), ROW_COLUMNS)


@app.command()
def show(
    context: typer.Context,
    experiment: Annotated[str, typer.Argument(help="Name or identifier of the experiment.")],
    as_json: JsonOption = False,
) -> None:
    """Show the accuracies of an experiment's runs on every block.

    Example: agetrace experiment show controlled-nano
    """
    from training.experiments.summary import ROW_COLUMNS, summarise

    with catalogue_of(context) as (_, catalogue):
        summary = summarise(catalogue, experiment)
    if as_json:
        print_json(summary.to_json())
    else:
        print_records(summary.rows(), ROW_COLUMNS)


@app.command("list")
def list_(context: typer.Context, as_json: JsonOption = False) -> None:
    """List the experiments.

    Example: agetrace experiment list
    """
    from sqlalchemy import select

    from datastore.tables import Experiment

    with catalogue_of(context) as (_, catalogue), catalogue.reading() as session:
        records = [
            {
                "name": experiment.name,
                "id": experiment.uuid,
                "dataset": experiment.dataset.name,
                "version": experiment.dataset.version,
                "runs": len(experiment.runs),
                "created_at": experiment.created_at.isoformat(),
            }
            for experiment in session.scalars(select(Experiment).order_by(Experiment.id))
        ]
    print_records(records, ["name", "id", "dataset", "runs", "created_at"], as_json=as_json)
