"""Recipes: immutable, content-hashed plans of shots in YAML, and their expansion into an order.

Knows scenes by name only; opens no camera and no catalogue. What needs those (estimates, dry runs)
are modules of their own that are imported by name.
"""

from capture.recipes._files import parse_recipe, read_recipe, ready_recipes
from capture.recipes._model import (
    FLAT_PANEL,
    Exposure,
    FrameKind,
    ImageQuality,
    OnFailure,
    Recipe,
    ShotsOfKind,
    parse_exposure,
)
from capture.recipes._order import ShotSpec, expand

__all__ = [
    "FLAT_PANEL",
    "Exposure",
    "FrameKind",
    "ImageQuality",
    "OnFailure",
    "Recipe",
    "ShotSpec",
    "ShotsOfKind",
    "expand",
    "parse_exposure",
    "parse_recipe",
    "read_recipe",
    "ready_recipes",
]
