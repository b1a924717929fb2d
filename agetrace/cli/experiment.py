"""`agetrace experiment`: train and judge networks on frozen datasets."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agetrace.cli import _experiment_reports
from agetrace.cli._shared import (
    JsonOption,
    catalogue_of,
    print_json,
    print_records,
    progress_bar,
    read_text,
    say,
)

if TYPE_CHECKING:
    from training.experiments.summary import ExperimentSummary

app = typer.Typer(no_args_is_help=True, help="Run, compare and draw experiments.")


@app.command()
def check(
    context: typer.Context,
    specification: Annotated[Path, typer.Argument(help="YAML specification of the experiment.")],
    timing: Annotated[
        bool, typer.Option("--timing/--no-timing", help="Measure a few training steps.")
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Say what an experiment would do here, how long it takes, and what its answer can be.

    Example: agetrace experiment check nano.yaml
    """
    from training.threads import prepare_process

    prepare_process()
    from training.experiments.spec import read_spec

    spec = read_spec(read_text(specification), str(specification))
    from training.experiments.checking import check_experiment

    with catalogue_of(context) as (home, catalogue):
        found = check_experiment(catalogue, spec, work_folder=home.work_root, measure=timing)
    document = found.to_json()
    if as_json:
        print_json(document)
        return
    for remark in found.remarks:
        say(f"note: {remark}")
    facts = {name: document[name] for name in _CHECKED}
    if found.execution is not None:
        facts |= found.execution.to_json()
    print_records(
        [{"what": name, "value": _shown(value)} for name, value in facts.items()],
        ("what", "value"),
    )
    print_records(document["evaluations"], _EVALUATION_COLUMNS)


_CHECKED = (
    "name", "parameters", "frames", "crops_per_epoch", "epochs", "step_s", "training_s",
)  # fmt: skip
_EVALUATION_COLUMNS = ("fold", "evaluation", "images", "sessions", "smallest_p")


def _shown(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


@app.command()
def run(
    context: typer.Context,
    specification: Annotated[Path, typer.Argument(help="YAML specification of the experiment.")],
    as_json: JsonOption = False,
) -> None:
    """Train the runs of an experiment and judge them on every block; what is done is kept.

    Started again it goes on where it was; started twice at once, each takes other runs. Under
    torchrun all processes train each network together.

    Example: agetrace experiment run nano.yaml
    """
    from training.threads import prepare_process

    prepare_process()
    from training.experiments.spec import read_spec

    # a wrong specification is told before torch is imported, which takes seconds
    spec = read_spec(read_text(specification), str(specification))
    from datastore.clocks import HostClock
    from training.experiments.runner import run_experiment

    with (
        catalogue_of(context) as (home, catalogue),
        progress_bar("frames", quiet=as_json or not _is_first()) as decoding,
        progress_bar(spec.name, quiet=as_json or not _is_first()) as advance,
    ):
        summary = run_experiment(
            catalogue,
            spec,
            work_folder=home.work_root,
            clock=HostClock(),
            progress=advance,
            decoding=decoding,
        )
    _tell(summary, as_json=as_json)


@app.command()
def resume(
    context: typer.Context,
    experiment: Annotated[str, typer.Argument(help="Name or identifier of the experiment.")],
    as_json: JsonOption = False,
) -> None:
    """Go on with an experiment that was interrupted, as it was recorded when it began.

    Example: agetrace experiment resume controlled-nano
    """
    from training.threads import prepare_process

    prepare_process()
    from datastore.clocks import HostClock
    from training.experiments.runner import resume_experiment

    with (
        catalogue_of(context) as (home, catalogue),
        progress_bar("frames", quiet=as_json or not _is_first()) as decoding,
        progress_bar(experiment, quiet=as_json or not _is_first()) as advance,
    ):
        summary = resume_experiment(
            catalogue,
            experiment,
            work_folder=home.work_root,
            clock=HostClock(),
            progress=advance,
            decoding=decoding,
        )
    _tell(summary, as_json=as_json)


def _is_first() -> bool:
    """Whether this process is the one of `torchrun` that speaks."""
    return os.environ.get("RANK", "0") == "0"


def _tell(summary: ExperimentSummary, *, as_json: bool) -> None:
    if not _is_first():
        return
    from training.experiments.summary import ROW_COLUMNS

    if as_json:
        print_json(summary.to_json())
    else:
        say(f"experiment {summary.name} {summary.uuid}: {summary.runs} runs")
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


app.command()(_experiment_reports.show)
app.command()(_experiment_reports.compare)
app.command()(_experiment_reports.matrix)
app.command()(_experiment_reports.plot)
app.command()(_experiment_reports.export)
