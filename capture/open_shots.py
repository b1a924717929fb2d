"""Shots that an interruption left open: neither `registered` nor `failed`; reads their rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any, Final

from sqlalchemy import exists, select
from sqlalchemy.orm import Session as Transaction

from capture.attendance import session_state
from capture.cameras.protocol import CameraSettings
from capture.checks import CheckThresholds
from capture.recipes import Recipe
from capture.registration import FAILED, REGISTERED, PlannedShot
from capture.session_rows import FixtureFacts
from datastore.tables import FixtureRevision, Session, Shot, ShotEvent
from datastore.tables import Recipe as RecipeRow

_CLEAN_ENDS: Final = ("completed", "partial")
_LONGEST_STEP: Final[Mapping[str, timedelta]] = {
    "host": timedelta(minutes=10),
    # a replay's clock may run thousands of times faster than the cameras work
    "simulated": timedelta(hours=12),
}
"""How long after its row was written a shot may at most have been released, civil time."""


@dataclass(frozen=True)
class OpenShot:
    """A shot that an interruption left open."""

    planned: PlannedShot
    session_uuid: str
    camera_id: int
    serial: str
    kind: str
    scene: str | None
    settings: CameraSettings
    thresholds: CheckThresholds
    latest: datetime
    """Civil time after which its shutter cannot have opened."""


def open_shots(transaction: Transaction, fixture: FixtureFacts) -> list[OpenShot]:
    """Return the open shots of a fixture's sessions, in the order of their plans."""
    # only sessions that did not end cleanly can have any: those are few
    unclean = (
        select(Session.id, Session.uuid, Session.clock_source, RecipeRow.body)
        .join(RecipeRow, Session.recipe_id == RecipeRow.id)
        .join(FixtureRevision, Session.fixture_revision_id == FixtureRevision.id)
        .where(
            Session.kind == "capture",
            FixtureRevision.fixture_id == fixture.fixture_id,
            session_state().not_in(_CLEAN_ENDS),
        )
        .subquery()
    )
    rows = transaction.execute(
        select(Shot, unclean.c.uuid, unclean.c.clock_source, unclean.c.body)
        .join(unclean, Shot.session_id == unclean.c.id)
        .where(
            ~exists().where(ShotEvent.shot_id == Shot.id, ShotEvent.name.in_((REGISTERED, FAILED))),
        )
        .order_by(Shot.id)
    )
    return [_open_shot(*row) for row in rows]


def _open_shot(
    shot: Shot, session_uuid: str, clock_source: str, recipe_body: dict[str, Any]
) -> OpenShot:
    assert shot.triggered_at is not None and shot.camera is not None
    assert shot.camera_id is not None
    assert shot.exposure is not None and shot.iso is not None and shot.image_quality is not None
    return OpenShot(
        PlannedShot(shot.id, shot.uuid, shot.triggered_at),
        session_uuid,
        shot.camera_id,
        shot.camera.serial,
        shot.kind,
        None if shot.scene_revision is None else shot.scene_revision.scene.name,
        CameraSettings(Fraction(shot.exposure), shot.iso, shot.f_number, shot.image_quality),
        Recipe.model_validate(recipe_body).checks,
        shot.triggered_at + _LONGEST_STEP[clock_source],
    )
