"""Leases of a session over its fixture and cameras, renewed as it goes on.

A lease outlives a killed process until it runs out. One whose holder was a process of this host
that no longer runs is given back at once, so that a session can be started again.
"""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session as Transaction

from capture.attendance import unfinished_session
from datastore.catalogue import Catalogue
from datastore.clocks import database_now
from datastore.errors import LeaseHeldError
from datastore.leases import Lease, acquire
from datastore.tables import Lease as LeaseRow

LEASE_S: Final = 120.0
_HOLDER: Final = re.compile(r"process (\d+) \(start (\d+)\) on (\S+)")


class EquipmentLease:
    """A lease over fixture and cameras that is checked and renewed before each step.

    Parameters
    ----------
    lease
        The acquired lease.
    """

    def __init__(self, lease: Lease) -> None:
        self._lease = lease
        self._held_until_s = time.monotonic() + LEASE_S

    def hold(self, step_s: float) -> None:
        """Make sure that the lease is held, and will be for a step of that many seconds.

        Raises
        ------
        datastore.errors.LeaseLostError
            If it is not: the session must stop.
        """
        now_s = time.monotonic()
        if self._held_until_s - now_s > LEASE_S / 2 + step_s:
            self._lease.check()
            return
        self._lease.renew(LEASE_S + step_s)
        self._held_until_s = now_s + LEASE_S + step_s

    def require(self, transaction: Transaction) -> None:
        """Make sure that the lease is held until a writing transaction ends.

        Whoever takes the equipment over settles this session's open shots: what is written under
        a lost lease could settle them a second time.

        Raises
        ------
        datastore.errors.LeaseLostError
            If it is not held: the session must stop.
        """
        self._lease.check_within(transaction)

    def is_taken_over(self, transaction: Transaction) -> bool:
        """Return whether another session has had the equipment since."""
        return self._lease.is_taken_over(transaction)

    def release(self) -> None:
        """Give the equipment back."""
        self._lease.release()


def lease_equipment(catalogue: Catalogue, resources: Sequence[str]) -> EquipmentLease:
    """Take exclusive use of a fixture and its cameras.

    Raises
    ------
    datastore.errors.LeaseHeldError
        If another session that may still run holds one of them; names it where it has begun.
    """
    _release_abandoned(catalogue, resources)
    try:
        return EquipmentLease(acquire(catalogue, resources, this_process(), LEASE_S))
    except LeaseHeldError as error:
        with catalogue.reading() as transaction:
            running = unfinished_session(transaction, resources)
        if running is None:
            raise
        by = f" by {running.operator}" if running.operator else ""
        began = running.started_at.isoformat(sep=" ", timespec="minutes")
        raise LeaseHeldError(
            f"{error}; session {running.uuid}, begun{by} at {began}, has not ended there"
        ) from None


def is_leased(catalogue: Catalogue, resources: Sequence[str]) -> bool:
    """Tell whether a session that may still run holds one of some resources."""
    _release_abandoned(catalogue, resources)
    with catalogue.reading() as transaction:
        held = LeaseRow.expires_at > database_now(transaction)
        query = select(LeaseRow.resource).where(LeaseRow.resource.in_(resources), held)
        return transaction.scalar(query.limit(1)) is not None


def fixture_resource(name: str) -> str:
    """Return what a session leases of a fixture, whichever of its cameras it uses."""
    return f"fixture:{name}"


def held_among(transaction: Transaction, resources: Collection[str]) -> set[str]:
    """Return those of some resources that a session holds which may still run."""
    held = LeaseRow.expires_at > database_now(transaction)
    rows = transaction.scalars(select(LeaseRow).where(LeaseRow.resource.in_(resources), held))
    return {row.resource for row in rows if not is_abandoned(row.holder)}


def this_process() -> str:
    """Return the words by which a lease's holder is known: this process and its host."""
    pid = os.getpid()
    return f"process {pid} (start {_start_of(pid)}) on {socket.gethostname()}"


def is_abandoned(holder: str) -> bool:
    """Tell whether a lease's holder was a process of this host that no longer runs.

    Of another host's processes, and of holders in other words, nothing can be told: False.
    """
    match = _HOLDER.fullmatch(holder)
    if match is None or match[3] != socket.gethostname():
        return False
    return _start_of(int(match[1])) != int(match[2])


def _start_of(pid: int) -> int | None:
    """Return when a process started, in clock ticks since boot; None if it does not run."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # the command's name, in parentheses, may hold spaces
    return int(stat.rpartition(")")[2].split()[19])


def _release_abandoned(catalogue: Catalogue, resources: Sequence[str]) -> None:
    with catalogue.reading() as transaction:
        rows = list(transaction.scalars(select(LeaseRow).where(LeaseRow.resource.in_(resources))))
    for row in rows:
        if is_abandoned(row.holder):
            Lease(catalogue, (row.resource,), row.holder, row.fencing_token).release()
