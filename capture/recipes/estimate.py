"""What a session will take: time, bytes and shutter releases; pure, from the cameras' paces."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any, Final

from capture.recipes._order import ShotSpec

DEFAULT_TRANSFER_BYTES_PER_S: Final = 20e6
"""Where a camera has no history: a slow USB 2 body (stated, not measured)."""

DEFAULT_HANDLING_S: Final = 1.0
"""Where a camera has no history: settings, release and commit of a shot, without its transfer."""

DEFAULT_CHANGE_S: Final = 60.0
"""Where a fixture has no history: an operator who walks up to it and changes the scene."""


@dataclass(frozen=True)
class CameraPace:
    """How fast a camera is, and how large its files are.

    Attributes
    ----------
    serial
        The camera.
    bytes_by_role
        Bytes of one file, by role `raw` and `jpeg`.
    handling_s
        Seconds of a shot beyond its exposure, transfer included, by image quality; qualities that
        are missing take `DEFAULT_HANDLING_S` and the transfer at `DEFAULT_TRANSFER_BYTES_PER_S`.
    noise_reduction
        Whether it exposes twice as long, for a dark frame of its own.
    """

    serial: str
    bytes_by_role: Mapping[str, int]
    handling_s: Mapping[str, float] = field(default_factory=dict)
    noise_reduction: bool = False

    def bytes_of(self, image_quality: str) -> int:
        """Return the bytes of one shot."""
        return sum(self.bytes_by_role[role] for role in image_quality.split("+"))

    def shot_s(self, spec: ShotSpec) -> float:
        """Return how long one shot takes, from one release to the next."""
        handling_s = self.handling_s.get(spec.image_quality)
        if handling_s is None:
            transfer_s = self.bytes_of(spec.image_quality) / DEFAULT_TRANSFER_BYTES_PER_S
            handling_s = DEFAULT_HANDLING_S + transfer_s
        return float(spec.exposure) * (2 if self.noise_reduction else 1) + handling_s


@dataclass(frozen=True)
class Estimate:
    """What a session will take if every shot succeeds at once.

    Attributes
    ----------
    duration_s
        Everything, cameras beside each other.
    exposure_s
        Of that, open shutters: the plan's exposure times, each once.
    scene_change_s
        Of that, changes of scene and cap.
    scene_changes
        How many changes of scene or cap, the first scene included.
    bytes_total, bytes_by_camera
        Of all files.
    shutter_count_by_camera
        Releases of each.
    shots_by_kind
        Of the plan, with `warm-up` as a kind of its own.
    is_measured
        Whether every pace is the camera's own and not a default.
    """

    duration_s: float
    exposure_s: float
    scene_change_s: float
    scene_changes: int
    bytes_total: int
    bytes_by_camera: Mapping[str, int]
    shutter_count_by_camera: Mapping[str, int]
    shots_by_kind: Mapping[str, int]
    is_measured: bool

    def to_json(self) -> dict[str, Any]:
        """Return the estimate as JSON values."""
        return asdict(self)


def estimate(
    plan: Sequence[ShotSpec],
    cameras: Sequence[CameraPace],
    *,
    change_s: float | None = None,
) -> Estimate:
    """Estimate what a plan takes.

    The cameras take each shot beside each other: the slowest counts. Retakes are left out.

    Parameters
    ----------
    plan
        An expanded recipe.
    cameras
        Those that take it, at least one.
    change_s
        Seconds of a change of scene or cap; None for `DEFAULT_CHANGE_S`.

    Raises
    ------
    ValueError
        If there is no camera.
    """
    if not cameras:
        raise ValueError("a session needs at least one camera")
    changes = _changes(plan)
    scene_change_s = changes * (DEFAULT_CHANGE_S if change_s is None else change_s)
    qualities = {spec.image_quality for spec in plan}
    by_camera = {
        camera.serial: sum(camera.bytes_of(spec.image_quality) for spec in plan)
        for camera in cameras
    }
    return Estimate(
        duration_s=scene_change_s
        + sum(max(camera.shot_s(spec) for camera in cameras) for spec in plan),
        exposure_s=float(sum(spec.exposure for spec in plan)),
        scene_change_s=scene_change_s,
        scene_changes=changes,
        bytes_total=sum(by_camera.values()),
        bytes_by_camera=by_camera,
        shutter_count_by_camera={camera.serial: len(plan) for camera in cameras},
        shots_by_kind=dict(Counter("warm-up" if spec.warm_up else spec.kind for spec in plan)),
        is_measured=change_s is not None
        and all(qualities <= set(camera.handling_s) for camera in cameras),
    )


def _changes(plan: Sequence[ShotSpec]) -> int:
    stands = [(spec.cap_on, spec.scene) for spec in plan]
    return bool(stands) + sum(before != after for before, after in pairwise(stands))
