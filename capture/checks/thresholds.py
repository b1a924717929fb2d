"""Thresholds of the content checks, as a recipe states them; knows no frame."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator


def _number(value: object) -> object:
    """Refuse what pydantic would take for a number without a word."""
    if isinstance(value, bool) or (isinstance(value, float) and not math.isfinite(value)):
        raise ValueError(f"{value!r} is no number")
    return value


_Share = Annotated[float, BeforeValidator(_number), Field(ge=0, le=1)]
_Amount = Annotated[float, BeforeValidator(_number), Field(gt=0)]


class CheckThresholds(BaseModel):
    """From where on a frame is quarantined; docs/reference/checks.md has the rates behind them.

    Attributes
    ----------
    dark_level_share
        How far a dark field may lie above its black level, as a share of the sensor's range.
    light_leak_range_share
        How much the smooth pattern of a dark field may span, as a share of the sensor's range;
        sensors have a weak pattern of their own.
    light_leak_level_share
        The same as a share of the level above black, since what glows grows with it; the larger
        of both counts.
    suppression_peaks
        Least number of photosites that exceed all neighbours, over what chance gives; fewer speak
        of hot-pixel suppression in camera.
    cold_share
        Share of cold among the outlying photosites of a dark field from which they speak of a
        dark frame that was subtracted in camera.
    scene_similarity
        Least similarity to the scene's own reference, from 0 to 1.
    scene_margin
        Least lead of that similarity over the best of the other scenes.
    registration_shift_photosites
        Largest shift against the reference.
    illumination_drift_stops
        Largest change of the light against the reference.
    illumination_pattern_stops
        Largest difference of that change between two parts of the frame.
    colour_drift_stops
        Largest change of red or blue against green.
    focus_ratio
        Least sharpness as a ratio to the reference's.
    clipped_share, crushed_share
        Largest share of photosites at white, or at zero, beyond what the reference leads to expect.
    flat_level_lowest_share, flat_level_highest_share
        Range for the level of a flat field above black, as a share of the sensor's range.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    dark_level_share: _Share = 0.02
    light_leak_range_share: _Share = 0.0002
    light_leak_level_share: _Share = 0.1
    suppression_peaks: _Share = 0.25
    cold_share: _Share = 0.25
    scene_similarity: _Share = 0.9
    scene_margin: _Share = 0.02
    registration_shift_photosites: _Amount = 1.0
    illumination_drift_stops: _Amount = 0.15
    illumination_pattern_stops: _Amount = 0.1
    colour_drift_stops: _Amount = 0.08
    focus_ratio: _Share = 0.9
    clipped_share: _Share = 0.005
    crushed_share: _Share = 0.005
    flat_level_lowest_share: _Share = 0.1
    flat_level_highest_share: _Share = 0.9

    @model_validator(mode="after")
    def _possible(self) -> CheckThresholds:
        if self.flat_level_lowest_share >= self.flat_level_highest_share:
            raise ValueError(
                "no flat field can pass: flat_level_lowest_share is not below"
                " flat_level_highest_share"
            )
        return self
