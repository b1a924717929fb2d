"""The shots of a session: each at all of its cameras at once, the next while the last are stored.

The rows of a shot are committed before its shutter opens and after its files are durable; the
card's copies are deleted after that. While the cameras expose one shot, the files of those before
are hashed, flushed, examined, stored and committed. The calling thread alone touches the
catalogue.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from typing import Any, Final

from capture.actuators import Actuator
from capture.cameras.gphoto2_camera import MARGIN_S
from capture.cameras.protocol import Release
from capture.examination import ExaminedShot
from capture.flight import FULL, Attempt, Flight, Recorder
from capture.ingest import Ingest
from capture.knowledge import SessionKnowledge
from capture.leasing import EquipmentLease
from capture.log_lines import log_triggered
from capture.outcome import SessionOutcome, SessionStoppedError
from capture.recipes import ShotSpec
from capture.registration import DARK_LEVEL, FAILED, Settled
from capture.session_rows import BegunSession, add_session_event, end_session
from capture.spool import Spool
from capture.stations import Station, Stations, outcomes
from capture.steering import Steering
from capture.steps import Step, StepQueue, settings_of
from capture.stopping import stopped_by
from datastore.catalogue import Catalogue
from datastore.clocks import CivilClock

Progress = Callable[[int, int], None]
"""Told how many of how many frames are done."""

ACCEPTED: Final = "accepted"
QUARANTINED: Final = "quarantined"
MOST_LANDING: Final = 2
"""How many steps may be on their way to the catalogue when the next exposure begins."""


@dataclass
class Execution:
    """A begun session; `run` takes its shots. Most fields are those of `run_session`.

    Attributes
    ----------
    frames_planned
        Frames that the session was asked for, over all cameras.
    frames_taken_before
        Frames that earlier runs of the session brought, and that are not taken again.
    steps
        What is to be taken.
    recorder
        Writes the rows of the shots.
    knowledge
        What frames are held against.
    """

    catalogue: Catalogue
    session: BegunSession
    recorder: Recorder
    frames_planned: int
    frames_taken_before: int
    steps: StepQueue[Station]
    stations: Stations
    knowledge: SessionKnowledge
    spool: Spool
    lease: EquipmentLease
    steering: Steering
    actuator: Actuator
    clock: CivilClock
    progress: Progress
    _frames_done: int = 0
    _scene: str | None = None
    _cap_on: bool | None = None
    _counts: Counter[str] = field(default_factory=Counter)
    _registered: set[tuple[Station, int]] = field(default_factory=set)
    _accepted: set[tuple[Station, int]] = field(default_factory=set)
    _lost: dict[Station, str] = field(default_factory=dict)
    _incomplete: int = 0
    _flights: deque[Flight] = field(default_factory=deque)
    _stopping: SessionStoppedError | None = None
    _ingest: Ingest = field(init=False)

    def __post_init__(self) -> None:
        """Make what examines and stores the frames."""
        self._ingest = Ingest(
            self.stations, self.knowledge, self.spool, self.catalogue.store, self.clock
        )

    def run(self, *, settled_by_reconciling: int = 0) -> SessionOutcome:
        """Take every shot, end the session and say what became of it."""
        began_s = time.monotonic()
        end = self._end_of(self._take_all)
        if end.exit_reason not in ("lease-lost", "internal-error"):
            # what was exposed is registered, whatever ended the session
            landing = self._end_of(self._land_all)
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
            frames_registered=len(self._registered),
            frames_accepted=len(self._accepted),
            frames_quarantined=self._counts[QUARANTINED],
            attempts_failed=self._counts[FAILED],
            seconds=time.monotonic() - began_s,
            settled_by_reconciling=settled_by_reconciling,
            frames_taken_before=self.frames_taken_before,
        )

    def _end_of(self, work: Callable[[], None]) -> SessionStoppedError:
        """Do a part of the session and return how that ended."""
        try:
            work()
        except SessionStoppedError as stopped:
            return stopped
        except BaseException as error:
            # whatever happened, the session's last event must be written
            return stopped_by(error)
        return self._conclusion()

    def _conclusion(self) -> SessionStoppedError:
        if self._stopping is not None:
            return self._stopping
        if self._lost:
            return SessionStoppedError("partial", "camera-lost", " ".join(self._lost.values()))
        if self._incomplete:
            reason = f"{self._incomplete} frames could not be taken; see the failed shots."
            state = "partial" if self._registered or self.frames_taken_before else "failed"
            return SessionStoppedError(state, "frames-missing", reason)
        unfit = len(self._registered) - len(self._accepted)
        if unfit:
            reason = f"{unfit} frames passed their checks in none of their attempts; see the log."
            return SessionStoppedError("partial", "frames-quarantined", reason)
        return SessionStoppedError("completed", "completed", None)

    def _take_all(self) -> None:
        while self._stopping is None:
            self.steering.obey(self._rest)
            step = self.steps.next
            if step is not None and not self._needs_other_scene(step.spec):
                self._take(self.steps.take())
            elif self._flights:
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
        """Expose a step at all of its stations while steps before it are landing."""
        settings = settings_of(step.spec)
        changes = self._change_scene(step.spec)
        self.lease.hold(2 * float(step.spec.exposure) + 3 * MARGIN_S)
        attempts = {station: Attempt() for station in step.takers}
        is_quick = all(station.has_applied(settings) for station in step.takers)
        preparing = self.stations.order(
            step.takers, lambda station: station.prepare(settings, self.clock, self.spool)
        )
        if not is_quick:
            # the rows are dated just before the release, and tell of cameras that were opened
            wait(preparing.values())
        planned_at, planned_s = self.clock.now(), time.monotonic()
        self.recorder.plan(step, attempts, changes, planned_at)
        prepared, failed = outcomes(preparing)
        for station, readiness in prepared.items():
            attempts[station].readiness = readiness
        for station, failure in failed.items():
            attempts[station].failure = failure

        def release(station: Station) -> Release:
            planned = attempts[station].planned
            assert planned is not None
            result = station.release(planned.uuid, settings, planned_at, planned_s)
            log_triggered(self.session.uuid, station, attempts[station], result)
            return result

        releasing = self.stations.order(list(prepared), release)
        self._flights.append(self._ingest.begin(step, attempts, planned_at, releasing))
        self._land_meanwhile()
        wait(releasing.values())

    def _land_meanwhile(self) -> None:
        """Settle the steps before while the last one is exposing, and as many as must not wait."""
        *before, exposing = self._flights
        for flight in before:
            while len(self._flights) <= MOST_LANDING and not flight.is_examined:
                if not exposing.is_exposing:
                    return
                futures: list[Future[Any]] = [
                    *exposing.releasing.values(),
                    *flight.examining.values(),
                ]
                wait([f for f in futures if not f.done()], return_when=FIRST_COMPLETED)
            self._land()

    def _change_scene(self, spec: ShotSpec) -> list[dict[str, Any]]:
        """Have the actuator bring the shot's scene; return what it changed."""
        changes: list[dict[str, Any]] = []
        step_s = self.actuator.deadline_s + 3 * MARGIN_S
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

    def _land_all(self) -> None:
        while self._flights:
            self._land()

    def _land(self) -> None:
        """Settle the oldest step in flight: its files, its rows, its retakes, its card copies."""
        flight = self._flights.popleft()
        step, attempts = flight.step, flight.attempts
        try:
            examined = self._ingest.complete(flight)
            settled = self.recorder.settle(step, attempts, examined)
        except BaseException:
            # later ones are judged by what is found in this one: a reconciliation settles them all
            self._flights.clear()
            raise
        self._counts.update(result.outcome for result in settled.values())
        for station, settlement in settled.items():
            self._let_go(station, attempts[station], settlement, examined.get(station))
        if any(_shows_other_scene(result) for result in examined.values()):
            # the actuator is asked again before the next shot
            self._scene = self._cap_on = None
        full = next((a.failure for a in attempts.values() if isinstance(a.failure, FULL)), None)
        if full is not None:
            # its shots stay open: spool or card hold them until there is room again
            self._stop(SessionStoppedError("failed", "disk-full", str(full)))
            return
        self._go_on(step, settled)

    def _let_go(
        self,
        station: Station,
        attempt: Attempt,
        settled: Settled,
        examined: ExaminedShot | None,
    ) -> None:
        """Have durable card copies deleted; keep whatever is in doubt."""
        assert attempt.planned is not None
        if settled.outcome == FAILED:
            if attempt.failure is None and attempt.readiness is not None:
                # what came is not the shot's
                station.suspect(attempt.readiness.opening)
            if self.spool.is_sealed(attempt.planned.uuid):
                self.spool.set_aside(attempt.planned.uuid)
            else:
                self.spool.clear(attempt.planned.uuid)
        elif examined is not None and examined.is_intact and attempt.delivery is not None:
            assert attempt.readiness is not None
            station.discard(attempt.planned.uuid, attempt.delivery.files, attempt.readiness.opening)
        else:
            # the card's copy may be better than what came
            self.spool.clear(attempt.planned.uuid)

    def _go_on(self, step: Step[Station], settled: Mapping[Station, Settled]) -> None:
        """Line up retakes, leave out lost cameras, and tell how far the session is."""
        for station, result in settled.items():
            if result.outcome != FAILED:
                self._registered.add((station, step.spec.sequence))
            if result.outcome == ACCEPTED:
                self._accepted.add((station, step.spec.sequence))
        again = [station for station, result in settled.items() if result.outcome != ACCEPTED]
        is_last = step.tries + 1 >= step.spec.attempts
        if is_last:
            for station in again:
                if station.failed_openings and station not in self._lost:
                    self._lose(station)
        takers = [] if is_last else [station for station in again if station not in self._lost]
        if takers:
            self.steps.retake(step, takers)
        given_up = [station for station in again if station not in takers]
        self._incomplete += len(
            [s for s in given_up if (s, step.spec.sequence) not in self._registered]
        )
        if given_up and step.spec.on_failure == "abort":
            reason = (
                f"Shot {step.spec.sequence} could not be taken as the recipe asks:"
                f" {settled[given_up[0]].reason}"
            )
            self._stop(SessionStoppedError("failed", "shot-failed", reason))
        if self._lost and len(self._lost) == len(self.stations.all):
            reason = " ".join(self._lost.values())
            self._stop(SessionStoppedError("failed", "camera-lost", reason))
        self._frames_done += len(settled) - len(takers)
        self.progress(self._frames_done, self.frames_planned)

    def _stop(self, end: SessionStoppedError) -> None:
        """End the session as soon as what is in flight has landed; the first reason counts."""
        self._stopping = self._stopping or end

    def _lose(self, station: Station) -> None:
        """Go on without a camera that cannot be opened any more."""
        serial = station.facts.serial
        self._lost[station] = f"Camera {serial} was lost."
        dropped = self.steps.drop(station)
        self._frames_done += dropped
        self._incomplete += dropped
        with self.recorder.writing() as transaction:
            add_session_event(
                transaction,
                self.session.session_id,
                "camera-lost",
                self.clock.now(),
                {"camera": serial, "frames_not_taken": dropped},
            )

    def _rest(self) -> None:
        """Finish what is in hand and let the cameras cool; they are opened anew when needed."""
        self._land_all()
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
            if end.exit_reason == "lease-lost" and self.lease.is_taken_over(transaction):
                # whoever has the equipment now has said or will say what became of this session
                return
            for station, seconds in open_s.items():
                add_session_event(
                    transaction,
                    self.session.session_id,
                    "camera-closed",
                    now,
                    {"camera": station.facts.serial, "open_s": seconds},
                )
            end_session(transaction, self.session, end.state, now, detail)


def _shows_other_scene(examined: ExaminedShot) -> bool:
    return any(result.name in ("scene", DARK_LEVEL) for result in examined.failed_checks)
