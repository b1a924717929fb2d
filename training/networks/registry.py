"""Builds a network from the name that an experiment's spec uses."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from training.networks.alexnet import AlexNet
from training.networks.errors import NetworkError
from training.networks.five_crop import FiveCropNetwork
from training.networks.fronts import FrontedNetwork, build_front
from training.networks.googlenet import GoogLeNet
from training.networks.names import NETWORK_NAMES, FrontName, NetworkName
from training.networks.residual import ResidualNetwork
from training.networks.srnet import NANO_SRNET, SRNet
from training.patches.inputs import InputName


def _nano_srnet(input_channels: int, classes: int) -> nn.Module:
    return SRNet(input_channels, classes, NANO_SRNET)


_BUILDERS: dict[NetworkName, Callable[[int, int], nn.Module]] = {
    "srnet": SRNet,
    "srnet-nano": _nano_srnet,
    "alexnet": AlexNet,
    "googlenet": GoogLeNet,
    "residual": ResidualNetwork,
    "five-crop": FiveCropNetwork,
}


def build_network(
    name: str,
    input_channels: int,
    classes: int,
    *,
    front: FrontName = "none",
    input_name: InputName = "raw-mosaic",
) -> nn.Module:
    """Return a freshly initialised network; PyTorch's generator decides its weights.

    Parameters
    ----------
    name
        One of `training.networks.names.NETWORK_NAMES`.
    input_channels
        Channels of the input (1 for ``raw-mosaic``).
    classes
        Number of classes.
    front
        Content suppression in front of the network.
    input_name
        What the crops are; fronts work on photosites of one colour.

    Raises
    ------
    NetworkError
        When no network or front has this name.
    """
    suppression = build_front(front, input_name)
    channels = input_channels * (1 if suppression is None else suppression.filters)
    for known, builder in _BUILDERS.items():
        if known == name:
            network = builder(channels, classes)
            return network if suppression is None else FrontedNetwork(suppression, network)
    raise NetworkError(f"unknown network {name!r}: choose one of {', '.join(NETWORK_NAMES)}")


def parameter_count(network: nn.Module) -> int:
    """Return the number of trainable parameters."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
