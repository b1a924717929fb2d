"""Matching the classes of one block: the most frames that the constraints allow; pure functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from datastore.datasets.blocks import seeded_order
from datastore.datasets.columns import Columns, Mask, combined, counts_by, rank_within
from datastore.datasets.items import Frame


def match_frames(
    waived: frozenset[str],
    seed: int,
    class_of: Callable[[Frame], str],
    classes: Sequence[str],
    frames: Sequence[Frame],
) -> list[Frame]:
    """Keep, per camera and matched cell, as many frames in each class as the poorest class has.

    Parameters
    ----------
    waived
        Constraints that are not enforced.
    seed
        Seed of the order in which sessions take their turns.
    class_of
        Label of a frame.
    classes
        All labels.
    frames
        The frames of one block, of any cameras.
    """
    code = {name: place for place, name in enumerate(classes)}
    columns = Columns.of(frames, lambda frame: code[class_of(frame)], len(classes))
    kept = matched(columns, waived, seed)
    return [columns.frames[place] for place in np.flatnonzero(kept).tolist()]


def matched(columns: Columns, waived: frozenset[str], seed: int) -> Mask:
    """Return which frames of a block to keep, so that every class has as many in each cell.

    The frames of a class are taken from its sessions in turn, so that a smaller number still
    speaks of every session. With same-counts waived, scenes and settings need only occur in every
    class, each by itself; frames are then dropped until they do, and never more than that.
    """
    if not len(columns):
        return np.zeros(0, np.bool_)
    if "same-counts" in waived:
        return _present_everywhere(columns, waived)
    cells = columns.cells(waived)
    fewest = counts_by(cells, columns.classes, columns.number).min(axis=1)
    sessions, names = columns.session_units
    turn_of = {name: turn for turn, name in enumerate(seeded_order(map(str, names), seed, "turn"))}
    turns = np.array([turn_of[str(name)] for name in names])[sessions]
    groups = combined(cells, columns.classes)
    place = np.arange(len(columns))
    given = rank_within(combined(groups, sessions), place)
    return rank_within(groups, given, turns) < fewest[cells]


def _present_everywhere(columns: Columns, waived: frozenset[str]) -> Mask:
    """Drop scenes and settings that a class of their camera lacks, until none is left."""
    keys = [columns.cameras]
    if "same-scenes" not in waived:
        keys.append(combined(columns.cameras, columns.scenes))
    if "same-settings" not in waived:
        keys.append(combined(columns.cameras, columns.settings))
    kept = np.ones(len(columns), np.bool_)
    while True:
        before = int(kept.sum())
        for key in keys:
            seen = np.zeros((int(key.max()) + 1, columns.number), np.bool_)
            seen[key[kept], columns.classes[kept]] = True
            everywhere: Mask = np.all(seen, axis=1)
            kept &= everywhere[key]
        if int(kept.sum()) == before:
            return kept
