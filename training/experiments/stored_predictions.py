"""What the recorded runs of an experiment said, read back from the catalogue.

Each run keeps a row per image, and a file of what it said of every crop; runs that were recorded
before such files were kept have the rows alone.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from datastore.catalogue import Catalogue
from datastore.datasets.manifest import Header
from datastore.tables import (
    Asset,
    Camera,
    Dataset,
    DatasetItem,
    Experiment,
    Prediction,
    Run,
    RunExecution,
    RunPredictions,
    Shot,
)
from datastore.tables import Session as CaptureSession
from training.experiments.answers import ImageAnswers, RunAnswers
from training.experiments.errors import ExperimentError
from training.experiments.predictions import Predictions


@dataclass(frozen=True)
class ExperimentAnswers:
    """What all runs of an experiment said.

    Attributes
    ----------
    class_names
        In the order of the networks' outputs.
    cameras
        Serials of the cameras that the networks learned from.
    evaluations
        The runs of every block or further evaluation, in the order of their numbers.
    """

    class_names: tuple[str, ...]
    cameras: tuple[str, ...]
    evaluations: dict[str, tuple[RunAnswers, ...]]


def decode_predictions(content: bytes, name: str) -> Predictions:
    """Return the predictions that a file's bytes hold.

    Parameters
    ----------
    content
        What `Predictions.save` wrote.
    name
        What to call it in an error.

    Raises
    ------
    ExperimentError
        If they hold none.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return Predictions(**{one: arrays[one] for one in Predictions.__dataclass_fields__})
    except (KeyError, ValueError, OSError) as error:
        raise ExperimentError(f"{name}: no predictions ({error})") from error


def read_predictions(
    catalogue: Catalogue, session: Session, run_id: int, evaluation: str
) -> Predictions | None:
    """Return what a run said of every crop, or None where that was not kept.

    Raises
    ------
    AssetMissingError, AssetCorruptError
        If the store has lost or damaged the file.
    ExperimentError
        If the file holds no predictions.
    """
    sha256 = session.scalar(
        select(Asset.sha256)
        .join(RunPredictions, RunPredictions.predictions_asset_id == Asset.id)
        .where(RunPredictions.run_id == run_id, RunPredictions.evaluation == evaluation)
    )
    if sha256 is None:
        return None
    return decode_predictions(catalogue.store.read_bytes(sha256), f"predictions {sha256}")


def read_answers(
    catalogue: Catalogue,
    session: Session,
    experiment: Experiment,
    evaluations: Sequence[str] | None = None,
) -> ExperimentAnswers:
    """Read what all runs of an experiment said.

    Parameters
    ----------
    catalogue
        The catalogue, for its store.
    session
        A reading transaction of it.
    experiment
        The experiment.
    evaluations
        Which to read; all by default.

    Raises
    ------
    AssetMissingError, AssetCorruptError
        If the store has lost or damaged a manifest or a file of predictions.
    ExperimentError
        If a file holds no predictions, or not those of the images that the rows speak of.
    """
    header = _header(catalogue, experiment.dataset.version)
    cameras = experiment.specification.get("cameras")
    found: dict[str, list[RunAnswers]] = {}
    training: dict[int, _Training] = {}
    for run in session.scalars(
        select(Run).where(Run.experiment_id == experiment.id).order_by(Run.ordinal)
    ):
        dataset_id = session.scalar(
            select(RunExecution.dataset_id).where(RunExecution.run_id == run.id)
        )
        dataset_id = experiment.dataset_id if dataset_id is None else dataset_id
        if dataset_id not in training:
            training[dataset_id] = _training(session, dataset_id, cameras, header)
        names = session.scalars(
            select(Prediction.evaluation)
            .where(Prediction.run_id == run.id)
            .group_by(Prediction.evaluation)
            .order_by(Prediction.evaluation)
        )
        for name in names.all():
            if evaluations is None or name in evaluations:
                answers = _answers(catalogue, session, run, name, training[dataset_id], header)
                found.setdefault(name, []).append(answers)
    order = _order(session, experiment)
    return ExperimentAnswers(
        class_names=header.class_names,
        cameras=tuple(cameras or (camera.serial for camera in header.cameras)),
        evaluations={name: tuple(found[name]) for name in order if name in found},
    )


@dataclass(frozen=True)
class _Training:
    identity: str
    sessions: int


def _header(catalogue: Catalogue, version: str) -> Header:
    """Read the first line of a manifest, whose bytes are those of its version."""
    return Header.model_validate_json(catalogue.store.read_bytes(version).split(b"\n", 1)[0])


def _unit(header: Header, session_uuid: str, triggered_at: datetime | None) -> str:
    """Return the unit of inference: natural frames of one day share content."""
    if header.kind == "natural" and triggered_at is not None:
        return triggered_at.strftime("%Y-%m-%d")
    return session_uuid


def _training(
    session: Session, dataset_id: int, cameras: Sequence[str] | None, header: Header
) -> _Training:
    """Tell which frames a run learned from, and of how many sessions they are."""
    query = (
        select(CaptureSession.uuid, Shot.triggered_at)
        .distinct()
        .select_from(DatasetItem)
        .join(Asset, Asset.id == DatasetItem.asset_id)
        .join(Shot, Shot.id == Asset.shot_id)
        .join(CaptureSession, CaptureSession.id == Shot.session_id)
        .where(DatasetItem.dataset_id == dataset_id, DatasetItem.block == "train")
    )
    if cameras is not None:
        query = query.join(Camera, Camera.id == Shot.camera_id).where(Camera.serial.in_(cameras))
    version = session.scalars(select(Dataset.version).where(Dataset.id == dataset_id)).one()
    chosen = "" if cameras is None else f" {' '.join(sorted(cameras))}"
    units = {_unit(header, uuid, at) for uuid, at in session.execute(query)}
    return _Training(identity=version + chosen, sessions=len(units))


def _order(session: Session, experiment: Experiment) -> list[str]:
    """Return the evaluations in the order in which the first run met them."""
    return list(
        session.scalars(
            select(Prediction.evaluation)
            .join(Run, Run.id == Prediction.run_id)
            .where(Run.experiment_id == experiment.id)
            .group_by(Prediction.evaluation)
            .order_by(func.min(Prediction.id))
        )
    )


def _answers(
    catalogue: Catalogue,
    session: Session,
    run: Run,
    evaluation: str,
    training: _Training,
    header: Header,
) -> RunAnswers:
    rows = session.execute(
        select(
            Prediction.asset_id,
            Prediction.class_name,
            Prediction.predicted_class_name,
            Prediction.crops,
            Prediction.crops_correct,
            CaptureSession.uuid,
            Shot.triggered_at,
            Camera.serial,
        )
        .join(Asset, Asset.id == Prediction.asset_id)
        .join(Shot, Shot.id == Asset.shot_id)
        .join(CaptureSession, CaptureSession.id == Shot.session_id)
        .join(Camera, Camera.id == Shot.camera_id)
        .where(Prediction.run_id == run.id, Prediction.evaluation == evaluation)
        .order_by(Prediction.id)
    ).all()
    true_classes = np.array([row[1] for row in rows])
    predictions = read_predictions(catalogue, session, run.id, evaluation)
    if predictions is None:
        sessions = np.array([_unit(header, row[5], row[6]) for row in rows])
    else:
        names = np.array(header.class_names)
        labels = predictions.labels
        if len(labels) != len(rows) or not (names[labels] == true_classes).all():
            raise ExperimentError(
                f"run {run.uuid}, {evaluation}: the stored predictions are not of the images that"
                " its rows speak of"
            )
        sessions = predictions.sessions
    return RunAnswers(
        number=run.ordinal,
        images=ImageAnswers(
            asset_ids=np.array([row[0] for row in rows], np.int64),
            true_classes=true_classes,
            named_classes=np.array([row[2] for row in rows]),
            sessions=sessions,
            cameras=np.array([row[7] for row in rows]),
        ),
        crops=sum(row[3] for row in rows),
        crops_correct=sum(row[4] for row in rows),
        learned_from=training.identity,
        train_sessions=training.sessions,
        predictions=predictions,
    )
