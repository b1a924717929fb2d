"""Stations: the cameras of a session with what each needs, opened and worked in parallel.

Every camera is blocking, so each has a thread of this process; none of them touches the catalogue.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

from capture.cameras.gphoto2_camera import Gphoto2Camera
from capture.cameras.protocol import Camera, CameraIdentity
from capture.checks import ClockSkew
from capture.errors import CameraBusyError, CaptureError
from capture.examination import CameraFacts, Examiner
from datastore.clocks import CivilClock, Deadline
from datastore.errors import DatastoreError

CameraFactory = Callable[[str, str, Path], Camera]
"""Makes a closed camera from address, expected serial and spool folder."""

BUSY_PATIENCE_S: Final = 6.0
"""How long a camera may stay busy at the start: a killed session lets go of it after a moment."""

_BUSY_PAUSE_S: Final = 0.3
Result = TypeVar("Result")


class Station:
    """One camera of a session.

    Attributes
    ----------
    facts
        What the catalogue knows of it.
    camera, examiner
        What takes its shots and what examines them.
    identity, skew
        As found at the latest opening; None before.
    opened_at, opened_s
        Civil and monotonic time of the latest opening.
    """

    def __init__(self, facts: CameraFacts, camera: Camera) -> None:
        self.facts = facts
        self.camera = camera
        self.examiner = Examiner()
        self.identity: CameraIdentity | None = None
        self.skew: ClockSkew | None = None
        self.opened_at: datetime | None = None
        self.opened_s: float | None = None

    def open(self, clock: CivilClock) -> None:
        """Open the camera and measure its clock; waits for a while where it is busy.

        Raises
        ------
        CaptureError
            If it cannot be opened.
        """
        deadline = Deadline.after(BUSY_PATIENCE_S)
        while True:
            try:
                self.identity = self.camera.open()
                break
            except CameraBusyError:
                if deadline.expired:
                    raise
                time.sleep(_BUSY_PAUSE_S)
        before = clock.now()
        shown = self.camera.settings.clock_s()
        self.opened_at = clock.now()
        self.opened_s = time.monotonic()
        self.skew = None if shown is None else ClockSkew.measured(shown, before, self.opened_at)


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
    """

    def __init__(
        self,
        cameras: Sequence[CameraFacts],
        spool_folder: Path,
        camera_factory: CameraFactory = Gphoto2Camera,
    ) -> None:
        self.all = [
            Station(facts, camera_factory(facts.address, facts.serial, spool_folder))
            for facts in cameras
        ]
        self._threads = ThreadPoolExecutor(max(1, len(self.all)), thread_name_prefix="camera")
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Return the stations, not opened yet."""
        for station in self.all:
            self._stack.enter_context(station.examiner)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close every camera and end every process."""
        self.each(self.all, lambda station: station.camera.close())
        self._threads.shutdown()
        self._stack.close()

    def each(
        self, stations: Sequence[Station], work: Callable[[Station], Result]
    ) -> dict[Station, Result | CaptureError | DatastoreError]:
        """Do something at several stations at once; a failure takes the place of its result."""
        futures = {station: self._threads.submit(work, station) for station in stations}
        results: dict[Station, Result | CaptureError | DatastoreError] = {}
        for station, future in futures.items():
            try:
                results[station] = future.result()
            except (CaptureError, DatastoreError) as error:
                results[station] = error
        return results
