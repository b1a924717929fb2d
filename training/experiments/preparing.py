"""Resolves an experiment against the catalogue: datasets, folds, masks, judgements, frames."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

from datastore.catalogue import Catalogue
from datastore.datasets.items import CameraIdentity, Item
from datastore.datasets.loading import load, resolve
from datastore.datasets.manifest import Manifest
from datastore.datasets.own_scenes import check_evaluation, swapped_items
from datastore.tables import Dataset, DatasetFreeze
from training.experiments.errors import ExperimentError
from training.experiments.evaluations import Coordinates, Evaluation, Mask
from training.experiments.frame_set import FrameSet
from training.experiments.masks import resolve_mask
from training.experiments.spec import ExperimentSpec, Pretrained
from training.interventions import mask_variation
from training.patches.cache import FrameCache
from training.patches.defect_places import DefectPlaces, defect_centred_origins
from training.patches.errors import PatchError
from training.patches.inputs import CachedFrame, Variation, content_of
from training.patches.mapped import MappedFrames
from training.patches.opening import sensor_facts
from training.patches.source import SensorFacts

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


class OpenedFrames(Sequence[CachedFrame]):
    """The frames of items, decoded once, each mapped only while it is used.

    Parameters
    ----------
    items
        Whose frames.
    catalogue, cache
        Where their files and their decoded frames are.
    variations
        By a camera's serial, a change of its mosaics.
    """

    def __init__(
        self,
        items: Sequence[Item],
        catalogue: Catalogue,
        cache: FrameCache,
        variations: Mapping[str, Variation],
    ) -> None:
        self._items = items
        self._catalogue = catalogue
        self._cache = cache
        self._variations = variations
        self._frames = MappedFrames(self._open, cache.quota_bytes)

    def _open(self, number: int) -> CachedFrame:
        item = self._items[number]
        return self._cache.frame(
            item.sha256,
            self._catalogue.store.path(item.sha256),
            self._variations.get(item.camera.serial),
        )

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self._items)

    def __getitem__(self, number: int) -> CachedFrame:  # type: ignore[override]
        """Return a frame, opened where it is not mapped."""
        if not 0 <= number < len(self._items):
            raise IndexError(number)
        return self._frames[number]

    def __iter__(self) -> Iterator[CachedFrame]:
        """Open the frames one after the other."""
        return (self._frames[number] for number in range(len(self._items)))


class FrameSets:
    """Builds the frame sets of an experiment.

    Parameters
    ----------
    catalogue
        Where the files, ledgers and cameras are.
    cache_folder
        Decoded frames.
    spec
        The experiment: input and patches.
    class_names
        The classes in their order.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        cache_folder: Path,
        spec: ExperimentSpec,
        class_names: Sequence[str],
    ) -> None:
        self._catalogue = catalogue
        self._cache = FrameCache(cache_folder, content_of(spec.input))
        self._spec = spec
        self._labels = {name: label for label, name in enumerate(class_names)}

    def decode(
        self, blocks: Sequence[Judged], progress: Callable[[int, int], None] | None = None
    ) -> None:
        """Decode the frames of blocks that the cache does not hold, and check all of them.

        Parameters
        ----------
        blocks
            What will be asked for.
        progress
            Called with the frames done and their total.

        Raises
        ------
        PatchError
            When a file is damaged or gone.
        """
        unique = {}
        for block in blocks:
            variations = _variations(block)
            for item in block.items:
                change = variations.get(item.camera.serial)
                unique[item.sha256, None if change is None else change.name] = (item, change)
        executor = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="decode")
        try:
            for done, _ in enumerate(executor.map(self._decode, unique.values()), start=1):
                if progress is not None:
                    progress(done, len(unique))
        finally:
            executor.shutdown(cancel_futures=True)

    def _decode(self, wanted: tuple[Item, Variation | None]) -> None:
        item, change = wanted
        self._cache.frame(item.sha256, self._catalogue.store.path(item.sha256), change)

    def of(self, judged: Judged) -> FrameSet:
        """Return the frames of a block, each decoded when it is first needed.

        Raises
        ------
        PatchError
            When a file is damaged or gone, or cannot give such patches.
        """
        items = judged.items
        variations = _variations(judged)
        facts = sensor_facts(
            self._catalogue, items, needs_defects=self._spec.patches == "defect-centred"
        )
        frames = FrameSet(
            frames=OpenedFrames(items, self._catalogue, self._cache, variations),
            labels=_int64([self._labels[item.class_name] for item in items]),
            sessions=_text([item.session_unit for item in items]),
            scenes=_text([item.scene_unit or "" for item in items]),
            cameras=_text([item.camera.serial for item in items]),
            corners={camera.serial: one.corner or (0, 0) for camera, one in facts.items()},
        )
        if self._spec.patches != "defect-centred":
            return frames
        return replace(frames, defect_places=self._defect_places(frames, facts))

    def _defect_places(
        self, frames: FrameSet, facts: Mapping[CameraIdentity, SensorFacts]
    ) -> dict[str, DefectPlaces]:
        places = {}
        for camera, sensor in facts.items():
            if sensor.obstacle is not None or sensor.defects is None:
                why = sensor.obstacle or "it has no defect ledger: run `agetrace defects extract`"
                raise PatchError(f"camera {camera}: no defect-centred patches: {why}")
            areas = {
                area
                for area, serial in zip(frames.visible, frames.cameras.tolist(), strict=True)
                if serial == camera.serial
            }
            if len(areas) > 1:
                raise PatchError(
                    f"camera {camera}: its frames show different parts of the sensor; leave some"
                    " out of the dataset"
                )
            places[camera.serial] = defect_centred_origins(
                areas.pop(), self._spec.patch_size, sensor.defects, self._spec.seed
            )
        return places


def _variations(judged: Judged) -> dict[str, Variation]:
    return {serial: mask_variation(places) for serial, places in (judged.masks or {}).items()}


def _int64(values: list[int]) -> NDArray[np.int64]:
    return np.asarray(values, np.int64)


def _text(values: list[str]) -> NDArray[np.str_]:
    return np.asarray(values, np.str_)
