"""Resolves an experiment against the catalogue: datasets, folds, masks, judgements, frames."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select

from datastore.catalogue import Catalogue
from datastore.datasets.items import Item
from datastore.datasets.loading import load, resolve
from datastore.datasets.manifest import Manifest
from datastore.datasets.own_scenes import check_evaluation, swapped_items
from datastore.tables import Dataset, DatasetFreeze
from training.experiments.errors import ExperimentError
from training.experiments.evaluations import Coordinates, Evaluation, Mask
from training.experiments.masks import resolve_mask
from training.experiments.spec import ExperimentSpec, Pretrained

OWN_BLOCKS = ("validation", "new-session", "new-scene", "clean")


@dataclass(frozen=True)
class Judged:
    """The frames of one block or evaluation, in the order of the predictions."""

    name: str
    items: tuple[Item, ...]
    masks: Mapping[str, Coordinates] | None
    """Photosites that are inpainted, by the camera's serial."""


@dataclass(frozen=True)
class PreparedFold:
    """One dataset of an experiment.

    Attributes
    ----------
    manifest
        The frozen dataset.
    train, validation
        What is learned from, of the experiment's cameras alone; no validation where there is none.
    judged
        What the runs of this fold are judged on.
    """

    manifest: Manifest
    train: Judged
    validation: Judged | None
    judged: tuple[Judged, ...]


def with_versions(catalogue: Catalogue, spec: ExperimentSpec) -> ExperimentSpec:
    """Return a spec that names datasets by version and weights by hash: names change meaning.

    Raises
    ------
    ExperimentError
        If the file of pretrained weights cannot be read, or has another hash than is given.
    UnknownDatasetError
        If nothing, or more than one version, answers to a reference.
    """
    pretrained = None if spec.pretrained is None else _with_hash(spec.pretrained)
    with catalogue.reading() as session:
        evaluations = tuple(
            one
            if one.dataset is None
            else one.model_copy(update={"dataset": resolve(session, one.dataset)})
            for one in spec.evaluations
        )
        return spec.model_copy(
            update={
                "dataset": resolve(session, spec.dataset),
                "evaluations": evaluations,
                "pretrained": pretrained,
            }
        )


def _with_hash(pretrained: Pretrained) -> Pretrained:
    try:
        with pretrained.file.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ExperimentError(
            f"pretrained: {pretrained.file} cannot be read: {error.strerror}"
        ) from None
    if pretrained.sha256 not in (None, found):
        raise ExperimentError(
            f"pretrained: {pretrained.file} has the sha256 {found}, expected {pretrained.sha256}"
        )
    return pretrained.model_copy(update={"sha256": found})


def prepare_folds(catalogue: Catalogue, spec: ExperimentSpec) -> tuple[PreparedFold, ...]:
    """Find everything that an experiment names, and refuse what does not fit together.

    Raises
    ------
    ExperimentError
        If datasets, cameras, input and evaluations do not fit.
    DatastoreError
        If a dataset is not there, or cannot be proved.
    """
    manifest = load(catalogue, spec.dataset)
    manifests = _family(catalogue, manifest) if spec.folds else (manifest,)
    return tuple(_prepared(catalogue, spec, one) for one in manifests)


def _family(catalogue: Catalogue, manifest: Manifest) -> tuple[Manifest, ...]:
    """Load all folds of the family that a dataset belongs to, in their order."""
    with catalogue.reading() as session:
        family = session.scalar(
            select(DatasetFreeze.family)
            .join(Dataset, Dataset.id == DatasetFreeze.dataset_id)
            .where(Dataset.version == manifest.version)
        )
        if family is None:
            raise ExperimentError(
                f"folds: dataset {manifest.header.name} is not one of several folds; freeze it with"
                " `folds`, or leave them out"
            )
        versions = session.scalars(
            select(Dataset.version)
            .join(DatasetFreeze, DatasetFreeze.dataset_id == Dataset.id)
            .where(DatasetFreeze.family == family)
            .order_by(DatasetFreeze.fold, Dataset.id)
        ).all()
    return tuple(load(catalogue, version) for version in versions)


def _prepared(catalogue: Catalogue, spec: ExperimentSpec, manifest: Manifest) -> PreparedFold:
    header = manifest.header
    if (header.role == "raw") != spec.input.startswith("raw-"):
        raise ExperimentError(
            f"dataset {header.name} is of {header.role} files, which give no {spec.input}"
        )
    known = {camera.serial for camera in header.cameras}
    unknown = next((serial for serial in spec.cameras or () if serial not in known), None)
    if unknown is not None:
        raise ExperimentError(f"cameras: dataset {header.name} has no camera {unknown}")
    mask = _masks(catalogue, spec.mask, manifest)
    train = Judged("train", _of_cameras(manifest.block("train"), spec), mask)
    classes = {item.class_name for item in train.items}
    empty = next((name for name in header.class_names if name not in classes), None)
    if empty is not None:
        raise ExperimentError(
            f"dataset {header.name}: class {empty} has no frame to learn from"
            + ("" if spec.cameras is None else " of these cameras")
        )
    validation = _of_cameras(manifest.block("validation"), spec)
    if spec.validation_every is not None and not validation:
        raise ExperimentError(
            f"validation_every: dataset {header.name} has no validation block; leave it out"
        )
    return PreparedFold(
        manifest=manifest,
        train=train,
        validation=Judged("validation", validation, mask) if validation else None,
        judged=_judged(catalogue, spec, manifest, mask),
    )


def _of_cameras(items: Sequence[Item], spec: ExperimentSpec) -> tuple[Item, ...]:
    return tuple(
        item for item in items if spec.cameras is None or item.camera.serial in spec.cameras
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
        if source.header.role != manifest.header.role:
            raise ExperimentError(
                f"evaluation {evaluation.name}: dataset {source.header.name} is of"
                f" {source.header.role} files, {manifest.header.name} of {manifest.header.role}"
            )
        if evaluation.mask is not None and source.header.role != "raw":
            raise ExperimentError(f"evaluation {evaluation.name}: only raw files are masked")
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
