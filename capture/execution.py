"""The shots of a session: each at all of its cameras at once, the next while the last is stored.

The rows of a shot are committed before its shutter opens and after its files are durable; the
card's copies are deleted after that. While the cameras expose one shot, the files of the one
before are hashed, flushed, examined, stored and committed. The calling thread alone touches the
catalogue.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeVar

from capture.actuators import Actuator
from capture.cameras.gphoto2_camera import MARGIN_S
from capture.cameras.protocol import CameraSettings, Delivery, Release
from capture.errors import (
    ActuatorError,
    CameraError,
    CaptureError,
    DiskFullError,
    PromptUnansweredError,
)
from capture.examination import ExaminedShot, ShotFacts
from capture.knowledge import SessionKnowledge
from capture.leasing import EquipmentLease
from capture.outcome import ExitReason, SessionOutcome, SessionStoppedError
from capture.recipes import ShotSpec
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
from capture.stations import Readiness, Station, Stations, outcomes
from capture.steering import Steering
from capture.steps import Step, StepQueue
from datastore.catalogue import Catalogue
from datastore.clocks import CivilClock
from datastore.errors import DatastoreError, LeaseLostError, StoreFullError

Progress = Callable[[int, int], None]
"""Told how many of how many frames are done."""

ACCEPTED: Final = "accepted"
QUARANTINED: Final = "quarantined"
_FULL: Final = (DiskFullError, StoreFullError)
Result = TypeVar("Result")


def settings_of(spec: ShotSpec) -> CameraSettings:
    """Return the camera settings of a shot spec."""
    return CameraSettings(spec.exposure, spec.iso, spec.f_number, spec.image_quality)


def opened_event(station: Station) -> dict[str, Any]:
    """Return the detail of the `camera-opened` event of a station that was just opened."""
    assert station.identity is not None
    skew_s = None
    if station.skew is not None:
        middle = (station.skew.lowest + station.skew.highest) / 2
        skew_s = round(middle.total_seconds(), 3)
    return {
        "camera": station.facts.serial,
        "firmware": station.identity.firmware,
        "clock_skew_s": skew_s,
    }


@dataclass
class _Attempt:
    """One station's attempt at a shot, filled in as it proceeds."""

    readiness: Readiness | None = None
    planned: PlannedShot | None = None
    release: Release | None = None
    delivery: Delivery | None = None
    failure: CaptureError | DatastoreError | None = None


@dataclass
class _Flight:
    """A step whose shutters are closed again and whose files are on their way."""

    step: Step[Station]
    attempts: dict[Station, _Attempt]
    examining: dict[Station, Future[ExaminedShot]]


@dataclass
class Execution:
    """A begun session; `run` takes its shots. Most fields are those of `run_session`.

    Attributes
    ----------
    frames_planned
        Frames that the session was asked for, over all cameras.
    steps
        What is to be taken.
    attempts_made
        How often each camera tried each shot, by its sequence, before this run.
    knowledge
        What frames are held against.
    """

    catalogue: Catalogue
    fixture: FixtureFacts
    session: BegunSession
    frames_planned: int
    attempts: int
    steps: StepQueue[Station]
    attempts_made: Mapping[tuple[Station, int], int]
    stations: Stations
    knowledge: SessionKnowledge
    spool: Spool
    lease: EquipmentLease
    steering: Steering
    actuator: Actuator
    clock: CivilClock
    progress: Progress
    frames_done: int = 0
    _scene: str | None = None
    _cap_on: bool | None = None
    _counts: Counter[str] = field(default_factory=Counter)
    _lost: dict[Station, str] = field(default_factory=dict)
    _incomplete: int = 0
    _flight: _Flight | None = None
    _stopping: SessionStoppedError | None = None

    def run(self, *, settled_by_reconciling: int = 0) -> SessionOutcome:
        """Take every shot, end the session and say what became of it."""
        began_s = time.monotonic()
        end = self._end_of(self._take_all)
        if end.exit_reason not in ("lease-lost", "internal-error"):
            # what was exposed is registered, whatever ended the session
            landing = self._end_of(self._land)
            if landing.state == "failed":
                end = landing
        self._end(end)
        if end.exit_reason == "internal-error":
            assert end.__cause__ is not None
            raise end.__cause__
        return SessionOutcome(
            session_uuid=self.session.uuid,
            state=end.state,
            exit_reason=end.exit_reason,
            reason=end.reason,
            frames_planned=self.frames_planned,
            frames_registered=self._counts[ACCEPTED] + self._counts[QUARANTINED],
            frames_quarantined=self._counts[QUARANTINED],
            attempts_failed=self._counts[FAILED],
            seconds=time.monotonic() - began_s,
            settled_by_reconciling=settled_by_reconciling,
        )

    def _end_of(self, work: Callable[[], None]) -> SessionStoppedError:
        """Do a part of the session and return how that ended."""
        try:
            work()
        except SessionStoppedError as stopped:
            return stopped
        except BaseException as error:
            # whatever happened, the session's last event must be written
            return _stopped_by(error)
        return self._conclusion()

    def _conclusion(self) -> SessionStoppedError:
        if self._stopping is not None:
            return self._stopping
        if self._lost:
            return SessionStoppedError("partial", "camera-lost", " ".join(self._lost.values()))
        if self._incomplete:
            reason = f"{self._incomplete} frames could not be taken; see the failed shots."
            return SessionStoppedError("partial", "frames-missing", reason)
        return SessionStoppedError("completed", "completed", None)

    def _take_all(self) -> None:
        while self._stopping is None:
            self.steering.obey(self._rest)
            step = self.steps.next
            if step is not None and not self._needs_other_scene(step.spec):
                self._take(self.steps.take())
            elif self._flight is not None:
                # retakes come before the scene changes
                self._land()
            elif step is not None:
                self._take(self.steps.take())
            else:
                return
        raise self._stopping

    def _needs_other_scene(self, spec: ShotSpec) -> bool:
        is_other = spec.scene is not None and spec.scene != self._scene
        return is_other or spec.cap_on != self._cap_on

    def _take(self, step: Step[Station]) -> None:
        """Expose a step at all of its stations while the step before is landing."""
        spec, settings = step.spec, settings_of(step.spec)
        changes = self._change_scene(spec)
        self.lease.hold(2 * float(spec.exposure) + 3 * MARGIN_S)
        attempts = {station: _Attempt() for station in step.takers}
        prepared = self._each(
            attempts, lambda station: station.prepare(settings, self.clock, self.spool)
        )
        for station, readiness in prepared.items():
            attempts[station].readiness = readiness
        planned_at = self.clock.now()
        self._write_plan(step, attempts, changes, planned_at)

        def release(station: Station) -> Release:
            planned = attempts[station].planned
            assert planned is not None
            return station.release(planned.uuid, settings, planned_at)

        releasing = self.stations.order(_sound(attempts), release)
        try:
            self._land()
        finally:
            released = outcomes(releasing)
        latest = self.clock.now()
        for station, result in released.items():
            if isinstance(result, (CaptureError, DatastoreError)):
                attempts[station].failure = result
            else:
                attempts[station].release = result

        def examine(station: Station) -> ExaminedShot:
            return self._examine(station, attempts[station], spec, settings, planned_at, latest)

        self._flight = _Flight(step, attempts, self.stations.ingest(_sound(attempts), examine))

    def _examine(
        self,
        station: Station,
        attempt: _Attempt,
        spec: ShotSpec,
        settings: CameraSettings,
        planned_at: datetime,
        latest: datetime,
    ) -> ExaminedShot:
        """Wait until a shot is durable in the spool, examine it and put it into the store."""
        assert attempt.planned is not None and attempt.readiness is not None
        attempt.delivery = station.camera.files.delivered(attempt.planned.uuid)
        facts = ShotFacts(
            kind=spec.kind,
            requested=settings,
            read_back=attempt.readiness.read_back,
            earliest=planned_at,
            latest=latest,
            skew=station.skew,
            thresholds=self.knowledge.thresholds,
            scene=self.knowledge.of(station.facts.camera_id, spec.scene),
        )
        examined = station.examiner.examine(attempt.delivery.files, station.facts, facts)
        for file in attempt.delivery.files:
            self.catalogue.store.put_file(file.path, sha256=file.sha256, keep_source=False)
        return examined

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

    def _write_plan(
        self,
        step: Step[Station],
        attempts: Mapping[Station, _Attempt],
        changes: Sequence[dict[str, Any]],
        at: datetime,
    ) -> None:
        """Commit the rows of the step's shots, and what happened since the last one."""
        scene_id = None if step.spec.scene is None else self.fixture.scenes[step.spec.scene]
        with self.catalogue.writing() as transaction:

            def note(name: str, detail: dict[str, Any]) -> None:
                add_session_event(transaction, self.session.session_id, name, at, detail)

            for detail in changes:
                note("scene-changed", detail)
            for station, attempt in attempts.items():
                ready = attempt.readiness
                if ready is not None and ready.was_opened:
                    note("camera-opened", opened_event(station))
                if ready is not None and ready.clock_jump_s is not None:
                    serial = station.facts.serial
                    note("clock-jumped", {"camera": serial, "jump_s": ready.clock_jump_s})
                made = self.attempts_made.get((station, step.spec.sequence), 0)
                attempt.planned = plan_shot(
                    transaction,
                    self.session.session_id,
                    station.facts.camera_id,
                    scene_id,
                    step.spec,
                    made + step.tries + 1,
                    at,
                    since_opened_s=station.since_opened_s(at, self.clock),
                    since_last_shot_s=station.since_last_shot_s(at, self.clock),
                )

    def _each(
        self, attempts: dict[Station, _Attempt], work: Callable[[Station], Result]
    ) -> dict[Station, Result]:
        """Do the next thing at every station without a failure; keep the failures."""
        results: dict[Station, Result] = {}
        for station, result in self.stations.each(_sound(attempts), work).items():
            if isinstance(result, (CaptureError, DatastoreError)):
                attempts[station].failure = result
            else:
                results[station] = result
        return results

    def _land(self) -> None:
        """Settle the step in flight: its rows, its retakes, its card copies."""
        flight, self._flight = self._flight, None
        if flight is None:
            return
        step, attempts = flight.step, flight.attempts
        examined: dict[Station, ExaminedShot] = {}
        for station, result in outcomes(flight.examining).items():
            if isinstance(result, (CaptureError, DatastoreError)):
                attempts[station].failure = result
            else:
                examined[station] = result
        # another session may have settled these shots if the lease ran out
        self.lease.hold(0.0)
        settled = self._settle(step, attempts, examined)
        self._counts.update(result.outcome for result in settled.values())
        for station, settlement in settled.items():
            self._let_go(station, attempts[station], settlement, examined.get(station))
        full = next((a.failure for a in attempts.values() if isinstance(a.failure, _FULL)), None)
        if full is not None:
            # its shots stay open: spool or card hold them until there is room again
            self._stopping = SessionStoppedError("failed", "disk-full", str(full))
            return
        self._go_on(step, settled)

    def _settle(
        self,
        step: Step[Station],
        attempts: Mapping[Station, _Attempt],
        examined: Mapping[Station, ExaminedShot],
    ) -> dict[Station, Settled]:
        """Commit what became of the attempts."""
        now = self.clock.now()
        settled: dict[Station, Settled] = {}
        with self.catalogue.writing() as transaction:
            by_uuid: dict[str, Settled] = {}
            for station, attempt in attempts.items():
                assert attempt.planned is not None
                if isinstance(attempt.failure, _FULL):
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
                    result = fail_shot(transaction, attempt.planned, str(attempt.failure), now)
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
        return settled

    def _let_go(
        self,
        station: Station,
        attempt: _Attempt,
        settled: Settled,
        examined: ExaminedShot | None,
    ) -> None:
        """Have durable card copies deleted; keep whatever is in doubt."""
        assert attempt.planned is not None
        if settled.outcome == FAILED:
            # what came is not the shot's: the conversation with the camera may be off by one
            station.suspect()
            if self.spool.is_sealed(attempt.planned.uuid):
                self.spool.set_aside(attempt.planned.uuid)
            else:
                self.spool.clear(attempt.planned.uuid)
        elif examined is not None and examined.is_intact and attempt.delivery is not None:
            station.discard(attempt.planned.uuid, attempt.delivery.files)
        else:
            # the card's copy may be better than what came
            self.spool.clear(attempt.planned.uuid)

    def _go_on(self, step: Step[Station], settled: Mapping[Station, Settled]) -> None:
        """Line up retakes, leave out lost cameras, and tell how far the session is."""
        again = [station for station, result in settled.items() if result.outcome != ACCEPTED]
        is_last = step.tries + 1 >= self.attempts
        for station in again:
            if is_last and station.failed_openings:
                self._lose(station)
        if again and not is_last:
            self.steps.retake(step, again)
        if is_last:
            missed = [station for station in again if settled[station].outcome == FAILED]
            self._incomplete += len(missed)
            if again and getattr(step.spec, "on_failure", "continue") == "abort":
                reason = (
                    f"Shot {step.spec.sequence} could not be taken as the recipe asks:"
                    f" {settled[again[0]].reason}"
                )
                self._stopping = SessionStoppedError("failed", "shot-failed", reason)
        if self._lost and len(self._lost) == len(self.stations.all):
            reason = " ".join(self._lost.values())
            self._stopping = SessionStoppedError("failed", "camera-lost", reason)
        self.frames_done += len(settled) - (0 if is_last else len(again))
        self.progress(self.frames_done, self.frames_planned)

    def _lose(self, station: Station) -> None:
        """Go on without a camera that cannot be opened any more."""
        serial = station.facts.serial
        self._lost[station] = f"Camera {serial} was lost."
        dropped = self.steps.drop(station)
        self.frames_done += dropped
        self._incomplete += dropped
        with self.catalogue.writing() as transaction:
            add_session_event(
                transaction,
                self.session.session_id,
                "camera-lost",
                self.clock.now(),
                {"camera": serial, "frames_not_taken": dropped},
            )

    def _rest(self) -> None:
        """Finish what is in hand and let the cameras cool; they are opened anew when needed."""
        self._land()
        self.stations.each(self.stations.all, lambda station: station.finish(self.spool))

    def _end(self, end: SessionStoppedError) -> None:
        now = self.clock.now()
        open_s = {s: s.since_opened_s(now, self.clock) for s in self.stations.all}
        self.stations.each(self.stations.all, lambda station: station.finish(self.spool))
        names = (ACCEPTED, QUARANTINED, FAILED)
        detail = {
            "exit_reason": end.exit_reason,
            "reason": end.reason,
            **{name: self._counts[name] for name in names},
        }
        with self.catalogue.writing() as transaction:
            for station, seconds in open_s.items():
                add_session_event(
                    transaction,
                    self.session.session_id,
                    "camera-closed",
                    now,
                    {"camera": station.facts.serial, "open_s": seconds},
                )
            end_session(transaction, self.session, end.state, now, detail)


def _sound(attempts: Mapping[Station, _Attempt]) -> list[Station]:
    return [station for station, attempt in attempts.items() if attempt.failure is None]


def _stopped_by(error: BaseException) -> SessionStoppedError:
    """Return the end of a session that an error made."""
    reasons: list[tuple[type[BaseException], ExitReason]] = [
        (PromptUnansweredError, "prompt-unanswered"),
        (ActuatorError, "actuator-failed"),
        (DiskFullError, "disk-full"),
        (StoreFullError, "disk-full"),
        (LeaseLostError, "lease-lost"),
        (CaptureError, "capture-failed"),
        (DatastoreError, "catalogue-failed"),
    ]
    for kind, exit_reason in reasons:
        if isinstance(error, kind):
            return SessionStoppedError("failed", exit_reason, str(error))
    if isinstance(error, KeyboardInterrupt):
        return SessionStoppedError("aborted", "interrupted", "It was interrupted.")
    stopped = SessionStoppedError("failed", "internal-error", f"{type(error).__name__}: {error}")
    stopped.__cause__ = error
    return stopped
