"""What a dataset promises, checked item by item without the project's own checks."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence

from datastore.datasets.items import Item


def require_no_leak(items: Sequence[Item]) -> None:
    """As the blocks are defined."""
    seen: dict[str, tuple[set[str | None], set[str]]] = {}
    for item in items:
        scenes, sessions = seen.setdefault(item.block, (set(), set()))
        scenes.add(item.scene_unit)
        sessions.add(item.session)
    train = seen["train"]
    for block in ("clean", "new-scene"):
        if block in seen:
            assert not train[0] & seen[block][0]
    for block in ("clean", "new-session"):
        if block in seen:
            assert not train[1] & seen[block][1]
    for block, (scenes, sessions) in seen.items():
        if block != "validation" and "validation" in seen:
            assert not scenes & seen["validation"][0] and not sessions & seen["validation"][1]


def require_constraints(items: Sequence[Item], waived: Collection[str]) -> None:
    """Every constraint that was not waived, per camera and block."""
    if "accepted-only" not in waived:
        assert {item.verdict for item in items} == {"accepted"}
    classes = sorted({item.class_name for item in items})
    firmwares: dict[str, set[str | None]] = defaultdict(set)
    sessions: dict[tuple[str, str], set[str]] = defaultdict(set)
    cells: dict[tuple[str, str], dict[str, Counter[object]]] = {}
    scenes: dict[tuple[str, str], dict[str, set[object]]] = {}
    settings: dict[tuple[str, str], dict[str, set[object]]] = {}
    for item in items:
        serial = item.camera.serial
        firmwares[serial].add(item.firmware)
        sessions[serial, item.class_name].add(item.session)
        where, name = (serial, item.block), item.class_name
        scene = None if "same-scenes" in waived else item.scene
        setting = None if "same-settings" in waived else (item.iso, item.exposure, item.f_number)
        for table, value in ((scenes, item.scene), (settings, item.settings)):
            table.setdefault(where, {one: set() for one in classes})[name].add(value)
        cells.setdefault(where, {one: Counter() for one in classes})[name][scene, setting] += 1
    if "one-pipeline" not in waived:
        assert all(len(found) == 1 for found in firmwares.values())
    if "replicated-sessions" not in waived:
        assert all(len(found) >= 3 for found in sessions.values())
    for name, table in (("same-scenes", scenes), ("same-settings", settings)):
        if name not in waived:
            assert all(len(set(map(frozenset, of.values()))) == 1 for of in table.values())
    if "same-counts" not in waived:
        for of in cells.values():
            assert all(one == of[classes[0]] for one in of.values())
