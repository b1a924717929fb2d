"""The training loop, the only one there is; knows frames in memory, no files and no catalogue."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from training.experiments.errors import DivergedError, ExperimentError
from training.experiments.frame_set import FrameSet
from training.experiments.order import CropPlaces, training_batches
from training.experiments.spec import ExperimentSpec
from training.networks.registry import build_network
from training.patches.batches import cut_batch
from training.patches.prefetch import prefetched
from training.threads import set_threads

INPUT_CHANNELS = {"raw-mosaic": 1}


@dataclass(frozen=True)
class TrainedNetwork:
    """What a run of the loop leaves: the network of its last step, and how it got there.

    Attributes
    ----------
    network
        The network, in evaluation mode.
    losses
        Cross-entropy of each step's batch in nats, float32, shape (steps,).
    """

    network: nn.Module
    losses: NDArray[np.float32]


def new_network(spec: ExperimentSpec, classes: int) -> nn.Module:
    """Return the spec's network, untrained, in the spec's memory layout."""
    network = build_network(spec.network, INPUT_CHANNELS[spec.input], classes)
    if spec.channels_last:
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def load_crops(spec: ExperimentSpec, frames: FrameSet, places: CropPlaces) -> Tensor:
    """Return crops as the spec's network takes them, (crops, channels, patch, patch)."""
    of_crops = [frames.frames[index] for index in places.indices]
    values = cut_batch(of_crops, places.origins, spec.patch_size, transform=spec.transform)
    crops = torch.from_numpy(values)
    return crops.contiguous(memory_format=torch.channels_last) if spec.channels_last else crops


def class_scores(spec: ExperimentSpec, network: nn.Module, crops: Tensor) -> Tensor:
    """Return float32 class scores, computed in the spec's precision."""
    reduced = spec.precision == "bfloat16"
    with torch.autocast(crops.device.type, torch.bfloat16, enabled=reduced):
        scores: Tensor = network(crops)
    return scores.float()


def _optimiser(spec: ExperimentSpec, network: nn.Module) -> torch.optim.Optimizer:
    weights = [parameter for parameter in network.parameters() if parameter.ndim == 4]
    others = [parameter for parameter in network.parameters() if parameter.ndim != 4]
    # Only convolutions are decayed, as in SRNet's code.
    groups = [
        {"params": weights, "weight_decay": spec.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    if spec.optimiser == "adamw":
        return torch.optim.AdamW(groups, lr=spec.learning_rate)
    return torch.optim.Adamax(groups, lr=spec.learning_rate)


def train_network(
    spec: ExperimentSpec,
    frames: FrameSet,
    classes: int,
    seed: int,
    on_step: Callable[[int, float], None] | None = None,
) -> TrainedNetwork:
    """Train one network; the same arguments give the same bits on the same machine.

    Parameters
    ----------
    spec
        The experiment.
    frames
        The training block.
    classes
        Number of classes.
    seed
        Seed of this run.
    on_step
        Called after each step with its number (from 1) and loss.

    Raises
    ------
    ExperimentError
        When a class has no frame to learn from.
    DivergedError
        When a loss is not finite.
    PatchError
        When the frames are smaller than a patch.
    """
    present = np.unique(frames.labels).tolist()
    if present != list(range(classes)):
        raise ExperimentError(
            f"experiment {spec.name!r}: frames to train on are of the classes {present}, "
            f"expected all of 0 to {classes - 1}"
        )
    set_threads(spec.threads)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = new_network(spec, classes).train()
    optimiser = _optimiser(spec, network)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, spec.learning_rate, total_steps=spec.steps
    )
    labels = torch.from_numpy(frames.labels)
    losses = np.empty(spec.steps, np.float32)
    places = training_batches(frames, spec.patch_size, spec.batch_size, spec.steps, seed)
    batches = prefetched(places, lambda at: (load_crops(spec, frames, at), labels[at.indices]))
    for step, (crops, targets) in enumerate(batches):
        loss = functional.cross_entropy(class_scores(spec, network, crops), targets)
        losses[step] = loss.item()
        if not np.isfinite(losses[step]):
            raise DivergedError(
                f"experiment {spec.name!r}: the loss of step {step + 1} is {losses[step]}; "
                "lower the learning rate"
            )
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        if on_step is not None:
            on_step(step + 1, float(losses[step]))
    return TrainedNetwork(network.eval(), losses)
