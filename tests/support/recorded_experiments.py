"""Experiments as their runner would have recorded them, of networks that never were."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from datastore.assets import register_asset
from datastore.catalogue import Catalogue
from datastore.datasets.freeze import freeze, freeze_family
from datastore.datasets.items import Item
from datastore.datasets.loading import load
from datastore.datasets.manifest import Manifest
from datastore.tables import (
    Asset,
    Dataset,
    Experiment,
    Prediction,
    Run,
    RunExecution,
    RunPredictions,
)
from tests.support.dataset_frames import dataset_spec, make_frames
from tests.support.dataset_rows import fill
from training.experiments.predictions import Predictions, predictions_bytes

AT = datetime(2026, 5, 1, 12, tzinfo=UTC)
SERIALS = ("6001", "6002")
CROPS = 4

Trace = Callable[[Item], float]
"""By how much a network favours the true class of an item."""


def freeze_controlled(
    catalogue: Catalogue, *, sessions: int = 6, folds: int | None = None
) -> list[Manifest]:
    """Fill an empty catalogue with frames of two cameras and freeze them, as folds if wanted."""
    fill(catalogue, make_frames(cameras=SERIALS, exposures=("1/2",), sessions=sessions))
    if folds is None:
        blocks = {
            "scenes": {"validation": 1, "test": 2},
            "sessions_per_class": {"validation": 1, "test": 2},
        }
    else:
        # folds say what is tested
        blocks = {"scenes": {"validation": 1}, "sessions_per_class": {"validation": 1}}
    changes: dict[str, Any] = {"cameras": list(SERIALS), "blocks": blocks}
    if folds is None:
        frozen = [freeze(catalogue, dataset_spec(**changes), AT)]
    else:
        frozen = list(freeze_family(catalogue, dataset_spec(**changes, folds={"k": folds}), AT))
    return [load(catalogue, one.version) for one in frozen]


def answers_about(
    items: Sequence[Item], names: Sequence[str], trace: Trace, seed: int
) -> Predictions:
    """Return what a network that sees so much of a trace says of items."""
    generator = np.random.default_rng(seed)
    labels = np.array([names.index(item.class_name) for item in items], np.int64)
    favour = np.array([trace(item) for item in items])
    crop_frames = np.repeat(np.arange(len(items)), CROPS)
    scores = (favour[:, None] * np.eye(len(names))[labels])[crop_frames]
    scores = scores + generator.normal(size=scores.shape)
    logarithms = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    return Predictions(
        crop_frames=crop_frames,
        crop_origins=np.zeros((len(crop_frames), 2), np.int64),
        crop_log_probabilities=logarithms.astype(np.float32),
        labels=labels,
        sessions=np.array([item.session_unit for item in items]),
        scenes=np.array([item.scene_unit or "" for item in items]),
        cameras=np.array([item.camera.serial for item in items]),
    )


def record_experiment(
    catalogue: Catalogue,
    manifests: Sequence[Manifest],
    name: str,
    *,
    runs: int = 4,
    trace: Trace = lambda item: 1.0,
    blocks: Sequence[str] = ("new-session", "clean"),
    cameras: Sequence[str] | None = None,
    keeps_crops: bool = True,
    seed: int = 0,
) -> str:
    """Record an experiment whose runs take the manifests in turn; return its identifier."""
    store = catalogue.store
    with catalogue.writing() as session:
        datasets = [
            session.scalars(select(Dataset.id).where(Dataset.version == one.version)).one()
            for one in manifests
        ]
        experiment = Experiment(
            name=name,
            dataset_id=datasets[0],
            specification={
                "name": name,
                "steps": 30,
                "learning_rate": 0.01,
                "cameras": None if cameras is None else list(cameras),
            },
            content_sha256=f"{name} {seed}",
            code_version="tested",
            created_at=AT,
        )
        session.add(experiment)
        session.flush()
        for number in range(runs):
            weights = store.put_bytes(f"weights {name} {seed} {number}".encode())
            fold = number % len(manifests)
            run = Run(
                experiment_id=experiment.id,
                ordinal=number,
                seed=1000 * seed + number,
                machine={"torch": "2.13.0", "threads": 1},
                training_history=[round(0.7 * 0.9**step, 6) for step in range(30)],
                model_asset_id=register_asset(session, weights, "model", AT).id,
                started_at=AT,
                finished_at=AT,
            )
            session.add(run)
            session.flush()
            if keeps_crops:
                session.add(
                    RunExecution(
                        run_id=run.id,
                        dataset_id=datasets[fold],
                        execution={"device": "cpu", "precision": "float32", "threads": 1},
                        selected_step=20,
                        validation_history=[[10, 0.6, 0.7], [20, 0.4, 0.8], [30, 0.5, 0.8]],
                    )
                )
            for block in blocks:
                items = manifests[fold].block(block)
                names = manifests[fold].header.class_names
                said = answers_about(items, names, trace, 1000 * seed + 10 * number + len(block))
                _record_answers(session, run, block, items, names, said)
                if keeps_crops:
                    stored = store.put_bytes(predictions_bytes(said))
                    session.add(
                        RunPredictions(
                            run_id=run.id,
                            evaluation=block,
                            predictions_asset_id=register_asset(
                                session, stored, "measurement", AT
                            ).id,
                        )
                    )
        return experiment.uuid


def _record_answers(
    session: Session,
    run: Run,
    block: str,
    items: Sequence[Item],
    names: Sequence[str],
    said: Predictions,
) -> None:
    for index, item in enumerate(items):
        crops = said.crop_log_probabilities[said.crop_frames == index]
        named = int(crops.sum(axis=0).argmax())
        powers = np.exp(crops.mean(axis=0))
        session.add(
            Prediction(
                run_id=run.id,
                evaluation=block,
                asset_id=session.scalars(select(Asset.id).where(Asset.sha256 == item.sha256)).one(),
                class_name=item.class_name,
                predicted_class_name=names[named],
                score=float(powers[named] / powers.sum()),
                crops=len(crops),
                crops_correct=int((crops.argmax(axis=1) == said.labels[index]).sum()),
            )
        )
    session.flush()
