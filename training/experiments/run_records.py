"""Recorded runs as other programs want them: parameters, losses, measures, lineage."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from datastore.catalogue import Catalogue
from datastore.tables import Experiment, Run, RunExecution
from training.experiments.answers import RunAnswers
from training.experiments.measures import measure
from training.experiments.stored_predictions import ExperimentAnswers, read_answers
from training.experiments.summary import find_experiment


@dataclass(frozen=True)
class RunRecord:
    """One run for export.

    Attributes
    ----------
    number, uuid
        Of the run.
    started_at, finished_at
        Civil time.
    losses
        Training loss of every step.
    looks
        Step, loss and accuracy of every look at the validation block.
    measures
        By evaluation and name, such as `clean/accuracy`.
    lineage
        What the run came from, and what its weights are.
    """

    number: int
    uuid: str
    started_at: datetime
    finished_at: datetime
    losses: tuple[float, ...]
    looks: tuple[tuple[int, float, float], ...]
    measures: Mapping[str, float]
    lineage: Mapping[str, str]


@dataclass(frozen=True)
class ExperimentRecord:
    """An experiment for export.

    Attributes
    ----------
    name, uuid
        Of the experiment.
    parameters
        Its specification, field by field as text.
    runs
        In their order.
    """

    name: str
    uuid: str
    parameters: Mapping[str, str]
    runs: tuple[RunRecord, ...]

    @property
    def title(self) -> str:
        """Name and the beginning of the identifier: names repeat."""
        return f"{self.name} {self.uuid[:8]}"


def read_record(catalogue: Catalogue, reference: str) -> ExperimentRecord:
    """Read an experiment and its runs.

    Parameters
    ----------
    catalogue
        The catalogue that holds it.
    reference
        Its name or identifier.

    Raises
    ------
    ExperimentError
        If it is not there, or a file of predictions is not what it should be.
    AssetMissingError, AssetCorruptError
        If the store has lost or damaged a file.
    """
    with catalogue.reading() as session:
        experiment = find_experiment(session, reference)
        answers = read_answers(catalogue, session, experiment)
        return ExperimentRecord(
            name=experiment.name,
            uuid=experiment.uuid,
            parameters={
                name: value if isinstance(value, str) else json.dumps(value, sort_keys=True)
                for name, value in sorted(experiment.specification.items())
            },
            runs=tuple(_record(session, experiment, run, answers) for run in experiment.runs),
        )


def _record(
    session: Session, experiment: Experiment, run: Run, answers: ExperimentAnswers
) -> RunRecord:
    execution = session.scalar(select(RunExecution).where(RunExecution.run_id == run.id))
    dataset = experiment.dataset if execution is None else execution.dataset
    computed = {**run.machine, **({} if execution is None else execution.execution)}
    return RunRecord(
        number=run.ordinal,
        uuid=run.uuid,
        started_at=run.started_at,
        finished_at=run.finished_at,
        losses=tuple(run.training_history),
        looks=()
        if execution is None
        else tuple((look[0], look[1], look[2]) for look in execution.validation_history),
        measures={
            f"{evaluation}/{name}": value
            for evaluation, runs in answers.evaluations.items()
            for one in runs
            if one.number == run.ordinal
            for name, value in _measures(one).items()
        },
        lineage={
            "experiment": experiment.uuid,
            "run": run.uuid,
            "seed": str(run.seed),
            "dataset": dataset.name,
            "dataset_version": dataset.version,
            "code_version": experiment.code_version,
            "weights_sha256": run.model_asset.sha256,
            **{name: str(value) for name, value in sorted(computed.items())},
        },
    )


def _measures(run: RunAnswers) -> dict[str, float]:
    """Return what is known of a run under one evaluation; undefined measures are left out."""
    found: dict[str, float | None] = {
        "accuracy": run.images.accuracy,
        "crop_accuracy": run.crops_correct / run.crops,
    }
    if run.predictions is not None:
        measured = measure(run.predictions)
        found |= {
            "balanced_accuracy": measured.images.balanced_accuracy,
            "kappa": measured.images.kappa,
            "voted_accuracy": measured.voted.accuracy,
            "log_loss": measured.log_loss,
            "brier_score": measured.brier_score,
        }
    return {name: value for name, value in found.items() if value is not None}
