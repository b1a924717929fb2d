"""Photosites that are inpainted, to see whether a decision hangs on them, and their controls.

Pure numpy on ``raw-mosaic`` frames, where the footprint of a defect is its own photosite. Knows no
ledger: coordinates are given.
"""

from __future__ import annotations

import hashlib

import numpy as np

from training.interventions.places import (
    Coordinates,
    InterventionError,
    checked_places,
    content_name,
    random_counterparts,
)
from training.patches.inputs import Mosaic, Variation
from training.patches.places import Area

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
    places = checked_places(coordinates, mosaic.shape)
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
    places = checked_places(excluded, shape)
    free[places[:, 0], places[:, 1]] = False
    candidates = np.flatnonzero(free)
    if count > len(candidates):
        raise InterventionError(f"{count} of {len(candidates)} photosites without a defect asked")
    chosen = np.random.default_rng(seed).choice(candidates, count, replace=False)
    return np.stack(np.unravel_index(np.sort(chosen), shape), axis=-1).astype(np.int64)


def mask_variation(coordinates: Coordinates) -> Variation:
    """Return the masking of these photosites as a change that a frame cache can name."""
    ordered = np.unique(np.asarray(coordinates, np.int64).reshape(-1, 2), axis=0)
    digest = hashlib.sha256(ordered.astype("<i8").tobytes()).hexdigest()
    return Variation(f"mask:{digest}", lambda mosaic: mask_defects(mosaic, ordered))


def masks_control(
    mosaic: Mosaic, coordinates: Coordinates, controls: Coordinates, white_level: int
) -> Mosaic:
    """Change sound photosites by as much as masking would change defects, which stay.

    Where a photosite has no room for its change it is made in the other direction, so that the
    amplitude is kept.

    Parameters
    ----------
    mosaic
        Raw values (rows, columns).
    coordinates
        (row, column) of the photosites that the mask replaces, shape (n, 2).
    controls
        (row, column) of the sound photosite that is changed for each, shape (n, 2).
    white_level
        Saturation in DN, where values end.

    Returns
    -------
    ndarray
        A changed copy.

    Raises
    ------
    InterventionError
        When a coordinate lies outside, there is not one control per photosite, or a photosite
        cannot be masked.
    """
    places = checked_places(coordinates, mosaic.shape)
    sound = checked_places(controls, mosaic.shape)
    if len(places) != len(sound):
        raise InterventionError(f"{len(sound)} controls for {len(places)} masked photosites")
    masked = mask_defects(mosaic, places)
    rows, columns = places.T
    change = masked[rows, columns].astype(np.int64) - mosaic[rows, columns]
    rows, columns = sound.T
    values = mosaic[rows, columns].astype(np.int64)
    fits = (values + change >= 0) & (values + change <= white_level)
    result = mosaic.copy()
    changed = values + np.where(fits, change, -change)
    result[rows, columns] = np.clip(changed, 0, white_level)
    return result


def mask_control_variation(
    coordinates: Coordinates, excluded: Coordinates, area: Area, white_level: int, seed: int
) -> Variation:
    """Return the control of `mask_variation` of equal number, colours and amplitude.

    Parameters
    ----------
    coordinates
        (row, column) of the photosites that the mask replaces, shape (n, 2).
    excluded
        (row, column) of all known defects, shape (defects, 2).
    area
        Top, left, height and width of the part of the frames that networks see.
    white_level
        Saturation in DN.
    seed
        Seed of the drawing of the sound photosites.

    Raises
    ------
    InterventionError
        When there are too few sound photosites.
    """
    ordered = np.unique(np.asarray(coordinates, np.int64).reshape(-1, 2), axis=0)
    controls = random_counterparts(ordered, excluded, area, seed)
    name = content_name("mask-control", ordered, controls, str(white_level))
    return Variation(name, lambda mosaic: masks_control(mosaic, ordered, controls, white_level))
