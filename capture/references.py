"""References of scenes: the shot of each camera that its later frames of a scene are held against.

Reads their rows. What makes a shot fit to be one is `capture.reference_making`'s.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, ScalarSelect, func, select
from sqlalchemy.orm import InstrumentedAttribute, aliased
from sqlalchemy.orm import Session as Transaction

from capture.checks import SceneDescriptor, exposure_product
from datastore.queries import newest_verdict
from datastore.tables import (
    Asset,
    Camera,
    Fixture,
    Scene,
    SceneReference,
    SceneRevision,
    Shot,
)

ACCEPTED: Final = "accepted"


@dataclass(frozen=True)
class StoredReference:
    """The newest reference of a scene for one camera.

    Attributes
    ----------
    camera_id, serial
        The camera.
    scene_revision_id, scene, scene_revision, fixture
        Row number, name and revision of the scene, and whose it is.
    shot_uuid, taken_at
        The shot, and when its shutter opened.
    sha256
        Of its RAW file.
    exposure_product
        Exposure time in seconds x ISO / f-number squared; without the last where it is unknown.
    descriptor
        What it shows.
    created_at, operator
        When it became the reference, and who said so.
    verdict
        The newest on its shot; it counts while that is `accepted`.
    """

    camera_id: int
    serial: str
    scene_revision_id: int
    scene: str
    scene_revision: int
    fixture: str
    shot_uuid: str
    taken_at: datetime | None
    sha256: str
    exposure_product: float
    descriptor: SceneDescriptor
    created_at: datetime
    operator: str | None
    verdict: str | None

    @property
    def is_usable(self) -> bool:
        """Whether its shot still is an accepted one."""
        return self.verdict == ACCEPTED

    def to_json(self) -> dict[str, Any]:
        """Return the reference as JSON values."""
        return {
            "fixture": self.fixture,
            "scene": self.scene,
            "scene_revision": self.scene_revision,
            "camera_serial": self.serial,
            "shot": self.shot_uuid,
            "taken_at": None if self.taken_at is None else self.taken_at.isoformat(),
            "sha256": self.sha256,
            "created_at": self.created_at.isoformat(),
            "operator": self.operator,
            "verdict": self.verdict,
        }


class ReferenceShot(NamedTuple):
    """What the catalogue holds of a shot that is, or may become, a reference."""

    shot: Shot
    scene_revision: SceneRevision
    camera: Camera
    sha256: str
    verdict: str | None


def load_references(
    transaction: Transaction, camera_ids: Collection[int], scene_revision_ids: Collection[int]
) -> dict[tuple[int, int], StoredReference]:
    """Return what frames are held against, by row numbers of camera and scene revision.

    A reference whose shot is no longer accepted is left out.
    """
    return {
        (reference.camera_id, reference.scene_revision_id): reference
        for reference in newest_references(transaction, camera_ids, scene_revision_ids)
        if reference.is_usable
    }


def newest_references(
    transaction: Transaction,
    camera_ids: Collection[int] | None = None,
    scene_revision_ids: Collection[int] | None = None,
) -> list[StoredReference]:
    """Return the newest reference of each scene and camera, by fixture, scene and serial.

    Parameters
    ----------
    transaction
        Any.
    camera_ids, scene_revision_ids
        Only those; None for all.
    """
    newest = select(func.max(SceneReference.id)).group_by(
        SceneReference.scene_revision_id, SceneReference.camera_id
    )
    rows = transaction.execute(
        select(SceneReference, Shot, SceneRevision, Camera, Asset.sha256, newest_verdict())
        .join(SceneReference.shot)
        .join(SceneRevision, SceneRevision.id == SceneReference.scene_revision_id)
        .join(Camera, Camera.id == SceneReference.camera_id)
        .join(Asset, Asset.id == raw_asset_id())
        .join(SceneRevision.scene)
        .join(Scene.fixture)
        .where(SceneReference.id.in_(newest))
        .where(*_among(SceneReference.camera_id, camera_ids))
        .where(*_among(SceneReference.scene_revision_id, scene_revision_ids))
        .order_by(Fixture.name, Scene.name, SceneRevision.revision, Camera.serial)
    )
    return [
        reference_of(
            ReferenceShot(shot, scene_revision, camera, sha256, verdict),
            SceneDescriptor.from_bytes(row.descriptor),
            row.operator,
            row.created_at,
        )
        for row, shot, scene_revision, camera, sha256, verdict in rows
    ]


def reference_of(
    facts: ReferenceShot, descriptor: SceneDescriptor, operator: str | None, created_at: datetime
) -> StoredReference:
    """Return a shot as the reference that it is or may become."""
    return StoredReference(
        camera_id=facts.camera.id,
        serial=facts.camera.serial,
        scene_revision_id=facts.scene_revision.id,
        scene=facts.scene_revision.scene.name,
        scene_revision=facts.scene_revision.revision,
        fixture=facts.scene_revision.scene.fixture.name,
        shot_uuid=facts.shot.uuid,
        taken_at=facts.shot.triggered_at,
        sha256=facts.sha256,
        exposure_product=product_of(facts.shot),
        descriptor=descriptor,
        created_at=created_at,
        operator=operator,
        verdict=facts.verdict,
    )


def product_of(shot: Shot) -> float:
    """Return how bright a shot of known exposure is, as `exposure_product` says."""
    assert shot.exposure_s is not None and shot.iso is not None
    return exposure_product(shot.exposure_s, shot.iso, shot.f_number)


def raw_asset_id() -> ScalarSelect[int]:
    """Return the row number of the RAW file of each shot of a query."""
    raw = aliased(Asset)
    return (
        select(func.min(raw.id))
        .where(raw.shot_id == Shot.id, raw.role == "raw")
        .correlate(Shot)
        .scalar_subquery()
    )


def _among(
    column: InstrumentedAttribute[int], allowed: Collection[int] | None
) -> list[ColumnElement[bool]]:
    return [] if allowed is None else [column.in_(allowed)]
