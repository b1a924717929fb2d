"""The names of the networks, without the cost of importing torch."""

from __future__ import annotations

from typing import Literal, get_args

NetworkName = Literal["srnet", "srnet-nano"]

NETWORK_NAMES: tuple[NetworkName, ...] = get_args(NetworkName)
