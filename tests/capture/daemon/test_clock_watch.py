"""A civil clock that was moved is told from time that passed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from capture.daemon.clock_watch import ClockWatch, boot_time_s

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR_S = 3600.0


class Clocks:
    """A civil clock and the time since boot, both as a test sets them."""

    def __init__(self) -> None:
        self.civil_s = 0.0
        self.boot_s = 1000.0
        self.watch = ClockWatch(lambda: self.boot_s, steady_for_s=60)
        self.look()

    def look(self) -> float | None:
        """Return how far the civil clock was moved, None if it was not."""
        jump = self.watch.look(START + timedelta(seconds=self.civil_s))
        return None if jump is None else jump.by.total_seconds()

    def wait(self, seconds: float) -> None:
        """Let time pass on both."""
        self.civil_s += seconds
        self.boot_s += seconds


def test_time_that_passes_is_no_jump_however_much() -> None:
    clocks = Clocks()
    # the last one is a night of suspend, which the time since boot counts
    for seconds in (0.0, 0.01, 10.0, 600.0, 9 * HOUR_S):
        clocks.wait(seconds)
        assert clocks.look() is None
    assert clocks.watch.is_steady


@pytest.mark.parametrize("by_s", [-10 * HOUR_S, -6.0, 6.0, 10 * HOUR_S, 10 * 365 * 24 * HOUR_S])
def test_a_clock_that_was_moved_is_not_believed_for_a_while(by_s: float) -> None:
    clocks = Clocks()
    clocks.wait(10)
    clocks.civil_s += by_s
    assert clocks.look() == pytest.approx(by_s)
    clocks.wait(59)
    assert clocks.look() is None
    assert not clocks.watch.is_steady
    clocks.wait(1)
    assert clocks.watch.is_steady


def test_each_further_jump_begins_the_while_anew() -> None:
    clocks = Clocks()
    for by_s in (HOUR_S, -HOUR_S, 2 * HOUR_S):
        clocks.civil_s += by_s
        assert clocks.look() == pytest.approx(by_s)
        clocks.wait(50)
        assert not clocks.watch.is_steady


def test_a_time_server_that_slews_the_clock_is_no_jump() -> None:
    clocks = Clocks()
    for _ in range(1000):
        # the fastest that Linux slews: 500 millionths
        clocks.wait(10)
        clocks.civil_s += 10 * 500e-6
        assert clocks.look() is None
    assert clocks.watch.is_steady


def test_a_jump_reads_as_a_sentence() -> None:
    clocks = Clocks()
    clocks.civil_s -= 2 * HOUR_S
    jump = clocks.watch.look(START + timedelta(seconds=clocks.civil_s))
    assert str(jump) == "The civil clock jumped back by 2:00:00, to 2026-03-01 10:00:00+00:00."


def test_the_clocks_of_this_computer_agree() -> None:
    watch = ClockWatch()
    assert watch.look(datetime.now(UTC)) is None
    assert boot_time_s() > 0
    assert watch.look(datetime.now(UTC)) is None
    assert watch.is_steady
