"""A network in two parts: what makes its last maps, and what makes scores of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from torch import Tensor, nn

from training.networks.alexnet import AlexNet
from training.networks.fronts import FrontedNetwork
from training.saliency.errors import SaliencyError


@dataclass(frozen=True)
class TwoParts:
    """A network as trunk and head.

    Attributes
    ----------
    trunk
        From crops to the last maps, (crops, channels, rows, columns).
    head
        From the last maps to scores, (crops, classes).
    linear
        The one linear layer that follows the mean of each map; None where it is not so.
    """

    trunk: Callable[[Tensor], Tensor]
    head: Callable[[Tensor], Tensor]
    linear: nn.Linear | None


def two_parts(network: nn.Module) -> TwoParts:
    """Split a network where its last maps are.

    Parameters
    ----------
    network
        In evaluation mode.

    Raises
    ------
    SaliencyError
        When the network has no maps and head that are known here.
    """
    inner = network.network if isinstance(network, FrontedNetwork) else network
    features = getattr(network, "features", None)
    classifier = getattr(network, "classifier", None)
    if not isinstance(features, nn.Module) or not isinstance(classifier, nn.Module):
        raise SaliencyError(f"{type(inner).__name__}: its last maps are not known")
    trunk = cast(Callable[[Tensor], Tensor], features)
    if isinstance(inner, AlexNet):
        return TwoParts(trunk, inner.scores_of_maps, None)
    if not isinstance(classifier, nn.Linear):
        raise SaliencyError(
            f"{type(inner).__name__}: what follows its last maps is not one linear layer"
        )

    def head(maps: Tensor) -> Tensor:
        return cast(Tensor, classifier(maps.mean(dim=(2, 3))))

    return TwoParts(trunk, head, classifier)
