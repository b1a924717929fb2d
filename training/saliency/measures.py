"""Correlations of maps, and whether maps point at known defects; pure numpy and scipy.

NaN in a map marks photosites that no crop covers; they take part in nothing. Knows neither
networks nor catalogues.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from training.saliency.errors import SaliencyError
from training.saliency.resampling import central_interval
from training.statistics import Interval

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


def standardised(maps: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Return maps as vectors of mean 0 and length 1, so that products are correlations.

    Parameters
    ----------
    maps
        Shape (maps, rows, columns); NaN where undefined.

    Returns
    -------
    ndarray
        float64, shape (maps, cells), of the cells that every map defines. The row of a constant map
        is NaN, and every row is where fewer than two cells are left.
    """
    flat = maps.reshape(len(maps), math.prod(maps.shape[1:]))
    common = flat[:, np.isfinite(flat).all(axis=0)].astype(np.float64)
    if common.shape[1] < 2:
        return np.full((len(maps), 1), np.nan)
    centred = common - common.mean(axis=1, keepdims=True)
    # Rounding leaves a constant map a length of some last bits of its level.
    scale = np.abs(common).max(axis=1, keepdims=True)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    length[length <= 1e-12 * scale * np.sqrt(common.shape[1])] = np.nan
    result: NDArray[np.float64] = centred / length
    return result


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
    null_mean
        Mean mass share of the random sets.
    null_interval
        The central 95 % of their mass shares.
    """

    auc: float
    mass_share: float
    area_share: float
    p_value: float
    defects: int
    null_mean: float
    null_interval: Interval

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON."""
        return asdict(self)


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
    found = hit_rates(
        frame_map,
        coordinates,
        radii_photosites=(radius_photosites,),
        samples=samples,
        seed=seed,
    )
    if found is None:
        return None
    (at,) = found.at_radii
    return DefectSaliency(
        auc=found.auc,
        mass_share=at.mass_share,
        area_share=at.area_share,
        p_value=at.mass_p_value,
        defects=found.defects,
        null_mean=at.null_mass_share,
        null_interval=at.null_mass_interval,
    )


@dataclass(frozen=True)
class RadiusHits:
    """How a map treats the surroundings of known defects, out to one radius.

    Attributes
    ----------
    radius_photosites
        The radius.
    resolved
        Whether it is at least a cell of the map: within less, the map cannot tell defects from
        their neighbours.
    mass_share, area_share
        Share of the map's mass (above its minimum) and of the area within the radius of a defect.
    mass_p_value
        Share of random sets of as many photosites whose mass share is at least as large (one-sided,
        the true set among them).
    null_mass_share, null_mass_interval
        Mean and central 95 % of the mass shares of the random sets.
    hit_rate
        Share of the defects that have a photosite of the map's top within the radius.
    hit_p_value
        Share of the random sets whose hit rate is at least as large, the true set among them.
    null_hit_rate, null_hit_interval
        Mean and central 95 % of the hit rates of the random sets.
    """

    radius_photosites: float
    resolved: bool
    mass_share: float
    area_share: float
    mass_p_value: float
    null_mass_share: float
    null_mass_interval: Interval
    hit_rate: float
    hit_p_value: float
    null_hit_rate: float
    null_hit_interval: Interval


@dataclass(frozen=True)
class HitRates:
    """How a map treats known defects, at several radii.

    Attributes
    ----------
    auc
        Probability that the map is higher at a defect than at a photosite drawn at random.
    defects
        Number of defects on the covered part of the frame.
    smallest_radius_photosites
        Side of a cell of the map: the smallest radius that means anything.
    top_share
        Share of the covered photosites that count as the map's top, ties at its edge included.
    random_sets
        Number of random sets compared.
    at_radii
        In the order asked for. Several radii are several looks: correct their p-values, or declare
        one of them beforehand.
    """

    auc: float
    defects: int
    smallest_radius_photosites: float
    top_share: float
    random_sets: int
    at_radii: tuple[RadiusHits, ...]

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON."""
        return asdict(self)


def hit_rates(
    frame_map: FrameMap,
    coordinates: Coordinates,
    *,
    radii_photosites: Sequence[float],
    cell_photosites: int = 1,
    top_share: float = 0.05,
    samples: int = 199,
    seed: int = 0,
) -> HitRates | None:
    """Compare a map around known defects with the map around random photosites (reconstructed).

    Random sets are as many photosites, drawn without replacement from the covered part; all radii
    share them.

    Parameters
    ----------
    frame_map
        Map of a whole frame (rows, columns), in photosites.
    coordinates
        (row, column) of the defects, shape (defects, 2).
    radii_photosites
        Distances within which mass counts as a defect's; 0 is the defect itself.
    cell_photosites
        Side of the cells that the map was spread from, such as 8.
    top_share
        Share of the covered photosites that counts as the map's top.
    samples
        Random sets compared.
    seed
        Seed of the drawing.

    Returns
    -------
    HitRates or None
        None when no defect lies on the covered part, or nothing else does.

    Raises
    ------
    SaliencyError
        When a radius is negative or ``top_share`` not between 0 and 1.
    """
    if not radii_photosites or min(radii_photosites) < 0 or not 0 < top_share < 1:
        raise SaliencyError(
            f"radii {list(radii_photosites)}, top share {top_share}: expected radii of at least 0 "
            "photosites and a share between 0 and 1"
        )
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
    top = covered & (frame_map >= np.quantile(frame_map[covered], 1 - top_share, method="higher"))
    surroundings = [_Surroundings(mass, covered, top, radius) for radius in radii_photosites]
    generator = np.random.default_rng(seed)
    candidates = np.flatnonzero(covered)
    sets = [np.flatnonzero(at_defects)]
    sets += [generator.choice(candidates, count, replace=False) for _ in range(samples)]
    return HitRates(
        auc=float(auc),
        defects=count,
        smallest_radius_photosites=float(cell_photosites),
        top_share=float(top.sum() / covered.sum()),
        random_sets=samples,
        at_radii=tuple(
            _radius_hits(one, sets, one.radius >= cell_photosites) for one in surroundings
        ),
    )


class _Surroundings:
    """The photosites within a radius of given ones, and what a map holds there."""

    def __init__(
        self,
        mass: NDArray[np.float64],
        covered: NDArray[np.bool_],
        top: NDArray[np.bool_],
        radius: float,
    ) -> None:
        self.radius = float(radius)
        self._shape = mass.shape
        self._mass, self._covered, self._top = mass.ravel(), covered.ravel(), top.ravel()
        self._total, self._area = float(mass.sum()), int(covered.sum())
        reach = int(radius)
        rows, columns = np.mgrid[-reach : reach + 1, -reach : reach + 1]
        inside = rows**2 + columns**2 <= radius**2
        self._rows, self._columns = rows[inside], columns[inside]

    def shares(self, places: NDArray[np.intp]) -> tuple[float, float, float]:
        """Return the shares of mass, of area and of places near the top."""
        row, column = np.unravel_index(places, self._shape)
        rows = row[:, None] + self._rows
        columns = column[:, None] + self._columns
        on_map = (rows >= 0) & (rows < self._shape[0])
        on_map &= (columns >= 0) & (columns < self._shape[1])
        flat = np.where(on_map, rows * self._shape[1] + columns, places[:, None])
        near = np.unique(flat)
        mass = self._mass[near].sum() / self._total if self._total > 0 else 0.0
        hits = self._top[flat].any(axis=1).mean()
        return float(mass), float(self._covered[near].sum() / self._area), float(hits)


def _radius_hits(
    surroundings: _Surroundings, sets: Sequence[NDArray[np.intp]], resolved: bool
) -> RadiusHits:
    """Compare the first set, the defects, with the others."""
    mass, area, hits = np.array([surroundings.shares(one) for one in sets]).T
    return RadiusHits(
        radius_photosites=surroundings.radius,
        resolved=resolved,
        mass_share=float(mass[0]),
        area_share=float(area[0]),
        # Sums of the same photosites may differ in the last bits.
        mass_p_value=float(np.mean(mass >= mass[0] - 1e-12)),
        null_mass_share=float(mass[1:].mean()),
        null_mass_interval=central_interval(mass[1:]),
        hit_rate=float(hits[0]),
        hit_p_value=float(np.mean(hits >= hits[0] - 1e-12)),
        null_hit_rate=float(hits[1:].mean()),
        null_hit_interval=central_interval(hits[1:]),
    )
