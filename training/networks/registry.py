"""Builds a network from the name that an experiment's spec uses."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from training.networks.errors import NetworkError
from training.networks.names import NETWORK_NAMES, NetworkName
from training.networks.srnet import NANO_SRNET, SRNet


def _nano_srnet(input_channels: int, classes: int) -> nn.Module:
    return SRNet(input_channels, classes, NANO_SRNET)


_BUILDERS: dict[NetworkName, Callable[[int, int], nn.Module]] = {
    "srnet": SRNet,
    "srnet-nano": _nano_srnet,
}


def build_network(name: str, input_channels: int, classes: int) -> nn.Module:
    """Return a freshly initialised network; PyTorch's generator decides its weights.

    Parameters
    ----------
    name
        One of `training.networks.names.NETWORK_NAMES`.
    input_channels
        Channels of the input (1 for ``raw-mosaic``).
    classes
        Number of classes.

    Raises
    ------
    NetworkError
        When no network has this name.
    """
    for known, builder in _BUILDERS.items():
        if known == name:
            return builder(input_channels, classes)
    raise NetworkError(f"unknown network {name!r}: choose one of {', '.join(NETWORK_NAMES)}")


def parameter_count(network: nn.Module) -> int:
    """Return the number of trainable parameters."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
