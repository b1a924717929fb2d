"""Experiments that learned from some cameras, judged on the others: the cross-device matrix; pure.

In-field defects are of one sensor: what a network learned of them on one body is of no use on
another. So transfer to a body that it never learned from is evidence *against* defects as what was
learned, and its absence is what defects would give (as many other traces of single bodies would).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from training.experiments.answers import ImageAnswers
from training.experiments.errors import ExperimentError
from training.statistics import Interval, runs_permutation_test


@dataclass(frozen=True)
class CameraTraining:
    """An experiment that learned from certain cameras, and what its runs said of all.

    Attributes
    ----------
    name
        Of the experiment.
    cameras
        Serials of the cameras that it learned from.
    runs
        What each run said of the images of the same block, which are of several cameras.
    """

    name: str
    cameras: tuple[str, ...]
    runs: tuple[ImageAnswers, ...]


@dataclass(frozen=True)
class Transfer:
    """How well an experiment judged the frames of one camera.

    Attributes
    ----------
    experiment, learned_from
        Its name, and the cameras that it learned from.
    camera
        The camera that was judged.
    images, sessions
        How many were judged, by any of the runs.
    run_accuracies
        Image-level accuracy of each run.
    chance
        Accuracies that relabelling the sessions does not rule out.
    p_value, smallest_p
        Of the permutation of class labels over sessions, and the smallest it could have been.
    verdict
        `above-chance`, `at-chance` or `inconclusive`.
    """

    experiment: str
    learned_from: tuple[str, ...]
    camera: str
    images: int
    sessions: int
    run_accuracies: tuple[float, ...]
    chance: Interval
    p_value: float
    smallest_p: float
    verdict: str

    @property
    def accuracy(self) -> float:
        """Mean over the runs."""
        return float(np.mean(self.run_accuracies))

    @property
    def is_to_another(self) -> bool:
        """Whether the network never learned from the camera that it judged."""
        return self.camera not in self.learned_from

    @property
    def reading(self) -> str:
        """What it says of defects, in words."""
        if self.verdict == "inconclusive":
            return "too few sessions to tell"
        if self.is_to_another:
            if self.verdict == "above-chance":
                return "transfer to another body: evidence against defects"
            return "no transfer shown, as of defects"
        if self.verdict == "above-chance":
            return "something of the body that was learned from, or common to all"
        return "nothing was learned of the body itself"


@dataclass(frozen=True)
class CrossDeviceMatrix:
    """All transfers from the cameras learned from to the cameras judged.

    Attributes
    ----------
    block
        Evaluation that they are of.
    alpha
        Level of each verdict by itself.
    cells
        One per experiment and camera, the experiments in their order, the cameras by serial.
    """

    block: str
    alpha: float
    cells: tuple[Transfer, ...]

    @property
    def cameras(self) -> tuple[str, ...]:
        """The cameras that were judged."""
        return tuple(sorted({cell.camera for cell in self.cells}))

    @property
    def experiments(self) -> tuple[str, ...]:
        """The experiments, in their order."""
        return tuple(dict.fromkeys(cell.experiment for cell in self.cells))

    @property
    def statement(self) -> str:
        """What the cells off the diagonal say together, in words."""
        others = [cell for cell in self.cells if cell.is_to_another]
        own = [cell for cell in self.cells if not cell.is_to_another]
        judged = [cell for cell in others if cell.verdict != "inconclusive"]
        above = [cell for cell in judged if cell.verdict == "above-chance"]
        if not judged:
            return (
                "No transfer to another camera can be judged: there are too few sessions, or every"
                " camera was learned from."
            )
        level = (
            f"{len(above)} of {len(judged)} transfers to a camera that was not learned from are"
            f" above chance; without any trace {self.alpha:.0%} of them would be."
        )
        if above:
            return (
                f"{level} In-field defects are of one sensor, so above-chance transfer is evidence"
                " against defects as what was learned: look for content, light, temperature or"
                " processing that the cameras share."
            )
        if any(cell.verdict == "above-chance" for cell in own):
            return (
                f"{level} The networks recognise the bodies that they learned from and no others,"
                " as they would by defects; that alone does not tell defects from other traces of"
                " single bodies."
            )
        return f"{level} Nor are the networks above chance on the bodies that they learned from."

    def to_json(self) -> dict[str, Any]:
        """Return everything as a JSON document."""
        return {
            "block": self.block,
            "alpha": self.alpha,
            "statement": self.statement,
            "cells": [
                {
                    **asdict(cell),
                    "accuracy": cell.accuracy,
                    "is_to_another": cell.is_to_another,
                    "reading": cell.reading,
                }
                for cell in self.cells
            ],
        }

    def rows(self) -> list[dict[str, Any]]:
        """Return one row of text per cell, for a table."""
        return [
            {
                "experiment": cell.experiment,
                "learned_from": " ".join(cell.learned_from),
                "camera": cell.camera,
                "images": cell.images,
                "sessions": cell.sessions,
                "accuracy": f"{cell.accuracy:.3f}",
                "chance": f"{cell.chance.low:.3f} to {cell.chance.high:.3f}",
                "p": f"{cell.p_value:.3g}",
                "smallest_p": f"{cell.smallest_p:.3g}",
                "verdict": cell.verdict,
                "reading": cell.reading,
            }
            for cell in self.cells
        ]


MATRIX_COLUMNS = (
    "experiment", "learned_from", "camera", "images", "sessions", "accuracy", "chance", "p",
    "smallest_p", "verdict", "reading",
)  # fmt: skip
"""Columns of `CrossDeviceMatrix.rows`."""


def cross_device_matrix(
    block: str, trained: Sequence[CameraTraining], *, alpha: float = 0.05
) -> CrossDeviceMatrix:
    """Judge every experiment on the frames of every camera.

    Parameters
    ----------
    block
        Evaluation that the answers are of.
    trained
        Experiments of different names; at least one.
    alpha
        Level of each cell's verdict.

    Raises
    ------
    ExperimentError
        If there is no experiment, one of them has no run, two have one name, or all frames are of
        one camera.
    """
    names = [one.name for one in trained]
    if not names or len(set(names)) < len(names):
        raise ExperimentError(
            "a cross-device matrix is of different experiments, not of "
            + (", ".join(names) or "none")
        )
    empty = next((one.name for one in trained if not one.runs), None)
    if empty is not None:
        raise ExperimentError(f"experiment {empty} has no runs that judged {block}")
    cells = [
        _transfer(one, serial, alpha)
        for one in trained
        for serial in sorted({camera for run in one.runs for camera in run.cameras.tolist()})
    ]
    matrix = CrossDeviceMatrix(block, alpha, tuple(cells))
    if len(matrix.cameras) < 2:
        raise ExperimentError(
            f"{block}: all frames are of camera {' '.join(matrix.cameras)}; a cross-device matrix"
            " needs a dataset of several"
        )
    return matrix


def _transfer(trained: CameraTraining, serial: str, alpha: float) -> Transfer:
    runs = [run.of_camera(serial) for run in trained.runs if serial in run.cameras]
    test = runs_permutation_test([run.judged() for run in runs], alpha=alpha)
    return Transfer(
        experiment=trained.name,
        learned_from=trained.cameras,
        camera=serial,
        images=len(np.unique(np.concatenate([run.asset_ids for run in runs]))),
        sessions=len(np.unique(np.concatenate([run.sessions for run in runs]))),
        run_accuracies=tuple(run.accuracy for run in runs),
        chance=test.chance,
        p_value=test.p_value,
        smallest_p=test.smallest_p,
        verdict=test.verdict,
    )
