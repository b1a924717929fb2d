"""CAM, Grad-CAM and Grad-CAM++ from last maps that are computed once, by the head alone."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn


def cam_of(maps: Tensor, linear: nn.Linear, classes: Tensor) -> Tensor:
    """Return class activation maps (Zhou et al. 2016), neither rectified nor normalised.

    Parameters
    ----------
    maps
        Last maps, (crops, channels, rows, columns).
    linear
        The layer after their mean.
    classes
        The class of each crop's map, (crops,).
    """
    return torch.einsum("bk,bkij->bij", linear.weight[classes], maps)


def head_gradients(head: Callable[[Tensor], Tensor], maps: Tensor, classes: Tensor) -> Tensor:
    """Return the derivative of each crop's class score by its last maps, of their shape."""
    with torch.enable_grad():
        leaf = maps.detach().clone().requires_grad_()
        scores = head(leaf)
        chosen = scores.gather(1, classes[:, None]).sum()
        (gradients,) = torch.autograd.grad(chosen, leaf)
    return gradients


def grad_cam_of(maps: Tensor, gradients: Tensor) -> Tensor:
    """Return Grad-CAM (Selvaraju et al. 2017): rectified sum of maps by their mean gradients."""
    weights = gradients.mean(dim=(2, 3))
    return torch.relu(torch.einsum("bk,bkij->bij", weights, maps))


def grad_cam_plus_plus_of(maps: Tensor, gradients: Tensor) -> Tensor:
    """Return Grad-CAM++ (Chattopadhay et al. 2018).

    alpha = g^2 / (2 g^2 + (sum A) g^3) = 1 / (2 + (sum A) g), 0 where g is 0; weights w = sum alpha
    relu(g); map relu(sum w A). The powers are those of the score's own derivative, as in public
    code. The second form needs no small number under the fraction, which small gradients would
    drown in. Maps that are not rectified, such as SRNet's, can have a negative sum: alpha is then
    at most 1.
    """
    total = maps.sum(dim=(2, 3), keepdim=True)
    alpha = 1 / (2 + total * gradients).clamp(min=1)
    weights = (alpha * torch.relu(gradients)).sum(dim=(2, 3))
    return torch.relu(torch.einsum("bk,bkij->bij", weights, maps))
