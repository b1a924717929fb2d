"""The way of a step's files from the camera to the store, beside the exposures that follow.

Knows no rows, gives no camera an order and never decides what becomes of a shot.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

from capture.cameras.protocol import Release
from capture.examination import ExaminedShot, ShotFacts
from capture.flight import Attempt, Flight
from capture.knowledge import SessionKnowledge
from capture.spool import Spool
from capture.stations import Station, Stations, outcomes
from capture.steps import Step, settings_of
from datastore.clocks import CivilClock
from datastore.durable import forget_pages
from datastore.frames import Finding
from datastore.store import LocalStore

_DISTRUSTED: Final = Finding(
    "distrusted",
    {},
    "The camera had delivered a wrong file for a shot before: this one may not be the shot's.",
)


@dataclass(frozen=True)
class Ingest:
    """Examines and stores what cameras bring.

    Attributes
    ----------
    stations, knowledge, spool, clock
        Of the session.
    store
        Where the files go.
    """

    stations: Stations
    knowledge: SessionKnowledge
    spool: Spool
    store: LocalStore
    clock: CivilClock

    def begin(
        self,
        step: Step[Station],
        attempts: dict[Station, Attempt],
        planned_at: datetime,
        releasing: Mapping[Station, Future[Release]],
    ) -> Flight:
        """Begin to examine what each camera brings once it is free for its next exposure."""

        def examine(station: Station) -> ExaminedShot:
            releasing[station].result()
            return self._examine(station, step, attempts[station], planned_at)

        return Flight(step, attempts, releasing, self.stations.ingest(list(releasing), examine))

    def complete(self, flight: Flight) -> dict[Station, ExaminedShot]:
        """Wait for a step's shots and put those into the store that are what they should be.

        Failures are noted with the attempts. The steps before must have landed: what was found in
        them tells which conversations with cameras are off by one.
        """
        attempts = flight.attempts
        released, failed = outcomes(flight.releasing)
        for station, release in released.items():
            attempts[station].release = release
        examined, failed_examinations = outcomes(flight.examining)
        for station, shot in examined.items():
            readiness = attempts[station].readiness
            assert readiness is not None
            if station.suspect_opening == readiness.opening:
                shot.foreign.append(_DISTRUSTED)
        putting = {
            station: self.stations.beside(partial(self._put, attempts[station]))
            for station, shot in examined.items()
            if not shot.foreign
        }
        _, failed_puts = outcomes(putting)
        for station, failure in {**failed_puts, **failed_examinations, **failed}.items():
            attempts[station].failure = failure
            examined.pop(station, None)
        return examined

    def _examine(
        self, station: Station, step: Step[Station], attempt: Attempt, planned_at: datetime
    ) -> ExaminedShot:
        """Wait until a shot is durable in the spool, and examine it."""
        assert attempt.planned is not None and attempt.readiness is not None
        latest = self.clock.now()
        delivery = attempt.delivery = station.camera.files.delivered(attempt.planned.uuid)
        # the files are read once more while others read them, too
        verifying = self.stations.beside(lambda: self.spool.verify(delivery.files))
        facts = ShotFacts(
            kind=step.spec.kind,
            requested=settings_of(step.spec),
            read_back=attempt.readiness.read_back,
            earliest=planned_at,
            latest=latest,
            skew=attempt.readiness.skew,
            thresholds=self.knowledge.thresholds,
            scene=self.knowledge.of(station.facts.camera_id, step.spec.scene),
        )
        try:
            return station.examiners.examine(delivery.files, station.facts, facts)
        finally:
            verifying.result()

    def _put(self, attempt: Attempt) -> None:
        assert attempt.delivery is not None
        for file in attempt.delivery.files:
            self.store.put_file(file.path, sha256=file.sha256, keep_source=False, is_verified=True)
            forget_pages(file.path)
