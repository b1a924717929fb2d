"""A camera's choices as texts, understood as numbers; pure, opens nothing.

Drivers name settings and choices in several ways: `shutterspeed2` offers `13/10`, `shutterspeed`
offers `0.0333s`, rounded to its last digit. A wish is matched with a choice exactly, or within the
rounding of what the camera displays.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import Final

from capture.errors import SettingNotOfferedError

NAMES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "exposure": ("shutterspeed2", "shutterspeed"),
        "iso": ("iso",),
        "f_number": ("f-number", "aperture"),
        "image_quality": ("imagequality", "imageformat"),
    }
)
"""Names under which drivers offer each field of a recipe, the most exact first."""

_RAW_WORDS: Final = ("raw", "nef", "cr2", "cr3", "arw", "dng", "orf", "rw2", "raf", "pef")
_JPEG_WORDS: Final = ("jpeg", "jpg", "fine", "norm", "basic")

_NOT_WHOLE: Final = ("mraw", "sraw", "craw", "heif")
"""RAW that is reduced or lossy, and files that nothing here reads: never chosen, never meant."""

_EOS_FORMAT: Final = re.compile(
    r"(?P<only_raw>RAW)|(?P<raw>RAW \+ )?(?P<coarse>c?)(?P<size>[LMS])[123]?"
)
"""How the driver writes Canon's image formats: `L`, `RAW + cL`; c is the coarser compression."""

_NUMBERED_QUALITIES: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "Agetrace": MappingProxyType(
            {
                "Unknown value 0001": "jpeg",
                "Unknown value 0002": "jpeg",
                "Unknown value 0004": "raw",
                "Unknown value 0005": "raw+jpeg",
            }
        )
    }
)
"""Image qualities of makes whose driver can only show numbers, by make."""

_NEAREST_SHOWN: Final = 4


@dataclass(frozen=True)
class _Displayed:
    """A choice's number and half a unit of its last displayed digit (0 for exact ones)."""

    text: str
    value: Fraction
    rounding: Fraction


def parse_number(text: str) -> Fraction | None:
    """Return the number in a camera's text (`1/100`, `13/10`, `0.0333s`, `f/5.6`), None if none."""
    displayed = _displayed(text)
    return None if displayed is None else displayed.value


def _displayed(text: str) -> _Displayed | None:
    match = re.fullmatch(r"(?:f/)?(\d+)(?:/(\d+)|\.(\d+))?\s*(?:s|sec)?", text.strip())
    if match is None:
        return None
    whole, denominator, decimals = match.groups()
    if denominator is not None:
        if int(denominator) == 0:
            return None
        return _Displayed(text, Fraction(int(whole), int(denominator)), Fraction(0))
    if decimals is not None:
        unit = Fraction(1, 10 ** len(decimals))
        return _Displayed(text, Fraction(f"{whole}.{decimals}"), unit / 2)
    return _Displayed(text, Fraction(int(whole)), Fraction(0))


def number_choice(field: str, wanted: Fraction, choices: Sequence[str]) -> str:
    """Return the choice that stands for a number.

    Raises
    ------
    SettingNotOfferedError
        If none does; the message lists the nearest ones.
    """
    readable = [shown for text in choices if (shown := _displayed(text)) is not None]
    matching = [shown for shown in readable if abs(shown.value - wanted) <= shown.rounding]
    if matching:
        return min(matching, key=lambda shown: abs(shown.value - wanted)).text
    nearest = sorted(readable, key=lambda shown: abs(shown.value - wanted))[:_NEAREST_SHOWN]
    shown_texts = ", ".join(shown.text for shown in sorted(nearest, key=lambda shown: shown.value))
    raise SettingNotOfferedError(
        f"{field} {wanted} is not offered; the nearest choices are {shown_texts or 'none'}"
    )


def parse_image_quality(text: str, make: str) -> str | None:
    """Return `raw`, `raw+jpeg` or `jpeg` for a camera's text, None if it says neither."""
    numbered = _NUMBERED_QUALITIES.get(make, {}).get(text)
    if numbered is not None:
        return numbered
    eos = _EOS_FORMAT.fullmatch(text)
    if eos is not None:
        return "raw" if eos["only_raw"] else "raw+jpeg" if eos["raw"] else "jpeg"
    lower = text.lower()
    if any(word in lower for word in _NOT_WHOLE):
        return None
    has_raw = any(word in lower for word in _RAW_WORDS)
    has_jpeg = any(word in lower for word in _JPEG_WORDS)
    if has_raw:
        return "raw+jpeg" if has_jpeg else "raw"
    return "jpeg" if has_jpeg else None


def image_quality_choice(wanted: str, choices: Sequence[str], make: str) -> str:
    """Return the best choice of an image quality: the largest and finest JPEG where several fit.

    Raises
    ------
    SettingNotOfferedError
        If the camera offers none.
    """
    fitting = [text for text in choices if parse_image_quality(text, make) == wanted]
    if not fitting:
        raise SettingNotOfferedError(
            f"image_quality {wanted} is not offered; the choices are {', '.join(choices)}"
        )
    # cameras and drivers list their qualities upwards where no word says which is the finest
    return max(enumerate(fitting), key=lambda item: (*_fineness(item[1]), item[0]))[1]


def _fineness(text: str) -> tuple[int, int]:
    """Return the ranks of a quality's size, where words tell it, and of its compression."""
    eos = _EOS_FORMAT.fullmatch(text)
    if eos is not None and eos["size"]:
        return "SML".index(eos["size"]), 0 if eos["coarse"] else 1
    lower = text.lower()
    size = next((rank for rank, word in enumerate(("small", "medium")) if word in lower), 2)
    return size, next(
        (rank for rank, word in ((3, "fine"), (2, "norm"), (1, "basic")) if word in lower), 0
    )


def choice_for(field: str, wanted: object, choices: Sequence[str], make: str) -> str:
    """Return a camera's choice for one field of a recipe.

    Parameters
    ----------
    field
        `exposure`, `iso`, `f_number` or `image_quality`.
    wanted
        A number, or an image quality.
    choices
        What the camera offers.
    make
        The camera's maker.

    Raises
    ------
    SettingNotOfferedError
        If no choice stands for it.
    """
    if field == "image_quality":
        return image_quality_choice(str(wanted), choices, make)
    # an f-number of 5.6 is meant as written, not as its nearest binary fraction
    return number_choice(field, Fraction(str(wanted)), choices)
