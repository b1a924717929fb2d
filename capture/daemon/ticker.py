"""Has something done again and again until a stop is asked for; knows not what.

APScheduler ticks. It waits by the civil clock, which may be set back by hours, so its waiting is
watched by the monotonic clock and cut short.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

_LOOK_S: Final = 1.0
_PATIENCE: Final = 1.5
"""After how many intervals without a tick the ticker is woken."""


class Ticker:
    """Calls a function at once and then after every interval, never twice at a time.

    Parameters
    ----------
    tick
        What is done; it must not raise.
    interval_s
        From one beginning to the next.
    """

    def __init__(self, tick: Callable[[], None], interval_s: float) -> None:
        self._tick = tick
        self._interval_s = interval_s
        self._is_ticking = threading.Lock()
        self._began_s = time.monotonic()

    def run(self, stop: threading.Event) -> None:
        """Tick until `stop` is set; a tick in hand is finished."""
        from apscheduler.executors.pool import ThreadPoolExecutor
        from apscheduler.jobstores.memory import MemoryJobStore
        from apscheduler.schedulers.background import BackgroundScheduler

        scheduler = BackgroundScheduler(
            jobstores={"default": MemoryJobStore()},
            executors={"default": ThreadPoolExecutor(1)},
            timezone=UTC,
        )
        job = scheduler.add_job(
            self._call,
            "interval",
            seconds=self._interval_s,
            next_run_time=datetime.now(UTC),
            coalesce=True,
            max_instances=1,
            # a tick that comes late is a tick all the same
            misfire_grace_time=None,
        )
        scheduler.start()
        try:
            while not stop.wait(min(_LOOK_S, self._interval_s)):
                if self._is_overdue():
                    self._began_s = time.monotonic()
                    job.modify(next_run_time=datetime.now(UTC))
        finally:
            scheduler.shutdown(wait=True)

    def _call(self) -> None:
        self._began_s = time.monotonic()
        with self._is_ticking:
            self._tick()

    def _is_overdue(self) -> bool:
        if self._is_ticking.locked():
            return False
        return time.monotonic() - self._began_s > _PATIENCE * self._interval_s
