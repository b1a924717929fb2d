"""Average pooling to a fixed number of places, deterministic on every device."""

from __future__ import annotations

import torch
from torch import Tensor


def average_pool_to(features: Tensor, places: int) -> Tensor:
    """Average maps of any size over a square grid of places, as adaptive average pooling does.

    Place i of n covers rows ``floor(i * rows / n)`` up to ``ceil((i + 1) * rows / n)``, and columns
    likewise; neighbours overlap where n does not divide the size. Made of slices and means:
    `AdaptiveAvgPool2d` has no deterministic backward pass on CUDA.

    Parameters
    ----------
    features
        Maps of shape (batch, channels, rows, columns).
    places
        Rows and columns of the result.

    Returns
    -------
    Tensor
        Maps of shape (batch, channels, places, places).
    """
    for axis in (-2, -1):
        length = features.shape[axis]
        if length == places:
            continue
        means = []
        for place in range(places):
            start = place * length // places
            stop = -(-(place + 1) * length // places)
            means.append(features.narrow(axis, start, stop - start).mean(dim=axis))
        features = torch.stack(means, dim=axis)
    return features
