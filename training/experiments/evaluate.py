"""Asks trained networks about frames."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

from training.experiments.computing import (
    class_scores,
    explained_memory,
    load_crops,
    on_device,
    prepare_computing,
)
from training.experiments.crop_places import CropPlaces, evaluation_places
from training.experiments.frame_set import FrameSet
from training.experiments.predictions import Predictions
from training.experiments.spec import ExperimentSpec
from training.patches.prefetch import prefetched

EVALUATION_BATCH = 64
"""Crops at once, where they are no larger than 64 photosites; fewer of larger ones."""

_CROP_SIDE = 64


def evaluation_batch(patch_size: int) -> int:
    """Return how many crops are judged at once, so that memory hardly grows with their size."""
    return max(1, min(EVALUATION_BATCH, EVALUATION_BATCH * _CROP_SIDE**2 * 4 // patch_size**2))


def _batches(places: CropPlaces, size: int) -> Iterator[CropPlaces]:
    for start in range(0, len(places.indices), size):
        yield places.part(slice(start, start + size))


def predict(spec: ExperimentSpec, network: nn.Module, frames: FrameSet) -> Predictions:
    """Ask a network for the class of every frame, by crops at fixed places.

    Parameters
    ----------
    spec
        The experiment that the network is of.
    network
        The trained network; set to evaluation mode.
    frames
        Frames to judge.

    Raises
    ------
    PatchError
        When a frame is smaller than a patch.
    OutOfMemoryError
        When memory is used up.
    """
    prepare_computing(spec)
    network.eval()
    places = evaluation_places(spec, frames)
    batches = _batches(places, evaluation_batch(spec.patch_size))
    parts = []
    with torch.inference_mode(), explained_memory(spec):
        for crops in prefetched(batches, lambda at: load_crops(spec, frames, at)):
            scores = class_scores(spec, network, on_device(spec, crops))
            parts.append(torch.log_softmax(scores, dim=1).cpu().numpy())
    return Predictions(
        crop_frames=places.indices,
        crop_origins=places.origins,
        crop_log_probabilities=np.concatenate(parts),
        labels=frames.labels,
        sessions=frames.sessions,
        scenes=frames.scenes,
        cameras=frames.cameras,
    )
