"""Sessions: one execution of a recipe over the cameras of a fixture.

Owns what must hold before the first shot: equipment leased and open, earlier shots settled, every
setting offered, room on the disk. The shots themselves are `capture.execution`'s.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from capture.actuators import Actuator
from capture.cameras.choices import choice_for
from capture.cameras.gphoto2_camera import Gphoto2Camera
from capture.cameras.protocol import CameraSettings
from capture.errors import ClockRefusedError, SettingNotOfferedError
from capture.execution import Execution, Progress, add_opened, settings_of
from capture.leasing import lease_equipment
from capture.outcome import SessionOutcome
from capture.recipes import Recipe, ShotSpec, expand
from capture.reconcile import reconcile_stations
from capture.session_rows import FixtureFacts, begin_session, load_fixture
from capture.space import require_space
from capture.spool import Spool
from capture.stations import CameraFactory, Station, Stations
from datastore.catalogue import Catalogue
from datastore.clocks import CivilClock


def run_session(
    catalogue: Catalogue,
    recipe: Recipe,
    fixture_name: str,
    *,
    actuator: Actuator,
    clock: CivilClock,
    spool_folder: Path,
    serials: Sequence[str] | None = None,
    operator: str | None = None,
    note: str | None = None,
    camera_factory: CameraFactory = Gphoto2Camera,
    progress: Progress | None = None,
    stop: threading.Event | None = None,
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
        Changes scenes and moves caps.
    clock
        Civil time; a simulated one only with simulated cameras.
    spool_folder
        Where files wait between camera and store; best on the store's disk.
    serials
        Take part only these cameras; None for all.
    operator, note
        Recorded with the session.
    camera_factory
        Makes each camera from address, serial and spool folder.
    progress
        Told after every frame.
    stop
        Once set, the session ends after the shot in hand.

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
    plan = expand(recipe, list(fixture.scenes))
    _refuse_simulated_clock(clock, fixture)
    spool = Spool(spool_folder)
    lease = lease_equipment(catalogue, fixture.resources)
    try:
        with Stations(fixture.cameras, spool_folder, camera_factory) as stations:
            _open_all(stations, clock)
            settled = reconcile_stations(catalogue, fixture, clock, spool, stations)
            _require_offered(stations, plan)
            require_space(catalogue, spool, fixture.cameras, plan)
            with catalogue.writing() as transaction:
                begun = begin_session(
                    transaction,
                    fixture,
                    recipe,
                    operator=operator,
                    note=note,
                    clock_source=clock.source,
                    at=clock.now(),
                )
                for station in stations.all:
                    add_opened(transaction, begun, station)
            execution = Execution(
                catalogue=catalogue,
                fixture=fixture,
                session=begun,
                recipe=recipe,
                plan=plan,
                stations=stations,
                spool=spool,
                lease=lease,
                actuator=actuator,
                clock=clock,
                progress=progress or (lambda _done, _total: None),
                stop=stop or threading.Event(),
            )
            return execution.run(settled_by_reconciling=len(settled.settled))
    finally:
        lease.release()


def _refuse_simulated_clock(clock: CivilClock, fixture: FixtureFacts) -> None:
    real = [camera.serial for camera in fixture.cameras if not camera.simulated]
    if clock.source == "simulated" and real:
        raise ClockRefusedError(
            f"the clock is simulated and the camera {real[0]} is real: set the home's clock to the"
            " host's, or run the session with simulated cameras only"
        )


def _open_all(stations: Stations, clock: CivilClock) -> None:
    _raise_first(stations.each(stations.all, lambda station: station.open(clock)))


def _require_offered(stations: Stations, plan: Sequence[ShotSpec]) -> None:
    """Refuse a recipe that asks a camera for a setting that it does not offer."""
    wishes = list(dict.fromkeys(settings_of(spec) for spec in plan))
    _raise_first(stations.each(stations.all, lambda station: _choose_all(station, wishes)))


def _choose_all(station: Station, wishes: Sequence[CameraSettings]) -> None:
    offered = station.camera.settings.offered()
    for settings in wishes:
        for field, wanted in settings.fields().items():
            if wanted is None:
                continue
            try:
                choice_for(field, wanted, offered.get(field, ()), station.facts.make)
            except SettingNotOfferedError as error:
                raise SettingNotOfferedError(
                    f"camera {station.facts.serial}: {error}; change the recipe"
                ) from None


def _raise_first(results: Mapping[Station, object]) -> None:
    for result in results.values():
        if isinstance(result, Exception):
            raise result
