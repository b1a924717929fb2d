"""Frames of a made-up fixture: sessions x scenes x exposures x cameras, some of them missing."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from datastore.datasets.items import CameraIdentity, Frame, TimeslotBounds
from datastore.datasets.manifest import ClassBounds, Manifest, make_manifest
from datastore.datasets.solver import solve
from datastore.datasets.spec import DatasetSpec, make_spec

SCHEME = "years"
FIRST_YEAR = 2020

Cell = tuple[str, str, int]
"""Class, scene and the session's number within the class."""


def timeslot(ordinal: int) -> TimeslotBounds:
    """Timeslot 1 is 2020, and so on."""
    return TimeslotBounds(
        scheme=SCHEME,
        ordinal=ordinal,
        starts_at=datetime(FIRST_YEAR + ordinal - 1, 1, 1, tzinfo=UTC),
        ends_at=datetime(FIRST_YEAR + ordinal, 1, 1, tzinfo=UTC),
    )


def class_bounds(names: Sequence[str] = ("early", "late")) -> tuple[ClassBounds, ...]:
    """One timeslot per class."""
    return tuple(
        ClassBounds(name=name, timeslots=(timeslot(ordinal),))
        for ordinal, name in enumerate(names, start=1)
    )


def camera(serial: str, *, simulated: bool = True) -> CameraIdentity:
    return CameraIdentity(make="Nikon", model="D750", serial=serial, simulated=simulated)


def session_name(class_name: str, number: int) -> str:
    return f"session-{class_name}-{number}"


def make_frames(
    *,
    classes: Sequence[str] = ("early", "late"),
    sessions: int = 4,
    scenes: Sequence[str] = ("beach", "forest", "harbour", "kitchen", "meadow", "street"),
    exposures: Sequence[str] = ("1/30", "1/2"),
    cameras: Sequence[str] = ("6001",),
    repeats: int = 1,
    missing: Collection[Cell] = (),
    **facts: Any,
) -> list[Frame]:
    """Every session shows every scene with every camera, except the missing cells."""
    frames = []
    for ordinal, class_name in enumerate(classes, start=1):
        for number in range(sessions):
            start = timeslot(ordinal).starts_at + timedelta(days=30 * number)
            shutter = 0
            for scene in scenes:
                for exposure in exposures:
                    for serial in cameras:
                        for _ in range(repeats):
                            shutter += 1
                            if (class_name, scene, number) in missing:
                                continue
                            name = f"{class_name} {number} {shutter} {serial}"
                            described: dict[str, Any] = {
                                "sha256": hashlib.sha256(name.encode()).hexdigest(),
                                "role": "raw",
                                "kind": "fixed-background",
                                "camera": camera(serial),
                                "firmware": "1.0",
                                "fixture": "box",
                                "scene": f"{scene}@1",
                                "session": session_name(class_name, number),
                                "session_started_at": start,
                                "triggered_at": start + timedelta(seconds=10 * shutter),
                                "iso": 800,
                                "exposure": exposure,
                                "f_number": "28/5",
                                "temperature_millidegrees": 21_500 + number,
                                "verdict": "accepted",
                            }
                            frames.append(Frame.checked(described | facts))
    return frames


def spec_document(**changes: Any) -> dict[str, Any]:
    """A specification that suits `make_frames`, with some fields changed."""
    document: dict[str, Any] = {
        "name": "controlled",
        "scheme": SCHEME,
        "cameras": ["6001"],
        "role": "raw",
        "classes": [
            {"name": "early", "timeslots": [1]},
            {"name": "late", "timeslots": [2]},
        ],
        "blocks": {
            "scenes": {"validation": 2, "test": 1},
            "sessions_per_class": {"validation": 1, "test": 1},
        },
        "seed": 7,
    }
    return document | changes


def dataset_spec(**changes: Any) -> DatasetSpec:
    spec = make_spec(spec_document(**changes))
    assert isinstance(spec, DatasetSpec)
    return spec


def freeze_frames(spec: DatasetSpec, frames: Sequence[Frame]) -> Manifest:
    """Select and prove a dataset of frames that no catalogue knows."""
    classes = class_bounds([one.name for one in spec.classes or ()])
    selection = solve(spec, classes, frames)
    return make_manifest(spec, spec.kind, spec.role, classes, selection.items)
