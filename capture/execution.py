"""The shots of a session, one after the other, each at all of its cameras at once.

The rows of a shot are committed before its shutter opens and after its files are durable; the
card's copies are deleted after that. The calling thread alone touches the catalogue.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeVar

from sqlalchemy.orm import Session as Transaction

from capture.actuators import Actuator
from capture.cameras.gphoto2_camera import MARGIN_S
from capture.cameras.protocol import CameraSettings, Delivery, ReadBack
from capture.errors import CaptureError, DiskFullError
from capture.examination import ExaminedShot, ShotFacts
from capture.leasing import EquipmentLease
from capture.outcome import SessionOutcome
from capture.recipes import Recipe, ShotSpec
from capture.registration import (
    FAILED,
    PlannedShot,
    Settled,
    audit_settled,
    fail_shot,
    plan_shot,
    register_shot,
)
from capture.session_rows import BegunSession, FixtureFacts, add_session_event, end_session
from capture.spool import Spool
from capture.stations import Station, Stations
from datastore.catalogue import Catalogue
from datastore.clocks import CivilClock
from datastore.errors import DatastoreError, StoreFullError

Progress = Callable[[int, int], None]
"""Told how many of how many frames are done."""

ACCEPTED: Final = "accepted"
QUARANTINED: Final = "quarantined"
_FULL: Final = (DiskFullError, StoreFullError)
Result = TypeVar("Result")


def settings_of(spec: ShotSpec) -> CameraSettings:
    """Return the camera settings of a shot spec."""
    return CameraSettings(spec.exposure, spec.iso, spec.f_number, spec.image_quality)


def add_opened(transaction: Transaction, session: BegunSession, station: Station) -> None:
    """Write the `camera-opened` event of a station that was just opened."""
    assert station.opened_at is not None and station.identity is not None
    skew_s = None
    if station.skew is not None:
        middle = (station.skew.lowest + station.skew.highest) / 2
        skew_s = round(middle.total_seconds(), 3)
    detail = {
        "camera": station.facts.serial,
        "firmware": station.identity.firmware,
        "clock_skew_s": skew_s,
    }
    add_session_event(transaction, session.session_id, "camera-opened", station.opened_at, detail)


@dataclass
class _Attempt:
    """One station's attempt at a shot, filled in as it proceeds."""

    read_back: ReadBack | None = None
    planned: PlannedShot | None = None
    delivery: Delivery | None = None
    examined: ExaminedShot | None = None
    failure: CaptureError | DatastoreError | None = None


class _StoppedError(Exception):
    """The session ends here: state and reason."""

    def __init__(self, state: str, reason: str) -> None:
        super().__init__(reason)
        self.state = state
        self.reason = reason


@dataclass
class Execution:
    """A begun session; `run` takes its shots. The fields are those of `run_session`."""

    catalogue: Catalogue
    fixture: FixtureFacts
    session: BegunSession
    recipe: Recipe
    plan: Sequence[ShotSpec]
    stations: Stations
    spool: Spool
    lease: EquipmentLease
    actuator: Actuator
    clock: CivilClock
    progress: Progress
    stop: threading.Event
    _scene: str | None = None
    _cap_on: bool | None = None
    _counts: Counter[str] = field(default_factory=Counter)
    _lost: dict[Station, str] = field(default_factory=dict)
    _incomplete: int = 0

    def run(self, *, settled_by_reconciling: int = 0) -> SessionOutcome:
        """Take every shot of the plan, end the session and say what became of it."""
        began_s = time.monotonic()
        try:
            state, reason = self._take_all()
        except _StoppedError as stopped:
            state, reason = stopped.state, stopped.reason
        except (CaptureError, DatastoreError) as error:
            state, reason = "failed", str(error)
        except KeyboardInterrupt:
            state, reason = "aborted", "It was interrupted."
        except BaseException as error:
            self._end("failed", f"{type(error).__name__}: {error}")
            raise
        self._end(state, reason)
        return SessionOutcome(
            session_uuid=self.session.uuid,
            state=state,
            reason=reason,
            frames_planned=len(self.plan) * len(self.stations.all),
            frames_registered=self._counts[ACCEPTED] + self._counts[QUARANTINED],
            frames_quarantined=self._counts[QUARANTINED],
            attempts_failed=self._counts[FAILED],
            seconds=time.monotonic() - began_s,
            settled_by_reconciling=settled_by_reconciling,
        )

    def _take_all(self) -> tuple[str, str | None]:
        total = len(self.plan) * len(self.stations.all)
        for done, spec in enumerate(self.plan):
            self._refuse_if_stopped()
            stations = [station for station in self.stations.all if station not in self._lost]
            if not stations:
                raise _StoppedError("failed", " ".join(self._lost.values()))
            self._take(spec, stations)
            self.progress((done + 1) * len(self.stations.all), total)
        if self._lost:
            return "partial", " ".join(self._lost.values())
        if self._incomplete:
            return "partial", f"{self._incomplete} frames could not be taken; see the failed shots."
        return "completed", None

    def _refuse_if_stopped(self) -> None:
        if self.stop.is_set():
            raise _StoppedError("aborted", "The operator interrupted it.")

    def _take(self, spec: ShotSpec, stations: list[Station]) -> None:
        """Take one shot at every station, again where it failed or did not pass its checks."""
        changes = self._change_scene(spec)
        waiting = stations
        registered: set[Station] = set()
        for attempt in range(1, self.recipe.attempts + 1):
            self.lease.hold(2 * float(spec.exposure) + 3 * MARGIN_S)
            attempts = self._attempt(spec, attempt, waiting, changes)
            changes = []
            settled = self._settle(spec, attempts)
            registered.update(s for s, result in settled.items() if result.outcome != FAILED)
            waiting = [
                station
                for station in waiting
                if settled[station].outcome != ACCEPTED and station not in self._lost
            ]
            if not waiting or attempt == self.recipe.attempts:
                break
            self._refuse_if_stopped()
        self._incomplete += len(set(stations) - registered)

    def _change_scene(self, spec: ShotSpec) -> list[dict[str, Any]]:
        """Have the actuator bring the shot's scene; return what it changed."""
        changes: list[dict[str, Any]] = []
        step_s = 2 * float(spec.exposure) + 3 * MARGIN_S
        if spec.cap_on != self._cap_on:
            self.lease.hold(step_s)
            self.actuator.set_cap(spec.cap_on)
            self._cap_on = spec.cap_on
            changes.append({"cap_on": spec.cap_on})
        if spec.scene is not None and spec.scene != self._scene:
            self.lease.hold(step_s)
            self.actuator.set_scene(spec.scene)
            self._scene = spec.scene
            changes.append({"scene": spec.scene})
        return changes

    def _attempt(
        self,
        spec: ShotSpec,
        number: int,
        stations: Sequence[Station],
        changes: Sequence[dict[str, Any]],
    ) -> dict[Station, _Attempt]:
        """Prepare, plan, expose and examine; only `planned` is in the catalogue afterwards."""
        attempts = {station: _Attempt() for station in stations}
        reopened: list[Station] = []
        settings = settings_of(spec)

        def prepare(station: Station) -> ReadBack:
            if not station.camera.is_open:
                reopened.append(station)
                station.open(self.clock)
            return station.camera.settings.apply(settings)

        for station, read_back in self._each(attempts, prepare).items():
            attempts[station].read_back = read_back
        for station in reopened:
            if attempts[station].failure and number == self.recipe.attempts:
                self._lost[station] = f"Camera {station.facts.serial} was lost."
        planned_at = self.clock.now()
        with self.catalogue.writing() as transaction:
            for detail in changes:
                add_session_event(
                    transaction, self.session.session_id, "scene-changed", planned_at, detail
                )
            for station in reopened:
                if attempts[station].failure is None:
                    add_opened(transaction, self.session, station)
            scene_id = self.fixture.scenes[spec.scene] if spec.scene is not None else None
            for station, attempt in attempts.items():
                attempt.planned = plan_shot(
                    transaction,
                    self.session.session_id,
                    station.facts.camera_id,
                    scene_id,
                    spec,
                    number,
                    planned_at,
                )

        def expose(station: Station) -> Delivery:
            planned = attempts[station].planned
            assert planned is not None
            station.camera.trigger.release(planned.uuid, settings)
            return station.camera.files.delivered(planned.uuid)

        for station, delivery in self._each(attempts, expose).items():
            attempts[station].delivery = delivery
        latest = self.clock.now()

        def examine(station: Station) -> ExaminedShot:
            attempt = attempts[station]
            assert attempt.delivery is not None
            facts = ShotFacts(
                spec.kind, settings, attempt.read_back, planned_at, latest, station.skew
            )
            examined = station.examiner.examine(attempt.delivery.files, station.facts, facts)
            for file in attempt.delivery.files:
                self.catalogue.store.put_file(file.path, sha256=file.sha256, keep_source=False)
            return examined

        for station, examined in self._each(attempts, examine).items():
            attempts[station].examined = examined
        return attempts

    def _each(
        self, attempts: dict[Station, _Attempt], work: Callable[[Station], Result]
    ) -> dict[Station, Result]:
        """Do the next step at every station without a failure; keep the failures."""
        sound = [station for station, attempt in attempts.items() if attempt.failure is None]
        results: dict[Station, Result] = {}
        for station, result in self.stations.each(sound, work).items():
            if isinstance(result, (CaptureError, DatastoreError)):
                attempts[station].failure = result
            else:
                results[station] = result
        return results

    def _settle(self, spec: ShotSpec, attempts: dict[Station, _Attempt]) -> dict[Station, Settled]:
        """Commit what became of the attempts, and let go of what is durable or useless."""
        now = self.clock.now()
        settled: dict[Station, Settled] = {}
        full = next((a.failure for a in attempts.values() if isinstance(a.failure, _FULL)), None)
        with self.catalogue.writing() as transaction:
            by_uuid: dict[str, Settled] = {}
            for station, attempt in attempts.items():
                assert attempt.planned is not None
                if isinstance(attempt.failure, _FULL):
                    # left open: spool or card hold it until there is room again
                    continue
                result = self._settle_one(transaction, spec, attempt, now)
                settled[station] = by_uuid[attempt.planned.uuid] = result
            if by_uuid:
                audit_settled(transaction, self.session.uuid, by_uuid, now)
        self._counts.update(result.outcome for result in settled.values())
        self._let_go(attempts, settled)
        if full is not None:
            raise _StoppedError("failed", str(full))
        return settled

    def _settle_one(
        self, transaction: Transaction, spec: ShotSpec, attempt: _Attempt, now: datetime
    ) -> Settled:
        assert attempt.planned is not None
        if attempt.failure is not None or attempt.examined is None or attempt.delivery is None:
            return fail_shot(transaction, attempt.planned, str(attempt.failure), now)
        return register_shot(
            transaction,
            attempt.planned,
            attempt.examined,
            attempt.read_back,
            attempt.delivery.released_after_s,
            now,
            "camera",
        )

    def _let_go(self, attempts: dict[Station, _Attempt], settled: dict[Station, Settled]) -> None:
        """Delete card copies of registered shots; move foreign files aside; empty the spool."""
        registered = [s for s, result in settled.items() if result.outcome != FAILED]

        def delete(station: Station) -> None:
            delivery = attempts[station].delivery
            assert delivery is not None
            for file in delivery.files:
                station.camera.files.delete(file.camera_folder, file.camera_name)

        deleted = self.stations.each(registered, delete)
        for station, result in settled.items():
            attempt = attempts[station]
            assert attempt.planned is not None
            if result.outcome == FAILED and attempt.delivery is not None:
                self.spool.set_aside(attempt.planned.uuid)
            elif not isinstance(deleted.get(station), Exception):
                # else the spool remembers what the next reconciliation has to delete
                self.spool.clear(attempt.planned.uuid)

    def _end(self, state: str, reason: str | None) -> None:
        self.stations.each(self.stations.all, lambda station: station.camera.close())
        now = self.clock.now()
        detail = {"reason": reason, **_counted(self._counts)}
        with self.catalogue.writing() as transaction:
            for station in self.stations.all:
                opened_s = station.opened_s or time.monotonic()
                add_session_event(
                    transaction,
                    self.session.session_id,
                    "camera-closed",
                    now,
                    {
                        "camera": station.facts.serial,
                        "open_s": round(time.monotonic() - opened_s, 3),
                    },
                )
            end_session(transaction, self.session, state, now, detail)


def _counted(counts: Counter[str]) -> dict[str, int]:
    names: Iterable[str] = (ACCEPTED, QUARANTINED, FAILED)
    return {name: counts[name] for name in names}
