"""What an open camera can do, found out through libgphoto2; used in camera workers alone.

Tries settings out, and leaves each as it was. Releases no shutter.
"""

from __future__ import annotations

from typing import Final

from capture.cameras._connection import Connection
from capture.cameras._settings import (
    BATTERY,
    CLOCK,
    CUSTOM_FUNCTIONS,
    NOISE_REDUCTION,
    SHUTTER_COUNTER,
    Settings,
    choices_of,
)
from capture.cameras._supplies import battery_percent, free_space
from capture.cameras.capabilities import (
    Capabilities,
    NoiseReductionCapability,
    SettingCapability,
)
from capture.cameras.choices import NAMES, parse_image_quality, parse_number
from capture.errors import SettingNotAppliedError

_QUALITIES: Final = ("raw", "raw+jpeg", "jpeg")


def inspect(connection: Connection, settings: Settings) -> Capabilities:
    """Ask a camera for all that a session may need of it."""
    tried = {field: _setting(settings, field) for field in NAMES}
    quality = tried["image_quality"]
    offered = () if quality is None else quality.choices
    understood = {parse_image_quality(text, settings.make) for text in offered}
    free_bytes, free_images = free_space(connection)
    battery = settings.text_if_any(BATTERY)
    return Capabilities(
        settings=tried,
        image_qualities=tuple(name for name in _QUALITIES if name in understood),
        long_exposure_noise_reduction=_noise_reduction(settings),
        clock_s=settings.clock_s(),
        clock_can_be_set=settings.is_writable(CLOCK) if CLOCK in settings.names else None,
        battery=battery,
        battery_percent=battery_percent(battery),
        card_free_bytes=free_bytes,
        card_free_images=free_images,
        shutter_count=_count(settings.text_if_any(SHUTTER_COUNTER)),
        firmware=settings.identify()["firmware"],
    )


def _setting(settings: Settings, field: str) -> SettingCapability | None:
    name = settings.name_of(field)
    if name is None:
        return None
    widget = settings.widget(name)
    choices, shown = choices_of(widget), str(widget.get_value())
    if widget.get_readonly():
        works: bool | None = False
    else:
        other = _another(field, choices, shown, settings.make)
        works = None if other is None else _comes_back(settings, name, shown, other)
    return SettingCapability(name, tuple(choices), shown, works)


def _another(field: str, choices: list[str], shown: str, make: str) -> str | None:
    """Return a choice to try: one whose meaning is known, next to the one that is set."""
    if shown not in choices:
        return None

    def is_known(text: str) -> bool:
        if field == "image_quality":
            return parse_image_quality(text, make) is not None
        return parse_number(text) is not None

    here = choices.index(shown)
    by_distance = sorted(range(len(choices)), key=lambda index: abs(index - here))
    return next((choices[index] for index in by_distance[1:] if is_known(choices[index])), None)


def _comes_back(settings: Settings, name: str, shown: str, other: str) -> bool:
    try:
        settings.set_verified(name, other)
        settings.set_verified(name, shown)
    except SettingNotAppliedError:
        return False
    return True


def _noise_reduction(settings: Settings) -> NoiseReductionCapability | None:
    is_on = settings.is_noise_reduction_on()
    if is_on is None:
        return None
    name = NOISE_REDUCTION if NOISE_REDUCTION in settings.names else CUSTOM_FUNCTIONS
    widget = settings.widget(name)
    # opening switches it off, so one that is on stays on
    return NoiseReductionCapability(name, tuple(choices_of(widget)), is_on, not is_on)


def _count(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() else None
