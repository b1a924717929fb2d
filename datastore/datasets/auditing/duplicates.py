"""Frames of train and of a test block that look the same, by their perceptual hashes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np
from numpy.typing import NDArray

from datastore.datasets.auditing.facts import ItemFacts
from datastore.datasets.auditing.report import Duplicates

_AGAINST: Final[dict[str, tuple[str, ...]]] = {
    "train": ("new-scene", "clean"),
    "validation": ("clean",),
}
"""Blocks that must not show what these show."""

_AGAINST_NATURAL: Final[dict[str, tuple[str, ...]]] = {
    "train": ("new-session",),
    "validation": ("new-session",),
}
_MOST_EXAMPLES: Final = 20
_CHUNK: Final = 256
_MOST_BITS: Final = 256

Words = NDArray[np.uint64]
Places = NDArray[np.int64]


def find_duplicates(facts: ItemFacts, bits: int) -> Duplicates:
    """Return which frames of the blocks for training look like frames of a test block.

    Frames of train are compared with those of new-scene and clean, frames of validation with those
    of clean: every pair, whatever the cameras. New sessions show the scenes of train on purpose;
    only natural frames, which have no scenes, must not look the same from session to session.

    Parameters
    ----------
    facts
        The items; those without a hash are counted and not compared.
    bits
        Differing bits of 256 up to which two frames look the same.

    Returns
    -------
    Duplicates
        `compared` counts pairs of frames, `without_hash` frames of the blocks concerned. The
        examples are test frames with the nearest frame that they look like, one for every two
        scenes (of natural frames: every two sessions), nearest first, by their sha256.
    """
    against = _AGAINST_NATURAL if facts.natural else _AGAINST
    concerned = {*against, *(block for blocks in against.values() for block in blocks)}
    pairs = compared = 0
    nearest = _MOST_BITS
    alike: dict[tuple[int, int], tuple[int, int, int]] = {}
    units = facts.sessions if facts.natural else facts.scenes
    for known, test in _comparisons(facts, against):
        compared += len(known) * len(test)
        counts, partners, distances, nearest_here = _search(
            facts.hashes[known], facts.hashes[test], bits
        )
        pairs += int(counts.sum())
        nearest = min(nearest, nearest_here)
        for row in np.flatnonzero(counts):
            first, second = int(known[partners[row]]), int(test[row])
            found = (int(distances[row]), first, second)
            place = (int(units[first]), int(units[second]))
            alike[place] = min(alike.get(place, found), found)
    examples = sorted(alike.values())[:_MOST_EXAMPLES]
    return Duplicates(
        compared=compared,
        without_hash=int(np.count_nonzero(np.isin(facts.blocks, [*concerned]) & ~facts.hashed)),
        pairs=pairs,
        nearest_bits=nearest if compared else None,
        examples=tuple(
            (_name(facts, first), _name(facts, second), found) for found, first, second in examples
        ),
    )


def _comparisons(
    facts: ItemFacts, against: dict[str, tuple[str, ...]]
) -> Iterator[tuple[Places, Places]]:
    """Return which items are compared with which, those with hashes alone."""
    for block, others in against.items():
        known = np.flatnonzero((facts.blocks == block) & facts.hashed)
        test = np.flatnonzero(np.isin(facts.blocks, others) & facts.hashed)
        if known.size and test.size:
            yield known, test


def _name(facts: ItemFacts, item: int) -> str:
    return facts.assets[item] if facts.assets else f"item {item}"


def _search(known: Words, test: Words, bits: int) -> tuple[Places, Places, Places, int]:
    """Compare every row of `test` with every row of `known`.

    Returns
    -------
    counts, partners, distances
        How many rows of `known` are within `bits` of each row of `test`, and the nearest of them
        with its distance; undefined where the count is 0.
    nearest
        Smallest distance of all.
    """
    # its compiler takes half a second to load
    from datastore.datasets.auditing.differing_bits import compare

    starts = range(0, len(test), _CHUNK)
    with ThreadPoolExecutor(len(os.sched_getaffinity(0)), "duplicates") as threads:
        parts = list(
            threads.map(lambda start: compare(known, test[start : start + _CHUNK], bits), starts)
        )
    counts, partners, distances = (
        np.concatenate([part[column] for part in parts]) for column in range(3)
    )
    return counts, partners, distances, min(part[3] for part in parts)
