"""What a camera can do for a session, found by asking it; plain values, opens nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class SettingCapability:
    """One setting that a recipe can ask for.

    Attributes
    ----------
    name
        The driver's name of it.
    choices
        What the camera offers.
    shown
        What it was set to.
    read_back_works
        Whether the camera took another choice, showed it, and came back to the first; None if there
        is no other choice to try.
    """

    name: str
    choices: tuple[str, ...]
    shown: str
    read_back_works: bool | None


@dataclass(frozen=True)
class NoiseReductionCapability:
    """The camera's own long-exposure noise reduction, which would subtract what sessions measure.

    Attributes
    ----------
    name
        The driver's name of it.
    choices
        What the camera offers.
    is_on
        Whether it is on.
    can_be_off
        Whether it is off or can be switched off from here.
    """

    name: str
    choices: tuple[str, ...]
    is_on: bool
    can_be_off: bool


@dataclass(frozen=True)
class Capabilities:
    """Everything a session may need of a camera; None stands for what it does not tell.

    Attributes
    ----------
    settings
        By field of a recipe: `exposure`, `iso`, `f_number`, `image_quality`.
    image_qualities
        Those of `raw`, `raw+jpeg` and `jpeg` that are among the choices and understood.
    long_exposure_noise_reduction
        None if the camera shows no such setting: it may still have one in its menu.
    clock_s, clock_can_be_set
        The camera's clock as seconds since 1970, its wall time taken for UTC.
    battery, battery_percent
        Charge as the camera words it, and as a number where it is one.
    card_free_bytes, card_free_images
        Room on the memory cards.
    shutter_count
        Exposures of its life.
    firmware
        As it names it.
    """

    settings: Mapping[str, SettingCapability | None]
    image_qualities: tuple[str, ...]
    long_exposure_noise_reduction: NoiseReductionCapability | None
    clock_s: float | None
    clock_can_be_set: bool | None
    battery: str | None
    battery_percent: float | None
    card_free_bytes: int | None
    card_free_images: int | None
    shutter_count: int | None
    firmware: str | None

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Capabilities:
        """Return the report that `to_json` wrote."""
        reduction = values["long_exposure_noise_reduction"]
        return cls(
            **{
                **values,
                "settings": {
                    field: None
                    if setting is None
                    else SettingCapability(**{**setting, "choices": tuple(setting["choices"])})
                    for field, setting in values["settings"].items()
                },
                "image_qualities": tuple(values["image_qualities"]),
                "long_exposure_noise_reduction": None
                if reduction is None
                else NoiseReductionCapability(
                    **{**reduction, "choices": tuple(reduction["choices"])}
                ),
            }
        )
