"""Asks trained networks about frames."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

from training.experiments.frame_set import FrameSet
from training.experiments.loop import class_scores, load_crops
from training.experiments.order import CropPlaces
from training.experiments.predictions import Predictions
from training.experiments.spec import ExperimentSpec
from training.patches.places import grid_origins
from training.patches.prefetch import prefetched
from training.threads import set_threads

EVALUATION_BATCH = 64


def _evaluation_places(spec: ExperimentSpec, frames: FrameSet) -> CropPlaces:
    origins = [
        grid_origins(frame.visible, spec.patch_size, spec.evaluation_crops)
        for frame in frames.frames
    ]
    indices = np.repeat(np.arange(len(origins)), [len(places) for places in origins])
    return CropPlaces(indices, np.concatenate(origins))


def _batches(places: CropPlaces) -> Iterator[CropPlaces]:
    for start in range(0, len(places.indices), EVALUATION_BATCH):
        part = slice(start, start + EVALUATION_BATCH)
        yield CropPlaces(places.indices[part], places.origins[part])


def predict(spec: ExperimentSpec, network: nn.Module, frames: FrameSet) -> Predictions:
    """Ask a network for the class of every frame, by a grid of crops that do not overlap.

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
    """
    set_threads(spec.threads)
    network.eval()
    places = _evaluation_places(spec, frames)
    parts = []
    with torch.inference_mode():
        for crops in prefetched(_batches(places), lambda at: load_crops(spec, frames, at)):
            scores = class_scores(spec, network, crops)
            parts.append(torch.log_softmax(scores, dim=1).numpy())
    return Predictions(
        crop_frames=places.indices,
        crop_origins=places.origins,
        crop_log_probabilities=np.concatenate(parts),
        labels=frames.labels,
        sessions=frames.sessions,
        scenes=frames.scenes,
        cameras=frames.cameras,
    )
