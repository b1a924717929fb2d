"""Sharing frames out to blocks in one way, and matching the classes in each; pure functions."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from datastore.datasets.blocks import Fold, Part, block_of, split_scenes, split_sessions
from datastore.datasets.columns import Codes, Columns, Mask, combined
from datastore.datasets.errors import ConstraintError
from datastore.datasets.items import BLOCKS, TEST_BLOCKS, Block
from datastore.datasets.labels import Labels
from datastore.datasets.matching import matched
from datastore.datasets.spec import DatasetSpec

_NO_BLOCK = -1


@dataclass(frozen=True)
class Split:
    """One way to share scenes and sessions out: the block of each frame, and which are kept."""

    blocks: Codes
    kept: Mask
    left_out: Counter[str]


def split_frames(spec: DatasetSpec, labels: Labels, columns: Columns, number: int) -> Split:
    """Share scenes and sessions out in the `number`-th way, and match the classes in each block.

    Raises
    ------
    ConstraintError
        If a block that was asked for stays empty, or nothing is left for train.
    SpecError
        If a scene that the blocks name is not there.
    """
    # the first way is that of the seed itself, so that more ways never change a single one
    seed = spec.seed if number == 0 else spec.seed + number * 1_000_003
    left_out: Counter[str] = Counter()
    blocks = _cross(spec, labels, columns, seed)
    lost = int((blocks == _NO_BLOCK).sum())
    if lost:
        left_out["in no block: validation crossed with train or test"] += lost
    kept = np.zeros(len(columns), np.bool_)
    scenes = combined(columns.cameras, columns.scene_units[0])
    sessions = columns.session_units[0]
    for block in _wanted(spec):
        inside = blocks == BLOCKS.index(block)
        if block == "new-session":
            inside = _only_seen(inside, scenes, kept, "scene not left in train", left_out, blocks)
        if block == "new-scene":
            why = "session not left in train"
            inside = _only_seen(inside, sessions, kept, why, left_out, blocks)
        places = np.flatnonzero(inside)
        chosen = matched(columns.only(inside), spec.waived, spec.seed)
        surplus = int((~chosen).sum())
        if surplus:
            left_out[_SURPLUS] += surplus
        kept[places[chosen]] = True
    _require_blocks(spec, labels, columns, blocks, kept)
    return Split(blocks, kept, left_out)


_SURPLUS = "same-counts: more than another class has"


def _only_seen(
    inside: Mask, units: Codes, kept: Mask, why: str, left_out: Counter[str], blocks: Codes
) -> Mask:
    """Return the frames of a block whose scene or session is left in train."""
    in_train = kept & (blocks == BLOCKS.index("train"))
    seen = np.zeros(int(units.max()) + 1, np.bool_)
    seen[units[in_train]] = True
    lost = int((inside & ~seen[units]).sum())
    if lost:
        left_out[why] += lost
    return inside & seen[units]


def _cross(spec: DatasetSpec, labels: Labels, columns: Columns, seed: int) -> Codes:
    """Return the block of each frame, -1 for those in none."""
    fold = Fold.of(spec)
    session_codes, sessions = columns.session_units
    of_class: dict[str, set[str]] = {name: set() for name in labels.names}
    class_of_session = np.zeros(len(sessions), np.int64)
    class_of_session[session_codes] = columns.classes
    for code, session in zip(class_of_session.tolist(), sessions, strict=True):
        of_class[labels.names[code]].add(str(session))
    session_part = split_sessions(of_class, spec.blocks.sessions_per_class, seed, fold)
    if spec.blocks.scenes is None:
        of_session = np.array(
            [BLOCKS.index(_BLOCK_OF_SESSION[session_part[str(one)]]) for one in sessions]
        )
        return of_session[session_codes]
    scene_codes, scenes = columns.scene_units
    scene_part = split_scenes(map(str, scenes), spec.blocks.scenes, seed, fold)
    table = np.full((len(scenes), len(sessions)), _NO_BLOCK)
    for row, scene in enumerate(scenes):
        for column, session in enumerate(sessions):
            block = block_of(scene_part[str(scene)], session_part[str(session)])
            if block is not None:
                table[row, column] = BLOCKS.index(block)
    return table[scene_codes, session_codes]


_BLOCK_OF_SESSION: dict[Part, Block] = {
    "train": "train",
    "validation": "validation",
    "test": "new-session",
}
"""Natural frames have no scenes and are split by session alone."""


def _wanted(spec: DatasetSpec) -> list[Block]:
    """Return the blocks that a specification asks for, train first."""
    wanted: list[Block] = ["train"]
    if spec.blocks.sessions_per_class.validation > 0:
        wanted.append("validation")
    wanted += ["new-session"] if spec.kind == "natural" else TEST_BLOCKS
    return wanted


def _require_blocks(
    spec: DatasetSpec, labels: Labels, columns: Columns, blocks: Codes, kept: Mask
) -> None:
    """Refuse a selection in which a block that was asked for is empty for a camera."""
    serial_of = {
        int(code): frame.camera.serial
        for code, frame in zip(columns.cameras, columns.frames, strict=True)
    }
    present = {
        (int(block), serial_of[int(camera)], int(label))
        for block, camera, label in np.unique(
            np.stack([blocks[kept], columns.cameras[kept], columns.classes[kept]]), axis=1
        ).T
    }
    for block in _wanted(spec):
        for serial in spec.cameras:
            for code, name in enumerate(labels.names):
                if (BLOCKS.index(block), serial, code) not in present:
                    raise ConstraintError(
                        "same-scenes" if "same-scenes" not in spec.waived else "same-counts",
                        f"block {block} of camera {serial} has no frames that every class shares"
                        f" (class {name} is empty): add sessions or scenes, or try another seed",
                    )
