"""Metrics of an unattended capture for Prometheus, and the server that shows them.

What the catalogue tells is read in the daemon's passes; a scrape shows what was read last and asks
no database. Decides nothing.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, get_args

from sqlalchemy import func, select
from sqlalchemy.orm import Session as Transaction

from capture.daemon import totals
from capture.daemon.facts import disks
from capture.daemon.good_sessions import last_good_sessions, mounted_cameras
from capture.errors import MetricsError
from datastore.catalogue import Catalogue
from datastore.tables import (
    Fixture,
    Job,
    JobState,
    Notification,
    Occurrence,
    OccurrenceState,
    Schedule,
    SessionEvent,
)

if TYPE_CHECKING:
    from wsgiref.simple_server import WSGIServer

    from prometheus_client.metrics_core import Metric

    from capture.daemon.service import Counts

LOCALHOST: Final = "127.0.0.1"
_LOOK_EVERY_S: Final = 10.0
_STATES: Final[tuple[str, ...]] = get_args(OccurrenceState)


@dataclass(frozen=True)
class Snapshot:
    """What the catalogue told last.

    Attributes
    ----------
    cameras
        Fixture by the serial of each camera that is mounted now.
    good_session_age_s
        Age of each camera's last good session, by serial; a camera without one is left out.
    occurrences
        Number by schedule and state; None while old rows are still being counted, as below.
    queue
        Occurrences that are due, may still begin, and have not.
    retries, quarantined, setting_mismatches
        Shots by the camera's serial.
    messages, jobs
        Number by state.
    """

    cameras: Mapping[str, str] = field(default_factory=dict)
    good_session_age_s: Mapping[str, float] = field(default_factory=dict)
    occurrences: Mapping[tuple[str, str], int] | None = None
    queue: int | None = None
    retries: Mapping[str, int] | None = None
    quarantined: Mapping[str, int] | None = None
    setting_mismatches: Mapping[str, int] | None = None
    messages: Mapping[str, int] | None = None
    jobs: Mapping[str, int] | None = None

    @property
    def is_whole(self) -> bool:
        """Whether every old row was counted."""
        counted = (self.occurrences, self.retries, self.quarantined, self.setting_mismatches)
        return None not in counted


class Metrics:
    """Reads the metrics in `tick` and shows them to Prometheus.

    Parameters
    ----------
    catalogue
        What the metrics are of.
    spool_folder
        Where frames wait for the store.
    counts
        Returns what the daemon did since it started.
    look_every_s
        How often the catalogue is read, by the monotonic clock.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        spool_folder: Path,
        counts: Callable[[], Counts],
        *,
        look_every_s: float = _LOOK_EVERY_S,
    ) -> None:
        self._catalogue = catalogue
        self._spool_folder = spool_folder
        self._counts = counts
        self._look_every_s = look_every_s
        self._occurrences = totals.occurrences()
        self._retries = totals.retries()
        self._quarantined = totals.quarantined()
        self._setting_mismatches = totals.setting_mismatches()
        self._good_sessions: tuple[object, dict[str, datetime]] = (None, {})
        self._snapshot = Snapshot()
        self._ticked_s = time.monotonic()
        self._next_look_s = float("-inf")
        self._server: WSGIServer | None = None

    def tick(self, now: datetime) -> None:
        """Read the catalogue if it is time to.

        Raises
        ------
        datastore.errors.DatastoreError
            If the catalogue cannot be used; what was read before is shown on.
        """
        if time.monotonic() >= self._next_look_s:
            with self._catalogue.reading() as transaction:
                self._snapshot = self._look(transaction, now)
            # what is still being counted goes on with the next pass
            wait_s = self._look_every_s if self._snapshot.is_whole else 0.0
            self._next_look_s = time.monotonic() + wait_s
        self._ticked_s = time.monotonic()

    def serve(self, port: int, address: str = LOCALHOST) -> int:
        """Show the metrics over HTTP until `close`, and return the port.

        Parameters
        ----------
        port
            To listen at; 0 for one that the system chooses.
        address
            Of the network interface; nobody else's computer reaches the default.

        Raises
        ------
        MetricsError
            If nothing can listen there.
        """
        from prometheus_client import CollectorRegistry, start_http_server

        registry = CollectorRegistry()
        registry.register(self)
        try:
            self._server, _ = start_http_server(port, address, registry)
        except (OSError, OverflowError) as error:
            raise MetricsError(
                f"the metrics cannot be shown at {address}:{port}: {error}; if no daemon of this"
                " home runs already, name another daemon.metrics_port in the home's settings"
            ) from None
        return int(self._server.server_port)

    def close(self) -> None:
        """Show the metrics no longer."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def collect(self) -> Iterator[Metric]:
        """Yield every metric as it is known at this moment, for Prometheus."""
        from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily

        def gauge(name: str, text: str, values: Mapping[str, float], label: str) -> Metric:
            family = GaugeMetricFamily(f"agetrace_{name}", text, labels=[label])
            for key, value in values.items():
                family.add_metric([key], value)
            return family

        def by_camera(name: str, text: str, values: Mapping[str, int] | None) -> Metric:
            family = CounterMetricFamily(f"agetrace_{name}", text, labels=["camera"])
            for serial in [] if values is None else sorted({*known.cameras, *values}):
                family.add_metric([serial], (values or {}).get(serial, 0))
            return family

        known, counts = self._snapshot, self._counts()
        mounted = GaugeMetricFamily(
            "agetrace_camera_mounted",
            "Cameras that a fixture mounts now.",
            labels=["camera", "fixture"],
        )
        for serial, fixture in known.cameras.items():
            mounted.add_metric([serial, fixture], 1)
        yield mounted
        yield gauge(
            "last_good_session_age_seconds",
            "Age of the camera's last completed session.",
            known.good_session_age_s,
            "camera",
        )
        occurrences = GaugeMetricFamily(
            "agetrace_occurrences", "Occurrences by state.", labels=["schedule", "state"]
        )
        for key, number in (known.occurrences or {}).items():
            occurrences.add_metric(list(key), number)
        yield occurrences
        if known.queue is not None:
            yield GaugeMetricFamily(
                "agetrace_queue", "Occurrences that are due and not begun.", known.queue
            )
        yield by_camera("retries", "Shots that were taken again.", known.retries)
        yield by_camera("quarantined", "Shots that were quarantined.", known.quarantined)
        yield by_camera(
            "setting_mismatches",
            "Shots with other settings than asked for.",
            known.setting_mismatches,
        )
        yield gauge("messages", "Notifications by state.", known.messages or {}, "state")
        yield gauge("jobs", "Jobs by state.", known.jobs or {}, "state")
        free = {d.name: d.free_bytes for d in disks(self._catalogue, self._spool_folder)}
        yield gauge("free_bytes", "Free space by place.", free, "place")
        yield GaugeMetricFamily(
            "agetrace_daemon_pass_age_seconds",
            "Time since the daemon's last whole pass.",
            time.monotonic() - self._ticked_s,
        )
        for name, text, value in (
            ("daemon_passes", "Passes since the daemon started.", counts.passes),
            (
                "daemon_failed_passes",
                "Passes that found the database or the clock away.",
                counts.failed_passes,
            ),
            ("daemon_sessions", "Sessions since the daemon started.", counts.sessions),
            ("clock_jumps", "Times that the civil clock was moved.", counts.clock_jumps),
        ):
            yield CounterMetricFamily(f"agetrace_{name}", text, value)

    def _look(self, transaction: Transaction, now: datetime) -> Snapshot:
        cameras = _cameras(transaction)
        ages = {
            serial: (now - at).total_seconds()
            for serial, at in self._last_good(transaction, cameras).items()
        }
        return Snapshot(
            cameras=cameras,
            good_session_age_s=ages,
            occurrences=_by_schedule(transaction, self._occurrences.look(transaction)),
            queue=_queue(transaction, now),
            retries=_by_serial(self._retries.look(transaction)),
            quarantined=_by_serial(self._quarantined.look(transaction)),
            setting_mismatches=_by_serial(self._setting_mismatches.look(transaction)),
            messages=_messages(transaction),
            jobs=_jobs(transaction),
        )

    def _last_good(
        self, transaction: Transaction, cameras: Mapping[str, str]
    ) -> Mapping[str, datetime]:
        """Return when each camera's last good session was completed; looks only after events."""
        newest = (transaction.scalar(select(func.max(SessionEvent.id))), frozenset(cameras))
        if self._good_sessions[0] != newest:
            self._good_sessions = (newest, last_good_sessions(transaction, cameras))
        return self._good_sessions[1]


def _cameras(transaction: Transaction) -> dict[str, str]:
    return {
        camera.serial: name
        for name in transaction.scalars(select(Fixture.name).order_by(Fixture.id)).all()
        for camera in mounted_cameras(transaction, name)
    }


def _queue(transaction: Transaction, now: datetime) -> int:
    query = select(func.count()).where(
        Occurrence.state == "pending",
        Occurrence.starts_at <= now,
        Occurrence.window_ends_at > now,
    )
    return transaction.scalar(query) or 0


def _messages(transaction: Transaction) -> dict[str, int]:
    query = (
        select(Notification.state, func.count())
        .where(Notification.state.in_(("pending", "failed")))
        .group_by(Notification.state)
    )
    return {"pending": 0, "failed": 0} | dict(transaction.execute(query).all())


def _jobs(transaction: Transaction) -> dict[str, int]:
    query = select(Job.state, func.count()).group_by(Job.state)
    return dict.fromkeys(get_args(JobState), 0) | dict(transaction.execute(query).all())


def _by_serial(total: Counter[totals.Key] | None) -> dict[str, int] | None:
    return None if total is None else {str(serial): number for serial, number in total.items()}


def _by_schedule(
    transaction: Transaction, total: Counter[totals.Key] | None
) -> dict[tuple[str, str], int] | None:
    """Return the number of occurrences of every schedule and state, zeros included."""
    if total is None:
        return None
    names = transaction.scalars(select(Schedule.name).order_by(Schedule.name)).all()
    return {(name, state): total[name, state] for name in names for state in _STATES}
