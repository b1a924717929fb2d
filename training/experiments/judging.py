"""Asks the networks of a recorded experiment about frames that it was not judged on then."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from safetensors.torch import load
from sqlalchemy import select

from datastore.catalogue import Catalogue
from datastore.datasets.items import Item
from datastore.datasets.loading import load as load_dataset
from datastore.datasets.manifest import Manifest
from datastore.datasets.own_scenes import check_evaluation
from datastore.tables import Asset, Dataset, Experiment, Run, RunExecution
from training.experiments.computing import network_for_weights
from training.experiments.errors import ExperimentError
from training.experiments.evaluate import predict
from training.experiments.execution import Execution
from training.experiments.frame_sets import FrameSets
from training.experiments.masks import resolve_mask
from training.experiments.predictions import Predictions
from training.experiments.preparing import Judged
from training.experiments.spec import recorded_spec


def judge_experiment(
    catalogue: Catalogue,
    experiment_id: int,
    source: Manifest,
    items: Sequence[Item],
    *,
    work_folder: Path,
) -> list[Predictions]:
    """Return what every recorded run of an experiment says of some frames.

    Weights come from the store, and are compared with their hash.

    Parameters
    ----------
    catalogue
        The catalogue that holds the experiment.
    experiment_id
        Number of its row.
    source
        The dataset that the frames are of.
    items
        The frames, which no run may have learned from.
    work_folder
        Decoded frames.

    Raises
    ------
    ExperimentError
        If the classes are others, or the experiment has no runs.
    LeakError
        If a run has seen a frame's scene or session.
    """
    with catalogue.reading() as session:
        experiment = session.get_one(Experiment, experiment_id)
        spec = recorded_spec(experiment.specification, experiment.name)
        own = experiment.dataset.version
        rows = session.execute(
            select(Asset.sha256, RunExecution.execution, Dataset.version)
            .select_from(Run)
            .join(Asset, Asset.id == Run.model_asset_id)
            .outerjoin(RunExecution, RunExecution.run_id == Run.id)
            .outerjoin(Dataset, Dataset.id == RunExecution.dataset_id)
            .where(Run.experiment_id == experiment_id)
            .order_by(Run.ordinal)
        ).all()
    if not rows:
        raise ExperimentError(f"experiment {spec.name} has no recorded runs to ask")
    for version in {version or own for _, _, version in rows}:
        learned = load_dataset(catalogue, version)
        if learned.header.class_names != source.header.class_names:
            raise ExperimentError(
                f"experiment {spec.name} knows other classes than dataset {source.header.name}"
            )
        check_evaluation(learned, items)
    masks = None if spec.mask is None else resolve_mask(catalogue, spec.mask, source.header.cameras)
    names = source.header.class_names
    frame_sets = FrameSets(catalogue, work_folder / "frames", spec, names)
    frames = frame_sets.of(Judged(source.header.name, tuple(items), masks))
    said = []
    for sha256, execution, _ in rows:
        settled = spec if execution is None else Execution.from_json(execution).applied(spec)
        network = network_for_weights(settled, len(names))
        network.load_state_dict(load(catalogue.store.read_bytes(sha256)))
        said.append(predict(settled, network, frames))
    return said
