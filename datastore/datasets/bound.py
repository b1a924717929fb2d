"""How many items no way to share scenes and sessions out could exceed; pure functions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from datastore.datasets.columns import Columns
from datastore.datasets.spec import DatasetSpec


def upper_bound(spec: DatasetSpec, columns: Columns, validation_scenes: int) -> int:
    """Return an upper bound of the items of a selection, over all splits with the same shares.

    A frame is in no block if its scene or its session, and not both, is for validation. So a scene
    for validation shows at most in the `v` best sessions of each class, any other in at most all
    but `v`; within a cell each class then counts as often as the poorest. The scenes for validation
    are those that lose least by it. What the other parts cost is not counted: the bound is never
    too low, and may be too high (ours).

    Parameters
    ----------
    spec
        Shares and waived constraints.
    columns
        The frames that are left after every rule that judges a frame or a camera.
    validation_scenes
        How many scenes are for validation, neither more nor less.
    """
    if not len(columns):
        return 0
    held = spec.blocks.sessions_per_class.validation
    by_counts = "same-counts" not in spec.waived
    cells = columns.cells(spec.waived)
    if spec.blocks.scenes is None or "same-scenes" in spec.waived:
        return int(_matched(_sums(columns, cells, None), by_counts).sum())
    outside = _matched(_sums(columns, cells, (held, False)), by_counts)
    inside = _matched(_sums(columns, cells, (held, True)), by_counts)
    scenes = columns.scene_units[0]
    scene_of_cell = np.zeros(int(cells.max()) + 1, np.int64)
    scene_of_cell[cells] = scenes
    number = int(scenes.max()) + 1
    without = np.bincount(scene_of_cell, outside, number)
    within = np.bincount(scene_of_cell, inside, number)
    gain = np.sort(within - without)[::-1][: min(validation_scenes, number)]
    return round(float(without.sum() + gain.sum()))


def _matched(sums: NDArray[np.int64], by_counts: bool) -> NDArray[np.int64]:
    """Return how many frames of a cell can be kept, from the frames of each class."""
    if by_counts:
        return sums.min(axis=1) * sums.shape[1]
    return sums.sum(axis=1)


def _sums(
    columns: Columns, cells: NDArray[np.int64], validation: tuple[int, bool] | None
) -> NDArray[np.int64]:
    """Return the most frames that each cell and class can have, shape (cells, classes).

    `validation` is how many sessions of a class are for validation, and whether the cell's scene
    is: None where no session is left out.
    """
    size = int(cells.max()) + 1
    groups = cells * columns.number + columns.classes
    if validation is None:
        return np.bincount(groups, minlength=size * columns.number).reshape(size, columns.number)
    held, is_inside = validation
    sessions, names = columns.session_units
    triples = groups * len(names) + sessions
    found, counts = np.unique(triples, return_counts=True)
    group_of = found // len(names)
    order = np.lexsort((-counts, group_of))
    starts = np.flatnonzero(np.r_[True, np.diff(group_of[order]) != 0])
    lengths = np.diff(np.r_[starts, len(order)])
    rank = np.arange(len(order)) - np.repeat(starts, lengths)
    # sessions of the class that do not show the cell are the ones to leave out first
    class_of_session = np.zeros(len(names), np.int64)
    class_of_session[sessions] = columns.classes
    of_class = np.bincount(class_of_session, minlength=columns.number)
    group_class = group_of[order] % columns.number
    allowed = np.full(len(order), held) if is_inside else of_class[group_class] - held
    kept = np.where(rank < allowed, counts[order], 0)
    sums = np.bincount(group_of[order], kept, size * columns.number)
    return sums.astype(np.int64).reshape(size, columns.number)
