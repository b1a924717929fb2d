"""The parent's ear for a camera worker's writer: which shots are sealed, while orders go on.

A thread listens on a socket of its own, so an order at work neither delays nor is delayed.
"""

from __future__ import annotations

import socket
import threading
from typing import Any

from capture.cameras._wire import WireClosedError, receive


class Announcements:
    """What the writer of one worker announced so far.

    Parameters
    ----------
    connection
        The socket; closed once the worker is gone.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._outcomes: dict[str, dict[str, Any]] = {}
        self._awaited: set[str] = set()
        self._ended = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._listen, name="announcements", daemon=True)
        self._thread.start()

    def expect(self, shot_uuid: str) -> None:
        """Note that the writer has a shot."""
        with self._changed:
            if shot_uuid not in self._outcomes:
                self._awaited.add(shot_uuid)

    def outcome(self, shot_uuid: str, timeout_s: float) -> dict[str, Any] | None:
        """Wait for a shot and return what was announced, None if the worker ended before.

        Raises
        ------
        TimeoutError
            If nothing was announced in time.
        """
        with self._changed:
            if not self._changed.wait_for(
                lambda: shot_uuid in self._outcomes or self._ended, timeout_s
            ):
                raise TimeoutError
            return self._outcomes.pop(shot_uuid, None)

    def await_all(self, timeout_s: float) -> None:
        """Wait until the writer has nothing left, the worker is gone, or the time is over."""
        with self._changed:
            self._changed.wait_for(lambda: not self._awaited or self._ended, timeout_s)

    def close(self, timeout_s: float) -> None:
        """Hear the last words of a worker that has ended."""
        self._thread.join(timeout_s)
        self._connection.close()

    def _listen(self) -> None:
        try:
            while True:
                message = receive(self._connection)
                with self._changed:
                    shot_uuid = message.pop("shot_uuid")
                    self._outcomes[shot_uuid] = message
                    self._awaited.discard(shot_uuid)
                    self._changed.notify_all()
        except WireClosedError:
            with self._changed:
                self._ended = True
                self._changed.notify_all()
