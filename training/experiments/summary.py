"""What an experiment found, from its recorded predictions: accuracies with the session as unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from datastore.catalogue import Catalogue
from datastore.tables import Asset, Experiment, Prediction, Run, Shot
from datastore.tables import Session as CaptureSession
from training.experiments.errors import ExperimentError
from training.statistics import session_permutation_test


@dataclass(frozen=True)
class EvaluationSummary:
    """Accuracy of an experiment's runs on one evaluation.

    Attributes
    ----------
    evaluation
        Name of the block or of the further evaluation.
    images, sessions
        How many were judged.
    run_accuracies
        Image-level accuracy of each run.
    crop_accuracy
        Share of crops classified rightly, over all runs.
    chance_low, chance_high
        Accuracies that relabelling the sessions does not rule out (95 %).
    p_value, smallest_p
        Of the permutation of class labels over sessions, and the smallest it could have been.
    verdict
        `above-chance`, `at-chance` or `inconclusive`.
    """

    evaluation: str
    images: int
    sessions: int
    run_accuracies: tuple[float, ...]
    crop_accuracy: float
    chance_low: float
    chance_high: float
    p_value: float
    smallest_p: float
    verdict: str

    @property
    def accuracy(self) -> float:
        """Image-level accuracy, mean over the runs."""
        return float(np.mean(self.run_accuracies))

    @property
    def is_within_chance(self) -> bool:
        """Whether the accuracy lies in the session-level chance interval."""
        return self.chance_low - 1e-12 <= self.accuracy <= self.chance_high + 1e-12


@dataclass(frozen=True)
class ExperimentSummary:
    """An experiment's runs and evaluations."""

    uuid: str
    name: str
    dataset: str
    dataset_version: str
    code_version: str
    specification: dict[str, Any]
    runs: int
    evaluations: tuple[EvaluationSummary, ...]

    def evaluation(self, name: str) -> EvaluationSummary:
        """Return one evaluation.

        Raises
        ------
        ExperimentError
            If the experiment was not judged so.
        """
        for one in self.evaluations:
            if one.evaluation == name:
                return one
        raise ExperimentError(f"experiment {self.name} has no evaluation called {name}")

    def to_json(self) -> dict[str, Any]:
        """Return everything as one JSON document."""
        return {**asdict(self), "evaluations": [asdict(one) for one in self.evaluations]}

    def rows(self) -> list[dict[str, Any]]:
        """Return one row of text per evaluation, for a table."""
        return [
            {
                "evaluation": one.evaluation,
                "images": one.images,
                "sessions": one.sessions,
                "accuracy": f"{one.accuracy:.3f}",
                "runs": " ".join(f"{value:.3f}" for value in one.run_accuracies),
                "crops": f"{one.crop_accuracy:.3f}",
                "chance": f"{one.chance_low:.3f} to {one.chance_high:.3f}",
                "p": f"{one.p_value:.3g}",
                "verdict": one.verdict,
            }
            for one in self.evaluations
        ]


ROW_COLUMNS = (
    "evaluation", "images", "sessions", "accuracy", "runs", "crops", "chance", "p", "verdict",
)  # fmt: skip
"""Columns of `ExperimentSummary.rows`."""


def find_experiment(session: Session, reference: str) -> Experiment:
    """Return the newest experiment of this name, or the one of this identifier.

    Raises
    ------
    ExperimentError
        If there is none.
    """
    found = session.scalar(
        select(Experiment)
        .where((Experiment.name == reference) | (Experiment.uuid == reference))
        .order_by(Experiment.id.desc())
        .limit(1)
    )
    if found is None:
        raise ExperimentError(
            f"there is no experiment {reference}: `agetrace experiment list` names them"
        )
    return found


def summarise(catalogue: Catalogue, reference: str) -> ExperimentSummary:
    """Summarise an experiment by its name or identifier.

    Raises
    ------
    ExperimentError
        If there is none.
    """
    with catalogue.reading() as session:
        experiment = find_experiment(session, reference)
        runs = list(
            session.scalars(
                select(Run.id).where(Run.experiment_id == experiment.id).order_by(Run.ordinal)
            )
        )
        names = session.scalars(
            select(Prediction.evaluation)
            .where(Prediction.run_id.in_(runs))
            .group_by(Prediction.evaluation)
            .order_by(func.min(Prediction.id))
        ).all()
        return ExperimentSummary(
            uuid=experiment.uuid,
            name=experiment.name,
            dataset=experiment.dataset.name,
            dataset_version=experiment.dataset.version,
            code_version=experiment.code_version,
            specification=experiment.specification,
            runs=len(runs),
            evaluations=tuple(_evaluation(session, runs, name) for name in names),
        )


def _evaluation(session: Session, runs: Sequence[int], name: str) -> EvaluationSummary:
    rows = session.execute(
        select(
            Prediction.run_id,
            Prediction.class_name,
            Prediction.predicted_class_name,
            Prediction.crops,
            Prediction.crops_correct,
            CaptureSession.uuid,
        )
        .join(Asset, Asset.id == Prediction.asset_id)
        .join(Shot, Shot.id == Asset.shot_id)
        .join(CaptureSession, CaptureSession.id == Shot.session_id)
        .where(Prediction.run_id.in_(runs), Prediction.evaluation == name)
        .order_by(Prediction.run_id, Prediction.asset_id)
    ).all()
    run_ids = np.array([row[0] for row in rows])
    labels = np.array([row[1] for row in rows])
    predicted = np.array([row[2] for row in rows])
    sessions = np.array([row[5] for row in rows])
    per_run = tuple(
        float(np.mean(predicted[run_ids == run] == labels[run_ids == run])) for run in runs
    )
    images = len(rows) // len(runs)
    test = session_permutation_test(
        labels[:images], predicted.reshape(len(runs), images), sessions[:images]
    )
    return EvaluationSummary(
        evaluation=name,
        images=images,
        sessions=len(set(sessions.tolist())),
        run_accuracies=per_run,
        crop_accuracy=sum(row[4] for row in rows) / sum(row[3] for row in rows),
        chance_low=test.chance.low,
        chance_high=test.chance.high,
        p_value=test.p_value,
        smallest_p=test.smallest_p,
        verdict=test.verdict,
    )
