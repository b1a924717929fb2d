"""A service manager's end of systemd's protocol, on a real socket."""

from __future__ import annotations

import socket
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self


class NotifySocket:
    """Receives what a service says; `address` goes into its NOTIFY_SOCKET."""

    def __init__(self) -> None:
        # a socket's address must be short
        self._folder = tempfile.TemporaryDirectory(prefix="notify-")
        self.address = str(Path(self._folder.name) / "socket")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.address)
        self._socket.settimeout(0.05)
        self.said: list[str] = []

    def receive(self) -> list[str]:
        """Take what was said since the last time; return all that ever was."""
        while True:
            try:
                self.said.append(self._socket.recv(4096).decode("latin-1"))
            except TimeoutError:
                return self.said

    def wait_for(self, condition: Callable[[list[str]], object], timeout_s: float = 30.0) -> None:
        """Wait until what was said satisfies a condition."""
        end = time.monotonic() + timeout_s
        while not condition(self.receive()):
            assert time.monotonic() < end, self.said

    def __enter__(self) -> Self:
        """Return it."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close it."""
        self._socket.close()
        self._folder.cleanup()
