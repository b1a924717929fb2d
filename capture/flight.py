"""A step on its way from the shutter to the catalogue, and the rows it leaves there.

Knows no order of steps and gives no camera an order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session as Transaction

from capture.cameras.protocol import Delivery, Release
from capture.errors import CameraError, CaptureError, DiskFullError
from capture.examination import ExaminedShot
from capture.leasing import EquipmentLease
from capture.log_lines import log_planned, log_settled
from capture.registration import (
    PlannedShot,
    Settled,
    audit_settled,
    fail_shot,
    plan_shot,
    register_shot,
)
from capture.session_rows import (
    BegunSession,
    FixtureFacts,
    add_camera_news,
    add_session_event,
)
from capture.stations import Readiness, Station
from capture.steps import Step
from datastore.catalogue import Catalogue
from datastore.clocks import CivilClock
from datastore.errors import DatastoreError, StoreFullError

FULL = (DiskFullError, StoreFullError)
"""Failures that leave a shot open: spool or card hold it until there is room again."""


@dataclass
class Attempt:
    """One station's attempt at a shot, filled in as it proceeds."""

    readiness: Readiness | None = None
    planned: PlannedShot | None = None
    release: Release | None = None
    delivery: Delivery | None = None
    failure: CaptureError | DatastoreError | None = None


@dataclass(frozen=True)
class Flight:
    """A step from the order to release on, until it is settled.

    Attributes
    ----------
    step, attempts
        The step, and what became of it so far.
    releasing, examining
        Ended once a camera is free for its next exposure, and once its shot is examined; only of
        stations that could be made ready.
    """

    step: Step[Station]
    attempts: dict[Station, Attempt]
    releasing: Mapping[Station, Future[Release]]
    examining: Mapping[Station, Future[ExaminedShot]]

    @property
    def is_exposing(self) -> bool:
        """Whether a camera is not free yet."""
        return not all(future.done() for future in self.releasing.values())

    @property
    def is_examined(self) -> bool:
        """Whether nothing more is to be found out about the step."""
        return all(future.done() for future in self.examining.values())


@dataclass(frozen=True)
class Recorder:
    """Writes the rows of a session's shots.

    Attributes
    ----------
    catalogue, fixture, session, lease, clock
        Of the session.
    attempts_made
        How often each camera tried each shot, by its sequence, before this run.
    """

    catalogue: Catalogue
    fixture: FixtureFacts
    session: BegunSession
    lease: EquipmentLease
    clock: CivilClock
    attempts_made: Mapping[tuple[Station, int], int]

    @contextmanager
    def writing(self) -> Iterator[Transaction]:
        """Begin a transaction that is undone if the session's lease is lost.

        Raises
        ------
        datastore.errors.LeaseLostError
            If it is.
        """
        with self.catalogue.writing() as transaction:
            self.lease.require(transaction)
            yield transaction

    def plan(
        self,
        step: Step[Station],
        attempts: Mapping[Station, Attempt],
        changes: Sequence[dict[str, Any]],
        at: datetime,
    ) -> None:
        """Commit the rows of the step's shots, and what happened since the last one."""
        scene_id = None if step.spec.scene is None else self.fixture.scenes[step.spec.scene]
        session_id = self.session.session_id
        with self.writing() as transaction:
            for detail in changes:
                add_session_event(transaction, session_id, "scene-changed", at, detail)
            for station, attempt in attempts.items():
                self._note_news(transaction, station, at)
                made = self.attempts_made.get((station, step.spec.sequence), 0)
                attempt.planned = plan_shot(
                    transaction,
                    session_id,
                    station.facts.camera_id,
                    scene_id,
                    step.spec,
                    made + step.tries + 1,
                    at,
                    since_opened_s=station.since_opened_s(at, self.clock),
                    since_last_shot_s=station.since_last_shot_s(at, self.clock),
                )
        log_planned(self.session.uuid, step, attempts)

    def settle(
        self,
        step: Step[Station],
        attempts: Mapping[Station, Attempt],
        examined: Mapping[Station, ExaminedShot],
    ) -> dict[Station, Settled]:
        """Commit what became of the attempts."""
        now = self.clock.now()
        settled: dict[Station, Settled] = {}
        with self.writing() as transaction:
            by_uuid: dict[str, Settled] = {}
            for station, attempt in attempts.items():
                assert attempt.planned is not None
                self._note_news(transaction, station, now)
                if isinstance(attempt.failure, FULL):
                    continue
                if isinstance(attempt.failure, CameraError):
                    detail = {
                        "camera": station.facts.serial,
                        "shot": attempt.planned.uuid,
                        "reason": str(attempt.failure),
                    }
                    add_session_event(
                        transaction, self.session.session_id, "camera-failed", now, detail
                    )
                if attempt.failure is not None or attempt.release is None:
                    result = fail_shot(
                        transaction,
                        attempt.planned,
                        str(attempt.failure),
                        now,
                        was_triggered=attempt.release is not None,
                    )
                else:
                    result = register_shot(
                        transaction,
                        attempt.planned,
                        examined[station],
                        attempt.readiness.read_back if attempt.readiness else None,
                        attempt.release.released_after_s,
                        now,
                        "camera",
                    )
                settled[station] = by_uuid[attempt.planned.uuid] = result
            if by_uuid:
                audit_settled(transaction, self.session.uuid, by_uuid, now)
        log_settled(self.session.uuid, attempts, examined, settled)
        return settled

    def _note_news(self, transaction: Transaction, station: Station, at: datetime) -> None:
        session_id, camera_id = self.session.session_id, station.facts.camera_id
        add_camera_news(transaction, session_id, camera_id, station.take_news(), at)
