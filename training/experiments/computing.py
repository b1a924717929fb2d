"""How a network computes what an experiment asks: its building, its crops, its scores."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from training.experiments.crop_places import CropPlaces
from training.experiments.errors import OutOfMemoryError
from training.experiments.execution import device_of, thread_count
from training.experiments.frame_set import FrameSet
from training.experiments.spec import ExperimentSpec
from training.networks.fronts import project_constraints
from training.networks.pretrained import freeze_batch_norms, load_pretrained
from training.networks.registry import build_network
from training.patches.batches import cut_batch
from training.patches.inputs import batch_shape
from training.threads import set_threads


def new_network(spec: ExperimentSpec, classes: int) -> nn.Module:
    """Return the spec's network, untrained, on the spec's device and in its memory layout.

    PyTorch's generator decides the weights that no file gives.

    Raises
    ------
    NetworkError
        When there is no such network, or the file of pretrained weights does not fit it.
    """
    channels = batch_shape(spec.input, 1, spec.patch_size)[1]
    network = build_network(
        spec.network, channels, classes, front=spec.front, input_name=spec.input
    )
    if spec.pretrained is not None:
        load_pretrained(
            network,
            spec.pretrained.file,
            spec.pretrained.mode,
            normalisation=spec.pretrained.normalisation,
        )
    project_constraints(network)
    network = network.to(device_of(spec))
    if spec.channels_last is not False:
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def network_for_weights(spec: ExperimentSpec, classes: int) -> nn.Module:
    """Return the spec's network to load weights into; the file that it began with is not needed."""
    return new_network(spec.model_copy(update={"pretrained": None}), classes)


def set_training(spec: ExperimentSpec, network: nn.Module) -> None:
    """Put a network into training mode, batch norms apart that keep their statistics."""
    network.train()
    extracts = spec.pretrained is not None and spec.pretrained.mode == "feature-extraction"
    if spec.frozen_batch_norm or extracts:
        freeze_batch_norms(network)


def prepare_computing(spec: ExperimentSpec) -> None:
    """Settle what bits depend on: threads, and deterministic kernels on an accelerator."""
    set_threads(thread_count(spec))
    if device_of(spec).type == "cuda":
        torch.use_deterministic_algorithms(True, warn_only=False)
        torch.backends.cudnn.benchmark = False
        torch.set_float32_matmul_precision("high")


def load_crops(spec: ExperimentSpec, frames: FrameSet, places: CropPlaces) -> Tensor:
    """Return crops as the spec's network takes them, (crops, channels, rows, columns)."""
    corners = np.array([frames.corner(index) for index in places.indices.tolist()], np.int64)
    values = cut_batch(
        [frames.frames[index] for index in places.indices.tolist()],
        places.origins - corners.reshape(-1, 2),
        spec.patch_size,
        input_name=spec.input,
        transform=spec.transform,
    )
    return torch.from_numpy(values)


def on_device(spec: ExperimentSpec, crops: Tensor) -> Tensor:
    """Return crops on the spec's device, in its memory layout."""
    moved = crops.to(device_of(spec), non_blocking=True)
    if spec.channels_last is not False:
        return moved.contiguous(memory_format=torch.channels_last)
    return moved


def class_scores(spec: ExperimentSpec, network: nn.Module, crops: Tensor) -> Tensor:
    """Return float32 class scores, computed in the spec's precision."""
    reduced = spec.precision == "bfloat16"
    with torch.autocast(crops.device.type, torch.bfloat16, enabled=reduced):
        scores: Tensor = network(crops)
    return scores.float()


@contextmanager
def explained_memory(spec: ExperimentSpec) -> Iterator[None]:
    """Turn PyTorch's ways to say that memory is used up into one that says what to do.

    Raises
    ------
    OutOfMemoryError
        When memory is used up within.
    """
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise _out_of_memory(spec) from error
    except RuntimeError as error:
        # the allocator of processors has no exception of its own
        if "not enough memory" not in str(error) and "can't allocate memory" not in str(error):
            raise
        raise _out_of_memory(spec) from error


def _out_of_memory(spec: ExperimentSpec) -> OutOfMemoryError:
    return OutOfMemoryError(
        f"experiment {spec.name!r}: {spec.batch_size} crops of {spec.patch_size} photosites need"
        " more memory than there is; choose a smaller batch_size or patch_size. What was trained"
        " so far is kept"
    )
