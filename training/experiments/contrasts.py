"""Recorded experiments against one another: paired tests and the cross-device matrix."""

from __future__ import annotations

from collections.abc import Sequence

from datastore.catalogue import Catalogue
from datastore.tables import Experiment
from training.experiments.comparison import PairedTest, compare_experiments
from training.experiments.cross_device import (
    CameraTraining,
    CrossDeviceMatrix,
    cross_device_matrix,
)
from training.experiments.errors import ExperimentError
from training.experiments.stored_predictions import ExperimentAnswers, read_answers
from training.experiments.summary import find_experiment


def compare_recorded(
    catalogue: Catalogue,
    references: Sequence[str],
    blocks: Sequence[str] | None = None,
    *,
    alpha: float = 0.05,
) -> tuple[PairedTest, ...]:
    """Test recorded experiments against one another, run by run.

    Parameters
    ----------
    catalogue
        The catalogue that holds them.
    references
        Names or identifiers of the experiments.
    blocks
        On which to compare them; all that they have in common by default.
    alpha
        Chance of any false alarm among all the tests together.

    Raises
    ------
    ExperimentError
        If one is not there or is named twice, or their runs cannot be paired.
    """
    answers = _read(catalogue, references, blocks)
    return compare_experiments(
        {
            name: {block: [run.result() for run in runs] for block, runs in one.evaluations.items()}
            for name, one in answers.items()
        },
        blocks,
        alpha=alpha,
    )


def recorded_matrix(
    catalogue: Catalogue, references: Sequence[str], block: str = "clean", *, alpha: float = 0.05
) -> CrossDeviceMatrix:
    """Judge recorded experiments on the frames of every camera.

    Parameters
    ----------
    catalogue
        The catalogue that holds them.
    references
        Names or identifiers of the experiments.
    block
        Evaluation with frames of several cameras.
    alpha
        Level of each cell's verdict.

    Raises
    ------
    ExperimentError
        If one is not there, is named twice or was not judged on the block, or if all frames are of
        one camera.
    """
    answers = _read(catalogue, references, [block])
    return cross_device_matrix(
        block,
        [
            CameraTraining(
                name,
                one.cameras,
                tuple(run.images for run in one.evaluations.get(block, ())),
            )
            for name, one in answers.items()
        ],
        alpha=alpha,
    )


def _read(
    catalogue: Catalogue, references: Sequence[str], blocks: Sequence[str] | None
) -> dict[str, ExperimentAnswers]:
    """Read experiments by what they are to be called."""
    with catalogue.reading() as session:
        found = [find_experiment(session, reference) for reference in references]
        names = display_names(found)
        return {
            name: read_answers(catalogue, session, experiment, blocks)
            for name, experiment in zip(names, found, strict=True)
        }


def display_names(experiments: Sequence[Experiment]) -> list[str]:
    """Return what to call experiments: their names, with identifiers where names repeat.

    Raises
    ------
    ExperimentError
        If one experiment is there twice.
    """
    uuids = [one.uuid for one in experiments]
    names = [one.name for one in experiments]
    twice = next((one.name for one in experiments if uuids.count(one.uuid) > 1), None)
    if twice is not None:
        raise ExperimentError(f"experiment {twice} is named twice")
    return [
        name if names.count(name) == 1 else f"{name} {uuid[:8]}"
        for name, uuid in zip(names, uuids, strict=True)
    ]
