"""Has something done again and again until a stop is asked for; knows not what.

APScheduler ticks. It waits by the civil clock, which may be set back by hours, so its waiting is
watched by the monotonic clock and cut short.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger

_LOOK_S: Final = 1.0
_PATIENCE: Final = 1.5
"""After how many intervals without a tick the ticker is woken."""


class _Every(BaseTrigger):
    """Fires an interval after it fired last.

    APScheduler's own counts every interval that a clock set forward passed over: years of them
    would fill the memory.
    """

    def __init__(self, interval: timedelta) -> None:
        self._interval = interval

    def get_next_fire_time(
        self, previous_fire_time: datetime | None, now: datetime
    ) -> datetime | None:
        """Return when to fire next."""
        return now + self._interval


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
        # a tick that takes long is no news for a log
        logger = logging.getLogger(f"{__name__}.apscheduler")
        logger.setLevel(logging.ERROR)
        scheduler = BackgroundScheduler(
            logger=logger,
            jobstores={"default": MemoryJobStore()},
            executors={"default": ThreadPoolExecutor(1)},
            timezone=UTC,
        )
        job = scheduler.add_job(
            self._call,
            _Every(timedelta(seconds=self._interval_s)),
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
            # its executor ends before its thread does, which would go on giving it work
            job.remove()
            scheduler.shutdown(wait=True)

    def _call(self) -> None:
        self._began_s = time.monotonic()
        with self._is_ticking:
            self._tick()

    def _is_overdue(self) -> bool:
        if self._is_ticking.locked():
            return False
        return time.monotonic() - self._began_s > _PATIENCE * self._interval_s
