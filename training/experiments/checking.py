"""What an experiment would do, before it does it: sizes, time, and what its answer can be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sqlalchemy import select

from datastore.catalogue import Catalogue
from datastore.tables import Dataset, DatasetFreeze
from training.experiments.crop_places import FixedPlaces
from training.experiments.errors import ExperimentError
from training.experiments.execution import Execution
from training.experiments.frame_set import FrameSet
from training.experiments.frame_sets import FrameSets
from training.experiments.measuring import measured_execution, seconds_per_step
from training.experiments.preparing import (
    Judged,
    PreparedFold,
    prepare_folds,
    with_versions,
)
from training.experiments.spec import ExperimentSpec
from training.networks.registry import build_network, parameter_count
from training.patches.inputs import batch_shape
from training.statistics import session_permutation_test

_LEVEL = 0.05


@dataclass(frozen=True)
class CheckedEvaluation:
    """One evaluation of one fold: how many frames and sessions, and the best p that they allow."""

    fold: int
    evaluation: str
    images: int
    sessions: int
    smallest_p: float


@dataclass(frozen=True)
class ExperimentCheck:
    """What an experiment would do.

    Attributes
    ----------
    name, datasets
        Of the experiment, and the versions that it learns from.
    parameters
        Trainable parameters of the network with its front.
    frames, crops_per_epoch
        Of the first fold's train block.
    frames_per_class
        By the class's name.
    epochs
        How often a run sees each crop, or each frame where places are random.
    execution
        By which means it would be computed here.
    step_s, training_s
        Measured seconds of a step, and of all steps of all runs; None where nothing was measured.
    evaluations
        What runs are judged on.
    remarks
        What to know before starting.
    """

    name: str
    datasets: tuple[str, ...]
    parameters: int
    frames: int
    frames_per_class: dict[str, int]
    crops_per_epoch: int
    epochs: float
    execution: Execution | None
    step_s: float | None
    training_s: float | None
    evaluations: tuple[CheckedEvaluation, ...]
    remarks: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return everything as one JSON document."""
        return asdict(self)


def check_experiment(
    catalogue: Catalogue, spec: ExperimentSpec, *, work_folder: Path, measure: bool = True
) -> ExperimentCheck:
    """Say what an experiment would do here, and refuse what could not be done.

    Nothing is recorded. One frame of each camera is decoded; of all others it is seen that their
    files are there.

    Parameters
    ----------
    catalogue
        The catalogue that holds the dataset.
    spec
        The experiment.
    work_folder
        Decoded frames.
    measure
        Whether training steps are timed.

    Raises
    ------
    ExperimentError
        If the dataset and the evaluations do not fit together, or files are gone.
    TrainingError
        If frames cannot give such patches, or the network cannot be built.
    """
    spec = with_versions(catalogue, spec)
    folds = prepare_folds(catalogue, spec)
    for fold in folds:
        _require_files(catalogue, fold)
    first = folds[0]
    class_names = first.manifest.header.class_names
    frame_sets = FrameSets(catalogue, work_folder / "frames", spec, class_names)
    crops = _crops_per_epoch(spec, frame_sets, first.train)
    channels = batch_shape(spec.input, 1, spec.patch_size)[1]
    network = build_network(
        spec.network, channels, len(class_names), front=spec.front, input_name=spec.input
    )
    # a network refuses crops that it cannot take
    with torch.inference_mode():
        network.eval()(torch.zeros(batch_shape(spec.input, 1, spec.patch_size)))
    execution = measured_execution(spec, len(class_names)) if measure else None
    step_s = (
        None if execution is None else seconds_per_step(execution.applied(spec), len(class_names))
    )
    evaluations = tuple(
        _checked(number, one) for number, fold in enumerate(folds) for one in fold.judged
    )
    epochs = spec.steps * spec.batch_size / crops
    return ExperimentCheck(
        name=spec.name,
        datasets=tuple(fold.manifest.version for fold in folds),
        parameters=parameter_count(network),
        frames=len(first.train.items),
        frames_per_class=dict(Counter(item.class_name for item in first.train.items)),
        crops_per_epoch=crops,
        epochs=epochs,
        execution=execution,
        step_s=step_s,
        training_s=None if step_s is None else step_s * spec.steps * spec.runs,
        evaluations=evaluations,
        remarks=tuple(_remarks(catalogue, spec, folds, evaluations, epochs)),
    )


def _require_files(catalogue: Catalogue, fold: PreparedFold) -> None:
    blocks = [fold.train, *([] if fold.validation is None else [fold.validation]), *fold.judged]
    wanted = {item.sha256 for block in blocks for item in block.items}
    gone = sorted(sha256 for sha256 in wanted if not catalogue.store.path(sha256).exists())
    if gone:
        raise ExperimentError(
            f"dataset {fold.manifest.header.name}: {len(gone)} of {len(wanted)} files are not in"
            f" the store, such as {gone[0]}: run `agetrace store verify`"
        )


def _crops_per_epoch(spec: ExperimentSpec, frame_sets: FrameSets, train: Judged) -> int:
    # the crops of a camera are those of its first frame
    serials = np.array([item.camera.serial for item in train.items])
    total = 0
    for serial in np.unique(serials).tolist():
        item = train.items[int(np.argmax(serials == serial))]
        one: FrameSet = frame_sets.of(Judged("train", (item,), train.masks))
        fixed = FixedPlaces(one, spec.patches, spec.patch_size, spec.patches_per_frame)
        places = len(fixed.of(0))
        frames = int((serials == serial).sum())
        total += frames * (1 if spec.patches == "random" else places)
    return total


def _checked(fold: int, judged: Judged) -> CheckedEvaluation:
    labels = [item.class_name for item in judged.items]
    sessions = [item.session_unit for item in judged.items]
    test = session_permutation_test(labels, labels, sessions)
    return CheckedEvaluation(fold, judged.name, len(labels), len(set(sessions)), test.smallest_p)


def _remarks(
    catalogue: Catalogue,
    spec: ExperimentSpec,
    folds: Sequence[PreparedFold],
    evaluations: Sequence[CheckedEvaluation],
    epochs: float,
) -> list[str]:
    remarks = []
    with catalogue.reading() as session:
        for fold in folds:
            reason = session.scalar(
                select(DatasetFreeze.forced_reason)
                .join(Dataset, Dataset.id == DatasetFreeze.dataset_id)
                .where(Dataset.version == fold.manifest.version)
            )
            name = fold.manifest.header.name
            if reason is not None:
                remarks.append(f"dataset {name} failed its audit and was forced: {reason}")
            if any(camera.simulated for camera in fold.manifest.header.cameras):
                remarks.append(f"dataset {name} has frames of simulated cameras")
    remarks += [
        f"{one.evaluation}: with {one.sessions} sessions no accuracy gives a p below"
        f" {one.smallest_p:.2g}, so that the answer will be inconclusive"
        for one in evaluations
        if one.smallest_p > _LEVEL and one.evaluation == "clean"
    ]
    if epochs < 1:
        remarks.append(f"a run sees {epochs:.0%} of the crops: more steps would show it all")
    if spec.runs < 2:
        remarks.append("one run has no spread: comparisons need at least two")
    return list(dict.fromkeys(remarks))
