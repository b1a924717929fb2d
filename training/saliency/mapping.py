"""Maps of crops by several methods at once: one forward pass for all that need last maps."""

from __future__ import annotations

from collections.abc import Callable, Sequence

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
from training.saliency.gradient_maps import (
    cam_of,
    grad_cam_of,
    grad_cam_plus_plus_of,
    head_gradients,
)
from training.saliency.integrated_gradients import integrated_gradients
from training.saliency.last_maps import TwoParts, two_parts
from training.saliency.methods import MapMethod
from training.saliency.score_cam import Scorer, channel_scores, score_cam_of, scorer_of

Maps = NDArray[np.float32]


def saliency_maps(
    network: nn.Module,
    crops: Tensor,
    methods: Sequence[MapMethod],
    of_class: int | Sequence[int],
) -> dict[MapMethod, Maps]:
    """Return the maps of crops by every method asked for.

    All that need the last maps share one forward pass, their gradients go through the head alone,
    and both kinds of Score-CAM share the scores of the masked crops.

    Parameters
    ----------
    network
        Trained network in evaluation mode.
    crops
        Shape (crops, channels, rows, columns).
    methods
        What to map by.
    of_class
        The class whose evidence is mapped; one for all, or one for each crop.

    Returns
    -------
    dict
        By method, float32, shape (crops, grid rows, grid columns); integrated gradients have a
        value for each value of a channel. CAM and integrated gradients are signed, the others
        rectified by their definition. Nothing is normalised.

    Raises
    ------
    SaliencyError
        When a method is not defined for the network.
    """
    return _Mapper(network, methods).maps(crops, of_class)


def crop_maps_of(
    spec: ExperimentSpec,
    network: nn.Module,
    frames: FrameSet,
    places: CropPlaces,
    of_class: int | Sequence[int],
    methods: Sequence[MapMethod],
) -> dict[MapMethod, Maps]:
    """Return the maps of crops of frames, as `saliency_maps` does, in bounded batches.

    Parameters
    ----------
    spec
        The experiment that the network is of.
    network
        The trained network; set to evaluation mode.
    frames
        Frames that the crops are of.
    places
        The crops.
    of_class, methods
        As of `saliency_maps`.

    Raises
    ------
    SaliencyError
        When a method is not defined for the network.
    """
    prepare_computing(spec)
    mapper = _Mapper(network.eval(), methods)
    size = evaluation_batch(spec.patch_size)
    parts: list[dict[MapMethod, Maps]] = []
    for start in range(0, len(places.indices), size):
        chosen = slice(start, start + size)
        crops = on_device(spec, load_crops(spec, frames, places.part(chosen)))
        parts.append(
            mapper.maps(crops, of_class if isinstance(of_class, int) else of_class[chosen])
        )
    return {name: np.concatenate([part[name] for part in parts]) for name in methods}


class _Mapper:
    """A network with what its methods need, made once for many batches."""

    def __init__(self, network: nn.Module, methods: Sequence[MapMethod]) -> None:
        self._network = network
        self._methods = methods
        self._parts: TwoParts = two_parts(network)
        if "cam" in methods and self._parts.linear is None:
            raise SaliencyError(
                f"{type(network).__name__}: CAM weighs the last maps by the one linear layer that"
                " follows their mean, and this network does not end so; choose grad-cam"
            )
        self._scorer: Scorer | None = None
        if any(name.startswith("score-cam") for name in methods):
            self._scorer = scorer_of(network)

    def maps(self, crops: Tensor, of_class: int | Sequence[int]) -> dict[MapMethod, Maps]:
        classes = torch.as_tensor(of_class, device=crops.device).expand(len(crops)).contiguous()
        with torch.inference_mode():
            last = self._parts.trunk(crops).float()
        # gradients need a tensor that inference mode did not make
        last = last.clone()
        found: dict[MapMethod, Tensor] = {}
        for name, make in self._by_last_maps(last, classes).items():
            found[name] = make()
        if self._scorer is not None:
            found |= self._score_cams(self._scorer, crops, last, classes)
        if "integrated-gradients" in self._methods:
            found["integrated-gradients"] = integrated_gradients(self._network, crops, classes)
        return {name: _array(found[name]) for name in self._methods}

    def _by_last_maps(self, last: Tensor, classes: Tensor) -> dict[MapMethod, Callable[[], Tensor]]:
        makers: dict[MapMethod, Callable[[], Tensor]] = {}
        linear = self._parts.linear
        if "cam" in self._methods and linear is not None:
            makers["cam"] = lambda: cam_of(last, linear, classes)
        if "grad-cam" in self._methods or "grad-cam++" in self._methods:
            gradients = head_gradients(self._parts.head, last, classes)
            makers["grad-cam"] = lambda: grad_cam_of(last, gradients)
            makers["grad-cam++"] = lambda: grad_cam_plus_plus_of(last, gradients)
        return makers

    def _score_cams(
        self, scorer: Scorer, crops: Tensor, last: Tensor, classes: Tensor
    ) -> dict[MapMethod, Tensor]:
        made: dict[MapMethod, list[Tensor]] = {"score-cam-channels": [], "score-cam-classes": []}
        for crop, maps, of_class in zip(crops, last, classes.tolist(), strict=True):
            scores, plain = channel_scores(scorer, crop, maps)
            for name, some in made.items():
                over_classes = name == "score-cam-classes"
                some.append(score_cam_of(maps, scores, plain, of_class, over_classes=over_classes))
        return {name: torch.stack(some) for name, some in made.items()}


def _array(maps: Tensor) -> Maps:
    result: Maps = maps.detach().float().contiguous().cpu().numpy()
    return result
