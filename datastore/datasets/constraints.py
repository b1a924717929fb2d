"""The constraints of content control as pure checks over items; chooses nothing, opens nothing.

Every check is made per camera, and where frames are compared also per block: a dataset whose total
is balanced but whose clean block is not would still let a network win by content.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple, get_args

from datastore.datasets.items import (
    Block,
    CameraIdentity,
    Frame,
    Item,
    Portable,
    Settings,
    StrictInt,
)
from datastore.datasets.spec import ConstraintName

CONSTRAINTS: tuple[ConstraintName, ...] = get_args(ConstraintName)
MINIMUM_SESSIONS = 3
"""Sessions that a class needs: one each for train, validation and test."""


class Finding(Portable):
    """What a check found: whether the constraint holds, its numbers and a sentence."""

    constraint: ConstraintName
    state: Literal["proved", "broken", "not-applicable"]
    numbers: dict[str, StrictInt]
    sentence: str


class Cell(NamedTuple):
    """What the frames of a cell share, as far as constraints compare it."""

    camera: CameraIdentity
    block: Block
    class_name: str
    fixture: str | None
    scene: str | None
    settings: Settings


@dataclass(frozen=True)
class _Items:
    """Items, counted once for all checks that compare counts."""

    items: Sequence[Item]

    @cached_property
    def cells(self) -> Counter[Cell]:
        """How many items each cell has, in content order of their first."""
        return Counter(
            Cell(
                item.camera,
                item.block,
                item.class_name,
                item.fixture,
                item.scene,
                (item.iso, item.exposure, item.f_number),
            )
            for item in self.items
        )


Check = Callable[[_Items, Sequence[str], frozenset[str]], Finding]


def match_key(frame: Frame | Cell, waived: frozenset[str]) -> Hashable:
    """Return what must occur equally often in every class: scene and settings unless waived."""
    scene = None if "same-scenes" in waived else (frame.fixture, frame.scene)
    settings = None if "same-settings" in waived else frame.settings
    return scene, settings


def _finding(
    constraint: ConstraintName, faults: list[str], numbers: dict[str, int], proved: str
) -> Finding:
    if not faults:
        return Finding(constraint=constraint, state="proved", numbers=numbers, sentence=proved)
    more = f" (and {len(faults) - 3} more)" if len(faults) > 3 else ""
    return Finding(
        constraint=constraint,
        state="broken",
        numbers={**numbers, "faults": len(faults)},
        sentence="; ".join(faults[:3]) + more,
    )


def _tables(
    counted: _Items, classes: Sequence[str], key: Callable[[Cell], Hashable]
) -> Iterator[tuple[str, dict[str, Counter[Hashable]]]]:
    """Count `key` per class, for each camera and block in content order."""
    tables: dict[tuple[CameraIdentity, Block], dict[str, Counter[Hashable]]] = {}
    for cell, number in counted.cells.items():
        where = cell.camera, cell.block
        table = tables.get(where)
        if table is None:
            table = tables[where] = {name: Counter() for name in classes}
        table[cell.class_name][key(cell)] += number
    told = ((f"camera {camera}, block {block}", table) for (camera, block), table in tables.items())
    yield from sorted(told, key=lambda entry: entry[0])


def _show(value: Hashable) -> str:
    """Write a scene or settings for a sentence."""
    if not isinstance(value, tuple):
        return "unknown" if value is None else str(value)
    return " ".join(_show(part) for part in value if part is not None) or "unknown"


def _compare_presence(
    counted: _Items, classes: Sequence[str], key: Callable[[Cell], Hashable]
) -> tuple[list[str], int]:
    """Name every key that a class lacks, and count the distinct keys."""
    faults: list[str] = []
    distinct: set[Hashable] = set()
    for where, table in _tables(counted, classes, key):
        everywhere = set().union(*table.values())
        distinct |= everywhere
        for name in classes:
            missing = sorted(map(_show, everywhere - set(table[name])))
            if missing:
                faults.append(f"{where}: class {name} lacks {', '.join(missing[:3])}")
    return faults, len(distinct)


def check_same_scenes(counted: _Items, classes: Sequence[str], waived: frozenset[str]) -> Finding:
    """Check that every class shows the same scenes, in the same revision."""
    if counted.items and all(item.kind == "natural" for item in counted.items):
        return Finding(
            constraint="same-scenes",
            state="not-applicable",
            numbers={},
            sentence="natural frames have no scenes: their content is uncontrolled",
        )
    faults, scenes = _compare_presence(counted, classes, lambda cell: (cell.fixture, cell.scene))
    sentence = f"{scenes} scenes, the same in every class of every camera and block"
    return _finding("same-scenes", faults, {"scenes": scenes}, sentence)


def check_same_settings(counted: _Items, classes: Sequence[str], waived: frozenset[str]) -> Finding:
    """Check that every class has the same combinations of ISO, exposure and aperture."""
    faults, settings = _compare_presence(counted, classes, lambda cell: cell.settings)
    sentence = f"{settings} settings, the same in every class of every camera and block"
    return _finding("same-settings", faults, {"settings": settings}, sentence)


def check_same_counts(counted: _Items, classes: Sequence[str], waived: frozenset[str]) -> Finding:
    """Check that scene and settings together occur equally often in every class."""
    faults: list[str] = []
    cells = 0
    for where, table in _tables(counted, classes, lambda cell: match_key(cell, waived)):
        keys = set().union(*table.values())
        cells += len(keys)
        for key in sorted(keys, key=repr):
            counts = [table[name][key] for name in classes]
            if len(set(counts)) > 1:
                told = ", ".join(f"{name} {n}" for name, n in zip(classes, counts, strict=True))
                faults.append(f"{where}: {_show(key)}: frames per class {told}")
    numbers = {"cells": cells, "frames": len(counted.items)}
    sentence = f"{len(counted.items)} frames in {cells} cells, equally many in every class"
    return _finding("same-counts", faults, numbers, sentence)


def check_replicated_sessions(
    counted: _Items, classes: Sequence[str], waived: frozenset[str]
) -> Finding:
    """Check that every class of every camera was recorded in at least three sessions."""
    sessions: dict[CameraIdentity, dict[str, set[str]]] = {}
    for item in counted.items:
        of_class = sessions.get(item.camera)
        if of_class is None:
            of_class = sessions[item.camera] = {name: set() for name in classes}
        of_class[item.class_name].add(item.session_unit)
    fewest = min((len(s) for of_class in sessions.values() for s in of_class.values()), default=0)
    faults = [
        f"camera {camera}: class {name} has {len(found)} sessions,"
        f" at least {MINIMUM_SESSIONS} are needed"
        for camera, of_class in sorted(sessions.items(), key=lambda entry: str(entry[0]))
        for name, found in of_class.items()
        if len(found) < MINIMUM_SESSIONS
    ]
    sentence = f"at least {fewest} sessions in every class of every camera"
    return _finding("replicated-sessions", faults, {"fewest_sessions": fewest}, sentence)


def check_accepted_only(counted: _Items, classes: Sequence[str], waived: frozenset[str]) -> Finding:
    """Check that the newest verdict on every frame is `accepted`."""
    faults = [
        f"the newest verdict on {item.sha256} is {item.verdict or 'missing'}"
        for item in counted.items
        if item.verdict != "accepted"
    ]
    sentence = f"all {len(counted.items)} frames are accepted"
    return _finding("accepted-only", faults, {"frames": len(counted.items)}, sentence)


def check_one_pipeline(counted: _Items, classes: Sequence[str], waived: frozenset[str]) -> Finding:
    """Check that all frames have one role, and those of a camera one firmware."""
    firmware: dict[CameraIdentity, set[str]] = defaultdict(set)
    for item in counted.items:
        firmware[item.camera].add(item.firmware or "unknown")
    roles = sorted({item.role for item in counted.items})
    faults = [] if len(roles) < 2 else [f"roles are mixed: {', '.join(roles)}"]
    faults += [
        f"camera {camera}: firmware is mixed: {', '.join(sorted(found))}"
        for camera, found in sorted(firmware.items(), key=lambda entry: str(entry[0]))
        if len(found) > 1
    ]
    unknown = sum("unknown" in found for found in firmware.values())
    numbers = {"cameras": len(firmware), "cameras_of_unknown_firmware": unknown}
    return _finding("one-pipeline", faults, numbers, "one role, and one firmware per camera")


def check_no_simulated_mix(
    counted: _Items, classes: Sequence[str], waived: frozenset[str]
) -> Finding:
    """Check that the cameras are all simulated or all real."""
    cameras = {item.camera for item in counted.items}
    simulated = {str(camera) for camera in cameras if camera.simulated}
    real = {str(camera) for camera in cameras if not camera.simulated}
    mixed = bool(simulated and real)
    faults = [f"simulated: {', '.join(sorted(simulated))}; real: {', '.join(sorted(real))}"]
    numbers = {"simulated_cameras": len(simulated), "real_cameras": len(real)}
    sentence = f"every camera is {'simulated' if simulated else 'real'}"
    return _finding("no-simulated-mix", faults if mixed else [], numbers, sentence)


_CHECKS: dict[ConstraintName, Check] = {
    "same-scenes": check_same_scenes,
    "same-settings": check_same_settings,
    "same-counts": check_same_counts,
    "replicated-sessions": check_replicated_sessions,
    "accepted-only": check_accepted_only,
    "one-pipeline": check_one_pipeline,
    "no-simulated-mix": check_no_simulated_mix,
}


def check_all(
    items: Sequence[Item], classes: Sequence[str], waived: frozenset[str]
) -> tuple[Finding, ...]:
    """Check every constraint, waived or not, in a fixed order.

    Parameters
    ----------
    items
        The items of a dataset.
    classes
        Names of its classes; one without items breaks what is compared between classes.
    waived
        Constraints that are not enforced: frames are matched without what they would compare.
    """
    counted = _Items(items)
    return tuple(_CHECKS[name](counted, classes, waived) for name in CONSTRAINTS)
