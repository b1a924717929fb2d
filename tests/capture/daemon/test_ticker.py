"""The ticker: at once, then again and again, whatever the civil clock does."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from capture.daemon.ticker import Ticker

PATIENCE_S = 20.0


class Ticks:
    """Counts ticks, and stops after so many."""

    def __init__(self, last: int) -> None:
        self.stop = threading.Event()
        self.moments_s: list[float] = []
        self._last = last

    def __call__(self) -> None:
        """Take a tick."""
        self.moments_s.append(time.monotonic())
        if len(self.moments_s) == self._last:
            self.stop.set()


def test_it_ticks_at_once_and_then_regularly() -> None:
    ticks = Ticks(6)
    began_s = time.monotonic()
    Ticker(ticks, 0.1).run(ticks.stop)
    assert ticks.moments_s[0] - began_s < 1
    assert 0.4 < ticks.moments_s[-1] - began_s < PATIENCE_S
    assert len(ticks.moments_s) == 6


@pytest.mark.parametrize("hours", [-30, 30, 50 * 365 * 24])
def test_a_civil_clock_that_is_moved_holds_nothing_up(hours: int) -> None:
    ticks = Ticks(12)
    moved = threading.Event()

    def tick() -> None:
        ticks()
        if len(ticks.moments_s) == 4 and not moved.is_set():
            moved.set()
            traveller.shift(timedelta(hours=hours))

    with time_machine.travel(datetime(2026, 3, 1, 12, tzinfo=UTC), tick=True) as traveller:
        deadline = threading.Timer(PATIENCE_S, ticks.stop.set)
        deadline.start()
        Ticker(tick, 0.1).run(ticks.stop)
        deadline.cancel()
        assert moved.is_set()
    assert len(ticks.moments_s) == 12


def test_a_slow_tick_is_not_begun_twice_and_is_finished() -> None:
    stop = threading.Event()
    running = threading.Lock()
    ended: list[bool] = []

    def tick() -> None:
        assert running.acquire(blocking=False)
        stop.wait(0.35)
        time.sleep(0.2)
        ended.append(stop.is_set())
        running.release()

    threading.Timer(1.0, stop.set).start()
    Ticker(tick, 0.05).run(stop)
    assert ended[-1]
    assert not running.locked()
