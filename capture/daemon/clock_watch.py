"""Tells a civil clock that was moved from time that passed; decides nothing about occurrences.

CLOCK_BOOTTIME counts every second since the computer was started, those in suspend included, and
nobody can set it. A civil clock that goes otherwise was set: by a person, a time server, a battery
that died.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

TOLERANCE_S: Final = 5.0
"""A smaller step is a time server's correction and moves no occurrence."""

_TOLERATED_RATE: Final = 1e-3
"""How much two sound clocks may drift apart in each second, slewing included."""

STEADY_FOR_S: Final = 60.0
"""How long a clock that was moved must go steadily before it is believed."""


def boot_time_s() -> float:
    """Return the seconds since this computer was started, suspend included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass(frozen=True)
class ClockJump:
    """A civil clock that was moved.

    Attributes
    ----------
    seen_at
        Civil time at which it was noticed.
    by
        How far it was moved; negative for back.
    """

    seen_at: datetime
    by: timedelta

    def __str__(self) -> str:
        """Return the jump as a sentence."""
        where = "forward" if self.by > timedelta() else "back"
        length = timedelta(seconds=round(abs(self.by).total_seconds()))
        return (
            f"The civil clock jumped {where} by {length}, to"
            f" {self.seen_at.isoformat(sep=' ', timespec='seconds')}."
        )


class ClockWatch:
    """Compares the civil clock with the time since boot.

    Parameters
    ----------
    boot_s
        Returns the seconds since boot.
    steady_for_s
        How long a clock that was moved must go steadily before it is believed.
    """

    def __init__(
        self, boot_s: Callable[[], float] = boot_time_s, *, steady_for_s: float = STEADY_FOR_S
    ) -> None:
        self._boot_s = boot_s
        self._steady_for_s = steady_for_s
        self._last: tuple[float, float] | None = None
        self._believed_from_s = float("-inf")

    def look(self, now: datetime) -> ClockJump | None:
        """Compare the clocks; return how the civil one was moved since the last look, if it was."""
        boot_s, civil_s = self._boot_s(), now.timestamp()
        last, self._last = self._last, (boot_s, civil_s)
        if last is None:
            return None
        elapsed_s = boot_s - last[0]
        moved_s = civil_s - last[1] - elapsed_s
        if abs(moved_s) <= TOLERANCE_S + _TOLERATED_RATE * elapsed_s:
            return None
        self._believed_from_s = boot_s + self._steady_for_s
        return ClockJump(now, timedelta(seconds=moved_s))

    @property
    def is_steady(self) -> bool:
        """Whether the civil clock can be believed: it was not moved, or not lately."""
        return self._boot_s() >= self._believed_from_s
