"""The thread of a camera worker that brings shots from memory to the spool.

Writing, hashing and flushing overlap with the next exposure. Knows the spool and no camera.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, Final, Protocol

from capture.cameras._wire import error_message
from capture.errors import CameraTimeoutError
from capture.spool import Spool

MOST_SHOTS_IN_MEMORY: Final = 2
"""One that is written and one that comes from the camera."""


class FileInMemory(Protocol):
    """A file that came from a camera."""

    @property
    def folder(self) -> str:
        """Folder of the copy on the card."""
        ...

    @property
    def name(self) -> str:
        """Name of the copy on the card."""
        ...

    @property
    def data(self) -> memoryview:
        """Its bytes."""
        ...


@dataclass(frozen=True)
class ShotInMemory:
    """A shot's files before they are written, and the facts of its sidecar."""

    spool: Spool
    shot_uuid: str
    files: Sequence[FileInMemory]
    facts: dict[str, Any]


class Writer:
    """Writes and seals shots in the order in which they come.

    Parameters
    ----------
    announce
        Told of every shot in the writer's thread: `{"shot_uuid": ...}` once it is sealed, with
        `error` and `message` if it could not be.
    """

    def __init__(self, announce: Callable[[dict[str, Any]], None]) -> None:
        self._announce = announce
        self._shots: SimpleQueue[ShotInMemory] = SimpleQueue()
        self._in_memory = 0
        self._changed = threading.Condition()
        threading.Thread(target=self._run, name="writer", daemon=True).start()

    def await_room(self, timeout_s: float) -> None:
        """Wait until one more shot may be held in memory.

        Raises
        ------
        CameraTimeoutError
            If the disk takes longer.
        """
        self._await_fewer_than(MOST_SHOTS_IN_MEMORY, timeout_s)

    def write(self, shot: ShotInMemory) -> None:
        """Have a shot written; returns at once."""
        with self._changed:
            self._in_memory += 1
        self._shots.put(shot)

    def finish(self, timeout_s: float) -> None:
        """Wait until every shot is sealed or given up.

        Raises
        ------
        CameraTimeoutError
            If the disk takes longer.
        """
        self._await_fewer_than(1, timeout_s)

    def _await_fewer_than(self, count: int, timeout_s: float) -> None:
        with self._changed:
            if not self._changed.wait_for(lambda: self._in_memory < count, timeout_s):
                raise CameraTimeoutError(
                    f"the spool's disk took longer than {timeout_s:.1f} s to write a shot"
                )

    def _run(self) -> None:
        while True:
            shot: ShotInMemory | None = self._shots.get()
            assert shot is not None
            answer = {"shot_uuid": shot.shot_uuid, **_written(shot)}
            # the next one may come to memory only after this one has left it
            shot = None
            self._announce(answer)
            with self._changed:
                self._in_memory -= 1
                self._changed.notify_all()


def _written(shot: ShotInMemory) -> dict[str, Any]:
    """Write and seal a shot, or leave nothing of it; return what went wrong as for the wire."""
    try:
        files = [
            shot.spool.receive(shot.shot_uuid, number, file.data, file.folder, file.name)
            for number, file in enumerate(shot.files)
        ]
        shot.spool.seal(shot.shot_uuid, files, shot.facts)
        return {}
    except Exception as error:  # whatever it is, the thread must say so and go on
        with suppress(OSError):
            shot.spool.clear(shot.shot_uuid)
        return error_message(error)
