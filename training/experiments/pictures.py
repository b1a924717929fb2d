"""The pictures of recorded experiments, from the catalogue into files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from datastore.catalogue import Catalogue
from datastore.tables import Experiment, Run, RunExecution
from training.experiments import experiment_plots as plots
from training.experiments.contrasts import display_names, recorded_matrix
from training.experiments.errors import ExperimentError
from training.experiments.summary import ExperimentSummary, find_experiment, summarise
from training.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PictureFormat = Literal["png", "svg"]


def plot_experiments(
    catalogue: Catalogue,
    references: Sequence[str],
    folder: Path,
    *,
    block: str = "clean",
    formats: Sequence[PictureFormat] = ("png",),
) -> list[Path]:
    """Draw experiments side by side, and each by itself, into a folder.

    All together: the runs' accuracies on every block, and the cross-device matrix where the block
    has frames of several cameras. Each by itself: its confusion on the block, its losses, and its
    reliability where it kept what it said of every crop.

    Parameters
    ----------
    catalogue
        The catalogue that holds them.
    references
        Names or identifiers of the experiments; at least one.
    folder
        Made where it is not there.
    block
        Evaluation of all pictures but the first.
    formats
        Of the files.

    Returns
    -------
    list of Path
        The files that were written.

    Raises
    ------
    ExperimentError
        If an experiment is not there, is named twice or was not judged on the block.
    """
    with catalogue.reading() as session:
        found = [find_experiment(session, reference) for reference in references]
        names = display_names(found)
        histories = [_histories(session, experiment) for experiment in found]
    summaries = {
        name: summarise(catalogue, experiment.uuid)
        for name, experiment in zip(names, found, strict=True)
    }
    evaluations = {name: one.evaluation(block) for name, one in summaries.items()}
    figures = {"runs": plots.runs_per_block(summaries)}
    if any(len(one.cameras) > 1 for one in evaluations.values()):
        matrix = recorded_matrix(catalogue, [one.uuid for one in found], block)
        figures[f"cross-device-{block}"] = plots.cross_device_map(matrix)
    for (name, summary), history in zip(summaries.items(), histories, strict=True):
        file = _file_name(summary)
        evaluation = evaluations[name]
        figures[f"{file}-confusion-{block}"] = plots.confusion_matrix(
            evaluation, f"{name}, {block}: {summary.runs} runs"
        )
        figures[f"{file}-losses"] = plots.loss_curves(history, name)
        if evaluation.crops is not None:
            figures[f"{file}-reliability-{block}"] = plots.reliability_diagram(
                {name: evaluation.crops.calibration}
            )
    return [
        _save(figure, folder / f"{name}.{suffix}")
        for name, figure in figures.items()
        for suffix in formats
    ]


def _histories(session: Session, experiment: Experiment) -> list[plots.RunHistory]:
    rows = session.execute(
        select(Run.ordinal, Run.training_history, RunExecution.validation_history)
        .outerjoin(RunExecution, RunExecution.run_id == Run.id)
        .where(Run.experiment_id == experiment.id)
        .order_by(Run.ordinal)
    )
    return [
        plots.RunHistory(number, losses, [(look[0], look[1], look[2]) for look in looks or ()])
        for number, losses, looks in rows
    ]


def _file_name(summary: ExperimentSummary) -> str:
    """Return the start of an experiment's file names: names may hold anything."""
    return f"{re.sub(r'[^A-Za-z0-9]+', '-', summary.name).strip('-')}-{summary.uuid[:8]}"


def _save(figure: Figure, path: Path) -> Path:
    try:
        write_atomically(
            path,
            lambda file: figure.savefig(
                file,
                format=path.suffix[1:],
                dpi=150,
                metadata={"Date": None} if path.suffix == ".svg" else None,
            ),
        )
    except OSError as error:
        raise ExperimentError(f"{path}: {error.strerror}") from None
    return path
