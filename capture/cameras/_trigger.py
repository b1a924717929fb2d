"""The release of a camera's shutter through libgphoto2; used in camera workers alone.

Owns which of the files that the camera reports are the shot's: exactly those that its image quality
promises, and none that was there before.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

import gphoto2

from capture.cameras._connection import Connection
from capture.cameras._files import CardPath, Files, ReceivedFile
from capture.cameras._settings import Settings
from capture.cameras._supplies import explained
from capture.cameras._translation import UNEXPLAINED, failure
from capture.errors import FilesMissingError, ForeignFileError
from capture.spool import role_of

_POLL_S: Final = 0.004
_EVENT_WAIT_MS: Final = 20
_AFTER_LAST_FILE_S: Final = 0.05
_ROLES: Final[Mapping[str, tuple[str, ...]]] = {
    "raw": ("raw",),
    "jpeg": ("jpeg",),
    "raw+jpeg": ("raw", "jpeg"),
}


class Trigger:
    """The shutter of an open camera."""

    def __init__(self, connection: Connection, settings: Settings, files: Files) -> None:
        self._connection = connection
        self._camera = connection.camera
        self._settings = settings
        self._files = files

    def release(self, image_quality: str, deadline_s: float) -> tuple[list[ReceivedFile], float]:
        """Release the shutter and bring the shot's files to memory.

        Parameters
        ----------
        image_quality
            Says which files there will be.
        deadline_s
            How long all of them may take to appear, in seconds.

        Returns
        -------
        files
            The shot's files.
        released_after_s
            Time between the call and the release, in seconds.

        Raises
        ------
        BatteryLowError, CardFullError
            If the camera refused, and has too little charge or no room.
        FilesMissingError
            If a file did not appear in time.
        ForeignFileError
            If a file appeared that the shot does not account for.
        """
        began = time.monotonic()
        self._forget_old_events()
        released_after_s = time.monotonic() - began
        self._release()
        return self._collect(image_quality, began + deadline_s), released_after_s

    def _release(self) -> None:
        doing = "releasing its shutter"
        try:
            self._camera.trigger_capture()
        except gphoto2.GPhoto2Error as error:
            if error.code not in UNEXPLAINED:
                raise self._connection.translation(error, doing) from None
            said = failure(self._connection.address, doing, error.code, error.string)
            raise explained(said, self._connection, self._settings) from None

    def _collect(self, image_quality: str, deadline: float) -> list[ReceivedFile]:
        missing = Counter(_ROLES[image_quality])
        received: list[ReceivedFile] = []
        for path in self._new_files(missing, deadline):
            role = role_of(path[1])
            if path in self._files.known:
                raise ForeignFileError(
                    f"the camera at {self._connection.address} delivered {path[1]} again, which was"
                    " on its card before the shot"
                )
            if missing[role] == 0:
                raise ForeignFileError(
                    f"the camera at {self._connection.address} delivered {path[1]}, though"
                    f" {image_quality} was asked for and that is complete"
                )
            missing[role] -= 1
            self._files.known.add(path)
            received.append(self._files.download(path))
        return received

    def _new_files(self, missing: Counter[str], deadline: float) -> Iterator[CardPath]:
        """Yield files as the camera reports them, until all have come and it reports the end."""
        complete = False
        last_file_at = time.monotonic()
        while True:
            waiting = missing.total() > 0
            now = time.monotonic()
            if not waiting and (complete or now - last_file_at > _AFTER_LAST_FILE_S):
                return
            if waiting and now > deadline:
                roles = " and ".join(role for role, count in missing.items() if count)
                raise FilesMissingError(
                    f"the camera at {self._connection.address} did not deliver the {roles} file of"
                    " a shot in time"
                )
            kind, data = self._next_event()
            if kind == gphoto2.GP_EVENT_FILE_ADDED:
                last_file_at = time.monotonic()
                yield (data.folder, data.name)
                last_file_at = time.monotonic()
            elif kind == gphoto2.GP_EVENT_CAPTURE_COMPLETE:
                complete = True

    def _forget_old_events(self) -> None:
        """Take files that appear before the release as known: they are another shot's."""
        while True:
            kind, data = self._next_event(wait_ms=1)
            if kind == gphoto2.GP_EVENT_TIMEOUT:
                return
            if kind == gphoto2.GP_EVENT_FILE_ADDED:
                self._files.known.add((data.folder, data.name))

    def _next_event(self, wait_ms: int = _EVENT_WAIT_MS) -> tuple[int, Any]:
        asked = time.monotonic()
        with self._connection.translated("waiting for its files"):
            kind, data = self._camera.wait_for_event(wait_ms)
        # over PTP/IP the library returns at once whatever it was told to wait
        too_soon = time.monotonic() - asked < _POLL_S
        if kind == gphoto2.GP_EVENT_TIMEOUT and wait_ms > 1 and too_soon:
            time.sleep(_POLL_S)
        return kind, data
