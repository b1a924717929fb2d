"""The names of the networks, without the cost of importing torch."""

from __future__ import annotations

from typing import Literal, get_args

NetworkName = Literal["srnet", "srnet-nano", "alexnet", "googlenet", "residual", "five-crop"]

NETWORK_NAMES: tuple[NetworkName, ...] = get_args(NetworkName)

FrontName = Literal["none", "high-pass-kv", "high-pass-srm", "median-3", "median-5", "constrained"]
"""Content suppression in front of a network."""

FRONT_NAMES: tuple[FrontName, ...] = get_args(FrontName)
