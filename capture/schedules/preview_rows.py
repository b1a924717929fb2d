"""What a preview needs of the catalogue and the disks: schedules, paces, sessions, free space."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import cast

from sqlalchemy import func, select
from sqlalchemy.orm import Session as Transaction
from sqlalchemy.orm import selectinload

from capture.errors import RequestError
from capture.recipes import FrameKind, Recipe, expand
from capture.recipes.estimate import estimate
from capture.recipes.history import pace_of
from capture.schedules.description import ScheduleDescription
from capture.schedules.foreseen import PlannedSchedule
from capture.schedules.preview_warnings import Disk, PreviewWarning
from capture.schedules.schedule_rows import find_schedule
from capture.schedules.schedule_states import ScheduleState, description_of, state_after
from capture.schedules.timeslot_plans import TakenSession
from capture.session_rows import load_fixture
from capture.spool import Spool
from datastore.catalogue import Catalogue
from datastore.tables import Camera, Occurrence, Schedule, Session, Shot, ShotEvent, TimeslotScheme


@dataclass(frozen=True)
class StoredSchedule:
    """A schedule of the catalogue; `cancelled` are due times to come that will not be."""

    description: ScheduleDescription
    recipe: Recipe
    state: ScheduleState
    cancelled: frozenset[datetime]


def load_schedule(catalogue: Catalogue, name: str, now: datetime) -> StoredSchedule:
    """Return a schedule of the catalogue.

    Raises
    ------
    UnknownScheduleError
        If there is none of this name.
    """
    with catalogue.reading() as transaction:
        return _stored(transaction, find_schedule(transaction, name), now)


def plan_schedule(
    catalogue: Catalogue,
    description: ScheduleDescription,
    recipe: Recipe,
    cancelled: Collection[datetime] = (),
) -> PlannedSchedule:
    """Estimate what a session of a schedule takes, from how fast its cameras were so far.

    Raises
    ------
    RequestError
        If the fixture does not mount one of its cameras, or has not a scene of the recipe.
    datastore.errors.UnknownFixtureError
        If there is no such fixture.
    """
    with catalogue.reading() as transaction:
        fixture = load_fixture(transaction, description.fixture, description.cameras)
    plan = expand(recipe, list(fixture.scenes))
    pace = pace_of(catalogue, fixture.cameras)
    found = estimate(plan, pace.cameras, change_s=pace.change_s)
    return PlannedSchedule(
        description=description,
        cameras=tuple(camera.serial for camera in fixture.cameras),
        kinds=frozenset(spec.kind for spec in plan),
        duration_s=found.duration_s,
        session_bytes=found.bytes_total,
        is_measured=found.is_measured,
        cancelled=frozenset(cancelled),
    )


def plan_active_schedules(
    catalogue: Catalogue, *, but: str, now: datetime
) -> tuple[list[PlannedSchedule], list[PreviewWarning]]:
    """Return the active schedules but one, and what keeps some of them from being planned.

    Parameters
    ----------
    but
        Name of the schedule that is left out.
    now
        Civil time.
    """
    with catalogue.reading() as transaction:
        rows = transaction.scalars(
            select(Schedule)
            .options(selectinload(Schedule.events), selectinload(Schedule.recipe))
            .where(Schedule.name != but)
            .order_by(Schedule.name)
        )
        stored = [_stored(transaction, row, now) for row in rows]
    schedules, warnings = [], []
    for one in stored:
        if one.state != "active":
            continue
        try:
            schedules.append(plan_schedule(catalogue, one.description, one.recipe, one.cancelled))
        except RequestError as error:
            # the fixture has changed since it was added: that is no fault of the one previewed
            sentence = f"the schedule {one.description.name} is left out of the preview: {error}"
            warnings.append(PreviewWarning("left-out", "warning", sentence, now))
    return schedules, warnings


def taken_sessions(
    catalogue: Catalogue, cameras: Sequence[str], scheme: TimeslotScheme, now: datetime
) -> list[TakenSession]:
    """Return what cameras contributed so far to the timeslot of a scheme that `now` lies in.

    A session counts with the kinds of frames that it registered, warm-up shots apart.
    """
    current = [slot.starts_at for slot in scheme.timeslots if slot.starts_at <= now < slot.ends_at]
    if not current:
        return []
    with catalogue.reading() as transaction:
        rows = transaction.execute(
            select(Shot.session_id, Camera.serial, Shot.kind, func.min(Shot.triggered_at))
            .join(Camera, Camera.id == Shot.camera_id)
            .join(Session, Session.id == Shot.session_id)
            .where(
                Session.kind == "capture",
                Camera.serial.in_(cameras),
                Shot.triggered_at >= current[0],
                Shot.triggered_at < now,
                Shot.warm_up.is_(False),
                select(ShotEvent.id)
                .where(ShotEvent.shot_id == Shot.id, ShotEvent.name == "registered")
                .exists(),
            )
            .group_by(Shot.session_id, Camera.serial, Shot.kind)
        ).all()
    return [
        TakenSession(camera=serial, at=at, kinds=frozenset([cast("FrameKind", kind)]))
        for _, serial, kind, at in rows
        if at is not None
    ]


def disks_of(catalogue: Catalogue, spool_folder: Path) -> list[Disk]:
    """Return the disks of the asset store and, where it is another one, of the spool."""
    spool, root = Spool(spool_folder), catalogue.store.root
    store = Disk("the asset store", str(root), catalogue.store.free_bytes(), keeps=True)
    root.mkdir(parents=True, exist_ok=True)
    if spool_folder.stat().st_dev == root.stat().st_dev:
        return [store]
    return [store, Disk("the spool", str(spool_folder), spool.free_bytes(), keeps=False)]


def _stored(transaction: Transaction, schedule: Schedule, now: datetime) -> StoredSchedule:
    cancelled = transaction.scalars(
        select(Occurrence.due_at).where(
            Occurrence.schedule_id == schedule.id,
            Occurrence.state == "cancelled",
            Occurrence.due_at >= now,
        )
    )
    return StoredSchedule(
        description=description_of(schedule),
        recipe=Recipe.model_validate(schedule.recipe.body),
        state=state_after(schedule.events),
        cancelled=frozenset(cancelled),
    )
