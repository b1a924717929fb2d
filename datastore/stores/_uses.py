"""What research rests on a file: datasets that hold it, experiments with them or with its model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Literal

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session as Transaction

from datastore.tables import Dataset, DatasetItem, Experiment, Run


@dataclass(frozen=True)
class Use:
    """Research that rests on a file.

    Attributes
    ----------
    kind, name
        What it is and how it is called.
    identity
        The dataset's version, or the experiment's UUID.
    """

    kind: Literal["dataset", "experiment"]
    name: str
    identity: str

    def to_json(self) -> dict[str, str]:
        """Return the use as JSON."""
        return asdict(self)


def uses_of_asset(session: Transaction, asset_id: int) -> Iterator[Use]:
    """Yield the datasets and experiments that rest on a file, the oldest first."""
    holds_it = exists().where(
        DatasetItem.dataset_id == Dataset.id, DatasetItem.asset_id == asset_id
    )
    datasets = session.execute(
        select(Dataset.id, Dataset.name, Dataset.version)
        .where(or_(Dataset.manifest_asset_id == asset_id, holds_it))
        .order_by(Dataset.id)
    ).all()
    for _, name, version in datasets:
        yield Use("dataset", name, version)
    has_model = exists().where(Run.experiment_id == Experiment.id, Run.model_asset_id == asset_id)
    experiments = session.execute(
        select(Experiment.name, Experiment.uuid)
        .where(or_(Experiment.dataset_id.in_([row.id for row in datasets]), has_model))
        .order_by(Experiment.id)
    )
    for name, uuid in experiments:
        yield Use("experiment", name, uuid)
