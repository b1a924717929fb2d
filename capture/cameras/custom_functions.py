"""Canon's custom functions as the driver writes them; pure, opens nothing.

The text `20,1,2,14,1,201,1,0,` holds hexadecimal numbers: the length of all in bytes, the count of
groups, and for each group its number, its length in bytes and its functions: number, count of
values, values. Which number means what is written in ExifTool's CanonCustom tables.
"""

from __future__ import annotations

from typing import Final

_LONG_EXPOSURE_NOISE_REDUCTION: Final = 0x0201
_OFF: Final = 0


def is_noise_reduction_on(text: str) -> bool | None:
    """Tell whether long-exposure noise reduction is on or automatic; None if the text says nothing.

    Custom functions differ from model to model, and later ones have it in a menu instead.
    """
    numbers = _numbers(text)
    place = _place_of_noise_reduction(numbers)
    return None if place is None else numbers[place] != _OFF


def without_noise_reduction(text: str) -> str:
    """Return the same custom functions with long-exposure noise reduction off."""
    numbers = _numbers(text)
    place = _place_of_noise_reduction(numbers)
    if place is None:
        raise ValueError(f"no long-exposure noise reduction among the custom functions {text!r}")
    numbers[place] = _OFF
    return "".join(f"{number:x}," for number in numbers)


def _numbers(text: str) -> list[int]:
    try:
        return [int(number, 16) for number in text.split(",") if number]
    except ValueError:
        return []


def _place_of_noise_reduction(numbers: list[int]) -> int | None:
    """Return the index of its only value, None unless every count agrees with the whole."""
    place = None
    try:
        _, groups, *_ = numbers
        here = 2
        for _ in range(groups):
            functions = numbers[here + 2]
            here += 3
            for _ in range(functions):
                function, values = numbers[here : here + 2]
                if function == _LONG_EXPOSURE_NOISE_REDUCTION and values == 1:
                    place = here + 2
                here += 2 + values
    except (IndexError, ValueError):
        return None
    return place if here == len(numbers) else None
