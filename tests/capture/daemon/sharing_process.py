"""A daemon in a process of its own on a shared catalogue, until it is killed or told to stop.

Usage: python sharing_process.py FOLDER URL HOST LEASE_S. FOLDER holds the store, the journal and
`begin`, which says when simulated time began and how fast it goes; it is waited for. HOST is what
the process takes for its host's name, LEASE_S how long equipment is leased unless that is renewed.
Says `ready` once it waits.
"""

from __future__ import annotations

import json
import signal
import socket
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import capture.leasing
from capture.daemon.backoff import Backoff
from capture.daemon.clock_watch import ClockWatch
from capture.daemon.service import DaemonService
from capture.leasing import this_process
from datastore.catalogue import open_catalogue
from tests.support.simulated_sessions import SimulatedRunner
from tests.support.simulated_time import Journal

TICK_S = 0.1
LONGEST_SESSION_S = 480.0


class FastTime:
    """Time that goes many times faster than the host's, the same in every process.

    Parameters
    ----------
    civil
        What the civil clock showed at `began_s`.
    began_s
        Seconds of the host's clock.
    speed
        How many seconds pass in one.
    """

    source: Literal["simulated"] = "simulated"

    def __init__(self, civil: datetime, began_s: float, speed: float) -> None:
        self._civil = civil.astimezone(UTC)
        self._began_s = began_s
        self.speed = speed

    def boot_s(self) -> float:
        """Return the seconds since boot."""
        return (time.time() - self._began_s) * self.speed

    def now(self) -> datetime:
        """Return what the civil clock shows."""
        return self._civil + timedelta(seconds=self.boot_s())


def read_time(folder: Path) -> FastTime:
    """Return the time that `begin` tells of, as soon as it does."""
    file = folder / "begin"
    while not file.exists():
        time.sleep(0.01)
    begin = json.loads(file.read_text())
    return FastTime(datetime.fromisoformat(begin["civil"]), begin["began_s"], begin["speed"])


def main() -> None:
    """Work until SIGTERM."""
    folder, url, host = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    socket.gethostname = lambda: host
    capture.leasing.LEASE_S = float(sys.argv[4])  # type: ignore[misc]
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda _signal, _frame: stop.set())
    with open_catalogue(url, folder / "store") as catalogue:
        print("ready", flush=True)
        clock = read_time(folder)
        journal = Journal(folder / "journal", clock)
        runner = SimulatedRunner(
            catalogue,
            clock,
            lambda seconds, ended: not ended.wait(seconds / clock.speed),
            journal,
            LONGEST_SESSION_S,
        )
        service = DaemonService(
            catalogue,
            runner,
            clock=clock,
            holder=this_process(),
            version="simulated",
            horizon=timedelta(days=1),
            watch=ClockWatch(clock.boot_s),
            boot_s=clock.boot_s,
            backoff=Backoff(first_s=0.2, longest_s=1.0),
        )
        service.run(stop, tick_s=TICK_S)


if __name__ == "__main__":
    main()
