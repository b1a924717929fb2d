"""The commands of `agetrace experiment` that read results: show, compare, matrix, plot, export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from agetrace.cli._shared import JsonOption, catalogue_of, print_json, print_records, say
from agetrace.errors import RequestError

ExperimentArgument = Annotated[str, typer.Argument(help="Name or identifier of the experiment.")]
ExperimentsArgument = Annotated[
    list[str], typer.Argument(help="Names or identifiers of the experiments.")
]
AlphaOption = Annotated[
    float, typer.Option(min=0.0001, max=0.5, help="Chance of a false alarm that is accepted.")
]
BlockOption = Annotated[str, typer.Option(help="Block or further evaluation.")]


def show(
    context: typer.Context, experiment: ExperimentArgument, as_json: JsonOption = False
) -> None:
    """Show what an experiment's runs recognised, on every block and of every camera.

    The interval is of the mean over the runs; the chance interval and p come from permuting the
    class labels over whole sessions.

    Example: agetrace experiment show controlled-nano
    """
    from training.experiments.summary import CAMERA_COLUMNS, ROW_COLUMNS, summarise

    with catalogue_of(context) as (_, catalogue):
        summary = summarise(catalogue, experiment)
    if as_json:
        print_json(summary.to_json())
        return
    say(f"experiment {summary.name} {summary.uuid}: {summary.runs} runs")
    print_records(summary.rows(), ROW_COLUMNS)
    if any(len(one.cameras) > 1 for one in summary.evaluations):
        say("by camera:")
        print_records(summary.camera_rows(), CAMERA_COLUMNS)
    for meaning in dict.fromkeys(one.interval.meaning for one in summary.evaluations):
        say(meaning)


def compare(
    context: typer.Context,
    experiments: ExperimentsArgument,
    block: Annotated[
        list[str] | None,
        typer.Option(help="Block to compare on, repeatable; all that they have in common."),
    ] = None,
    alpha: AlphaOption = 0.05,
    as_json: JsonOption = False,
) -> None:
    """Test experiments against one another, run by run, on the blocks that they have in common.

    Each test is the corrected resampled t-test of Nadeau and Bengio; Holm's p corrects for the
    number of all tests shown.

    Example: agetrace experiment compare srnet-raw srnet-kv alexnet --block clean
    """
    from training.experiments.comparison import PAIRED_COLUMNS, paired_rows
    from training.experiments.contrasts import compare_recorded

    if len(experiments) < 2:
        raise RequestError("a comparison is of two experiments at least: name another one")
    with catalogue_of(context) as (_, catalogue):
        found = compare_recorded(catalogue, experiments, block, alpha=alpha)
    if as_json:
        print_json([one.to_json() for one in found])
        return
    print_records(paired_rows(found), PAIRED_COLUMNS)
    for meaning in dict.fromkeys(one.meaning for one in found):
        say(meaning)


def matrix(
    context: typer.Context,
    experiments: ExperimentsArgument,
    block: BlockOption = "clean",
    alpha: AlphaOption = 0.05,
    as_json: JsonOption = False,
) -> None:
    """Judge experiments that learned from some cameras on the frames of every camera.

    In-field defects are of one sensor: recognition of a body that was not learned from is evidence
    against them.

    Example: agetrace experiment matrix on-7100001 on-7100002 --block clean
    """
    from training.experiments.contrasts import recorded_matrix
    from training.experiments.cross_device import MATRIX_COLUMNS

    with catalogue_of(context) as (_, catalogue):
        found = recorded_matrix(catalogue, experiments, block, alpha=alpha)
    if as_json:
        print_json(found.to_json())
        return
    print_records(found.rows(), MATRIX_COLUMNS)
    say(found.statement)


def plot(
    context: typer.Context,
    experiments: ExperimentsArgument,
    to: Annotated[Path, typer.Option(help="Folder for the pictures.")],
    block: BlockOption = "clean",
    form: Annotated[Literal["png", "svg"], typer.Option("--format", help="Of the files.")] = "png",
    as_json: JsonOption = False,
) -> None:
    """Draw experiments: runs over chance, confusion, reliability, losses, cross-device matrix.

    Example: agetrace experiment plot srnet-raw srnet-kv --to pictures --format svg
    """
    from training.experiments.pictures import plot_experiments

    with catalogue_of(context) as (_, catalogue):
        paths = plot_experiments(catalogue, experiments, to, block=block, formats=[form])
    if as_json:
        print_json({"pictures": [str(path) for path in paths]})
        return
    for path in paths:
        say(str(path))


def export(
    context: typer.Context,
    experiment: ExperimentArgument,
    mlflow: Annotated[
        str | None,
        typer.Option(help="MLflow's tracking URI, such as sqlite:///mlflow.db or a server's."),
    ] = None,
    tensorboard: Annotated[
        Path | None, typer.Option(help="TensorBoard's log folder, made if it is not there.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Export an experiment's runs to MLflow or TensorBoard: parameters, losses, measures, lineage.

    Runs that are there already are left as they are.

    Example: agetrace experiment export controlled-nano --tensorboard logs
    """
    if mlflow is None and tensorboard is None:
        raise RequestError("where to? Give --mlflow URI, --tensorboard FOLDER, or both")
    from training.experiments import exporting_mlflow, exporting_tensorboard
    from training.experiments.run_records import read_record

    with catalogue_of(context) as (_, catalogue):
        record = read_record(catalogue, experiment)
    written: dict[str, list[str]] = {}
    if tensorboard is not None:
        folders = exporting_tensorboard.export(record, tensorboard)
        written["tensorboard"] = [str(folder) for folder in folders]
    if mlflow is not None:
        written["mlflow"] = exporting_mlflow.export(record, mlflow)
    if as_json:
        print_json({"experiment": record.uuid, "runs": len(record.runs), "written": written})
        return
    for program, runs in written.items():
        say(f"{program}: {len(runs)} of {len(record.runs)} runs written, the others were there")
