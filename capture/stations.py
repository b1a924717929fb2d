"""Stations: the cameras of a session with what each needs, worked in parallel.

Every camera is blocking, so each has two threads of this process: one gives it its orders, the
other examines and stores what it brought, so that the camera exposes meanwhile. None of them
touches the catalogue.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from capture.cameras.gphoto2_camera import Gphoto2Camera
from capture.cameras.opening import open_patiently
from capture.cameras.protocol import (
    Camera,
    CameraIdentity,
    CameraSettings,
    ReadBack,
    Release,
)
from capture.checks import ClockSkew
from capture.errors import CaptureError
from capture.examination import CameraFacts, Examiners
from capture.spool import Spool, SpooledFile
from datastore.clocks import CivilClock
from datastore.errors import DatastoreError
from datastore.tables import SessionEventName

CameraFactory = Callable[[str, str, Path], Camera]
"""Makes a closed camera from address, expected serial and spool folder."""

CAMERA_PATIENCE_S: Final = 15.0
"""How long a camera that does not open is tried again: a killed session lets go after a moment."""

_CLOCK_JUMP: Final = timedelta(seconds=2)
Result = TypeVar("Result")
Failure = CaptureError | DatastoreError


@dataclass(frozen=True)
class Readiness:
    """What was found when a station was made ready for a shot.

    Attributes
    ----------
    read_back
        The settings as the camera shows them.
    skew
        Of the camera's clock just before the shot, None where it shows none.
    opening
        Number of the conversation with the camera, which each opening begins anew.
    """

    read_back: ReadBack
    skew: ClockSkew | None
    opening: int


class Station:
    """One camera of a session.

    Attributes
    ----------
    facts
        What the catalogue knows of it.
    camera, examiners
        What takes its shots, and what examines them beside those of other cameras.
    identity, skew
        As found at the latest opening, the skew as of the latest shot; None before.
    opened_at
        Civil time of the latest opening; None before.
    opening
        Number of that opening, 0 before the first.
    failed_openings
        How often in a row it could not be opened.
    suspect_opening
        Number of the latest conversation in which a wrong file came; None before.
    """

    def __init__(
        self, facts: CameraFacts, camera: Camera, examiners: Examiners, patience_s: float
    ) -> None:
        self.facts = facts
        self.camera = camera
        self.examiners = examiners
        self.identity: CameraIdentity | None = None
        self.skew: ClockSkew | None = None
        self.opened_at: datetime | None = None
        self.opening = 0
        self.failed_openings = 0
        self.suspect_opening: int | None = None
        # what happens while the camera carries out an order is told by another thread
        self._news: SimpleQueue[tuple[SessionEventName, dict[str, Any]]] = SimpleQueue()
        self._patience_s = patience_s
        self._opened_s = 0.0
        self._released: tuple[datetime, float] | None = None
        self._applied: CameraSettings | None = None
        self._discards: list[tuple[str, Sequence[SpooledFile]]] = []

    def has_applied(self, settings: CameraSettings) -> bool:
        """Return whether preparing a shot would neither open the camera nor change a setting."""
        is_suspect = self.suspect_opening == self.opening
        is_lasting = self.camera.is_open and not is_suspect and not self.camera.wants_recycling
        return is_lasting and self._applied == settings

    def open(self, clock: CivilClock) -> None:
        """Open the camera and measure its clock; tries again for a while where that may help.

        Raises
        ------
        CaptureError
            If it cannot be opened.
        """
        # what the card holds from before may have been renamed: only its bytes tell later
        self._discards.clear()
        try:
            self.identity = open_patiently(self.camera, self._patience_s)
        except CaptureError:
            self.failed_openings += 1
            raise
        self.failed_openings = 0
        self.opening += 1
        self._sight_clock(clock)
        self.opened_at = clock.now()
        self._opened_s = time.monotonic()
        self._released = None
        self._news.put(("camera-opened", self._opened()))

    def prepare(self, settings: CameraSettings, clock: CivilClock, spool: Spool) -> Readiness:
        """Make the camera ready for a shot.

        Card copies that may go are deleted. A camera that is closed, suspect or due for recycling
        is opened anew.

        Raises
        ------
        CaptureError
            If the camera fails or does not take the settings.
        """
        if self.suspect_opening == self.opening:
            self.camera.close()
        try:
            self.delete_discards(spool)
        except CaptureError:
            # it costs the shot no attempt: the spool remembers what the next reconciliation has to
            # delete, and the camera is opened anew
            self.camera.close()
        if self.camera.wants_recycling:
            self.camera.close()
        if self.camera.is_open:
            self._sight_clock(clock)
        else:
            self.open(clock)
        self._applied = None
        read_back = self.camera.settings.apply(settings)
        self._applied = settings
        return Readiness(read_back, self.skew, self.opening)

    def take_news(self) -> list[tuple[SessionEventName, dict[str, Any]]]:
        """Return what happened to the camera since the last time: names and details of events."""
        return [self._news.get() for _ in range(self._news.qsize())]

    def release(
        self, shot_uuid: str, settings: CameraSettings, planned_at: datetime, planned_s: float
    ) -> Release:
        """Release the shutter; returns once the camera is free for its next exposure.

        Parameters
        ----------
        shot_uuid, settings
            The shot.
        planned_at, planned_s
            When it was planned, by the civil and by the monotonic clock: the answer counts from
            then.
        """
        since_planned_s = time.monotonic() - planned_s
        self._released = (planned_at, planned_s)
        release = self.camera.trigger.release(shot_uuid, settings)
        return Release(
            release.shot_uuid,
            released_after_s=since_planned_s + release.released_after_s,
            free_after_s=since_planned_s + release.free_after_s,
        )

    def suspect(self, opening: int) -> None:
        """Have a conversation in which a wrong file came ended before the camera's next shot."""
        self.suspect_opening = opening

    def discard(self, shot_uuid: str, files: Sequence[SpooledFile], opening: int) -> None:
        """Have the card's copies of a registered shot deleted before the next shot.

        Copies from before the latest opening may have been renamed since: the spool remembers them
        for the next reconciliation, which looks at the bytes.
        """
        if opening == self.opening:
            self._discards.append((shot_uuid, files))

    def delete_discards(self, spool: Spool) -> None:
        """Delete the card copies that may go; where that fails, the spool remembers them."""
        while self._discards and self.camera.is_open:
            uuid, files = self._discards[0]
            for file in files:
                self.camera.files.delete(file.camera_folder, file.camera_name)
            spool.clear(uuid)
            self._discards.pop(0)

    def finish(self, spool: Spool) -> None:
        """Delete what may go and close the camera; never raises."""
        try:
            self.delete_discards(spool)
        except (CaptureError, OSError):
            # the spool remembers what the next reconciliation has to delete
            pass
        finally:
            self.camera.close()

    def since_opened_s(self, now: datetime, clock: CivilClock) -> float | None:
        """Return how long the camera has been open, None while it is closed."""
        if self.opened_at is None or not self.camera.is_open:
            return None
        return _elapsed_s(self.opened_at, self._opened_s, now, clock)

    def since_last_shot_s(self, now: datetime, clock: CivilClock) -> float | None:
        """Return the time since the previous release, None for the first since opening."""
        if self._released is None:
            return None
        return _elapsed_s(*self._released, now, clock)

    def _sight_clock(self, clock: CivilClock) -> None:
        """Measure the camera's clock; one that shows nothing keeps the skew of the last sight."""
        before = clock.now()
        shown = self.camera.settings.clock_s()
        if shown is None:
            return
        skew = ClockSkew.measured(shown, before, clock.now())
        jump_s = _jump_s(self.skew, skew)
        if jump_s is not None:
            detail = {"camera": self.facts.serial, "jump_s": jump_s}
            self._news.put(("clock-jumped", detail))
        self.skew = skew

    def _opened(self) -> dict[str, Any]:
        assert self.identity is not None
        skew_s = None
        if self.skew is not None:
            middle = (self.skew.lowest + self.skew.highest) / 2
            skew_s = round(middle.total_seconds(), 3)
        return {
            "camera": self.facts.serial,
            "firmware": self.identity.firmware,
            "clock_skew_s": skew_s,
        }


def _elapsed_s(at: datetime, monotonic_s: float, now: datetime, clock: CivilClock) -> float:
    # the host's civil clock may be set back; a simulated one runs at a pace of its own
    if clock.source == "host":
        return round(time.monotonic() - monotonic_s, 3)
    return round((now - at).total_seconds(), 3)


def _jump_s(before: ClockSkew | None, after: ClockSkew | None) -> float | None:
    if before is None or after is None:
        return None
    if after.lowest > before.highest + _CLOCK_JUMP:
        return round((after.lowest - before.highest).total_seconds(), 1)
    if after.highest < before.lowest - _CLOCK_JUMP:
        return round((after.highest - before.lowest).total_seconds(), 1)
    return None


class Stations:
    """The stations of a session; a context manager that closes every camera at its end.

    Parameters
    ----------
    cameras
        The session's cameras.
    spool_folder
        Where their files go.
    camera_factory
        Makes each camera.
    patience_s
        How long a camera that does not open is tried again, in seconds.

    Attributes
    ----------
    all
        One for each camera.
    """

    def __init__(
        self,
        cameras: Sequence[CameraFacts],
        spool_folder: Path,
        camera_factory: CameraFactory = Gphoto2Camera,
        patience_s: float = CAMERA_PATIENCE_S,
    ) -> None:
        count = max(1, len(cameras))
        self._examiners = Examiners(min(count, len(os.sched_getaffinity(0))))
        self.all = [
            Station(
                facts,
                camera_factory(facts.address, facts.serial, spool_folder),
                self._examiners,
                patience_s,
            )
            for facts in cameras
        ]
        self._orders = ThreadPoolExecutor(count, thread_name_prefix="camera")
        self._ingests = ThreadPoolExecutor(count, thread_name_prefix="ingest")
        self._beside = ThreadPoolExecutor(count, thread_name_prefix="store")
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Return the stations, not opened yet."""
        self._stack.enter_context(self._examiners)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close every camera and end every process."""
        self.each(self.all, lambda station: station.camera.close())
        self._orders.shutdown()
        self._ingests.shutdown()
        self._beside.shutdown()
        self._stack.close()

    def each(
        self, stations: Sequence[Station], work: Callable[[Station], Result]
    ) -> dict[Station, Result | Failure]:
        """Do something at several stations at once; a failure takes the place of its result."""
        results, failures = outcomes(self.order(stations, work))
        return {**results, **failures}

    def order(
        self, stations: Sequence[Station], work: Callable[[Station], Result]
    ) -> dict[Station, Future[Result]]:
        """Begin to give orders to several cameras at once."""
        return {station: self._orders.submit(work, station) for station in stations}

    def ingest(
        self, stations: Sequence[Station], work: Callable[[Station], Result]
    ) -> dict[Station, Future[Result]]:
        """Begin to work on what several cameras brought, beside their next exposure."""
        return {station: self._ingests.submit(work, station) for station in stations}

    def beside(self, work: Callable[[], Result]) -> Future[Result]:
        """Begin a part of an ingest that may go on beside the rest of it."""
        return self._beside.submit(work)


def outcomes(
    futures: Mapping[Station, Future[Result]],
) -> tuple[dict[Station, Result], dict[Station, Failure]]:
    """Wait for the work at several stations; return what came out and what failed."""
    results: dict[Station, Result] = {}
    failures: dict[Station, Failure] = {}
    for station, future in futures.items():
        try:
            results[station] = future.result()
        except (CaptureError, DatastoreError) as error:
            failures[station] = error
    return results, failures
