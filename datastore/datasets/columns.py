"""Frames as columns of integer codes: what choosing among a hundred thousand of them needs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from datastore.datasets.items import Frame, content_order

Codes = NDArray[np.int64]
Mask = NDArray[np.bool_]


def codes_of(values: Iterable[Hashable]) -> tuple[Codes, list[Hashable]]:
    """Return values as codes, and the distinct values in the order of their first occurrence."""
    known: defaultdict[Hashable, int] = defaultdict()
    # a new value gets the next code, and a known one costs no call of ours
    known.default_factory = known.__len__
    codes = np.fromiter(map(known.__getitem__, values), np.int64)
    return codes, list(known)


def combined(*columns: Codes) -> Codes:
    """Return one code for each distinct combination of codes."""
    both = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        both = both * (int(column.max(initial=0)) + 1) + column
    codes: Codes = np.unique(both, return_inverse=True)[1].reshape(-1)
    return codes


def counts_by(cells: Codes, classes: Codes, number: int) -> NDArray[np.int64]:
    """Return how many frames of each class each cell has, shape (cells, classes)."""
    size = int(cells.max(initial=-1)) + 1
    return np.bincount(cells * number + classes, minlength=size * number).reshape(size, number)


def rank_within(groups: Codes, *keys: Codes) -> Codes:
    """Return the place of each frame in its group, in the order of the keys, the first first."""
    order = np.lexsort((*reversed(keys), groups))
    ordered = groups[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    lengths = np.diff(np.r_[starts, len(ordered)])
    ranks = np.empty(len(groups), np.int64)
    ranks[order] = np.arange(len(groups)) - np.repeat(starts, lengths)
    return ranks


@dataclass(frozen=True)
class Columns:
    """Frames in content order with the class of each.

    Attributes
    ----------
    frames
        Sorted by `content_order`.
    classes
        Class code of each, -1 outside every class.
    number
        How many classes there are.
    """

    frames: Sequence[Frame]
    classes: Codes
    number: int

    @classmethod
    def of(
        cls, frames: Iterable[Frame], class_code: Callable[[Frame], int], number: int
    ) -> Columns:
        """Return frames in any order as columns."""
        ordered = sorted(frames, key=content_order)
        classes = np.fromiter(map(class_code, ordered), np.int64, len(ordered))
        return cls(ordered, classes, number)

    def __len__(self) -> int:
        return len(self.frames)

    def only(self, mask: Mask) -> Columns:
        """Return the frames of a mask, in the same order."""
        places = np.flatnonzero(mask)
        kept = Columns(
            [self.frames[place] for place in places.tolist()], self.classes[places], self.number
        )
        # codes that were worked out are cut along rather than worked out anew
        known = vars(self)
        for name in ("cameras", "scenes", "settings"):
            if name in known:
                vars(kept)[name] = known[name][places]
        for name in ("session_units", "scene_units"):
            if name in known:
                codes, values = known[name]
                present, codes = np.unique(codes[places], return_inverse=True)
                vars(kept)[name] = codes.reshape(-1), [values[code] for code in present.tolist()]
        return kept

    @cached_property
    def cameras(self) -> Codes:
        """Camera of each frame."""
        return codes_of(frame.camera for frame in self.frames)[0]

    @cached_property
    def scenes(self) -> Codes:
        """Scene of each frame with its revision and fixture."""
        return codes_of((frame.fixture, frame.scene) for frame in self.frames)[0]

    @cached_property
    def settings(self) -> Codes:
        """Combination of ISO, exposure and aperture of each frame."""
        return codes_of(frame.settings for frame in self.frames)[0]

    @cached_property
    def session_units(self) -> tuple[Codes, list[Hashable]]:
        """Session of each frame as a code, and the sessions."""
        return codes_of(frame.session_unit for frame in self.frames)

    @cached_property
    def scene_units(self) -> tuple[Codes, list[Hashable]]:
        """Scene's name of each frame as a code, and the names."""
        return codes_of(frame.scene_unit for frame in self.frames)

    def cells(self, waived: frozenset[str]) -> Codes:
        """Return the cell of each frame: camera, and what must be equal in every class."""
        columns = [self.cameras]
        if "same-scenes" not in waived:
            columns.append(self.scenes)
        if "same-settings" not in waived:
            columns.append(self.settings)
        return combined(*columns)

    def in_every_class(self, groups: Codes) -> Mask:
        """Return which frames' group has frames of every class."""
        if not len(self):
            return np.zeros(0, np.bool_)
        complete: Mask = np.all(counts_by(groups, self.classes, self.number) > 0, axis=1)
        return complete[groups]
