"""Rows of an experiment: the experiment itself, its runs, and what they said of each image."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import torch
from sqlalchemy import select
from sqlalchemy.orm import Session

from datastore import audit
from datastore.assets import find_asset_ids, register_asset
from datastore.canonical import content_sha256
from datastore.catalogue import Catalogue
from datastore.clocks import CivilClock
from datastore.datasets.manifest import Manifest
from datastore.tables import (
    Dataset,
    Experiment,
    Prediction,
    Run,
    RunExecution,
    RunPredictions,
)
from training.code_version import code_version
from training.experiments import runs as run_folders
from training.experiments.execution import Execution
from training.experiments.predictions import Predictions, predictions_bytes
from training.experiments.preparing import Judged, PreparedFold
from training.experiments.spec import ExperimentSpec
from training.interventions import mask_variation


def record_experiment(
    catalogue: Catalogue,
    spec: ExperimentSpec,
    folds: Sequence[PreparedFold],
    train_sha256s: Sequence[str],
    clock: CivilClock,
) -> tuple[int, str]:
    """Find or record the experiment; return its row number and its identifier.

    The same specification, datasets, frames, masks and code are the same experiment.
    """
    version = code_version()
    specification = spec.model_dump(mode="json")
    content = {
        "specification": specification,
        "folds": [
            {
                "dataset": fold.manifest.version,
                "train": train,
                "masks": {
                    one.name: {
                        serial: mask_variation(places).name
                        for serial, places in (one.masks or {}).items()
                    }
                    for one in fold.judged
                },
                "items": {one.name: [item.sha256 for item in one.items] for one in fold.judged},
            }
            for fold, train in zip(folds, train_sha256s, strict=True)
        ],
        "code_version": version,
    }
    identity = content_sha256(content)
    with catalogue.writing() as session:
        found = session.scalar(select(Experiment).where(Experiment.content_sha256 == identity))
        if found is None:
            found = Experiment(
                name=spec.name,
                dataset_id=_dataset_id(session, folds[0].manifest),
                specification=specification,
                content_sha256=identity,
                code_version=version,
                created_at=clock.now(),
            )
            session.add(found)
            session.flush()
        return found.id, found.uuid


def _dataset_id(session: Session, manifest: Manifest) -> int:
    return session.scalars(select(Dataset.id).where(Dataset.version == manifest.version)).one()


def recorded_execution(catalogue: Catalogue, experiment_id: int) -> Execution | None:
    """Return by which means the recorded runs of an experiment were computed, if there are any."""
    with catalogue.reading() as session:
        document = session.scalar(
            select(RunExecution.execution)
            .join(Run, Run.id == RunExecution.run_id)
            .where(Run.experiment_id == experiment_id)
            .order_by(Run.ordinal)
            .limit(1)
        )
    return None if document is None else Execution.from_json(document)


def is_recorded(catalogue: Catalogue, experiment_id: int, number: int) -> bool:
    """Tell whether a run of an experiment is in the catalogue already."""
    with catalogue.reading() as session:
        return (
            session.scalar(
                select(Run.id).where(Run.experiment_id == experiment_id, Run.ordinal == number)
            )
            is not None
        )


def record_run(
    catalogue: Catalogue,
    experiment_id: int,
    run: run_folders.Run,
    fold: PreparedFold,
    predictions: Mapping[str, Predictions],
    clock: CivilClock,
) -> int:
    """Keep a run, its weights and what it said, in one transaction."""
    stored = catalogue.store.put_file(run.folder / "weights.safetensors")
    said = {
        name: catalogue.store.put_bytes(predictions_bytes(one)) for name, one in predictions.items()
    }
    finished_at = clock.now()
    with catalogue.writing() as session:
        model = register_asset(session, stored, "model", finished_at)
        row = Run(
            experiment_id=experiment_id,
            ordinal=run.number,
            seed=run.seed,
            machine=_machine(run.execution),
            training_history=[round(float(loss), 6) for loss in run.losses],
            model_asset_id=model.id,
            started_at=finished_at - timedelta(seconds=run.seconds),
            finished_at=finished_at,
        )
        session.add(row)
        session.flush()
        session.add(
            RunExecution(
                run_id=row.id,
                dataset_id=_dataset_id(session, fold.manifest),
                execution=run.execution.to_json(),
                selected_step=run.selected_step,
                validation_history=[list(look) for look in run.looks],
            )
        )
        for one in fold.judged:
            _add_predictions(session, row.id, one, predictions[one.name], fold.manifest)
            asset = register_asset(session, said[one.name], "measurement", finished_at)
            session.add(
                RunPredictions(run_id=row.id, evaluation=one.name, predictions_asset_id=asset.id)
            )
        audit.append(
            session,
            "run recorded",
            {"run": row.uuid, "model": stored.sha256, "dataset": fold.manifest.version},
            finished_at,
        )
        return row.id


def _add_predictions(
    session: Session, run_id: int, judged: Judged, predictions: Predictions, manifest: Manifest
) -> None:
    names = manifest.header.class_names
    asset_ids = find_asset_ids(session, [item.sha256 for item in judged.items])
    probabilities = np.exp(predictions.image_log_probabilities())
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    predicted = predictions.image_classes()
    correct = predictions.crop_classes() == predictions.labels[predictions.crop_frames]
    crops = np.bincount(predictions.crop_frames, minlength=len(judged.items))
    crops_correct = np.bincount(predictions.crop_frames, correct, minlength=len(judged.items))
    session.add_all(
        Prediction(
            run_id=run_id,
            evaluation=judged.name,
            asset_id=asset_ids[item.sha256],
            class_name=item.class_name,
            predicted_class_name=names[predicted[index]],
            score=float(probabilities[index, predicted[index]]),
            crops=int(crops[index]),
            crops_correct=int(crops_correct[index]),
        )
        for index, item in enumerate(judged.items)
    )


def _machine(execution: Execution) -> dict[str, Any]:
    """Return what bit-identical repetition depends on."""
    return {
        "processor": platform.processor() or platform.machine(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "threads": execution.threads,
    }
