"""Frames that are shifted by a few photosites; a diagnostic, no evidence.

A model that knows coordinates fails on them, one that counts defects does not.
"""

from __future__ import annotations

import numpy as np

from training.interventions.places import InterventionError
from training.patches.inputs import Variation
from training.patches.places import Area


def shift_variation(rows: int, columns: int) -> Variation:
    """Return the rolling of frames down by ``rows`` and right by ``columns`` photosites.

    What leaves on one side enters on the other: compare shifted with unshifted frames within
    `shift_area` alone.

    Raises
    ------
    InterventionError
        When a number is odd: colours would change places.
    """
    if rows % 2 or columns % 2:
        raise InterventionError(f"shift by {rows} and {columns} photosites: both must be even")
    return Variation(
        f"shift:{rows},{columns}", lambda mosaic: np.roll(mosaic, (rows, columns), axis=(0, 1))
    )


def shift_area(visible: Area, rows: int, columns: int) -> Area:
    """Return the part of frames whose values were visible before and after a shift.

    Parameters
    ----------
    visible
        Top, left, height and width of the part that sees light.
    rows, columns
        The shift, of either sign; the part is the same for both signs.

    Raises
    ------
    InterventionError
        When nothing is left.
    """
    top, left, height, width = visible
    rows, columns = abs(rows), abs(columns)
    if height <= 2 * rows or width <= 2 * columns:
        raise InterventionError(
            f"shift by {rows} and {columns} photosites leaves nothing of {height}x{width}"
        )
    return top + rows, left + columns, height - 2 * rows, width - 2 * columns
