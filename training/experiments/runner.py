"""Runs an experiment of the catalogue: frames in, runs, predictions and saliency maps recorded.

The training itself knows no catalogue; here its inputs are looked up and its results kept.
Finished runs lie in a work folder until they are recorded, so that an interruption costs at most
the run in hand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from datastore.canonical import content_sha256
from datastore.catalogue import Catalogue
from datastore.clocks import CivilClock
from datastore.datasets.items import Item
from datastore.datasets.loading import load
from datastore.datasets.manifest import Manifest
from datastore.datasets.own_scenes import check_evaluation, swapped_items
from training.code_version import code_version
from training.experiments.errors import ExperimentError
from training.experiments.evaluations import Coordinates, Evaluation, Mask
from training.experiments.frame_set import FrameSet
from training.experiments.masks import resolve_mask
from training.experiments.records import Judged, is_recorded, record_experiment, record_run
from training.experiments.runs import evaluate_run, train_runs
from training.experiments.saliency_records import record_saliency
from training.experiments.spec import ExperimentSpec
from training.experiments.summary import ExperimentSummary, summarise
from training.interventions import mask_variation
from training.patches.cache import FrameCache

OWN_BLOCKS = ("validation", "new-session", "new-scene", "clean")


def run_experiment(
    catalogue: Catalogue,
    spec: ExperimentSpec,
    *,
    work_folder: Path,
    clock: CivilClock,
    progress: Callable[[int, int], None] | None = None,
) -> ExperimentSummary:
    """Train what is not trained yet, judge it, and record everything.

    Parameters
    ----------
    catalogue
        The catalogue that holds the dataset and will hold the results.
    spec
        What to train and on what to judge it.
    work_folder
        Decoded frames and finished runs; deleting it costs only time.
    clock
        Civil time of the records.
    progress
        Called with the training steps done and their total.

    Returns
    -------
    ExperimentSummary
        Accuracies of the runs on every evaluation.

    Raises
    ------
    ExperimentError
        If the dataset and the evaluations do not fit together.
    """
    manifest = load(catalogue, spec.dataset)
    trained_mask = _masks(catalogue, spec.mask, manifest)
    judged = _judged(catalogue, spec, manifest, trained_mask)
    cache = FrameCache(work_folder / "frames")
    frame_sets = _FrameSets(catalogue, cache, manifest.header.class_names)
    train = frame_sets.of(Judged("train", manifest.block("train"), trained_mask))
    classes = len(manifest.header.class_names)
    experiment_id, identity = record_experiment(
        catalogue, spec, manifest, judged, train.sha256(), clock
    )
    folder = work_folder / "runs" / _training_identity(spec, train, classes)[:32]
    total = spec.runs * spec.steps
    blocks: dict[str, FrameSet] = {}

    def tell(number: int, step: int, _loss: float) -> None:
        if progress is not None:
            progress(number * spec.steps + step, total)

    for run in train_runs(spec, train, classes, folder, tell):
        if progress is not None:
            progress((run.number + 1) * spec.steps, total)
        if is_recorded(catalogue, experiment_id, run.number):
            continue
        # only now: an experiment whose runs are all recorded decodes nothing for them
        blocks = blocks or {one.name: frame_sets.of(one) for one in judged}
        predictions = evaluate_run(spec, run, classes, blocks)
        run_id = record_run(catalogue, experiment_id, run, manifest, judged, predictions, clock)
        network = run.network(spec, classes)
        record_saliency(catalogue, run_id, spec, network, blocks["clean"], manifest, clock)
    return summarise(catalogue, identity)


class _FrameSets:
    """Builds the frame sets of evaluations, each item decoded at most once."""

    def __init__(self, catalogue: Catalogue, cache: FrameCache, class_names: Sequence[str]) -> None:
        self._catalogue = catalogue
        self._cache = cache
        self._labels = {name: label for label, name in enumerate(class_names)}

    def of(self, judged: Judged) -> FrameSet:
        variations = {
            serial: mask_variation(places) for serial, places in (judged.masks or {}).items()
        }
        return FrameSet.of(
            [
                self._cache.frame(
                    item.sha256,
                    self._catalogue.store.path(item.sha256),
                    variations.get(item.camera.serial),
                )
                for item in judged.items
            ],
            [self._labels[item.class_name] for item in judged.items],
            [item.session_unit for item in judged.items],
            [item.scene_unit or "" for item in judged.items],
            [item.camera.serial for item in judged.items],
        )


def _masks(
    catalogue: Catalogue, mask: Mask | None, manifest: Manifest
) -> dict[str, Coordinates] | None:
    return None if mask is None else resolve_mask(catalogue, mask, manifest.header.cameras)


def _judged(
    catalogue: Catalogue,
    spec: ExperimentSpec,
    manifest: Manifest,
    trained_mask: dict[str, Coordinates] | None,
) -> tuple[Judged, ...]:
    """Resolve the dataset's own blocks and the further evaluations, refusing leaks."""
    parent = None
    if manifest.header.parent is not None:
        parent = load(catalogue, manifest.header.parent)
    judged = [
        Judged(block, manifest.block(block), trained_mask)
        for block in OWN_BLOCKS
        if manifest.block(block)
    ]
    for evaluation in spec.evaluations:
        source = manifest if evaluation.dataset is None else load(catalogue, evaluation.dataset)
        if source.header.class_names != manifest.header.class_names:
            raise ExperimentError(
                f"evaluation {evaluation.name}: dataset {source.header.name} has other classes"
                f" than {manifest.header.name}"
            )
        items = _items(evaluation, source, manifest, parent)
        if not items:
            raise ExperimentError(f"evaluation {evaluation.name}: the block has no frames")
        mask = evaluation.mask
        places = trained_mask if mask is None else _masks(catalogue, mask, source)
        judged.append(Judged(evaluation.name, items, places))
    names = [one.name for one in judged]
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None:
        raise ExperimentError(f"two evaluations are called {repeated}")
    if "clean" not in names:
        raise ExperimentError(
            f"experiment {spec.name}: nothing is judged on a clean block: dataset"
            f" {manifest.header.name} has none, so add an evaluation called clean"
        )
    return tuple(judged)


def _items(
    evaluation: Evaluation, source: Manifest, manifest: Manifest, parent: Manifest | None
) -> tuple[Item, ...]:
    if evaluation.block == "swapped":
        if parent is None:
            raise ExperimentError(
                f"evaluation {evaluation.name}: only a set drawn from a parent has its contents"
                " swapped"
            )
        return tuple(swapped_items(manifest, parent))
    items = source.block(evaluation.block)
    if source.version != manifest.version:
        check_evaluation(manifest, items)
    return items


def _training_identity(spec: ExperimentSpec, train: FrameSet, classes: int) -> str:
    facts = [spec.training_sha256(), train.sha256(), classes, code_version()]
    return content_sha256(facts)
