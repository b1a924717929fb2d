"""Puts what watches a daemon together from a home's settings: metrics and notifications."""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Callable

    from agetrace.settings import Home
    from capture.daemon.facts import Thresholds
    from capture.daemon.metrics import Metrics
    from capture.daemon.outbox import Outbox
    from capture.daemon.service import Counts, Hook
    from datastore.catalogue import Catalogue
    from datastore.clocks import CivilClock

_LAST_MESSAGES_S: Final = 10.0


class Watching:
    """What every pass of a home's daemon tells people and programs; a context manager.

    Parameters
    ----------
    home, catalogue
        What is watched.
    clock
        Civil time.
    counts
        Returns what the daemon did since it started.

    Attributes
    ----------
    hooks
        For the daemon: what each of its passes does.

    Raises
    ------
    capture.errors.ChannelError
        If a channel's address is missing from the environment, or none that apprise understands.
    """

    def __init__(
        self, home: Home, catalogue: Catalogue, clock: CivilClock, counts: Callable[[], Counts]
    ) -> None:
        self._clock = clock
        self._outbox: Outbox | None = None
        self._metrics: Metrics | None = None
        self._port = home.settings.daemon.metrics_port
        self.hooks: list[Hook] = []
        if home.settings.notifications.channels:
            self._outbox = self._tell(home, catalogue)
        if self._port is not None:
            from capture.daemon.metrics import Metrics

            self._metrics = Metrics(catalogue, home.spool_root, counts)
            self.hooks.append(self._metrics.tick)

    def _tell(self, home: Home, catalogue: Catalogue) -> Outbox:
        from capture.daemon.clock_watch import ClockWatch
        from capture.daemon.notices import Notices
        from capture.daemon.outbox import Outbox, addresses

        channels = addresses(home.settings.notifications.channels, os.environ)
        outbox = Outbox(catalogue, channels)
        # a simulated clock moves as it likes
        watch = ClockWatch() if self._clock.source == "host" else None
        notices = Notices(
            catalogue, outbox.channels, home.spool_root, thresholds_of(home), watch=watch
        )
        self.hooks += [notices.tick, outbox.tick]
        return outbox

    def __enter__(self) -> Self:
        """Show the metrics from now on.

        Raises
        ------
        capture.errors.MetricsError
            If nothing can listen at the port of the settings.
        """
        if self._metrics is not None and self._port is not None:
            self._metrics.serve(self._port)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Show the metrics no longer, and record the messages that are on their way."""
        from capture.errors import ClockError
        from datastore.errors import DatastoreError

        if self._metrics is not None:
            self._metrics.close()
        if self._outbox is not None:
            # what cannot be recorded is sent again by the next daemon
            with suppress(DatastoreError, ClockError):
                self._outbox.finish(self._clock.now(), _LAST_MESSAGES_S)


def thresholds_of(home: Home) -> Thresholds:
    """Return from when on something is worth telling, as the home's settings say."""
    from capture.daemon.facts import Thresholds

    health = home.settings.health
    return Thresholds(
        free_bytes=round(health.free_gb * 1e9),
        good_session=timedelta(days=health.good_session_days),
        daemon_silent=timedelta(seconds=health.daemon_silent_s),
        overdue=timedelta(seconds=health.overdue_s),
        outbox_stuck=timedelta(seconds=health.outbox_stuck_s),
        failed_job=timedelta(days=health.failed_job_days),
    )
