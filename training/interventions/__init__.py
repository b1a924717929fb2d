"""Changes of raw mosaics that remove, add or move defects, each with its matched control."""

from training.interventions.masks import (
    mask_control_variation,
    mask_defects,
    mask_variation,
    masks_control,
    random_mask,
)
from training.interventions.places import Coordinates, InterventionError, random_counterparts
from training.interventions.shifts import shift_area, shift_variation
from training.interventions.transplants import (
    Exposure,
    Transplant,
    transplant_defects,
    transplant_variation,
)

__all__ = [
    "Coordinates",
    "Exposure",
    "InterventionError",
    "Transplant",
    "mask_control_variation",
    "mask_defects",
    "mask_variation",
    "masks_control",
    "random_counterparts",
    "random_mask",
    "shift_area",
    "shift_variation",
    "transplant_defects",
    "transplant_variation",
]
