"""Whether the maps of runs agree, and on what: the class, or only the scenes that they share.

Pure numpy; knows neither networks nor catalogues.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.saliency.errors import SaliencyError
from training.saliency.measures import standardised
from training.saliency.resampling import (
    central_interval,
    jackknife_interval,
    shuffled_sets,
    smallest_share,
)
from training.statistics import Interval

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
_SPLITS = 20


@dataclass(frozen=True)
class Constancy:
    """Agreement of class-mean maps between runs; None where undefined.

    Constancy across runs alone does not detect networks that read content, whose runs look at the
    same things in the same scenes; what is left on scenes that two runs do not share does.

    Attributes
    ----------
    runs, classes, scenes
        How many stand behind it.
    within_class
        Mean correlation of the class-mean maps of two runs, same class.
    within_interval
        Of it, by leaving out one run or scene at a time (jackknife).
    across_classes
        Mean correlation of the class-mean maps of two runs, different classes.
    across_interval
        Of it.
    difference
        Within less across: what the maps have of their class.
    difference_interval
        Of it.
    p_value
        Share of the scene-shuffled differences at least as large (one-sided, the true one among
        them).
    smallest_p
        The p-value that a difference above all others would have got.
    shuffled_difference
        Mean of the scene-shuffled differences.
    shuffled_interval
        The central 95 % of them.
    same_scenes
        Mean correlation, within the class, of the maps of two runs over the same half of the
        scenes.
    other_scenes
        The same over halves without a common scene: only what does not depend on the scene is left
        to agree. Near ``same_scenes`` for a trace, near 0 for content.
    other_scenes_interval
        Of it.
    scene_dependence_p
        That maps depend on scenes: share of the shuffles of scenes, within each run and class on
        its own, after which runs agree at least as much, scene by scene.
    """

    runs: int
    classes: int
    scenes: int
    within_class: float | None
    within_interval: Interval | None
    across_classes: float | None
    across_interval: Interval | None
    difference: float | None
    difference_interval: Interval | None
    p_value: float | None
    smallest_p: float | None
    shuffled_difference: float | None
    shuffled_interval: Interval | None
    same_scenes: float | None
    other_scenes: float | None
    other_scenes_interval: Interval | None
    scene_dependence_p: float | None

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON."""
        return asdict(self)


def constancy(maps: NDArray[np.float32], *, samples: int = 999, seed: int = 0) -> Constancy:
    """Measure how far the class-mean maps of runs agree, against scene-shuffled nulls.

    All maps must show the evidence for one and the same class (or the difference of two): a map of
    each image's own class tells the classes apart by its sign alone. Each map is taken to mean 0
    and length 1 over the cells that all maps define; class means are over scenes. Pairs are of
    different runs throughout.

    Two nulls (reconstructed), each with a unit that holds together what depends on each other:

    - *Of the class*: the classes of a scene's maps are exchanged, jointly in all runs, so that what
      the runs share of a scene moves along with it and only the tie to the class is cut. A scene
      that has maps of one class only takes the class of another such scene. Exact where a scene's
      content had nothing to do with its class.
    - *Of the scene*: within each run and class, on its own, scenes are permuted. What two runs have
      in common whatever the scene survives; what they share about a scene does not.

    Parameters
    ----------
    maps
        Mean map of each run, class and scene, float32, shape (runs, classes, scenes, rows,
        columns); all NaN where there is none, and NaN at cells that no crop covers.
    samples
        Shuffles drawn.
    seed
        Seed of the drawing.

    Returns
    -------
    Constancy
        Fields are None where undefined: everything with fewer than two runs, comparisons of classes
        with fewer than two classes, comparisons of scenes with fewer than two of them, intervals
        with fewer than three runs or scenes.

    Raises
    ------
    SaliencyError
        When ``maps`` has not five axes.
    """
    if maps.ndim != 5:
        raise SaliencyError(
            f"maps of shape {maps.shape}: expected (runs, classes, scenes, rows, columns)"
        )
    products, present = _products(maps)
    generator = np.random.default_rng(seed)
    scenes = maps.shape[2]
    halves = [generator.permutation(scenes) < scenes / 2 for _ in range(_SPLITS)]

    def within_class(weights: Floats) -> float | None:
        return _agreement(products, weights)[0]

    def across_classes(weights: Floats) -> float | None:
        return _agreement(products, weights)[1]

    def difference_of(weights: Floats) -> float | None:
        within, across = _agreement(products, weights)
        return None if within is None or across is None else within - across

    def other_scenes(weights: Floats) -> float | None:
        return _other_half(products, weights, halves)

    everything = present.astype(float)
    within, across = _agreement(products, everything)
    difference, other = difference_of(everything), other_scenes(everything)
    shuffled, smallest_p = _class_shuffled(products, present, samples, generator)
    # A shuffle may leave every class of a run without a scene; such a shuffle says nothing.
    tested = difference is not None and len(shuffled) > 0
    reached = int(np.sum(shuffled >= difference - 1e-9)) if difference is not None else 0
    return Constancy(
        runs=maps.shape[0],
        classes=maps.shape[1],
        scenes=maps.shape[2],
        within_class=within,
        within_interval=_interval(within, within_class, present),
        across_classes=across,
        across_interval=_interval(across, across_classes, present),
        difference=difference,
        difference_interval=_interval(difference, difference_of, present),
        p_value=(reached + 1) / (len(shuffled) + 1) if tested else None,
        smallest_p=smallest_p if tested else None,
        shuffled_difference=float(shuffled.mean()) if tested else None,
        shuffled_interval=central_interval(shuffled) if tested else None,
        same_scenes=None if other is None else _same_half(products, everything, halves),
        other_scenes=other,
        other_scenes_interval=_interval(other, other_scenes, present),
        scene_dependence_p=_scene_dependence(products, present, samples, generator),
    )


def _products(maps: NDArray[np.float32]) -> tuple[Floats, Bools]:
    """Return the correlations of all maps, 0 with missing ones, and which maps are present.

    Shapes (runs, classes, scenes, runs, classes, scenes) and (runs, classes, scenes). Constant maps
    have no correlations and count as missing.
    """
    shape = maps.shape[:3]
    flat = maps.reshape(-1, *maps.shape[3:])
    given = np.flatnonzero(np.isfinite(flat).any(axis=(1, 2)))
    vectors = standardised(flat[given])
    defined = np.isfinite(vectors).all(axis=1)
    given, vectors = given[defined], vectors[defined]
    products = np.zeros((len(flat), len(flat)))
    products[np.ix_(given, given)] = vectors @ vectors.T
    present = np.zeros(len(flat), bool)
    present[given] = True
    return products.reshape(*shape, *shape), present.reshape(shape)


def _agreement(products: Floats, weights: Floats) -> tuple[float | None, float | None]:
    """Return the mean correlations of weighted class means of two runs: same and other class.

    ``weights`` of each map, shape (runs, classes, scenes); absent classes of a run are left out.
    """
    sums = np.einsum("rcs,rcsqdt->rcqdt", weights, products, optimize=True)
    sums = np.einsum("rcqdt,qdt->rcqd", sums, weights, optimize=True)
    return _means(sums)


def _means(sums: Floats) -> tuple[float | None, float | None]:
    """Return the mean correlations of two runs from the inner products of their summed maps."""
    runs, classes = sums.shape[:2]
    length = np.sqrt(np.maximum(np.einsum("rcrc->rc", sums), 0))
    length[length < 1e-9] = np.nan
    correlations = sums / (length[:, :, None, None] * length)
    pairs = (~np.eye(runs, dtype=bool)).astype(float)
    weight = np.broadcast_to(pairs[:, None, :, None], correlations.shape)
    weight = np.where(np.isfinite(correlations), weight, 0)
    same = np.eye(classes, dtype=bool)[:, None, :]
    within = _weighted(correlations, np.where(same, weight, 0))
    return within, _weighted(correlations, np.where(same, 0, weight))


def _weighted(values: Floats, weights: Floats) -> float | None:
    total = weights.sum()
    return float(np.sum(np.where(weights > 0, values, 0) * weights) / total) if total > 0 else None


def _left_out(present: Bools) -> tuple[list[Floats], list[Floats]]:
    """Return the weights of all maps but one run's, for each run, and but one scene's, for each."""
    runs, _, scenes = present.shape
    weights = present.astype(float)
    without_run = [weights * (np.arange(runs) != run)[:, None, None] for run in range(runs)]
    return without_run, [weights * (np.arange(scenes) != scene) for scene in range(scenes)]


def _interval(
    estimate: float | None, measured: Callable[[Floats], float | None], present: Bools
) -> Interval | None:
    """Return an interval from leaving out one run or one scene at a time.

    Drawing with replacement would repeat scenes, whose means are noisier than the estimate's, and
    centre too low.
    """
    if estimate is None:
        return None
    without = [[measured(weights) for weights in group] for group in _left_out(present)]
    return jackknife_interval(estimate, without)


def _between(products: Floats, first: Floats, second: Floats) -> float | None:
    """Return the mean correlation of two runs' maps of a class, over two sets of scenes.

    ``first`` and ``second`` weigh each map, shape (runs, classes, scenes).
    """
    values, weights = [], []
    runs, classes, _ = first.shape
    pairs = (~np.eye(runs, dtype=bool)).astype(float)
    for number in range(classes):
        own = products[:, number, :, :, number]
        one, two = first[:, number], second[:, number]
        cross = np.einsum("rs,rsqt,qt->rq", one, own, two, optimize=True)
        length_one = np.einsum("rs,rsrt,rt->r", one, own, one, optimize=True)
        length_two = np.einsum("rs,rsrt,rt->r", two, own, two, optimize=True)
        length = np.sqrt(np.outer(np.maximum(length_one, 0), np.maximum(length_two, 0)))
        length[length < 1e-9] = np.nan
        values.append(cross / length)
        weights.append(np.where(np.isfinite(values[-1]), pairs, 0))
    return _weighted(np.stack(values), np.stack(weights))


def _same_half(products: Floats, weights: Floats, halves: Sequence[Bools]) -> float | None:
    """Return the agreement of two runs over the same half of the scenes, mean over the halves."""
    return _mean(
        _between(products, weights * part, weights * part)
        for half in halves
        for part in (half, ~half)
    )


def _other_half(products: Floats, weights: Floats, halves: Sequence[Bools]) -> float | None:
    """Return the agreement of two runs over halves without a common scene."""
    return _mean(_between(products, weights * half, weights * ~half) for half in halves)


def _mean(values: Iterable[float | None]) -> float | None:
    defined = [value for value in values if value is not None]
    return float(np.mean(defined)) if defined else None


def _class_shuffled(
    products: Floats, present: Bools, samples: int, generator: np.random.Generator
) -> tuple[Floats, float]:
    """Return the differences after shuffles of scenes among classes, and the smallest p-value."""
    seen = np.asarray(present.any(axis=0))
    scenes = [scene for scene in range(seen.shape[1]) if seen[:, scene].any()]
    sets = [np.flatnonzero(seen[:, scene]).tolist() for scene in scenes]
    found = []
    for _ in range(samples):
        moved = np.tile(np.arange(seen.shape[0])[:, None], (1, seen.shape[1]))
        for scene, held, drawn in zip(scenes, sets, shuffled_sets(sets, generator), strict=True):
            moved[held, scene] = drawn
        difference = _moved_difference(products, present, moved)
        if difference is not None:
            found.append(difference)
    return np.array(found), max(1 / (samples + 1), smallest_share(sets))


def _moved_difference(products: Floats, present: Bools, moved: NDArray[np.intp]) -> float | None:
    """Return within less across when a map of class c, scene s counts as of ``moved[c, s]``."""
    runs, classes, scenes = present.shape
    member = np.zeros((classes, classes, scenes))  # new class, class, scene
    columns = np.broadcast_to(np.arange(scenes), moved.shape)
    rows = np.broadcast_to(np.arange(classes)[:, None], moved.shape)
    member[moved, rows, columns] = 1
    weights = (member[None] * present[:, None]).reshape(runs, classes, -1)
    flat = products.reshape(runs, classes * scenes, runs, classes * scenes)
    sums = np.matmul(weights[:, None], flat.transpose(0, 2, 1, 3))  # run, run, class, map
    sums = np.matmul(sums, weights[None].transpose(0, 1, 3, 2))
    within, across = _means(sums.transpose(0, 2, 1, 3))
    return None if within is None or across is None else within - across


def _scene_dependence(
    products: Floats, present: Bools, samples: int, generator: np.random.Generator
) -> float | None:
    """Return the p-value of runs agreeing more on the same scene than on others of the class."""
    runs, classes, _ = present.shape
    blocks = [  # class, its runs two by two, their scenes
        (number, first, second)
        for number in range(classes)
        for first in range(runs)
        for second in range(first)
        if present[first, number].any() and present[second, number].any()
    ]
    if not blocks or not (present.sum(axis=2) > 1).any():
        return None

    def agreement(order: NDArray[np.intp]) -> float:
        return float(
            sum(
                products[
                    first, number, order[first, number], second, number, order[second, number]
                ].sum()
                for number, first, second in blocks
            )
        )

    true = np.broadcast_to(np.arange(present.shape[2]), present.shape)
    observed = agreement(true)
    reached = 1
    for _ in range(samples):
        order = np.array(true)
        for run, number in np.ndindex(runs, classes):
            held = np.flatnonzero(present[run, number])
            order[run, number, held] = generator.permutation(held)
        reached += agreement(order) >= observed - 1e-9
    return reached / (samples + 1)
