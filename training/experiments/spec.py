"""What an experiment is, as a user writes it; validated before any work begins."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from datastore.descriptions import describe_problems
from training.experiments.errors import ExperimentError
from training.experiments.evaluations import Evaluation, Mask
from training.experiments.schedules import ScheduleName
from training.networks.names import FrontName, NetworkName
from training.patches.inputs import InputName, Transform

Positive = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, lt=1)]

TrainingPatches = Literal["random", "grid", "five-crop", "tiles", "defect-centred"]
Precision = Literal["float32", "bfloat16"]

_NOT_OF_TRAINING = (
    "name", "dataset", "folds", "cameras", "runs", "evaluation_crops", "evaluations", "mask",
)  # fmt: skip
"""Fields that leave finished runs as they are: the frames themselves are hashed beside these."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Augmentation(_Strict):
    """Random changes of training crops, drawn anew for each crop and step; off unless named.

    Attributes
    ----------
    flip
        Mirror half of the crops from left to right, and half from top to bottom.
    rotate
        Turn crops by a random number of quarter turns.
    gain
        Multiply a crop by a factor drawn between ``1 - gain`` and ``1 + gain``.
    forced
        Why geometric changes are made although the trace lies in sensor coordinates, or although
        they move the colours of a mosaic; such specs are refused without it.
    """

    flip: bool = False
    rotate: bool = False
    gain: Share = 0.0
    forced: Annotated[str, Field(min_length=3)] | None = None

    @property
    def is_geometric(self) -> bool:
        """Whether photosites change their places."""
        return self.flip or self.rotate


class Pretrained(_Strict):
    """Weights to begin with, from a local file of torchvision's names.

    `feature-extraction` trains the last layer alone, `fine-tune` everything. The hash of
    the file's bytes is recorded, wherever it lies; where one is given, the file has to have it.
    """

    file: Path
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    mode: Literal["fine-tune", "feature-extraction"] = "fine-tune"
    normalisation: Literal["none", "imagenet"] = "none"
    """What the file's network was trained with: `imagenet` for torchvision's own files."""


class ExperimentSpec(_Strict):
    """One experiment: the same training, repeated with different seeds.

    Attributes
    ----------
    name
        What people call it.
    dataset
        Version (sha256) of the frozen dataset, a unique beginning of it, or its name.
    folds
        Run number n learns from and is judged on fold n (counted round) of the family that the
        dataset belongs to, instead of on the dataset alone.
    cameras
        Serials of the cameras whose frames are learned from; all of the dataset's where None. Every
        camera is judged, which is how transfer between devices is measured.
    network
        Which network; `srnet-nano` and `residual` are those for processors without an accelerator.
    front
        Content suppression in front of it.
    pretrained
        Weights to begin with; random ones where None.
    input
        What the network sees.
    patches
        Which crops are learned from. `random`: one of every frame in an epoch, at a new place each
        time, judged on a grid. All others are fixed places, judged on the same: `grid`,
        `five-crop`, `tiles`, and `defect-centred`, patches around the ledger's defects with as
        many places without any defect.
    patch_size
        Side of a crop in photosites, even.
    patches_per_frame
        The most fixed places that are learned from, spread evenly over all; all of them where None.
    transform
        ``linear``, or ``square-root`` to make photon noise the same at every brightness.
    augmentation
        Random changes of the training crops; none where None.
    steps
        Optimiser steps of a run, at most.
    batch_size
        Crops per step, over all processes together.
    optimiser
        ``adamax``, ``adamw`` or ``sgd`` (with momentum).
    learning_rate
        Peak of the schedule.
    schedule
        How the learning rate moves over the steps: ``one-cycle``, ``cosine``, ``constant``, or
        ``drop`` to a tenth after four fifths of them.
    weight_decay
        Of the convolutions' weights, as the optimiser understands it.
    frozen_batch_norm
        Batch normalisation keeps the statistics that it began with; for pretrained weights.
    validation_every
        Steps between looks at the validation block; the weights of the look with the smallest loss
        are kept. Where None, those of the last step are.
    patience
        Looks without a smaller loss after which a run stops; only with `validation_every`.
    precision
        ``bfloat16`` computes convolutions in reduced precision: 1.5 times faster on processors with
        AVX512-BF16 or AMX, 7 times slower on those without. ``auto`` measures.
    channels_last
        Memory layout of the maps; ``auto`` measures.
    device
        ``cpu``, ``cuda``, or ``auto``: the accelerator where there is one.
    threads
        Threads that a run computes with; results repeat bit for bit at one count only. ``auto``:
        as many as there are processors.
    runs
        How many runs, each with its own seed.
    seed
        Root of all randomness: weights, order of the frames, places of the crops.
    evaluation_crops
        Crops per frame in evaluation, spread evenly over the places; all of them where None.
    mask
        Photosites inpainted in the training frames, and in every block that names no other mask.
    evaluations
        What every run is judged on beyond its dataset's own blocks.
    """

    name: Annotated[str, Field(min_length=1, max_length=100)]
    dataset: Annotated[str, Field(min_length=1)]
    folds: bool = False
    cameras: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    network: NetworkName = "srnet-nano"
    front: FrontName = "none"
    pretrained: Pretrained | None = None
    input: InputName = "raw-mosaic"
    patches: TrainingPatches = "random"
    patch_size: Annotated[int, Field(ge=8, multiple_of=2)] = 64
    patches_per_frame: Positive | None = None
    transform: Transform = "square-root"
    augmentation: Augmentation | None = None
    steps: Annotated[int, Field(ge=10)] = 200
    batch_size: Annotated[int, Field(ge=2)] = 16
    optimiser: Literal["adamax", "adamw", "sgd"] = "adamax"
    learning_rate: Annotated[float, Field(gt=0, lt=1)] = 0.01
    schedule: ScheduleName = "one-cycle"
    weight_decay: Share = 0.0
    frozen_batch_norm: bool = False
    validation_every: Positive | None = None
    patience: Positive | None = None
    precision: Precision | Literal["auto"] = "auto"
    channels_last: bool | Literal["auto"] = "auto"
    device: Literal["cpu", "cuda", "auto"] = "auto"
    threads: Positive | Literal["auto"] = "auto"
    runs: Positive = 10
    seed: Annotated[int, Field(ge=0)] = 0
    evaluation_crops: Positive | None = None
    mask: Mask | None = None
    evaluations: tuple[Evaluation, ...] = ()

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.patience is not None and self.validation_every is None:
            raise ValueError("patience: a run stops on validation only: give validation_every")
        if self.patches_per_frame is not None and self.patches == "random":
            raise ValueError("patches_per_frame: random patches are one of each frame in an epoch")
        if self.mask is not None and not self.input.startswith("raw-"):
            raise ValueError("mask: only raw inputs are masked")
        changes = self.augmentation
        if changes is not None and changes.is_geometric and changes.forced is None:
            if self.patches == "defect-centred":
                raise ValueError(
                    "augmentation: flips and rotations destroy the sensor coordinates that patches"
                    " around defects are about; leave them out, or say why in `forced`"
                )
            if self.input == "raw-mosaic":
                raise ValueError(
                    "augmentation: flips and rotations move the colours of a mosaic; choose"
                    " raw-planes, or say why in `forced`"
                )
        return self

    def training_sha256(self) -> str:
        """Return the hash of what decides a run's weights, given its frames and number.

        The number of runs and everything that concerns evaluation alone take no part: further runs
        and judgements leave finished runs as they are.
        """
        left_out: dict[str, Any] = dict.fromkeys(_NOT_OF_TRAINING, True)
        if self.pretrained is not None:
            left_out["pretrained"] = {"file"}
        return hashlib.sha256(self.model_dump_json(exclude=left_out).encode()).hexdigest()


def read_spec(text: str, name: str = "experiment spec") -> ExperimentSpec:
    """Return the spec that a YAML text describes.

    Parameters
    ----------
    text
        The YAML.
    name
        What messages call it, such as its file.

    Raises
    ------
    ExperimentError
        When the text is no YAML mapping or a field is unknown, missing or out of range; every
        faulty field is named.
    """
    try:
        return ExperimentSpec.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise ExperimentError(f"{name} is not YAML: {error}") from error
    except ValidationError as error:
        raise ExperimentError(f"{name}: {describe_problems(error)}") from error


def recorded_spec(document: dict[str, Any], name: str) -> ExperimentSpec:
    """Return the spec of an experiment's row.

    Raises
    ------
    ExperimentError
        When it is of a version whose fields differ.
    """
    try:
        return ExperimentSpec.model_validate(document)
    except ValidationError as error:
        raise ExperimentError(f"experiment {name}: {describe_problems(error)}") from error
