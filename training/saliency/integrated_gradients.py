"""Integrated gradients: what each photosite adds to a class's score, at the detail of crops."""

from __future__ import annotations

import torch
from torch import Tensor, nn

STEPS = 32

_PHOTOSITES_AT_ONCE = 2**17
"""A backward pass keeps every map of every layer: gigabytes for a few large crops."""


def integrated_gradients(
    network: nn.Module,
    crops: Tensor,
    classes: Tensor,
    *,
    baseline: Tensor | None = None,
    steps: int = STEPS,
) -> Tensor:
    """Return attributions whose sum is the score's difference to that of the baseline.

    Source: Sundararajan, Taly and Yan 2017, with the midpoint rule: the gaps to `completeness_gap`
    tell whether there are enough steps.

    Parameters
    ----------
    network
        In evaluation mode.
    crops
        Shape (crops, channels, rows, columns).
    classes
        The class of each crop's map, (crops,).
    baseline
        Where the path begins, of the crops' shape; black where None.
    steps
        Points of the path.

    Returns
    -------
    Tensor
        Sum over the channels, (crops, rows, columns), in units of the score.
    """
    start = torch.zeros_like(crops) if baseline is None else baseline
    way = crops - start
    total = torch.zeros_like(crops)
    size = max(1, _PHOTOSITES_AT_ONCE // crops.shape[-1] // crops.shape[-2])
    for begin in range(0, len(crops), size):
        part = slice(begin, begin + size)
        for step in range(steps):
            at = start[part] + (step + 0.5) / steps * way[part]
            total[part] += _gradients(network, at, classes[part])
    return (way * total / steps).sum(dim=1)


def _gradients(network: nn.Module, crops: Tensor, classes: Tensor) -> Tensor:
    with torch.enable_grad():
        leaf = crops.detach().requires_grad_()
        chosen = network(leaf).gather(1, classes[:, None]).sum()
        (gradients,) = torch.autograd.grad(chosen, leaf)
    return gradients


def completeness_gap(
    network: nn.Module, crops: Tensor, classes: Tensor, attributions: Tensor
) -> Tensor:
    """Return what attributions against black leave unexplained of each score's difference.

    Relative to the difference, (crops,); 0 where the path was fine enough.
    """
    with torch.inference_mode():
        scores = network(crops).gather(1, classes[:, None])[:, 0]
        black = network(torch.zeros_like(crops)).gather(1, classes[:, None])[:, 0]
    difference = scores - black
    return (attributions.sum(dim=(1, 2)) - difference).abs() / difference.abs().clamp(min=1e-12)
