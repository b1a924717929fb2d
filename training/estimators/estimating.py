"""Estimators fitted to frozen datasets, with their lineage; reads a catalogue."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datastore.assets import find_asset_ids
from datastore.catalogue import Catalogue
from datastore.datasets.loading import load
from datastore.datasets.manifest import Manifest
from training.code_version import code_version
from training.estimators.comparing import ABSTAINED, Answers, Comparison, compare
from training.estimators.errors import EstimatorError
from training.estimators.known_defects import KnownDefect
from training.estimators.methods import make_estimator
from training.estimators.protocol import AgeEstimator
from training.estimators.trusted_images import (
    CameraLedger,
    TrustedImages,
    camera_ledger,
    dataset_camera,
    trusted_images,
)
from training.experiments.stored_predictions import read_answers
from training.experiments.summary import find_experiment

Progress = Callable[[int, int], None]

FOLDER = "frames"
"""Of decoded frames in a home's work folder, shared with experiments."""


@dataclass(frozen=True)
class Request:
    """What is to be fitted.

    Attributes
    ----------
    dataset
        Name or version.
    camera
        Serial; None where the dataset has one camera.
    uses_ledger
        Whether the camera's newest ledger says what is known.
    searches
        Whether photosites are searched for in the images.
    blocks
        Of the dataset, that are learned from; None for all.
    seed
        Of whatever is random.
    """

    dataset: str
    camera: str | None = None
    uses_ledger: bool = True
    searches: bool = True
    blocks: tuple[str, ...] | None = None
    seed: int = 0


@dataclass(frozen=True)
class Material:
    """The images of a request, and what is known of their camera.

    Attributes
    ----------
    manifest
        The dataset.
    trusted
        All images of the camera in it.
    ledger
        Newest of the camera; None where it has none, or it was not to be used.
    """

    manifest: Manifest
    trusted: TrustedImages
    ledger: CameraLedger | None

    @property
    def known(self) -> tuple[KnownDefect, ...]:
        """Defects that the ledger knows of."""
        return () if self.ledger is None else self.ledger.defects


@dataclass(frozen=True)
class Compared:
    """A comparison with what it rests on.

    Attributes
    ----------
    comparison
        How each did.
    facts
        By method, what its fit rests on.
    candidates
        By method, how many of the photosites that it uses are defects of the ledger; methods that
        use none, or a camera without a ledger, are left out.
    lineage
        Of what they were fitted to.
    """

    comparison: Comparison
    facts: dict[str, dict[str, Any]]
    candidates: dict[str, dict[str, Any]]
    lineage: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Return everything as one JSON document."""
        return {**self.__dict__, "comparison": self.comparison.to_json()}


def material_of(
    catalogue: Catalogue, request: Request, work_folder: Path, progress: Progress | None = None
) -> Material:
    """Decode the images of a request.

    Raises
    ------
    EstimatorError
        If the dataset has no such camera, or the settings of an image are unknown.
    DatasetError, PatchError
        If there is no such dataset, or its files are damaged.
    """
    manifest = load(catalogue, request.dataset)
    camera = dataset_camera(manifest, request.camera)
    trusted = trusted_images(catalogue, manifest, camera, work_folder / FOLDER, progress)
    ledger = camera_ledger(catalogue, trusted) if request.uses_ledger else None
    return Material(manifest, trusted, ledger)


def fitted(method: str, material: Material, request: Request) -> AgeEstimator:
    """Fit one method to the blocks of a request.

    Raises
    ------
    EstimatorError
        If there is nothing to fit to, or the method has nothing to use.
    """
    trusted = _learned_from(material, request)
    if not request.searches and not material.known:
        raise EstimatorError(
            f"camera {trusted.camera.serial} has no ledger that could be used: run `agetrace"
            " defects extract`, or search the images"
        )
    estimator = make_estimator(method, material.known, searches=request.searches, seed=request.seed)
    return estimator.fit(trusted.images, trusted.timeslots)


def lineage_of(material: Material, request: Request) -> dict[str, Any]:
    """Return what a fit rests on, as JSON."""
    header, trusted = material.manifest.header, _learned_from(material, request)
    camera, ledger = trusted.camera, material.ledger
    return {
        "dataset": header.name,
        "dataset_version": material.manifest.version,
        "blocks": None if request.blocks is None else list(request.blocks),
        "role": header.role,
        "uncontrolled": header.uncontrolled,
        "simulated": camera.simulated,
        "camera": {"make": camera.make, "model": camera.model, "serial": camera.serial},
        "corner": None if trusted.corner is None else list(trusted.corner),
        "class_names": list(trusted.class_names),
        "images": len(trusted.images),
        "sessions": len(np.unique(trusted.images.sessions)),
        "first_image": min(one.triggered_at for one in trusted.items).isoformat(),
        "last_image": max(one.triggered_at for one in trusted.items).isoformat(),
        "median_exposure_factor": float(np.median(trusted.images.exposure_factors)),
        "ledger": None if ledger is None else ledger.id,
        "ledger_defects": None if ledger is None else len(ledger.defects),
        "searches": request.searches,
        "seed": request.seed,
        "code_version": code_version(),
    }


def _learned_from(material: Material, request: Request) -> TrustedImages:
    if request.blocks is None:
        return material.trusted
    return _of_blocks(material, *request.blocks)


def _of_blocks(material: Material, *names: str) -> TrustedImages:
    chosen = material.trusted.block(*names)
    if not len(chosen.images):
        raise EstimatorError(
            f"dataset {material.manifest.header.name} has no images of camera"
            f" {chosen.camera.serial} in {', '.join(names)}"
        )
    return chosen


def compared(
    catalogue: Catalogue,
    methods: Sequence[str],
    experiments: Sequence[str],
    request: Request,
    work_folder: Path,
    *,
    block: str = "clean",
    decoding: Progress | None = None,
    fitting: Progress | None = None,
) -> Compared:
    """Fit methods to the training block, and hold them and recorded networks against each other.

    Parameters
    ----------
    catalogue
        Where everything is.
    methods
        Names of estimators.
    experiments
        Names or identifiers of recorded experiments on the same dataset.
    request
        Dataset and camera; its blocks are `train` where it names none.
    work_folder
        For decoded frames.
    block
        What they are compared on.
    decoding, fitting
        Called with what is done and the total.

    Raises
    ------
    EstimatorError
        If an experiment is of another dataset, or judged other images of the camera.
    """
    material = material_of(catalogue, request, work_folder, decoding)
    judged = _of_blocks(material, block)
    learning = Request(**{**request.__dict__, "blocks": request.blocks or ("train",)})
    with catalogue.reading() as session:
        rows = find_asset_ids(session, [one.sha256 for one in judged.items])
    names = np.array([str(rows[one.sha256]) for one in judged.items])
    estimators: dict[str, AgeEstimator] = {}
    answers = [_network_answers(catalogue, one, material, block) for one in experiments]
    for done, method in enumerate(methods, start=1):
        estimators[method] = fitted(method, material, learning)
        answers.append(_answers(estimators[method], judged, names))
        if fitting is not None:
            fitting(done, len(methods))
    comparison = compare(block, judged.class_names, answers, request.seed)
    return Compared(
        comparison,
        {name: one.facts() for name, one in estimators.items()},
        {},
        lineage_of(material, learning),
    )


def _answers(estimator: AgeEstimator, judged: TrustedImages, images: NDArray[np.str_]) -> Answers:
    predicted = estimator.predict(judged.images)
    names = np.array(judged.class_names)
    abstained = np.ma.getmaskarray(predicted)
    return Answers(
        name=estimator.name,
        kind="classical",
        is_suspect=estimator.is_suspect,
        images=images,
        true_classes=names[judged.timeslots],
        named_classes=np.where(abstained, ABSTAINED, names[predicted.data])[None],
        sessions=judged.images.sessions,
    )


def _network_answers(
    catalogue: Catalogue, reference: str, material: Material, block: str
) -> Answers:
    """Return what the runs of an experiment said of the camera's images."""
    with catalogue.reading() as session:
        experiment = find_experiment(session, reference)
        name, version = experiment.name, experiment.dataset.version
        found = read_answers(catalogue, session, experiment, [block]).evaluations.get(block)
    if version != material.manifest.version:
        raise EstimatorError(
            f"experiment {name} is of dataset {version[:12]}, not of"
            f" {material.manifest.version[:12]}: compare on one dataset"
        )
    if not found:
        raise EstimatorError(f"experiment {name} has no evaluation called {block}")
    runs = [one.images.of_camera(material.trusted.camera.serial) for one in found]
    first = runs[0]
    orders = [np.argsort(one.asset_ids) for one in runs]
    for one, order in zip(runs, orders, strict=True):
        if not np.array_equal(one.asset_ids[order], first.asset_ids[orders[0]]):
            raise EstimatorError(f"the runs of experiment {name} judged different images")
    return Answers(
        name=name,
        kind="network",
        is_suspect=False,
        images=first.asset_ids[orders[0]].astype(np.str_),
        true_classes=first.true_classes[orders[0]],
        named_classes=np.stack(
            [one.named_classes[order] for one, order in zip(runs, orders, strict=True)]
        ),
        sessions=first.sessions[orders[0]],
    )
