"""The methods that map where a network looks, and the networks that each is defined for."""

from __future__ import annotations

from typing import Literal, get_args

from training.networks.names import NETWORK_NAMES
from training.saliency.errors import SaliencyError

MapMethod = Literal[
    "cam",
    "grad-cam",
    "grad-cam++",
    "score-cam-channels",
    "score-cam-classes",
    "integrated-gradients",
]
"""Score-CAM weighs channels by a softmax of the class's scores over the channels, or by the class's
probability, a softmax over the classes: public implementations differ, and both are here."""

MAP_METHODS: tuple[MapMethod, ...] = get_args(MapMethod)

WITHOUT_CAM = ("alexnet",)
"""Networks whose last maps do not pass through one global mean into one linear layer."""


def methods_for(network: str) -> tuple[tuple[MapMethod, ...], dict[str, str]]:
    """Return the methods that are defined for a network, and why others are not.

    Parameters
    ----------
    network
        One of `training.networks.names.NETWORK_NAMES`.

    Raises
    ------
    SaliencyError
        When no network has this name.
    """
    if network not in NETWORK_NAMES:
        raise SaliencyError(
            f"unknown network {network!r}: choose one of {', '.join(NETWORK_NAMES)}"
        )
    if network not in WITHOUT_CAM:
        return MAP_METHODS, {}
    why = f"{network} ends in several linear layers, for which CAM is not defined"
    return tuple(one for one in MAP_METHODS if one != "cam"), {"cam": why}
