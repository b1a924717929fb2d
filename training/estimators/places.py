"""Choosing among photosites by where they are; pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from training.patches.places import Area

Places = NDArray[np.int64]

_DIRECTIONS = np.array([(1, 0), (0, 1), (-1, 0), (0, -1), (1, 1), (-1, -1)], np.int64)


def strongest(places: Places, ratios: NDArray[np.float64], reach: int) -> NDArray[np.int64]:
    """Return those that have no stronger one within reach: one defect may cover several pixels."""
    kept: list[int] = []
    for one in np.argsort(-ratios, kind="stable").tolist():
        distance = np.abs(places[kept] - places[one]).max(axis=1)
        if not (distance <= reach).any():
            kept.append(one)
    return np.array(sorted(kept), np.int64)


def without(places: Places, others: Places) -> Places:
    """Return the places that are none of the others."""
    taken = set(map(tuple, others.tolist()))
    chosen = [tuple(place) not in taken for place in places.tolist()]
    return places[np.array(chosen, bool)]


def beyond_reach(places: Places, others: Places, reach: int) -> Places:
    """Return the places that are further than reach, in rows or columns, from all others."""
    if not len(others) or not len(places):
        return places
    distances, _ = cKDTree(others).query(places, p=np.inf)
    return places[distances > reach]


def displaced(places: Places, defects: Places, visible: Area, reach: int) -> Places:
    """Return for each place one nearby that no defect reaches, on a photosite of the same colour.

    Parameters
    ----------
    places
        (row, column), int64 of shape (pixels, 2).
    defects
        All places that are to be avoided.
    visible
        Within which the others have to lie.
    reach
        Of a defect.
    """
    if not len(places):
        return places
    top, left, height, width = visible
    step = 2 * (reach + 1)
    moved = places.copy()
    for place, own in enumerate(places):
        for turn in range(1, 9):
            for direction in _DIRECTIONS:
                other = own + turn * step * direction
                inside = top <= other[0] < top + height and left <= other[1] < left + width
                if inside and (np.abs(defects - other).max(axis=1) > reach).all():
                    moved[place] = other
                    break
            else:
                continue
            break
    return moved
