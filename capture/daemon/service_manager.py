"""Tells a service manager how the daemon does, by systemd's protocol; silent where there is none.

There is no thread that keeps pinging: whoever works says so as it gets on, so that a daemon which
hangs falls silent and is restarted.
"""

from __future__ import annotations

from typing import Final, Protocol

_LONGEST_STATUS: Final = 200


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
    """The service manager whose socket the environment's NOTIFY_SOCKET names."""

    def __init__(self) -> None:
        from sdnotify import SystemdNotifier

        self._notifier = SystemdNotifier()
        self._said = ""

    def ready(self) -> None:
        """Say that the start is over."""
        self._notifier.notify("READY=1")

    def alive(self) -> None:
        """Say that work goes on."""
        self._notifier.notify("WATCHDOG=1")

    def stopping(self) -> None:
        """Say that the end has begun."""
        self._notifier.notify("STOPPING=1")

    def status(self, text: str) -> None:
        """Say in words what is being done, if it is something else than before."""
        line = " ".join(text.split())[:_LONGEST_STATUS]
        if line != self._said:
            self._said = line
            # the protocol's library knows no other characters
            self._notifier.notify(f"STATUS={line}".encode("latin-1", "replace").decode("latin-1"))


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
