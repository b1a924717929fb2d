"""Rows of sessions: what a fixture offers, how a session begins, what happens to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session as Transaction

from capture.errors import UnknownCameraError
from capture.examination import CameraFacts
from capture.recipes import Recipe
from datastore import audit
from datastore.clocks import ClockSource
from datastore.equipment import current_revision
from datastore.tables import Recipe as RecipeRow
from datastore.tables import Session, SessionEvent


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
        return [f"fixture:{self.name}", *(f"camera:{camera.serial}" for camera in self.cameras)]


@dataclass(frozen=True)
class BegunSession:
    """A session whose row is committed."""

    session_id: int
    uuid: str


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
    at: datetime,
) -> BegunSession:
    """Write the row of a session, its recipe's if it is new, and the `started` event."""
    session = Session(
        kind="capture",
        fixture_revision_id=fixture.revision_id,
        recipe_id=_recipe_id(transaction, recipe, at),
        operator=operator,
        clock_source=clock_source,
        started_at=at,
        note=note,
    )
    transaction.add(session)
    transaction.flush()
    add_session_event(transaction, session.id, "started", at)
    entry = {"session": session.uuid, "fixture": fixture.name, "recipe": recipe.content_sha256}
    audit.append(transaction, "session.start", entry, at)
    return BegunSession(session.id, session.uuid)


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


def _recipe_id(transaction: Transaction, recipe: Recipe, at: datetime) -> int:
    sha256 = recipe.content_sha256
    known = transaction.scalar(select(RecipeRow.id).where(RecipeRow.content_sha256 == sha256))
    if known is not None:
        return known
    row = RecipeRow(name=recipe.name, content_sha256=sha256, body=recipe.body(), created_at=at)
    transaction.add(row)
    transaction.flush()
    return row.id
