"""Changes of raw mosaics that remove or add defects, to see whether a decision hangs on them.

Pure numpy on ``raw-mosaic`` frames, where the footprint of a defect is its own photosite. Knows no
ledger: coordinates are given.
"""

from __future__ import annotations

import hashlib
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from training.errors import TrainingError
from training.patches.inputs import Mosaic, Variation

Coordinates = NDArray[np.int64]


class InterventionError(TrainingError):
    """An intervention was asked for that the frame cannot take."""

    exit_code: ClassVar[int] = 2


# The eight nearest photosites of the same colour, then the sixteen of the ring beyond.
_RINGS = tuple(
    np.array(
        [
            (row, column)
            for row in range(-reach, reach + 1, 2)
            for column in range(-reach, reach + 1, 2)
            if max(abs(row), abs(column)) == reach
        ]
    )
    for reach in (2, 4, 6, 8)
)


def _checked(coordinates: Coordinates, shape: tuple[int, ...]) -> Coordinates:
    places = np.asarray(coordinates, np.int64).reshape(-1, 2)
    if ((places < 0) | (places >= shape)).any():
        raise InterventionError(f"coordinates outside of the frame {shape[0]}x{shape[1]}")
    return places


def mask_defects(mosaic: Mosaic, coordinates: Coordinates) -> Mosaic:
    """Replace photosites by the median of their nearest same-colour neighbours.

    Neighbours that are to be replaced themselves do not count. The eight nearest photosites of the
    same colour are asked first, those of wider rings only where none of them is left.

    Parameters
    ----------
    mosaic
        Raw values (rows, columns), any Bayer pattern.
    coordinates
        (row, column) of the photosites to replace, shape (defects, 2).

    Returns
    -------
    ndarray
        A changed copy.

    Raises
    ------
    InterventionError
        When a coordinate lies outside, or a photosite has no neighbour left within 8 photosites.
    """
    places = _checked(coordinates, mosaic.shape)
    masked = np.zeros(mosaic.shape, bool)
    masked[places[:, 0], places[:, 1]] = True
    result = mosaic.copy()
    waiting = places
    for ring in _RINGS:
        rows = waiting[:, 0, None] + ring[:, 0]
        columns = waiting[:, 1, None] + ring[:, 1]
        inside = (rows >= 0) & (rows < mosaic.shape[0]) & (columns >= 0)
        inside &= columns < mosaic.shape[1]
        rows, columns = np.where(inside, rows, 0), np.where(inside, columns, 0)
        usable = inside & ~masked[rows, columns]
        found = usable.any(axis=1)
        values = np.where(usable, mosaic[rows, columns], np.nan)[found]
        targets = waiting[found]
        result[targets[:, 0], targets[:, 1]] = np.rint(np.nanmedian(values, axis=1))
        waiting = waiting[~found]
        if not len(waiting):
            return result
    row, column = waiting[0].tolist()
    raise InterventionError(
        f"photosite ({row}, {column}): no same-colour neighbour within 8 photosites is left"
    )


def random_mask(
    shape: tuple[int, int], count: int, excluded: Coordinates, seed: int
) -> Coordinates:
    """Return photosites without a known defect, the control for `mask_defects`.

    Parameters
    ----------
    shape
        Rows and columns of the frame.
    count
        How many photosites: as many as the mask that is to be controlled for has.
    excluded
        (row, column) of all known defects, shape (defects, 2).
    seed
        Seed of the drawing.

    Returns
    -------
    ndarray
        (row, column) of distinct photosites, row-major, shape (count, 2).

    Raises
    ------
    InterventionError
        When the frame has fewer photosites to choose from.
    """
    free = np.ones(shape, bool)
    places = _checked(excluded, shape)
    free[places[:, 0], places[:, 1]] = False
    candidates = np.flatnonzero(free)
    if count > len(candidates):
        raise InterventionError(f"{count} of {len(candidates)} photosites without a defect asked")
    chosen = np.random.default_rng(seed).choice(candidates, count, replace=False)
    return np.stack(np.unravel_index(np.sort(chosen), shape), axis=-1).astype(np.int64)


def transplant_defects(
    mosaic: Mosaic, coordinates: Coordinates, amplitudes_dn: NDArray[np.float64], white_level: int
) -> Mosaic:
    """Add defects to a frame that has none of them; the decision must follow.

    Parameters
    ----------
    mosaic
        Raw values (rows, columns).
    coordinates
        (row, column) of the defects, shape (defects, 2).
    amplitudes_dn
        What each defect adds at the frame's settings (tau D + c), in DN, shape (defects,).
    white_level
        Saturation in DN, where the sum ends.

    Returns
    -------
    ndarray
        A changed copy.

    Raises
    ------
    InterventionError
        When a coordinate lies outside, or there is not one amplitude per defect.
    """
    places = _checked(coordinates, mosaic.shape)
    if np.shape(amplitudes_dn) != (len(places),):
        raise InterventionError(f"{np.shape(amplitudes_dn)} amplitudes for {len(places)} defects")
    values = mosaic.astype(np.float64)
    np.add.at(values, (places[:, 0], places[:, 1]), amplitudes_dn)
    return np.clip(np.rint(values), 0, white_level).astype(np.uint16)


def mask_variation(coordinates: Coordinates) -> Variation:
    """Return the masking of these photosites as a change that a frame cache can name."""
    ordered = np.unique(np.asarray(coordinates, np.int64).reshape(-1, 2), axis=0)
    digest = hashlib.sha256(ordered.astype("<i8").tobytes()).hexdigest()
    return Variation(f"mask:{digest}", lambda mosaic: mask_defects(mosaic, ordered))
