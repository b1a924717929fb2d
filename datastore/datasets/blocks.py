"""Four blocks over scenes and sessions, and the proof that they do not leak; pure functions.

Scenes and sessions cross each other: every session shows every scene. Grouping a split by one of
them leaks the other completely, so each is divided by itself and the parts cross to blocks:

| | train session | test session | validation session |
|---|---|---|---|
| train scene | train | new-session | left out |
| test scene | new-scene | clean | left out |
| validation scene | left out | left out | validation |
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor
from typing import Literal

from datastore.datasets.errors import ConstraintError, LeakError, SpecError
from datastore.datasets.items import Block, Item
from datastore.datasets.spec import DatasetSpec, SceneShare, SceneShares, SessionShares

Part = Literal["train", "validation", "test"]

_BLOCK_OF_PARTS: dict[tuple[Part, Part], Block] = {
    ("train", "train"): "train",
    ("train", "test"): "new-session",
    ("test", "train"): "new-scene",
    ("test", "test"): "clean",
    ("validation", "validation"): "validation",
}

SEPARATED: tuple[tuple[Block, Block, tuple[str, ...]], ...] = (
    ("train", "clean", ("scene", "session")),
    ("train", "new-scene", ("scene",)),
    ("train", "new-session", ("session",)),
    ("train", "validation", ("scene", "session")),
    ("validation", "clean", ("scene", "session")),
    ("validation", "new-scene", ("scene", "session")),
    ("validation", "new-session", ("scene", "session")),
)
"""Which two blocks must share neither scenes nor sessions, or only not the one named."""


def block_of(scene_part: Part, session_part: Part) -> Block | None:
    """Return the block where two parts cross; None where they are left out."""
    return _BLOCK_OF_PARTS.get((scene_part, session_part))


def seeded_order(names: Iterable[str], seed: int, purpose: str) -> list[str]:
    """Return distinct names in an order that depends on the seed and each name alone.

    A name's rank does not depend on what else a catalogue holds, nor on the order of its rows.
    """

    def rank(name: str) -> tuple[str, str]:
        return hashlib.sha256(f"{seed}\0{purpose}\0{name}".encode()).hexdigest(), name

    return sorted(set(names), key=rank)


@dataclass(frozen=True)
class Fold:
    """One fold of a repeated cross-validation: fold `index` of `k` in repeat `repeat`."""

    k: int
    repeat: int
    index: int

    @classmethod
    def of(cls, spec: DatasetSpec) -> Fold | None:
        """Return the fold that a specification chooses, None where it has none."""
        if spec.folds is None or spec.fold is None:
            return None
        return cls(spec.folds.k, *divmod(spec.fold, spec.folds.k))

    def deal(self, names: Iterable[str], seed: int, purpose: str) -> list[str]:
        """Return the names of this fold: over all folds of a repeat each name comes once."""
        order = seeded_order(names, seed, f"{purpose} fold of repeat {self.repeat}")
        return order[self.index :: self.k]


def number_of(share: SceneShare, scenes: int) -> int:
    """Return how many of so many scenes a share asks for."""
    if isinstance(share, int):
        return share
    if isinstance(share, str):
        return max(1, floor(Fraction(share) * scenes + Fraction(1, 2)))
    return len(share)


def split_scenes(
    scenes: Iterable[str], shares: SceneShares, seed: int, fold: Fold | None = None
) -> dict[str, Part]:
    """Share out scenes, by name or in seeded order.

    Parameters
    ----------
    scenes
        Names.
    shares
        How many are for validation and for tests.
    seed
        Seed of the order.
    fold
        Where given, the tests are this fold's scenes.

    Raises
    ------
    SpecError
        If a named scene is not among them.
    ConstraintError
        If no scene is left for train, or there are fewer than folds.
    """
    names = set(scenes)
    parts: dict[str, Part] = {}
    demands: list[tuple[Part, SceneShare]] = [("validation", shares.validation)]
    if fold is not None:
        if len(names) < fold.k:
            raise ConstraintError(
                "same-scenes", f"{len(names)} scenes are in every class, too few for {fold.k} folds"
            )
        parts.update(dict.fromkeys(fold.deal(names, seed, "scene"), "test"))
    elif shares.test is not None:
        demands.insert(0, ("test", shares.test))
    for part, share in demands:
        for name in share if isinstance(share, tuple) else ():
            if name not in names:
                raise SpecError(
                    f"blocks.scenes.{part}: no frames in every class show the scene {name};"
                    f" there are: {', '.join(sorted(names)) or 'none'}"
                )
            if fold is None or name not in parts:
                parts[name] = part
    free = [name for name in seeded_order(names, seed, "scene") if name not in parts]
    for part, share in demands:
        if isinstance(share, tuple):
            continue
        number = number_of(share, len(names))
        taken, free = free[:number], free[number:]
        if len(taken) < number:
            free = []
        parts.update(dict.fromkeys(taken, part))
    if not free:
        raise ConstraintError(
            "same-scenes",
            f"{len(names)} scenes are in every class, which leaves none for train after"
            " blocks.scenes: ask for fewer validation and test scenes",
        )
    parts.update(dict.fromkeys(free, "train"))
    return parts


def split_sessions(
    sessions_of_class: Mapping[str, Iterable[str]],
    shares: SessionShares,
    seed: int,
    fold: Fold | None = None,
) -> dict[str, Part]:
    """Share out the sessions of each class in seeded order; `fold` as for scenes.

    Raises
    ------
    ConstraintError
        If a class has no session left for train, or fewer than folds.
    """
    parts: dict[str, Part] = {}
    for class_name, sessions in sessions_of_class.items():
        ordered = seeded_order(sessions, seed, "session")
        if fold is None:
            tests = ordered[: shares.test]
        else:
            if len(ordered) < fold.k:
                raise ConstraintError(
                    "replicated-sessions",
                    f"class {class_name} has {len(ordered)} sessions, too few for {fold.k} folds",
                )
            tests = fold.deal(ordered, seed, "session")
        parts.update(dict.fromkeys(tests, "test"))
        rest = [session for session in ordered if session not in parts]
        if len(rest) <= shares.validation:
            raise ConstraintError(
                "replicated-sessions",
                f"class {class_name} has {len(ordered)} sessions; {len(tests)} for test and"
                f" {shares.validation} for validation leave none for train",
            )
        parts.update(dict.fromkeys(rest[: shares.validation], "validation"))
        parts.update(dict.fromkeys(rest[shares.validation :], "train"))
    return parts


def _units(items: Sequence[Item], unit: str) -> set[str]:
    if unit == "session":
        return {item.session_unit for item in items}
    return {item.scene_unit for item in items if item.scene_unit is not None}


def prove_disjoint(items: Sequence[Item]) -> dict[str, int]:
    """Prove that no block leaks into another; run at freezing and again at loading.

    Returns
    -------
    dict
        How many scenes, sessions and files were compared.

    Raises
    ------
    LeakError
        If two blocks share a scene or a session that they must not share, or a file occurs twice.
    """
    hashes: set[str] = set()
    by_block: dict[Block, list[Item]] = {}
    for item in items:
        if item.sha256 in hashes:
            raise LeakError(f"the file {item.sha256} occurs twice in the dataset")
        hashes.add(item.sha256)
        by_block.setdefault(item.block, []).append(item)
    units_of = {
        (block, unit): _units(found, unit)
        for block, found in by_block.items()
        for unit in ("scene", "session")
    }
    for first, second, units in SEPARATED:
        for unit in units:
            shared = units_of.get((first, unit), set()) & units_of.get((second, unit), set())
            if shared:
                raise LeakError(
                    f"{unit} {min(shared)} is in block {first} and in block {second}"
                    f" ({len(shared)} shared in all)"
                )
    return {
        "files": len(hashes),
        "scenes": len(_units(items, "scene")),
        "sessions": len(_units(items, "session")),
        "pairs_of_blocks": len(SEPARATED),
    }
