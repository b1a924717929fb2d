"""Where models come from, walked back from the registry to the bytes of files."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from datastore.tables import (
    Asset,
    Dataset,
    Experiment,
    RegisteredModel,
    Run,
    RunExecution,
)
from training.retraining.registry import state_of


@dataclass(frozen=True)
class ModelRun:
    """One network of a model: its seed, its weights' hash, and what it learned from."""

    ordinal: int
    seed: int
    weights_sha256: str
    dataset: str
    selected_step: int | None


@dataclass(frozen=True)
class ModelView:
    """A model with its history and its lineage.

    Attributes
    ----------
    name, version, uuid, state
        Of the model.
    experiment, experiment_name, code_version, specification
        What trained it.
    datasets
        Versions of the manifests that it learned from: each lists its files' hashes.
    runs
        Its networks.
    history
        Every change of its state with operator, reason and numbers.
    """

    name: str
    version: int
    uuid: str
    state: str
    created_at: str
    experiment: str
    experiment_name: str
    code_version: str
    specification: dict[str, Any]
    datasets: tuple[str, ...]
    runs: tuple[ModelRun, ...]
    history: tuple[dict[str, Any], ...]

    def to_json(self) -> dict[str, Any]:
        """Return everything as one JSON document."""
        return asdict(self)


def view_model(session: Session, model: RegisteredModel) -> ModelView:
    """Return a model with its history and its lineage."""
    experiment = session.get_one(Experiment, model.experiment_id)
    rows = session.execute(
        select(Run.ordinal, Run.seed, Asset.sha256, Dataset.version, RunExecution.selected_step)
        .join(Asset, Asset.id == Run.model_asset_id)
        .outerjoin(RunExecution, RunExecution.run_id == Run.id)
        .outerjoin(Dataset, Dataset.id == RunExecution.dataset_id)
        .where(Run.experiment_id == experiment.id)
        .order_by(Run.ordinal)
    ).all()
    runs = tuple(
        ModelRun(ordinal, seed, sha256, version or experiment.dataset.version, step)
        for ordinal, seed, sha256, version, step in rows
    )
    return ModelView(
        name=model.name,
        version=model.version,
        uuid=model.uuid,
        state=state_of(session, model),
        created_at=model.created_at.isoformat(),
        experiment=experiment.uuid,
        experiment_name=experiment.name,
        code_version=experiment.code_version,
        specification=experiment.specification,
        datasets=tuple(dict.fromkeys(run.dataset for run in runs)),
        runs=runs,
        history=tuple(
            {
                "state": event.state,
                "at": event.at.isoformat(),
                "operator": event.operator,
                "reason": event.reason,
                "numbers": event.numbers,
            }
            for event in model.events
        ),
    )
