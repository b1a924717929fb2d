"""How fast a fixture's cameras were so far, from the catalogue's shots; measures nothing itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Final, NamedTuple

from sqlalchemy import and_, select
from sqlalchemy.orm import Session as Transaction

from capture.examination import CameraFacts
from capture.recipes.estimate import CameraPace
from capture.space import bytes_per_file
from datastore.catalogue import Catalogue
from datastore.tables import Session, Shot, ShotEvent, ShotSettings

_NEWEST: Final = 2_000
_ROLES: Final = ("raw", "jpeg")


@dataclass(frozen=True)
class FixturePace:
    """The paces of a fixture's cameras, and of its changes of scene (None: never seen)."""

    cameras: tuple[CameraPace, ...]
    change_s: float | None


class _Earlier(NamedTuple):
    """A registered shot; `cycle_s` is the time since the camera's release before it."""

    session_id: int
    sequence: int
    stands: tuple[bool, int | None]
    image_quality: str
    exposure_s: float
    cycle_s: float | None
    noise_reduction: bool


def pace_of(catalogue: Catalogue, cameras: Sequence[CameraFacts]) -> FixturePace:
    """Return the paces of cameras as medians over their newest registered shots.

    The time between two releases of one camera, less the exposure of the first, is what the first
    shot took beyond its exposure; where the scene changed between them, the rest is the change's.
    """
    paces: list[CameraPace] = []
    changes: list[float] = []
    for camera in cameras:
        with catalogue.reading() as transaction:
            shots = _earlier(transaction, camera.camera_id)
        handling: dict[str, list[float]] = {}
        for before, _, beyond_s in _cycles(shots, across_scenes=False):
            handling.setdefault(before.image_quality, []).append(beyond_s)
        handling_s = {quality: median(values) for quality, values in handling.items()}
        changes += [
            max(0.0, beyond_s - handling_s[before.image_quality])
            for before, _, beyond_s in _cycles(shots, across_scenes=True)
            if before.image_quality in handling_s
        ]
        paces.append(
            CameraPace(
                serial=camera.serial,
                bytes_by_role={role: bytes_per_file(catalogue, camera, role) for role in _ROLES},
                handling_s=handling_s,
                noise_reduction=bool(shots) and shots[-1].noise_reduction,
            )
        )
    return FixturePace(tuple(paces), median(changes) if changes else None)


def _earlier(transaction: Transaction, camera_id: int) -> list[_Earlier]:
    """Return a camera's newest registered shots, oldest first."""
    read_back = and_(ShotSettings.shot_id == Shot.id, ShotSettings.source == "read-back")
    rows = transaction.execute(
        select(Shot, ShotSettings.long_exposure_noise_reduction)
        .join(ShotEvent, and_(ShotEvent.shot_id == Shot.id, ShotEvent.name == "registered"))
        .outerjoin(ShotSettings, read_back)
        .join(Session, Session.id == Shot.session_id)
        .where(
            Shot.camera_id == camera_id,
            # a simulated clock has a pace of its own
            Session.clock_source == "host",
            Shot.exposure_s.is_not(None),
            Shot.image_quality.is_not(None),
        )
        .order_by(Shot.id.desc())
        .limit(_NEWEST)
    )
    return [
        _Earlier(
            session_id=shot.session_id,
            sequence=shot.sequence,
            stands=(shot.kind == "dark-field", shot.scene_revision_id),
            image_quality=str(shot.image_quality),
            exposure_s=float(shot.exposure_s or 0),
            cycle_s=shot.since_last_shot_s,
            noise_reduction=bool(noise_reduction),
        )
        for shot, noise_reduction in reversed(rows.all())
    ]


def _cycles(
    shots: Sequence[_Earlier], *, across_scenes: bool
) -> Iterator[tuple[_Earlier, _Earlier, float]]:
    """Yield shots that followed each other at once, with the time beyond the first's exposure."""
    for before, after in pairwise(shots):
        follows = (after.session_id, after.sequence) == (before.session_id, before.sequence + 1)
        if follows and after.cycle_s is not None:
            exposed_s = before.exposure_s * (2 if before.noise_reduction else 1)
            if (before.stands != after.stands) == across_scenes:
                yield before, after, max(0.0, after.cycle_s - exposed_s)
