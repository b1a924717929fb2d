"""Choosing frames that satisfy the constraints, and their blocks; pure, opens no catalogue.

Frames are matched rather than whole scenes or sessions dropped: within a camera and a block, every
combination of scene and settings keeps as many frames in each class as the class with the fewest
has. For a given split that is the largest selection with equal counts.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count

from datastore.datasets.blocks import (
    Part,
    block_of,
    seeded_order,
    split_scenes,
    split_sessions,
)
from datastore.datasets.constraints import match_key
from datastore.datasets.errors import ConstraintError, SpecError
from datastore.datasets.items import (
    TEST_BLOCKS,
    Block,
    CameraIdentity,
    Frame,
    Item,
    TimeslotBounds,
    content_order,
)
from datastore.datasets.manifest import ClassBounds
from datastore.datasets.spec import DatasetSpec


@dataclass
class LeftOut:
    """How many frames were left out, by reason."""

    counts: Counter[str] = field(default_factory=Counter)

    def keep(self, frames: Iterable[Frame], rule: Callable[[Frame], bool], why: str) -> list[Frame]:
        """Return the frames that pass the rule, counting the others under `why`."""
        kept = []
        for frame in frames:
            if rule(frame):
                kept.append(frame)
            else:
                self.counts[why] += 1
        return kept


@dataclass(frozen=True)
class Selection:
    """The items of a dataset, and what was left out of it and why."""

    items: tuple[Item, ...]
    left_out: dict[str, int]


@dataclass(frozen=True)
class _Labels:
    """Look-up of a time's class and timeslot."""

    classes: Sequence[ClassBounds]

    @property
    def names(self) -> list[str]:
        return [one.name for one in self.classes]

    def find(self, at: datetime) -> tuple[str, TimeslotBounds] | None:
        """Return the class and timeslot that hold a time."""
        for one in self.classes:
            for timeslot in one.timeslots:
                if timeslot.starts_at <= at < timeslot.ends_at:
                    return one.name, timeslot
        return None

    def class_of(self, frame: Frame) -> str:
        """Return the class of a frame that is known to have one."""
        found = self.find(frame.triggered_at)
        assert found is not None
        return found[0]

    def label(self, frame: Frame, block: Block) -> Item:
        """Return the frame as an item of a block."""
        found = self.find(frame.triggered_at)
        assert found is not None
        name, timeslot = found
        return Item.of(frame, class_name=name, timeslot=timeslot, block=block)


def solve(spec: DatasetSpec, classes: Sequence[ClassBounds], frames: Iterable[Frame]) -> Selection:
    """Choose the frames of a dataset and share them out to blocks.

    The result depends on the frames and the seed alone, never on the order of the frames.

    Parameters
    ----------
    spec
        The constraints, blocks and seed; cameras and kind were applied by the query.
    classes
        The classes with the bounds of their timeslots.
    frames
        Every frame of the specification's cameras, kind and role, in any order.

    Raises
    ------
    ConstraintError
        If no selection satisfies a constraint; the message names the constraint and what lacks.
    SpecError
        If a camera has no usable frame, or a scene that the blocks name is not there.
    """
    left_out = LeftOut()
    labels = _Labels(classes)
    pool = _eligible(spec, labels, list(frames), left_out)
    _require_cameras(spec, pool, left_out)
    _refuse_simulated_mix(spec, pool)
    for constraint, key in _presence_rules(spec):
        pool = _present_everywhere(pool, labels, key, constraint, left_out)
    blocks = _cross(spec, labels, pool, left_out)
    return Selection(
        tuple(sorted(_match_blocks(spec, labels, blocks, left_out), key=content_order)),
        dict(sorted(left_out.counts.items())),
    )


def _eligible(
    spec: DatasetSpec, labels: _Labels, frames: list[Frame], left_out: LeftOut
) -> list[Frame]:
    """Apply what can be judged frame by frame: filters, labels, verdicts, then firmware."""
    scenes, isos, exposures = spec.scenes, spec.isos, spec.exposures
    pool = left_out.keep(
        frames, lambda f: labels.find(f.triggered_at) is not None, "outside every class's timeslots"
    )
    pool = left_out.keep(
        pool,
        lambda f: (
            (scenes is None or f.scene_unit in scenes)
            and (isos is None or f.iso in isos)
            and (exposures is None or f.exposure in exposures)
        ),
        "outside the filters",
    )
    if spec.kind != "natural":
        pool = left_out.keep(pool, lambda f: f.scene is not None, "without a scene")
    if "accepted-only" not in spec.waived:
        judged = left_out.keep(
            pool, lambda f: f.verdict == "accepted", "accepted-only: not accepted"
        )
        if pool and not judged:
            raise ConstraintError("accepted-only", f"none of {len(pool)} frames is accepted")
        pool = judged
    classes_of_session: dict[str, set[str]] = defaultdict(set)
    for frame in pool:
        classes_of_session[frame.session_unit].add(labels.class_of(frame))
    pool = left_out.keep(
        pool, lambda f: len(classes_of_session[f.session_unit]) == 1, "session in two classes"
    )
    return pool if "one-pipeline" in spec.waived else _one_firmware(pool, labels, left_out)


def _one_firmware(pool: list[Frame], labels: _Labels, left_out: LeftOut) -> list[Frame]:
    """Keep, per camera, the firmware that is in every class and has the most frames."""
    tally: dict[CameraIdentity, dict[str | None, Counter[str]]] = defaultdict(
        lambda: defaultdict(Counter)
    )
    for frame in pool:
        tally[frame.camera][frame.firmware][labels.class_of(frame)] += 1
    chosen: dict[CameraIdentity, str | None] = {}
    for camera, by_firmware in tally.items():
        complete = [
            (-min(counts.values()), -counts.total(), firmware or "", firmware)
            for firmware, counts in by_firmware.items()
            if set(counts) == set(labels.names)
        ]
        if not complete and len(by_firmware) > 1:
            told = "; ".join(
                f"{firmware or 'unknown'} only in {', '.join(sorted(counts))}"
                for firmware, counts in sorted(by_firmware.items(), key=lambda entry: str(entry[0]))
            )
            raise ConstraintError(
                "one-pipeline", f"camera {camera}: no firmware is in every class: {told}"
            )
        chosen[camera] = (
            min(complete, key=lambda entry: entry[:3])[3] if complete else next(iter(by_firmware))
        )
    return left_out.keep(
        pool, lambda f: f.firmware == chosen[f.camera], "one-pipeline: another firmware"
    )


def _require_cameras(spec: DatasetSpec, pool: list[Frame], left_out: LeftOut) -> None:
    present = {frame.camera.serial for frame in pool}
    reasons = "; ".join(f"{why}: {number}" for why, number in sorted(left_out.counts.items()))
    for serial in spec.cameras:
        if serial not in present:
            raise SpecError(
                f"cameras: camera {serial} has no usable {spec.role} frame of kind {spec.kind} in"
                f" the classes' timeslots (left out of all cameras: {reasons or 'nothing'})"
            )


def _refuse_simulated_mix(spec: DatasetSpec, pool: list[Frame]) -> None:
    if "no-simulated-mix" in spec.waived:
        return
    kinds = {frame.camera.simulated: frame.camera for frame in pool}
    if len(kinds) == 2:
        raise ConstraintError(
            "no-simulated-mix",
            f"camera {kinds[True]} is simulated, camera {kinds[False]} is real",
        )


def _presence_rules(
    spec: DatasetSpec,
) -> list[tuple[str, Callable[[Frame], Hashable]]]:
    rules: list[tuple[str, Callable[[Frame], Hashable]]] = []
    if "same-scenes" not in spec.waived and spec.kind != "natural":
        rules.append(("same-scenes", lambda frame: (frame.fixture, frame.scene)))
    if "same-settings" not in spec.waived:
        rules.append(("same-settings", lambda frame: frame.settings))
    return rules


def _present_everywhere(
    pool: list[Frame],
    labels: _Labels,
    key: Callable[[Frame], Hashable],
    constraint: str,
    left_out: LeftOut,
) -> list[Frame]:
    """Keep what occurs in every class of the same camera."""
    seen: dict[tuple[CameraIdentity, Hashable], set[str]] = defaultdict(set)
    for frame in pool:
        seen[frame.camera, key(frame)].add(labels.class_of(frame))
    kept = left_out.keep(
        pool,
        lambda f: len(seen[f.camera, key(f)]) == len(labels.classes),
        f"{constraint}: not in every class",
    )
    for camera in {frame.camera for frame in pool} - {frame.camera for frame in kept}:
        lacks = sorted(
            f"{_told(value)} only in {', '.join(sorted(classes))}"
            for (of, value), classes in seen.items()
            if of == camera
        )
        raise ConstraintError(
            constraint, f"camera {camera}: nothing is in every class: {'; '.join(lacks[:3])}"
        )
    return kept


def _told(value: Hashable) -> str:
    parts = value if isinstance(value, tuple) else (value,)
    return " ".join(str(part) for part in parts if part is not None) or "unknown"


def _cross(
    spec: DatasetSpec, labels: _Labels, pool: list[Frame], left_out: LeftOut
) -> dict[Block, list[Frame]]:
    """Split scenes and sessions, and cross the parts to blocks."""
    sessions: dict[str, set[str]] = {name: set() for name in labels.names}
    for frame in pool:
        sessions[labels.class_of(frame)].add(frame.session_unit)
    session_part = split_sessions(sessions, spec.blocks.sessions_per_class, spec.seed)
    if spec.blocks.scenes is None:
        return _by_session(pool, session_part)
    units = {frame.scene_unit for frame in pool if frame.scene_unit is not None}
    scene_part = split_scenes(units, spec.blocks.scenes, spec.seed)
    blocks: dict[Block, list[Frame]] = defaultdict(list)
    for frame in pool:
        scene = frame.scene_unit
        assert scene is not None
        block = block_of(scene_part[scene], session_part[frame.session_unit])
        if block is None:
            left_out.counts["in no block: validation crossed with train or test"] += 1
        else:
            blocks[block].append(frame)
    return blocks


def _by_session(pool: list[Frame], session_part: dict[str, Part]) -> dict[Block, list[Frame]]:
    """Split natural frames, which have no scenes, by session alone."""
    names: dict[Part, Block] = {
        "train": "train",
        "validation": "validation",
        "test": "new-session",
    }
    blocks: dict[Block, list[Frame]] = defaultdict(list)
    for frame in pool:
        blocks[names[session_part[frame.session_unit]]].append(frame)
    return blocks


def _match_blocks(
    spec: DatasetSpec, labels: _Labels, blocks: dict[Block, list[Frame]], left_out: LeftOut
) -> list[Item]:
    """Match the classes in every block; tests keep only what train has seen where they say so."""
    train = match_frames(spec.waived, spec.seed, labels.class_of, labels.names, blocks["train"])
    left_out.counts["same-counts: more than another class has"] += len(blocks["train"]) - len(train)
    seen_scenes = {(frame.camera, frame.scene_unit) for frame in train}
    seen_sessions = {frame.session_unit for frame in train}
    chosen: dict[Block, list[Frame]] = {"train": train}
    for block in _wanted(spec)[1:]:
        frames = blocks.get(block, [])
        if block == "new-session":
            frames = left_out.keep(
                frames, lambda f: (f.camera, f.scene_unit) in seen_scenes, "scene not left in train"
            )
        if block == "new-scene":
            frames = left_out.keep(
                frames, lambda f: f.session_unit in seen_sessions, "session not left in train"
            )
        chosen[block] = match_frames(spec.waived, spec.seed, labels.class_of, labels.names, frames)
        surplus = len(frames) - len(chosen[block])
        left_out.counts["same-counts: more than another class has"] += surplus
    left_out.counts = +left_out.counts
    _require_blocks(spec, labels, chosen)
    return [labels.label(frame, block) for block, found in chosen.items() for frame in found]


def _wanted(spec: DatasetSpec) -> list[Block]:
    """Return the blocks that a specification asks for, train first."""
    wanted: list[Block] = ["train"]
    if spec.blocks.sessions_per_class.validation > 0:
        wanted.append("validation")
    wanted += ["new-session"] if spec.kind == "natural" else TEST_BLOCKS
    return wanted


def match_frames(
    waived: frozenset[str],
    seed: int,
    class_of: Callable[[Frame], str],
    classes: Sequence[str],
    frames: Sequence[Frame],
) -> list[Frame]:
    """Keep, per camera and matched cell, as many frames in each class as the poorest class has.

    The frames of a class are taken from its sessions in turn, so that a smaller number still
    speaks of every session. With same-counts waived a cell needs only to be in every class.

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
    cells: dict[Hashable, dict[str, list[Frame]]] = defaultdict(lambda: defaultdict(list))
    for frame in sorted(frames, key=content_order):
        cells[frame.camera, match_key(frame, waived)][class_of(frame)].append(frame)
    turns = seeded_order((frame.session_unit for frame in frames), seed, "turn")
    turn_of = {session: turn for turn, session in enumerate(turns)}
    kept: list[Frame] = []
    for by_class in cells.values():
        fewest = min(len(by_class[name]) for name in classes)
        for found in by_class.values():
            number = len(found) if "same-counts" in waived and fewest > 0 else fewest
            kept += _in_turn(found, turn_of)[:number]
    return kept


def _in_turn(frames: list[Frame], turn_of: dict[str, int]) -> list[Frame]:
    """Order frames so that every session gives one before any gives another."""
    given: dict[str, count[int]] = defaultdict(count)
    keyed = [(next(given[f.session_unit]), turn_of[f.session_unit], f) for f in frames]
    return [frame for *_, frame in sorted(keyed, key=lambda entry: entry[:2])]


def _require_blocks(spec: DatasetSpec, labels: _Labels, chosen: dict[Block, list[Frame]]) -> None:
    """Refuse a selection in which a block that was asked for is empty for a camera."""
    for block in _wanted(spec):
        present = {(frame.camera.serial, labels.class_of(frame)) for frame in chosen[block]}
        for serial in spec.cameras:
            for name in labels.names:
                if (serial, name) not in present:
                    raise ConstraintError(
                        "same-scenes" if "same-scenes" not in spec.waived else "same-counts",
                        f"block {block} of camera {serial} has no frames that every class shares"
                        f" (class {name} is empty): add sessions or scenes, or try another seed",
                    )
