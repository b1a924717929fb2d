"""Tells a service manager how the daemon does, by systemd's protocol; silent where there is none.

There is no thread that keeps pinging: whoever works says so as it gets on, so that a daemon which
hangs falls silent and is restarted.
"""

from __future__ import annotations

import os
from types import TracebackType
from typing import Final, Protocol, Self

_LONGEST_STATUS: Final = 200
_PATIENCE_S: Final = 1.0


class ServiceManager(Protocol):
    """Whom the daemon reports to."""

    def ready(self) -> None:
        """Say that the start is over."""
        ...

    def alive(self) -> None:
        """Say that work goes on."""
        ...

    def stopping(self) -> None:
        """Say that the end has begun."""
        ...

    def status(self, text: str) -> None:
        """Say in words what is being done."""
        ...


class NotifySocket:
    """The service manager whose socket the environment's NOTIFY_SOCKET names, if it names one."""

    def __init__(self) -> None:
        from sdnotify import SystemdNotifier

        self._said = ""
        # without the variable the library would leave a socket open
        self._notifier = SystemdNotifier() if os.environ.get("NOTIFY_SOCKET") else None
        if self._notifier is not None and self._notifier.socket is not None:
            # somebody who does not listen must not hold up the work
            self._notifier.socket.settimeout(_PATIENCE_S)

    def __enter__(self) -> Self:
        """Return it."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Let go of the socket."""
        if self._notifier is not None and self._notifier.socket is not None:
            self._notifier.socket.close()

    def ready(self) -> None:
        """Say that the start is over."""
        self._notify("READY=1")

    def alive(self) -> None:
        """Say that work goes on."""
        self._notify("WATCHDOG=1")

    def stopping(self) -> None:
        """Say that the end has begun."""
        self._notify("STOPPING=1")

    def status(self, text: str) -> None:
        """Say in words what is being done, if it is something else than before."""
        line = " ".join(text.split())[:_LONGEST_STATUS]
        if line != self._said:
            self._said = line
            # the protocol's library knows no other characters
            self._notify(f"STATUS={line}".encode("latin-1", "replace").decode("latin-1"))

    def _notify(self, text: str) -> None:
        if self._notifier is not None:
            self._notifier.notify(text)


class NoServiceManager:
    """Nobody asked to be told."""

    def ready(self) -> None:
        """Say nothing."""

    def alive(self) -> None:
        """Say nothing."""

    def stopping(self) -> None:
        """Say nothing."""

    def status(self, text: str) -> None:
        """Say nothing."""
