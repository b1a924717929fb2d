"""What an experiment found, from its recorded predictions: accuracies with the session as unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from datastore.catalogue import Catalogue
from datastore.tables import Experiment, Run
from training.experiments.answers import ImageAnswers, RunAnswers
from training.experiments.crop_measures import CropMeasures, mean_kappa, measure_crops
from training.experiments.errors import ExperimentError
from training.experiments.measures import Recognition, recognition
from training.experiments.run_results import RunsInterval, runs_interval
from training.experiments.stored_predictions import read_answers
from training.statistics import SessionTest, runs_permutation_test


@dataclass(frozen=True)
class CameraSummary:
    """Image-level accuracy of an experiment's runs on the frames of one camera.

    Attributes
    ----------
    serial
        Of the camera.
    images, sessions
        How many were judged.
    accuracy, balanced_accuracy
        Means over the runs.
    kappa
        Cohen's, mean over the runs; None where it is not defined for one of them.
    chance_low, chance_high, p_value, smallest_p, verdict
        As of the whole evaluation.
    """

    serial: str
    images: int
    sessions: int
    accuracy: float
    balanced_accuracy: float
    kappa: float | None
    chance_low: float
    chance_high: float
    p_value: float
    smallest_p: float
    verdict: str


@dataclass(frozen=True)
class EvaluationSummary:
    """Accuracy of an experiment's runs on one evaluation.

    Attributes
    ----------
    evaluation
        Name of the block or of the further evaluation.
    images, sessions
        How many were judged, by any of the runs.
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
    interval
        Mean of the runs with its corrected interval, and what that speaks of.
    balanced_accuracy
        Of images, mean over the runs.
    kappa
        Cohen's, of images, mean over the runs; None where it is not defined for one of them.
    confusion
        Counts of images by (true class, named class), summed over the runs.
    class_names
        Classes in that order.
    cameras
        The same of every camera's images.
    crops
        What needs every crop's answer; None where a run did not keep them.
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
    interval: RunsInterval
    balanced_accuracy: float
    kappa: float | None
    confusion: tuple[tuple[int, ...], ...]
    class_names: tuple[str, ...]
    cameras: tuple[CameraSummary, ...]
    crops: CropMeasures | None

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
                "interval": _ends(one.interval.low, one.interval.high),
                "runs": " ".join(f"{value:.3f}" for value in one.run_accuracies),
                "crops": f"{one.crop_accuracy:.3f}",
                "votes": "-" if one.crops is None else f"{one.crops.voted_accuracy:.3f}",
                "kappa": "-" if one.kappa is None else f"{one.kappa:.3f}",
                "calibration": "-" if one.crops is None else f"{one.crops.calibration_error:.3f}",
                "chance": _ends(one.chance_low, one.chance_high),
                "p": f"{one.p_value:.3g}",
                "smallest_p": f"{one.smallest_p:.3g}",
                "verdict": one.verdict,
            }
            for one in self.evaluations
        ]

    def camera_rows(self) -> list[dict[str, Any]]:
        """Return one row of text per evaluation and camera, for a table."""
        return [
            {
                "evaluation": one.evaluation,
                "camera": camera.serial,
                "images": camera.images,
                "sessions": camera.sessions,
                "accuracy": f"{camera.accuracy:.3f}",
                "balanced": f"{camera.balanced_accuracy:.3f}",
                "kappa": "-" if camera.kappa is None else f"{camera.kappa:.3f}",
                "chance": _ends(camera.chance_low, camera.chance_high),
                "p": f"{camera.p_value:.3g}",
                "smallest_p": f"{camera.smallest_p:.3g}",
                "verdict": camera.verdict,
            }
            for one in self.evaluations
            for camera in one.cameras
        ]


ROW_COLUMNS = (
    "evaluation", "images", "sessions", "accuracy", "interval", "runs", "crops", "votes", "kappa",
    "calibration", "chance", "p", "smallest_p", "verdict",
)  # fmt: skip
"""Columns of `ExperimentSummary.rows`."""

CAMERA_COLUMNS = (
    "evaluation", "camera", "images", "sessions", "accuracy", "balanced", "kappa", "chance", "p",
    "smallest_p", "verdict",
)  # fmt: skip
"""Columns of `ExperimentSummary.camera_rows`."""


def _ends(low: float | None, high: float | None) -> str:
    return "-" if low is None or high is None else f"{low:.3f} to {high:.3f}"


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
        answers = read_answers(catalogue, session, experiment)
        runs = session.scalar(
            select(func.count()).select_from(Run).where(Run.experiment_id == experiment.id)
        )
        return ExperimentSummary(
            uuid=experiment.uuid,
            name=experiment.name,
            dataset=experiment.dataset.name,
            dataset_version=experiment.dataset.version,
            code_version=experiment.code_version,
            specification=experiment.specification,
            runs=runs or 0,
            evaluations=tuple(
                summarise_evaluation(name, of_runs, answers.class_names)
                for name, of_runs in answers.evaluations.items()
            ),
        )


def summarise_evaluation(
    name: str, runs: Sequence[RunAnswers], class_names: Sequence[str]
) -> EvaluationSummary:
    """Summarise what the runs of an experiment said under one evaluation."""
    images = [run.images for run in runs]
    recognised = [_recognition(one, class_names) for one in images]
    test = _tested(images)
    serials = np.unique(np.concatenate([one.cameras for one in images])).tolist()
    return EvaluationSummary(
        evaluation=name,
        images=_count([one.asset_ids for one in images]),
        sessions=_count([one.sessions for one in images]),
        run_accuracies=tuple(one.accuracy for one in images),
        crop_accuracy=sum(run.crops_correct for run in runs) / sum(run.crops for run in runs),
        chance_low=test.chance.low,
        chance_high=test.chance.high,
        p_value=test.p_value,
        smallest_p=test.smallest_p,
        verdict=test.verdict,
        interval=runs_interval([run.result() for run in runs]),
        balanced_accuracy=float(np.mean([one.balanced_accuracy for one in recognised])),
        kappa=mean_kappa(recognised),
        confusion=_summed(recognised),
        class_names=tuple(class_names),
        cameras=tuple(_camera(serial, images, class_names) for serial in serials),
        crops=measure_crops([run.predictions for run in runs]),
    )


def _camera(serial: str, runs: Sequence[ImageAnswers], class_names: Sequence[str]) -> CameraSummary:
    """Summarise the runs that judged images of a camera, on those."""
    images = [run.of_camera(serial) for run in runs if serial in run.cameras]
    recognised = [_recognition(one, class_names) for one in images]
    test = _tested(images)
    return CameraSummary(
        serial=serial,
        images=_count([one.asset_ids for one in images]),
        sessions=_count([one.sessions for one in images]),
        accuracy=float(np.mean([one.accuracy for one in recognised])),
        balanced_accuracy=float(np.mean([one.balanced_accuracy for one in recognised])),
        kappa=mean_kappa(recognised),
        chance_low=test.chance.low,
        chance_high=test.chance.high,
        p_value=test.p_value,
        smallest_p=test.smallest_p,
        verdict=test.verdict,
    )


def _count(names: Sequence[NDArray[Any]]) -> int:
    return len(np.unique(np.concatenate(names)))


def _tested(runs: Sequence[ImageAnswers]) -> SessionTest:
    return runs_permutation_test([run.judged() for run in runs])


def _recognition(run: ImageAnswers, class_names: Sequence[str]) -> Recognition:
    codes = {name: code for code, name in enumerate(class_names)}
    labels, named = (
        np.array([codes[name] for name in names.tolist()], np.int64)
        for names in (run.true_classes, run.named_classes)
    )
    return recognition(labels, named, len(class_names))


def _summed(runs: Sequence[Recognition]) -> tuple[tuple[int, ...], ...]:
    counts: NDArray[np.int64] = np.sum([one.confusion for one in runs], axis=0)
    return tuple(tuple(row) for row in counts.tolist())
