"""Choosing among photosites by where they are; pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Places = NDArray[np.int64]


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
