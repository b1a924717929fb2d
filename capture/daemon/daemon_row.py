"""The row that says of a daemon that it works, by the database's clock."""

from __future__ import annotations

import time
from typing import Final

from sqlalchemy import select

from capture.leasing import is_abandoned
from datastore.catalogue import Catalogue
from datastore.clocks import ClockSource, database_now
from datastore.tables import Daemon, DaemonState, new_uuid

SEEN_EVERY_S: Final = 30.0
"""How often a daemon that works says so."""


class DaemonRow:
    """The row of one daemon; written with its first update.

    Parameters
    ----------
    catalogue
        Keeps it.
    holder
        The process, as `capture.leasing.this_process` names it.
    version
        Of the program.
    clock_source
        Of the civil clock.
    """

    def __init__(
        self, catalogue: Catalogue, holder: str, version: str, clock_source: ClockSource
    ) -> None:
        self._catalogue = catalogue
        self._holder = holder
        self._version = version
        self._clock_source = clock_source
        self._uuid = new_uuid()
        self._said: DaemonState | None = None
        self._said_at_s = 0.0

    def update(self, state: DaemonState) -> None:
        """Say that the daemon works at this moment, and in which state, unless it is said already.

        The first update also closes the rows of daemons of this host that no longer run.
        """
        now_s = time.monotonic()
        if state == self._said and now_s - self._said_at_s < SEEN_EVERY_S:
            return
        with self._catalogue.writing() as transaction:
            now = database_now(transaction)
            # a catalogue that was restored from an earlier copy does not know it
            row = transaction.scalar(select(Daemon).where(Daemon.uuid == self._uuid))
            if row is None:
                others = select(Daemon).where(Daemon.state != "stopped")
                for other in transaction.scalars(others):
                    if is_abandoned(other.holder):
                        other.state = "stopped"
                row = Daemon(
                    uuid=self._uuid,
                    holder=self._holder,
                    version=self._version,
                    clock_source=self._clock_source,
                    started_at=now,
                )
                transaction.add(row)
            row.state = state
            row.seen_at = now
        self._said, self._said_at_s = state, now_s
