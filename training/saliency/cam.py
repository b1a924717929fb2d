"""Class activation maps of networks that end in global average pooling and one linear layer."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.experiments.computing import load_crops, on_device, prepare_computing
from training.experiments.crop_places import CropPlaces
from training.experiments.evaluate import evaluation_batch
from training.experiments.frame_set import FrameSet
from training.experiments.spec import ExperimentSpec
from training.saliency.errors import SaliencyError


def has_activation_maps(network: nn.Module) -> bool:
    """Tell whether class activation maps are defined for a network."""
    try:
        _split(network)
    except SaliencyError:
        return False
    return True


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
    result: NDArray[np.float32] = maps.float().contiguous().cpu().numpy()
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
    prepare_computing(spec)
    network.eval()
    size = evaluation_batch(spec.patch_size)
    parts = []
    for start in range(0, len(places.indices), size):
        crops = on_device(spec, load_crops(spec, frames, places.part(slice(start, start + size))))
        parts.append(class_activation_maps(network, crops)[:, of_class])
    return np.concatenate(parts)
