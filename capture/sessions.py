"""Sessions: one execution of a recipe over the cameras of a fixture, and going on with one.

Owns what must hold before the first shot: equipment leased and open, earlier shots settled, every
setting offered, room on the disk. The shots themselves are `capture.execution`'s.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from sqlalchemy.orm import Session as Transaction

from capture.actuators import Actuator, PromptActuator
from capture.attendance import find_session, newest_request_id
from capture.cameras.gphoto2_camera import Gphoto2Camera
from capture.errors import (
    ClockRefusedError,
    SessionNotResumableError,
)
from capture.execution import Execution, Progress
from capture.flight import Recorder
from capture.knowledge import load_knowledge, scenes_without_reference
from capture.leasing import lease_equipment
from capture.outcome import SessionOutcome
from capture.recipes import Recipe, ShotSpec, expand
from capture.recipes.issues import OfferedByCamera, issues_with, refuse_not_offered
from capture.reconcile import reconcile_stations
from capture.session_rows import (
    BegunSession,
    FixtureFacts,
    add_camera_news,
    add_session_event,
    begin_session,
    earlier_shots,
    load_fixture,
    session_to_resume,
)
from capture.space import require_space
from capture.spool import Spool
from capture.stations import (
    CAMERA_PATIENCE_S,
    CameraFactory,
    Station,
    Stations,
)
from capture.steering import PATIENCE_S, Steering
from capture.steps import StepQueue, steps_of
from datastore import audit
from datastore.catalogue import Catalogue
from datastore.clocks import CivilClock

RESUMABLE_FOR: Final = timedelta(hours=24)
"""How long after its start a session can be gone on with: it stands for one moment of ageing."""


def run_session(
    catalogue: Catalogue,
    recipe: Recipe,
    fixture_name: str,
    *,
    actuator: Actuator | None,
    clock: CivilClock,
    spool_folder: Path,
    serials: Sequence[str] | None = None,
    operator: str | None = None,
    note: str | None = None,
    occurrence_id: int | None = None,
    use_references: bool = True,
    camera_factory: CameraFactory = Gphoto2Camera,
    progress: Progress | None = None,
    stop: threading.Event | None = None,
    operator_patience_s: float = PATIENCE_S,
    camera_patience_s: float = CAMERA_PATIENCE_S,
    begun: Callable[[str], None] | None = None,
) -> SessionOutcome:
    """Execute a recipe once with the cameras of a fixture.

    Shots that an earlier session left open are settled first. A camera that fails is opened anew
    and the shot repeated, up to the recipe's attempts; a camera that cannot be opened any more is
    left out of the rest.

    Parameters
    ----------
    catalogue
        Where rows and files go.
    recipe
        What to take.
    fixture_name
        The fixture; its newest revision counts.
    actuator
        Changes scenes and moves caps; None has an operator asked through the catalogue.
    clock
        Civil time; a simulated one only with simulated cameras.
    spool_folder
        Where files wait between camera and store; best on the store's disk.
    serials
        Take part only these cameras; None for all.
    operator, note
        Recorded with the session.
    occurrence_id
        Row number of the occurrence that the session is for; None where nobody scheduled it.
    use_references
        False where the scenes' references are being made, or are known to be out of date.
    camera_factory
        Makes each camera from address, serial and spool folder.
    progress
        Told after every frame.
    stop
        Once set, the session ends after the shot in hand.
    operator_patience_s
        How long a prompt may stay without an answer.
    camera_patience_s
        How long a camera that does not open is tried again, each time.
    begun
        Told the session's UUID once its row is committed.

    Raises
    ------
    RequestError
        If the session cannot be as it was asked for; nothing was captured.
    CameraError, DiskFullError
        If a camera cannot be opened or the disk has no room; nothing was captured.
    datastore.errors.DatastoreError
        If the fixture is unknown or leased to another session.
    """
    with catalogue.reading() as transaction:
        fixture = load_fixture(transaction, fixture_name, serials)

    def begin(stations: Stations, unreferenced: Sequence[str]) -> BegunSession:
        with catalogue.writing() as transaction:
            session = begin_session(
                transaction,
                fixture,
                recipe,
                operator=operator,
                note=note,
                occurrence_id=occurrence_id,
                clock_source=clock.source,
                unreferenced=unreferenced,
                at=clock.now(),
            )
            _note_opened(transaction, session, stations, clock.now())
        if begun is not None:
            begun(session.uuid)
        return session

    return _conduct(
        catalogue,
        fixture,
        recipe,
        begin,
        use_references=use_references,
        actuator=actuator,
        clock=clock,
        spool_folder=spool_folder,
        camera_factory=camera_factory,
        progress=progress,
        stop=stop,
        operator_patience_s=operator_patience_s,
        camera_patience_s=camera_patience_s,
    )


def resume_session(
    catalogue: Catalogue,
    session_uuid: str,
    *,
    actuator: Callable[[str], Actuator | None],
    clock: CivilClock,
    spool_folder: Path,
    operator: str | None = None,
    camera_factory: CameraFactory = Gphoto2Camera,
    progress: Progress | None = None,
    stop: threading.Event | None = None,
    operator_patience_s: float = PATIENCE_S,
    camera_patience_s: float = CAMERA_PATIENCE_S,
) -> SessionOutcome:
    """Go on with a session that ended, or died, before its last frame.

    Every shot row is a checkpoint: what was accepted stays, what is missing or quarantined is taken
    under the same session, after new warm-up shots. Parameters as for `run_session`.

    Parameters
    ----------
    session_uuid
        The session, or an unambiguous beginning of its UUID.
    actuator
        Returns who changes the scenes of the fixture of that name.

    Raises
    ------
    UnknownSessionError, SessionNotResumableError
        If there is no such session, it is complete, too old, has shots that cannot be settled, or
        its fixture was revised.
    RequestError, CameraError, DiskFullError, datastore.errors.DatastoreError
        As `run_session`; a session that still runs holds the lease.
    """
    with catalogue.reading() as transaction:
        row = find_session(transaction, session_uuid)
        session, fixture, recipe = session_to_resume(transaction, row)
        _refuse_old(session.uuid, row.started_at, clock.now())

    def resume(stations: Stations, _unreferenced: Sequence[str]) -> BegunSession:
        at = clock.now()
        with catalogue.writing() as transaction:
            detail = {"operator": operator}
            add_session_event(transaction, session.session_id, "resumed", at, detail)
            seen = newest_request_id(transaction, session.session_id)
            entry = {"session": session.uuid, "operator": operator}
            audit.append(transaction, "session.resume", entry, at)
            _note_opened(transaction, session, stations, at)
        return replace(session, requests_seen=seen)

    return _conduct(
        catalogue,
        fixture,
        recipe,
        resume,
        resumed=session,
        actuator=actuator(fixture.name),
        clock=clock,
        spool_folder=spool_folder,
        camera_factory=camera_factory,
        progress=progress,
        stop=stop,
        operator_patience_s=operator_patience_s,
        camera_patience_s=camera_patience_s,
    )


def _conduct(
    catalogue: Catalogue,
    fixture: FixtureFacts,
    recipe: Recipe,
    begin: Callable[[Stations, Sequence[str]], BegunSession],
    *,
    resumed: BegunSession | None = None,
    use_references: bool = True,
    actuator: Actuator | None,
    clock: CivilClock,
    spool_folder: Path,
    camera_factory: CameraFactory,
    progress: Progress | None,
    stop: threading.Event | None,
    operator_patience_s: float,
    camera_patience_s: float,
) -> SessionOutcome:
    """Make everything ready, begin the session and take its shots."""
    plan = expand(recipe, list(fixture.scenes))
    _refuse_simulated_clock(clock, fixture)
    spool = Spool(spool_folder)
    lease = lease_equipment(catalogue, fixture.resources)
    try:
        with Stations(fixture.cameras, spool_folder, camera_factory, camera_patience_s) as stations:
            _raise_first(stations.each(stations.all, lambda station: station.open(clock)))
            settled = reconcile_stations(catalogue, fixture, clock, spool, stations)
            if resumed is not None and resumed.uuid in settled.unsettled_sessions:
                raise SessionNotResumableError(
                    f"session {resumed.uuid} has shots that cannot be settled yet, so what it lacks"
                    f" is not known: {' '.join(dict.fromkeys(settled.left_open.values()))}"
                )
            taken = _taken_before(catalogue, resumed, stations, plan)
            steps = steps_of(plan, stations.all, taken.sequences)
            left = [step.spec for step in steps]
            _require_offered(stations, left)
            require_space(catalogue, spool, fixture.cameras, left)
            knowledge = load_knowledge(
                catalogue,
                fixture,
                recipe.checks,
                use_references=use_references,
            )
            unreferenced = scenes_without_reference(knowledge, fixture, left)
            session = begin(stations, unreferenced if use_references else ())
            steering = Steering(
                catalogue, session, clock, lease, stop or threading.Event(), operator_patience_s
            )
            execution = Execution(
                catalogue=catalogue,
                session=session,
                recorder=Recorder(catalogue, fixture, session, lease, clock, taken.attempts),
                frames_planned=sum(len(step.takers) for step in steps),
                frames_taken_before=sum(map(len, taken.sequences.values())),
                steps=StepQueue(steps),
                stations=stations,
                knowledge=knowledge,
                spool=spool,
                lease=lease,
                steering=steering,
                actuator=actuator or PromptActuator(steering.ask),
                clock=clock,
                progress=progress or (lambda _done, _total: None),
            )
            return execution.run(settled_by_reconciling=len(settled.settled))
    finally:
        lease.release()


@dataclass(frozen=True)
class _Taken:
    """What earlier runs of a session did, by station: sequences taken, and attempts made."""

    sequences: Mapping[Station, frozenset[int]]
    attempts: Mapping[tuple[Station, int], int]


def _taken_before(
    catalogue: Catalogue,
    session: BegunSession | None,
    stations: Stations,
    plan: Sequence[ShotSpec],
) -> _Taken:
    if session is None:
        return _Taken({}, {})
    with catalogue.reading() as transaction:
        earlier = earlier_shots(transaction, session.session_id)
    by_camera = {station.facts.camera_id: station for station in stations.all}
    # cameras that cooled down are warmed up again
    warm_up = {spec.sequence for spec in plan if spec.warm_up}
    sequences = {
        by_camera[camera_id]: frozenset(taken - warm_up)
        for camera_id, taken in earlier.accepted.items()
        if camera_id in by_camera
    }
    attempts = {
        (by_camera[camera_id], sequence): made
        for (camera_id, sequence), made in earlier.attempts.items()
        if camera_id in by_camera
    }
    return _Taken(sequences, attempts)


def _refuse_old(uuid: str, started_at: datetime, now: datetime) -> None:
    if now - started_at > RESUMABLE_FOR:
        hours = RESUMABLE_FOR.total_seconds() / 3600
        raise SessionNotResumableError(
            f"session {uuid} began at {started_at.isoformat(sep=' ', timespec='minutes')}, more"
            f" than {hours:g} hours ago, and stands for that moment of ageing: run the recipe as a"
            " new session"
        )


def _refuse_simulated_clock(clock: CivilClock, fixture: FixtureFacts) -> None:
    real = [camera.serial for camera in fixture.cameras if not camera.simulated]
    if clock.source == "simulated" and real:
        raise ClockRefusedError(
            f"the clock is simulated and the camera {real[0]} is real: set the home's clock to the"
            " host's, or run the session with simulated cameras only"
        )


def _note_opened(
    transaction: Transaction, session: BegunSession, stations: Stations, at: datetime
) -> None:
    for station in stations.all:
        camera_id = station.facts.camera_id
        add_camera_news(transaction, session.session_id, camera_id, station.take_news(), at)


def _require_offered(stations: Stations, plan: Sequence[ShotSpec]) -> None:
    """Refuse a recipe that asks a camera for a setting that it does not offer; name them all."""
    results = stations.each(stations.all, lambda station: station.camera.settings.offered())
    offered = {}
    for station, choices in results.items():
        if isinstance(choices, Exception):
            raise choices
        offered[station.facts.serial] = OfferedByCamera(station.facts.make, choices)
    refuse_not_offered(issues_with(plan, offered))


def _raise_first(results: Mapping[Station, object]) -> None:
    for result in results.values():
        if isinstance(result, Exception):
            raise result
