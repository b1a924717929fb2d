"""Rows of sessions: what a fixture offers, how a session begins, what happens to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session as Transaction

from capture.attendance import state_of
from capture.errors import SessionNotResumableError, UnknownCameraError
from capture.examination import CameraFacts
from capture.leasing import fixture_resource
from capture.log_lines import log_session_event
from capture.recipes import Recipe
from datastore import audit, clock_probes
from datastore.clocks import ClockSource
from datastore.equipment import current_revision
from datastore.queries import newest_verdict
from datastore.tables import (
    OccurrenceSession,
    Session,
    SessionEvent,
    SessionEventName,
    Shot,
)
from datastore.tables import Recipe as RecipeRow


@dataclass(frozen=True)
class FixtureFacts:
    """A fixture's newest revision, as far as a session needs it.

    Attributes
    ----------
    scenes
        Row number of each scene's revision, by name, in the fixture's order.
    """

    fixture_id: int
    revision_id: int
    name: str
    cameras: tuple[CameraFacts, ...]
    scenes: Mapping[str, int]

    @property
    def resources(self) -> list[str]:
        """What a session of these cameras must lease."""
        return [
            fixture_resource(self.name),
            *(f"camera:{camera.serial}" for camera in self.cameras),
        ]


@dataclass(frozen=True)
class BegunSession:
    """A session whose row is committed.

    Attributes
    ----------
    session_id, uuid
        Row number and portable name.
    requests_seen
        Number of the newest request that was made before it was gone on with.
    """

    session_id: int
    uuid: str
    requests_seen: int = 0


def load_fixture(
    transaction: Transaction, name: str, serials: Sequence[str] | None = None
) -> FixtureFacts:
    """Return a fixture with all of its cameras, or those of some serials.

    Raises
    ------
    datastore.errors.UnknownFixtureError
        If there is none of this name.
    UnknownCameraError
        If it does not mount a camera that is asked for.
    """
    revision = current_revision(transaction, name)
    mounted = {mount.camera.serial: mount for mount in revision.mounts}
    for serial in serials or ():
        if serial not in mounted:
            raise UnknownCameraError(
                f"the fixture {name} mounts no camera {serial}; it mounts {', '.join(mounted)}"
            )
    scenes = {scene.scene.name: scene.id for scene in revision.scenes}
    described = [str(scene["name"]) for scene in revision.description.get("scenes", [])]
    return FixtureFacts(
        fixture_id=revision.fixture_id,
        revision_id=revision.id,
        name=name,
        cameras=tuple(
            CameraFacts(
                camera_id=mount.camera.id,
                serial=serial,
                make=mount.camera.make,
                model=mount.camera.model,
                simulated=mount.camera.simulated,
                address=mount.address,
                width=mount.camera.width,
                height=mount.camera.height,
            )
            for serial, mount in mounted.items()
            if not serials or serial in serials
        ),
        scenes={scene: scenes[scene] for scene in described if scene in scenes},
    )


def begin_session(
    transaction: Transaction,
    fixture: FixtureFacts,
    recipe: Recipe,
    *,
    operator: str | None,
    note: str | None,
    clock_source: ClockSource,
    unreferenced: Sequence[str] = (),
    occurrence_id: int | None = None,
    at: datetime,
) -> BegunSession:
    """Write the row of a session, its recipe's if it is new, and the `started` event.

    Scenes in `unreferenced` have no reference that their frames could be held against. A session
    that a schedule called for belongs to an occurrence from its first moment.
    """
    session = Session(
        kind="capture",
        fixture_revision_id=fixture.revision_id,
        recipe_id=recipe_row_id(transaction, recipe, at),
        operator=operator,
        clock_source=clock_source,
        started_at=at,
        note=note,
    )
    transaction.add(session)
    transaction.flush()
    if occurrence_id is not None:
        transaction.add(OccurrenceSession(session_id=session.id, occurrence_id=occurrence_id))
    detail: dict[str, Any] = {"cameras": [camera.serial for camera in fixture.cameras]}
    if unreferenced:
        detail["scenes_without_reference"] = list(unreferenced)
    add_session_event(transaction, session.id, "started", at, detail)
    entry = {"session": session.uuid, "fixture": fixture.name, "recipe": recipe.content_sha256}
    audit.append(transaction, "session.start", entry, at)
    return BegunSession(session.id, session.uuid)


@dataclass(frozen=True)
class EarlierShots:
    """What a session did before it is gone on with.

    Attributes
    ----------
    accepted
        Sequence numbers of shots whose newest verdict is `accepted`, by the camera's row number.
    attempts
        How often a camera tried a shot, by row number and sequence.
    """

    accepted: Mapping[int, frozenset[int]]
    attempts: Mapping[tuple[int, int], int]


def earlier_shots(transaction: Transaction, session_id: int) -> EarlierShots:
    """Return what a session did so far."""
    rows = transaction.execute(
        select(Shot.camera_id, Shot.sequence, Shot.attempt, newest_verdict()).where(
            Shot.session_id == session_id, Shot.camera_id.is_not(None)
        )
    )
    accepted: dict[int, set[int]] = {}
    attempts: dict[tuple[int, int], int] = {}
    for camera_id, sequence, attempt, verdict in rows:
        assert camera_id is not None
        attempts[camera_id, sequence] = max(attempt, attempts.get((camera_id, sequence), 0))
        if verdict == "accepted":
            accepted.setdefault(camera_id, set()).add(sequence)
    return EarlierShots({key: frozenset(value) for key, value in accepted.items()}, attempts)


def session_to_resume(
    transaction: Transaction, session: Session
) -> tuple[BegunSession, FixtureFacts, Recipe]:
    """Return what is needed to go on with a session: itself, its cameras, its recipe.

    Raises
    ------
    SessionNotResumableError
        If it is complete, or its fixture was revised since.
    """
    revision, recipe = session.fixture_revision, session.recipe
    assert revision is not None and recipe is not None
    if state_of(transaction, session.id) == "completed":
        raise SessionNotResumableError(f"session {session.uuid} is completed: nothing is missing")
    name = revision.fixture.name
    began = next(event for event in session.events if event.name == "started")
    fixture = load_fixture(transaction, name, (began.detail or {}).get("cameras"))
    if fixture.revision_id != revision.id:
        raise SessionNotResumableError(
            f"the fixture {name} was revised since session {session.uuid}: run the recipe as a new"
            " session"
        )
    return BegunSession(session.id, session.uuid), fixture, Recipe.model_validate(recipe.body)


def end_session(
    transaction: Transaction,
    session: BegunSession,
    state: str,
    at: datetime,
    detail: dict[str, Any],
) -> None:
    """Write a session's last event: `completed`, `partial`, `aborted` or `failed`."""
    add_session_event(transaction, session.session_id, state, at, detail)
    entry = {"session": session.uuid, "state": state}
    audit.append(transaction, "session.end", entry, at)


def add_session_event(
    transaction: Transaction,
    session_id: int,
    name: str,
    at: datetime,
    detail: dict[str, Any] | None = None,
) -> None:
    """Write something that happened to a session."""
    transaction.add(SessionEvent(session_id=session_id, name=name, at=at, detail=detail))
    log_session_event(transaction, session_id, name, detail or {})


def add_camera_news(
    transaction: Transaction,
    session_id: int,
    camera_id: int,
    news: Iterable[tuple[SessionEventName, dict[str, Any]]],
    at: datetime,
) -> None:
    """Write what happened to a camera, and how far its clock was off whenever it was opened."""
    for name, detail in news:
        add_session_event(transaction, session_id, name, at, detail)
        skew_s = detail["clock_skew_s"] if name == "camera-opened" else None
        if skew_s is not None:
            clock_probes.record(
                transaction, camera_id=camera_id, session_id=session_id, at=at, skew_s=skew_s
            )


def recipe_row_id(transaction: Transaction, recipe: Recipe, at: datetime) -> int:
    """Return the row number of a recipe, which is written if it is new."""
    sha256 = recipe.content_sha256
    known = transaction.scalar(select(RecipeRow.id).where(RecipeRow.content_sha256 == sha256))
    if known is not None:
        return known
    row = RecipeRow(name=recipe.name, content_sha256=sha256, body=recipe.body(), created_at=at)
    transaction.add(row)
    transaction.flush()
    return row.id
