"""Do maps point at defects, and do they depend on content? Pure numpy and scipy.

NaN in a map marks photosites that no crop covers; they take part in nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, stats

FrameMap = NDArray[np.float32]
Coordinates = NDArray[np.int64]


def pearson(first: FrameMap, second: FrameMap) -> float | None:
    """Return the correlation of two maps where both are defined; None if either is constant."""
    both = np.isfinite(first) & np.isfinite(second)
    a, b = first[both].astype(np.float64), second[both].astype(np.float64)
    if a.size < 2:
        return None
    a, b = a - a.mean(), b - b.mean()
    norm = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b / norm) if norm > 0 else None


def mean_pairwise_correlation(maps: Sequence[FrameMap]) -> float | None:
    """Return the mean correlation over all pairs of maps, such as the class's map of each scene.

    High between scenes: the map does not depend on content. None where no pair has a correlation.
    """
    values = [pearson(first, second) for first, second in combinations(maps, 2)]
    defined = [value for value in values if value is not None]
    return float(np.mean(defined)) if defined else None


@dataclass(frozen=True)
class DefectSaliency:
    """How a map treats known defects.

    Attributes
    ----------
    auc
        Probability that the map is higher at a defect than at a photosite drawn at random.
    mass_share
        Share of the map's mass (above its minimum) within the radius of a defect.
    area_share
        Share of the area within the radius: what ``mass_share`` would be for a flat map.
    p_value
        Share of random sets of as many photosites whose mass share is at least as large (one-sided,
        the true set among them).
    defects
        Number of defects on the covered part of the frame.
    """

    auc: float
    mass_share: float
    area_share: float
    p_value: float
    defects: int


def defect_saliency(
    frame_map: FrameMap,
    coordinates: Coordinates,
    *,
    radius_photosites: float = 4.0,
    samples: int = 199,
    seed: int = 0,
) -> DefectSaliency | None:
    """Compare a map at known defects with the map at random photosites.

    Parameters
    ----------
    frame_map
        Map of a whole frame (rows, columns).
    coordinates
        (row, column) of the defects, shape (defects, 2).
    radius_photosites
        Distance within which mass counts as a defect's.
    samples
        Random sets compared.
    seed
        Seed of the drawing.

    Returns
    -------
    DefectSaliency or None
        None when no defect lies on the covered part, or nothing else does.
    """
    covered = np.isfinite(frame_map)
    at_defects = np.zeros(frame_map.shape, bool)
    at_defects[coordinates[:, 0], coordinates[:, 1]] = True
    at_defects &= covered
    count, others = int(at_defects.sum()), int((covered & ~at_defects).sum())
    if not count or not others:
        return None
    ranks = stats.rankdata(
        np.concatenate([frame_map[at_defects], frame_map[covered & ~at_defects]])
    )
    auc = (ranks[:count].sum() - count * (count + 1) / 2) / (count * others)

    mass = np.where(covered, frame_map - np.nanmin(frame_map), 0).astype(np.float64)
    total = mass.sum()
    disc = _disc(radius_photosites)

    def share(places: NDArray[np.bool_], weights: NDArray[np.float64], whole: float) -> float:
        near = ndimage.binary_dilation(places, structure=disc)
        return float(weights[near].sum() / whole) if whole > 0 else 0.0

    observed = share(at_defects, mass, total)
    generator = np.random.default_rng(seed)
    candidates = np.flatnonzero(covered)
    reached = 1
    for _ in range(samples):
        random = np.zeros(frame_map.shape, bool)
        random.flat[generator.choice(candidates, count, replace=False)] = True
        reached += share(random, mass, total) >= observed
    return DefectSaliency(
        auc=float(auc),
        mass_share=observed,
        area_share=share(at_defects, covered.astype(np.float64), float(covered.sum())),
        p_value=reached / (samples + 1),
        defects=count,
    )


def _disc(radius: float) -> NDArray[np.bool_]:
    reach = int(radius)
    rows, columns = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    inside: NDArray[np.bool_] = rows**2 + columns**2 <= radius**2
    return inside
