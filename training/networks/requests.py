"""Checks that every network makes of what it is asked for."""

from __future__ import annotations

from collections.abc import Sequence

from training.networks.errors import NetworkError


def check_request(input_channels: int, classes: int) -> None:
    """Refuse networks without input or with nothing to tell apart.

    Raises
    ------
    NetworkError
        When fewer than one channel or two classes are asked for.
    """
    if input_channels < 1 or classes < 2:
        raise NetworkError(
            f"input_channels={input_channels}, classes={classes}: a network needs at least "
            "one input channel and two classes"
        )


def check_crop_size(size: Sequence[int], multiple: int) -> None:
    """Refuse crops (rows, columns) that are not multiples of ``multiple`` photosites.

    Raises
    ------
    NetworkError
        When one of the sides is not a positive multiple.
    """
    if any(side < multiple or side % multiple for side in size):
        raise NetworkError(
            f"crop of {size[0]}x{size[1]}: choose a patch size that is a multiple of {multiple}"
        )


def check_smallest_crop(size: Sequence[int], smallest: int, network: str) -> None:
    """Refuse crops (rows, columns) of which nothing would be left before the last pooling.

    Raises
    ------
    NetworkError
        When one of the sides is shorter than ``smallest``.
    """
    if min(size) < smallest:
        raise NetworkError(
            f"crop of {size[0]}x{size[1]}: {network} takes crops of {smallest}x{smallest} or more; "
            "choose a larger patch size or another network"
        )
