"""What an experiment is, as a user writes it; validated before any work begins."""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from datastore.descriptions import describe_problems
from training.experiments.errors import ExperimentError
from training.experiments.evaluations import Evaluation, Mask
from training.networks.names import NetworkName
from training.patches.inputs import Transform

Positive = Annotated[int, Field(ge=1)]


_NOT_OF_TRAINING = ("name", "dataset", "runs", "evaluation_crops", "mask", "evaluations")


class ExperimentSpec(BaseModel):
    """One experiment: the same training, repeated with different seeds.

    Attributes
    ----------
    name
        What people call it.
    dataset
        Version (sha256) of the frozen dataset, or a unique beginning of it.
    network
        Which network; `srnet-nano` is the one for processors without an accelerator.
    input
        What the network sees.
    patch_size
        Side of a crop in photosites, even.
    transform
        ``linear``, or ``square-root`` to make photon noise the same at every brightness.
    steps
        Optimiser steps of a run.
    batch_size
        Crops per step.
    optimiser
        ``adamax`` or ``adamw``.
    learning_rate
        Peak of the one-cycle schedule.
    schedule
        How the learning rate moves over the steps.
    weight_decay
        As the optimiser understands it.
    precision
        ``bfloat16`` computes convolutions in reduced precision: 1.5 times faster on processors with
        AVX512-BF16 or AMX, 7 times slower on those without.
    channels_last
        Memory layout of the maps; faster on most processors.
    runs
        How many runs, each with its own seed.
    seed
        Root of all randomness: weights, order of the frames, places of the crops.
    threads
        Threads that a run computes with; results repeat bit for bit at one count only.
    evaluation_crops
        Crops per frame in evaluation, spread evenly over the tiling; all of it where None.
    mask
        Photosites inpainted in the training frames, and in every block that names no other mask.
    evaluations
        What every run is judged on beyond its dataset's own blocks.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(min_length=1, max_length=100)]
    dataset: Annotated[str, Field(min_length=1)]
    network: NetworkName = "srnet-nano"
    input: Literal["raw-mosaic"] = "raw-mosaic"
    patch_size: Annotated[int, Field(ge=8, multiple_of=2)] = 64
    transform: Transform = "square-root"
    steps: Annotated[int, Field(ge=10)] = 200
    batch_size: Annotated[int, Field(ge=2)] = 16
    optimiser: Literal["adamax", "adamw"] = "adamax"
    learning_rate: Annotated[float, Field(gt=0, lt=1)] = 0.01
    schedule: Literal["one-cycle"] = "one-cycle"
    weight_decay: Annotated[float, Field(ge=0, lt=1)] = 0.0
    precision: Literal["float32", "bfloat16"] = "float32"
    channels_last: bool = True
    runs: Positive = 10
    seed: Annotated[int, Field(ge=0)] = 0
    threads: Positive = 1
    evaluation_crops: Positive | None = None
    mask: Mask | None = None
    evaluations: tuple[Evaluation, ...] = ()

    def training_sha256(self) -> str:
        """Return the hash of what decides a run's weights, given its frames and number.

        The number of runs and everything that concerns evaluation alone take no part: further runs
        and judgements leave finished runs as they are.
        """
        return hashlib.sha256(
            self.model_dump_json(exclude=set(_NOT_OF_TRAINING)).encode()
        ).hexdigest()


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
