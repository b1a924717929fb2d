"""A computer's clocks in simulated time, and sessions that sleep in it."""

from __future__ import annotations

import itertools
import json
import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, Protocol

POLL_S = 0.01


class KilledError(BaseException):
    """The simulated process is dead: whatever of it still runs ends here."""


class SimulatedTime:
    """A civil clock that can be moved, and the time since boot, which only passes.

    Parameters
    ----------
    civil
        What the civil clock shows first.
    boot_s
        Seconds since boot at that moment.
    """

    source: Literal["simulated"] = "simulated"

    def __init__(self, civil: datetime, boot_s: float = 0.0) -> None:
        self._zero = civil.astimezone(UTC) - timedelta(seconds=boot_s)
        self._boot_s = boot_s
        self._changed = threading.Condition()
        self._sleepers: dict[int, float] = {}
        self._numbers = itertools.count()

    def now(self) -> datetime:
        """Return what the civil clock shows."""
        return self._zero + timedelta(seconds=self._boot_s)

    def boot_s(self) -> float:
        """Return the seconds since boot."""
        return self._boot_s

    def jump(self, by: timedelta) -> None:
        """Move the civil clock, as a person or a time server does."""
        self._zero += by

    def advance(self, seconds: float) -> None:
        """Let time pass, and wake whoever slept long enough."""
        with self._changed:
            self._boot_s += seconds
            for number, until_s in list(self._sleepers.items()):
                if until_s <= self._boot_s:
                    del self._sleepers[number]
            self._changed.notify_all()

    def sleep(self, seconds: float, stop: threading.Event, is_dead: Callable[[], bool]) -> bool:
        """Sleep so long, or until a stop is asked for; return whether it was so long.

        Raises
        ------
        KilledError
            Once the simulated process is dead.
        """
        number = next(self._numbers)
        with self._changed:
            self._sleepers[number] = self._boot_s + seconds
            while number in self._sleepers:
                if is_dead() or stop.is_set():
                    del self._sleepers[number]
                    break
                self._changed.wait(POLL_S)
        if is_dead():
            raise KilledError
        return not stop.is_set()

    def sleeping(self) -> int:
        """Return how many sleep."""
        with self._changed:
            return len(self._sleepers)

    def next_wake_s(self) -> float | None:
        """Return when the next sleeper wakes, in seconds since boot."""
        with self._changed:
            return min(self._sleepers.values(), default=None)


class Time(Protocol):
    """A civil clock and the time since boot."""

    def now(self) -> datetime:
        """Return what the civil clock shows."""
        ...

    def boot_s(self) -> float:
        """Return the seconds since boot."""
        ...


class Journal:
    """What truly happened, line by line; a kill leaves at most half a line.

    Parameters
    ----------
    file
        Where it is kept; it is gone on with where it exists.
    time
        Dates every line.
    """

    def __init__(self, file: Path, time: Time) -> None:
        self._time = time
        self._descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def write(self, kind: str, **facts: Any) -> None:
        """Add a line."""
        line = {
            "kind": kind,
            "boot_s": self._time.boot_s(),
            "civil": self._time.now().isoformat(),
            **facts,
        }
        os.write(self._descriptor, json.dumps(line).encode() + b"\n")

    def close(self) -> None:
        """End it."""
        os.close(self._descriptor)


def read_journal(file: Path) -> list[dict[str, Any]]:
    """Return the whole lines of a journal, civil times parsed."""
    lines = []
    for text in file.read_bytes().split(b"\n"):
        try:
            line = json.loads(text)
        except ValueError:
            continue
        line["civil"] = datetime.fromisoformat(line["civil"])
        lines.append(line)
    return lines
