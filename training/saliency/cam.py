"""Class activation maps of networks that end in global average pooling and one linear layer."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.errors import TrainingError
from training.experiments.evaluate import EVALUATION_BATCH
from training.experiments.frame_set import FrameSet
from training.experiments.loop import load_crops
from training.experiments.order import CropPlaces
from training.experiments.spec import ExperimentSpec
from training.threads import set_threads


class SaliencyError(TrainingError):
    """A map was asked for that is not defined."""

    exit_code: ClassVar[int] = 2


def _split(network: nn.Module) -> tuple[nn.Module, nn.Linear]:
    features = getattr(network, "features", None)
    classifier = getattr(network, "classifier", None)
    if not isinstance(features, nn.Module) or not isinstance(classifier, nn.Linear):
        raise SaliencyError(
            f"{type(network).__name__}: CAM weighs the last maps by the one linear layer that "
            "follows their global average pooling, and this network does not end so; choose SRNet"
        )
    return features, classifier


def class_activation_maps(network: nn.Module, crops: Tensor) -> NDArray[np.float32]:
    """Return the class activation maps of a batch of crops.

    ``M_c = sum_k w_k^c A_k`` with the maps A before global average pooling and the weights w of the
    linear layer after it (Zhou et al. 2016). Neither rectified nor normalised: the mean of a map
    plus the bias is the class's score.

    Parameters
    ----------
    network
        Network with ``features`` and a linear ``classifier``, in evaluation mode.
    crops
        Crops of shape (batch, channels, rows, columns).

    Returns
    -------
    ndarray
        float32, shape (batch, classes, grid rows, grid columns).

    Raises
    ------
    SaliencyError
        When the network does not end in global average pooling and one linear layer.
    """
    features, classifier = _split(network)
    with torch.inference_mode():
        maps = torch.einsum("ck,bkij->bcij", classifier.weight, features(crops))
    result: NDArray[np.float32] = maps.float().contiguous().numpy()
    return result


def crop_maps(
    spec: ExperimentSpec,
    network: nn.Module,
    frames: FrameSet,
    places: CropPlaces,
    of_class: int,
) -> NDArray[np.float32]:
    """Return one class's maps of many crops, computed in float32 and in bounded batches.

    Parameters
    ----------
    spec
        The experiment that the network is of.
    network
        The trained network; set to evaluation mode.
    frames
        Frames that the crops are of.
    places
        The crops, such as those of a `Predictions`.
    of_class
        The class whose evidence is mapped.

    Returns
    -------
    ndarray
        float32, shape (crops, grid rows, grid columns).

    Raises
    ------
    SaliencyError
        When CAM is not defined for the network.
    """
    set_threads(spec.threads)
    network.eval()
    parts = []
    for start in range(0, len(places.indices), EVALUATION_BATCH):
        part = slice(start, start + EVALUATION_BATCH)
        batch = CropPlaces(places.indices[part], places.origins[part])
        parts.append(class_activation_maps(network, load_crops(spec, frames, batch))[:, of_class])
    return np.concatenate(parts)
