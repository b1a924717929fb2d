"""Making references: which shots are fit, what they show, and whether scenes can be told apart.

Takes no shots: a session does, by the recipe that is made here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session as Transaction

from capture.attendance import find_session
from capture.checks import (
    CheckThresholds,
    ExaminingWorker,
    FrameQuestion,
    SceneDescriptor,
    check_right_scene,
    sentences,
)
from capture.errors import RecipeError, RequestError
from capture.recipes import FLAT_PANEL, Recipe
from capture.references import (
    ACCEPTED,
    ReferenceShot,
    StoredReference,
    load_references,
    product_of,
    raw_asset_id,
    reference_of,
)
from datastore import audit
from datastore.catalogue import Catalogue
from datastore.descriptions import describe_problems
from datastore.equipment import current_revision
from datastore.errors import UnknownShotError
from datastore.frames import ExpectedFile
from datastore.queries import newest_state, newest_verdict
from datastore.tables import Asset, Camera, Scene, SceneReference, SceneRevision, Shot

_LIT_KINDS: Final = ("fixed-background", "flat-field")


@dataclass(frozen=True)
class RefusedReference:
    """A shot that was not made a reference, and why, in a sentence."""

    serial: str
    scene: str
    shot_uuid: str
    reason: str

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "scene": self.scene,
            "camera_serial": self.serial,
            "shot": self.shot_uuid,
            "reason": self.reason,
        }


@dataclass(frozen=True)
class AddedReferences:
    """What became of shots that were to be references.

    Attributes
    ----------
    added
        The new references.
    replaced
        Those that counted until now.
    refused
        Shots that show too little, or cannot be told from another scene.
    """

    added: tuple[StoredReference, ...]
    replaced: tuple[StoredReference, ...]
    refused: tuple[RefusedReference, ...]


def reference_recipe(
    scenes: Sequence[str] | None,
    *,
    exposure: str,
    iso: int,
    f_number: float | None,
    count: int = 1,
) -> Recipe:
    """Return the recipe of a session that takes references.

    Parameters
    ----------
    scenes
        Names, or None for every scene but the flat panel, whose light needs an exposure of its own.
    exposure
        In seconds, as a rational text.
    iso, f_number
        As frames of the scenes are usually taken.
    count
        Frames of each scene; the last accepted one will count.

    Raises
    ------
    RecipeError
        If a value is out of range.
    """
    settings = {"exposure": exposure, "iso": iso, "count": count, "image_quality": "raw"}
    if f_number is not None:
        settings["f_number"] = f_number
    shots: list[dict[str, Any]]
    if scenes is None:
        shots = [{"kind": "fixed-background", "scenes": "all", **settings}]
    else:
        shots = [
            {
                "kind": "flat-field" if scene == FLAT_PANEL else "fixed-background",
                "scene": scene,
                **settings,
            }
            for scene in dict.fromkeys(scenes)
        ]
    try:
        return Recipe.model_validate({"name": "scene-references", "shots": shots})
    except ValidationError as error:
        raise RecipeError(f"references cannot be taken so: {describe_problems(error)}") from None


def last_accepted_shots(
    transaction: Transaction,
    session: str,
    *,
    scenes: Collection[str] | None = None,
    serials: Collection[str] | None = None,
) -> list[str]:
    """Return the shots of a session that may be references: the last of each scene and camera.

    Parameters
    ----------
    transaction
        Any.
    session
        UUID, or an unambiguous beginning of it.
    scenes, serials
        Only those of these scenes and cameras; None for all.

    Raises
    ------
    UnknownSessionError
        If there is no such session.
    """
    query = (
        select(Shot.camera_id, Shot.scene_revision_id, Shot.uuid)
        .join(Shot.camera)
        .join(Shot.scene_revision)
        .join(SceneRevision.scene)
        .where(Shot.session_id == find_session(transaction, session).id)
        .where(Shot.kind.in_(_LIT_KINDS), Shot.warm_up.is_(False))
        .where(newest_verdict() == ACCEPTED, raw_asset_id().is_not(None))
        .order_by(Shot.id)
    )
    if scenes:
        query = query.where(Scene.name.in_(scenes))
    if serials:
        query = query.where(Camera.serial.in_(serials))
    last = {(camera_id, scene_id): uuid for camera_id, scene_id, uuid in transaction.execute(query)}
    return list(last.values())


def without_reference(catalogue: Catalogue, shots: Sequence[str]) -> list[str]:
    """Return those of some shots whose scene has no reference in use for their camera."""
    with catalogue.reading() as transaction:
        rows = transaction.execute(
            select(Shot.uuid, Shot.camera_id, Shot.scene_revision_id).where(Shot.uuid.in_(shots))
        ).all()
        known = load_references(
            transaction,
            {camera_id for _, camera_id, _ in rows if camera_id is not None},
            {scene_id for _, _, scene_id in rows if scene_id is not None},
        )
    lacking = {uuid for uuid, *place in rows if tuple(place) not in known}
    return [uuid for uuid in shots if uuid in lacking]


def add_references(
    catalogue: Catalogue, shots: Sequence[str], operator: str | None, at: datetime
) -> AddedReferences:
    """Have later frames held against some shots; earlier references stay and no longer count.

    A scene that cannot be told from another one of its fixture gets no reference, nor does one
    whose frame is too dark to show it.

    Parameters
    ----------
    catalogue
        With the shots and their files.
    shots
        UUIDs, one for each scene and camera.
    operator
        Who says so.
    at
        Civil time.

    Raises
    ------
    RequestError, datastore.errors.UnknownShotError
        If one of them is no registered, accepted frame of a scene as it stands today, with a RAW
        file, or its file cannot be read as one; nothing was written.
    datastore.errors.DatastoreError
        If a file is missing from the store or damaged.
    """
    with catalogue.reading() as transaction:
        rows = [_fit_shot(transaction, uuid) for uuid in shots]
        candidates = [
            reference_of(row, descriptor, operator, at)
            for row, descriptor in zip(rows, _described(catalogue, rows), strict=True)
        ]
        _refuse_two_of_one_scene(candidates)
        known = _known_beside(transaction, rows)
    places = {_place(candidate) for candidate in candidates}
    standing = [reference for reference in known if _place(reference) not in places]
    added: list[StoredReference] = []
    refused: list[RefusedReference] = []
    for candidate in candidates:
        reason = _why_indistinct(candidate, [*standing, *added])
        if reason is None:
            added.append(candidate)
        else:
            refused.append(
                RefusedReference(candidate.serial, candidate.scene, candidate.shot_uuid, reason)
            )
    if added:
        _write(catalogue, added, {row.shot.uuid: row.shot.id for row in rows}, operator, at)
    written = {_place(reference) for reference in added}
    replaced = [reference for reference in known if _place(reference) in written]
    return AddedReferences(tuple(added), tuple(replaced), tuple(refused))


def _fit_shot(transaction: Transaction, uuid: str) -> ReferenceShot:
    """Return what is known of a shot, if it can be a reference."""
    row = transaction.execute(
        select(
            Shot,
            SceneRevision,
            Camera,
            Asset.sha256,
            newest_verdict().label("verdict"),
            newest_state().label("state"),
        )
        .outerjoin(Shot.scene_revision)
        .outerjoin(Shot.camera)
        .outerjoin(Asset, Asset.id == raw_asset_id())
        .where(Shot.uuid == uuid)
    ).one_or_none()
    if row is None:
        raise UnknownShotError(f"no shot is called {uuid}: see `agetrace shots`")
    shot, state = row.Shot, row.state
    lacks = None
    if shot.kind not in _LIT_KINDS or row.SceneRevision is None:
        lacks = f"it is a {shot.kind} frame, not one of a scene"
    elif row.Camera is None:
        lacks = "no camera is known for it"
    elif state != "registered":
        lacks = f"it is {state}, not registered"
    elif row.verdict != ACCEPTED:
        lacks = f"its newest verdict is {row.verdict or 'missing'}, not {ACCEPTED}"
    elif row.sha256 is None:
        lacks = "it has no RAW file"
    elif shot.exposure_s is None or shot.iso is None:
        lacks = "its exposure is not known"
    elif shot.scene_revision_id not in _staged_with(transaction, row.SceneRevision):
        name = row.SceneRevision.scene.name
        lacks = f"the scene {name} was changed or removed since it was taken"
    if lacks is not None:
        raise RequestError(f"shot {uuid} cannot be a reference: {lacks}")
    return ReferenceShot(shot, row.SceneRevision, row.Camera, row.sha256, row.verdict)


def _described(catalogue: Catalogue, rows: Sequence[ReferenceShot]) -> list[SceneDescriptor]:
    """Read the RAW files and describe what they show."""
    descriptors = []
    with ExaminingWorker() as worker:
        for row in rows:
            catalogue.store.verify(row.sha256)
            camera = row.camera
            expected = ExpectedFile(
                make=camera.make, model=camera.model, width=camera.width, height=camera.height
            )
            question = FrameQuestion(row.shot.kind, product_of(row.shot), CheckThresholds(), None)
            answer = worker.examine(catalogue.store.path(row.sha256), expected, question)
            if answer.descriptor is None:
                why = sentences(answer.examination.findings)
                raise RequestError(f"shot {row.shot.uuid} cannot be a reference: {why}")
            descriptors.append(answer.descriptor)
    return descriptors


def _known_beside(transaction: Transaction, rows: Sequence[ReferenceShot]) -> list[StoredReference]:
    """Return the usable references that the cameras have in the fixtures of some shots."""
    staged = {
        scene_id for row in rows for scene_id in _staged_with(transaction, row.scene_revision)
    }
    camera_ids = {row.camera.id for row in rows}
    return list(load_references(transaction, camera_ids, staged).values())


def _staged_with(transaction: Transaction, scene_revision: SceneRevision) -> set[int]:
    """Return the scene revisions that the fixture of one of them offers now."""
    current = current_revision(transaction, scene_revision.scene.fixture.name)
    return {staged.id for staged in current.scenes}


def _refuse_two_of_one_scene(candidates: Sequence[StoredReference]) -> None:
    by_place: dict[tuple[int, int], str] = {}
    for candidate in candidates:
        earlier = by_place.setdefault(_place(candidate), candidate.shot_uuid)
        if earlier != candidate.shot_uuid:
            raise RequestError(
                f"shots {earlier} and {candidate.shot_uuid} both show {candidate.scene} through"
                f" the camera {candidate.serial}: one of them can be the reference"
            )


def _why_indistinct(candidate: StoredReference, standing: Sequence[StoredReference]) -> str | None:
    """Return why frames of a scene could not be known by this reference, None if they could."""
    own = candidate.descriptor
    if own.is_dark:
        return f"The frame of {candidate.scene} is too dark to show it: expose it longer."
    others = {
        other.scene: other.descriptor
        for other in standing
        if other.camera_id == candidate.camera_id and other.fixture == candidate.fixture
    }
    result = check_right_scene(own, own, others, CheckThresholds())
    if result.passed:
        return None
    other = result.numbers["most_similar_other"]
    return (
        f"{candidate.scene} and {other} are alike by {1 - result.numbers['margin']:.3f} to the"
        f" camera {candidate.serial}: frames of one could not be told from those of the other."
    )


def _write(
    catalogue: Catalogue,
    added: Sequence[StoredReference],
    shot_ids: Mapping[str, int],
    operator: str | None,
    at: datetime,
) -> None:
    with catalogue.writing() as transaction:
        transaction.add_all(
            SceneReference(
                scene_revision_id=reference.scene_revision_id,
                camera_id=reference.camera_id,
                shot_id=shot_ids[reference.shot_uuid],
                descriptor=reference.descriptor.to_bytes(),
                operator=operator,
                created_at=at,
            )
            for reference in added
        )
        entry = {
            "operator": operator,
            "references": [
                {
                    "fixture": reference.fixture,
                    "scene": f"{reference.scene}@{reference.scene_revision}",
                    "camera": reference.serial,
                    "shot": reference.shot_uuid,
                    "sha256": reference.sha256,
                }
                for reference in added
            ],
        }
        audit.append(transaction, "scene.reference", entry, at)


def _place(reference: StoredReference) -> tuple[int, int]:
    return reference.camera_id, reference.scene_revision_id
