"""Score-CAM: what the score becomes when each channel of the last maps masks the crop."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from training.saliency.last_maps import two_parts

MASKED_PHOTOSITES = 2**21
"""Of the masked crops that are judged at once: small batches cost up to a quarter more."""

_LEAST_BATCH, _MOST_BATCH = 2, 256


@dataclass(frozen=True)
class Scorer:
    """A network made ready to judge many masked crops.

    Attributes
    ----------
    network
        In evaluation mode; batch norms folded into convolutions where they follow one.
    reduced
        Whether to compute in bfloat16, fixed fronts apart.
    """

    network: nn.Module
    reduced: bool

    def __call__(self, crops: Tensor) -> Tensor:
        """Return float32 scores."""
        crops = crops.contiguous(memory_format=torch.channels_last)
        with torch.autocast(crops.device.type, torch.bfloat16, enabled=self.reduced):
            scores: Tensor = self.network(crops)
        return scores.float()


def scorer_of(network: nn.Module, *, reduced: bool = True) -> Scorer:
    """Return a copy of a network that judges faster; the network itself is not changed.

    Parameters
    ----------
    network
        In evaluation mode.
    reduced
        Whether to compute in bfloat16. Maps then correlate with those in float32 above 0.99.
    """
    made = copy.deepcopy(network).eval()
    for module in list(made.modules()):
        if isinstance(module, nn.Sequential):
            _fold(module)
    made = made.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Scorer(made, reduced)


def _fold(layers: nn.Sequential) -> None:
    """Fold batch norms into the convolutions before them."""
    for number in range(len(layers) - 1):
        first, second = layers[number], layers[number + 1]
        if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
            layers[number] = fuse_conv_bn_eval(first, second)
            layers[number + 1] = nn.Identity()


@torch.inference_mode()
def channel_scores(
    scorer: Callable[[Tensor], Tensor], crop: Tensor, maps: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the scores of a crop under the mask of every channel, and of the crop itself.

    Parameters
    ----------
    scorer
        From crops to scores.
    crop
        Shape (channels, rows, columns).
    maps
        Its last maps, (channels of the maps, grid rows, grid columns).

    Returns
    -------
    tuple of Tensor
        Shapes (channels of the maps, classes) and (classes,). Channels that are constant mask
        everything: they share one score.
    """
    low, high = maps.amin(dim=(1, 2)), maps.amax(dim=(1, 2))
    varied = torch.nonzero(high > low).flatten()
    spans = (high - low)[varied, None, None]
    masks = ((maps[varied] - low[varied, None, None]) / spans)[:, None]
    size = max(
        _LEAST_BATCH, min(_MOST_BATCH, MASKED_PHOTOSITES // crop.shape[-1] // crop.shape[-2])
    )
    plain = scorer(torch.stack([crop, torch.zeros_like(crop)]))
    scores = plain[1].repeat(len(maps), 1)
    for start in range(0, len(varied), size):
        chosen = slice(start, start + size)
        enlarged = nn.functional.interpolate(
            masks[chosen], crop.shape[-2:], mode="bilinear", align_corners=False
        )
        scores[varied[chosen]] = scorer(enlarged * crop)
    return scores, plain[0]


def score_cam_of(
    maps: Tensor, scores: Tensor, plain: Tensor, of_class: int, *, over_classes: bool
) -> Tensor:
    """Return one crop's Score-CAM (Wang et al. 2020): the rectified sum of maps by their weights.

    Parameters
    ----------
    maps
        Last maps, (channels, rows, columns).
    scores, plain
        As of `channel_scores`.
    of_class
        The class.
    over_classes
        Whether a channel weighs the class's probability under its mask, the softmax over classes,
        as in the authors' code; else the softmax over channels of what the score gains, as in the
        paper's equation.
    """
    if over_classes:
        weights = torch.softmax(scores, dim=1)[:, of_class]
    else:
        weights = torch.softmax(scores[:, of_class] - plain[of_class], dim=0)
    return torch.relu(torch.einsum("k,kij->ij", weights, maps))


def score_cam(
    network: nn.Module, crops: Tensor, of_class: int, *, over_classes: bool, reduced: bool = True
) -> Tensor:
    """Return the Score-CAM maps of crops, (crops, grid rows, grid columns), float32.

    All zero where every weighted sum is below 0, which maps that are not rectified permit.

    Parameters
    ----------
    network
        In evaluation mode.
    crops
        Shape (crops, channels, rows, columns).
    of_class, over_classes
        As of `score_cam_of`.
    reduced
        As of `scorer_of`.
    """
    scorer, trunk = scorer_of(network, reduced=reduced), two_parts(network).trunk
    with torch.inference_mode():
        maps = trunk(crops)
        return torch.stack(
            [
                score_cam_of(one, *channel_scores(scorer, crop, one), of_class,
                             over_classes=over_classes)
                for one, crop in zip(maps, crops, strict=True)
            ]
        )  # fmt: skip
