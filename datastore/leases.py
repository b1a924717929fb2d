"""Leases: exclusive use of fixtures and cameras for a time, by the database's clock."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from datastore.catalogue import Catalogue
from datastore.clocks import database_now
from datastore.errors import LeaseHeldError, LeaseLostError
from datastore.locks import lock_until_commit
from datastore.tables import Lease as LeaseRow


class Lease:
    """A lease that was acquired over one or several resources; ends by `release` or by itself.

    Parameters
    ----------
    catalogue
        The catalogue that keeps it.
    resources
        What it covers.
    holder
        Who holds it, in words that tell a person where to look.
    fencing_token
        A number that grows with every acquisition. What was done under a smaller token than the
        present one was done by a holder whose lease had run out.
    """

    def __init__(
        self, catalogue: Catalogue, resources: tuple[str, ...], holder: str, fencing_token: int
    ) -> None:
        self._catalogue = catalogue
        self.resources = resources
        self.holder = holder
        self.fencing_token = fencing_token

    def check(self) -> None:
        """Make sure that the lease is still held.

        Raises
        ------
        LeaseLostError
            If it ran out, by the database's clock, or went to another holder.
        """
        with self._catalogue.reading() as session:
            self._held_rows(session)

    def check_within(self, session: Session) -> None:
        """Make sure that the lease is held until a writing transaction ends; raises as `check`."""
        lock_until_commit(session, "lease")
        self._held_rows(session)

    def is_taken_over(self, session: Session) -> bool:
        """Return whether another holder has had one of the resources since."""
        return any(
            row.fencing_token != self.fencing_token for row in _rows(session, self.resources)
        )

    def renew(self, seconds: float) -> None:
        """Hold the lease until that many seconds from now; raises as `check` does."""
        with self._catalogue.writing() as session:
            lock_until_commit(session, "lease")
            expires_at = database_now(session) + timedelta(seconds=seconds)
            for row in self._held_rows(session):
                row.expires_at = expires_at

    def release(self) -> None:
        """Give the resources back; what was lost already is left to its new holder."""
        with self._catalogue.writing() as session:
            self.release_within(session)

    def release_within(self, session: Session) -> None:
        """Give the resources back when a writing transaction commits; else as `release`."""
        lock_until_commit(session, "lease")
        now = database_now(session)
        for row in _rows(session, self.resources):
            if row.fencing_token == self.fencing_token:
                row.expires_at = min(row.expires_at, now)

    def __enter__(self) -> Lease:
        """Return the lease itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Release the lease."""
        self.release()

    def _held_rows(self, session: Session) -> list[LeaseRow]:
        rows = _rows(session, self.resources)
        now = database_now(session)
        for row in rows:
            if row.fencing_token != self.fencing_token:
                raise LeaseLostError(
                    f"the lease of {row.resource} went from {self.holder} to {row.holder}: stop"
                )
            if row.expires_at <= now:
                raise LeaseLostError(
                    f"the lease of {row.resource} ran out at {_words(row.expires_at)}: stop, and"
                    " acquire it anew"
                )
        return rows


def acquire(catalogue: Catalogue, resources: Sequence[str], holder: str, seconds: float) -> Lease:
    """Take exclusive use of all `resources`, or of none.

    Parameters
    ----------
    catalogue
        The catalogue that keeps the leases.
    resources
        Names such as `camera:7100001` and `fixture:north`.
    holder
        Who takes them, in words that tell a person where to look.
    seconds
        How long the lease holds unless it is renewed, by the database's clock.

    Raises
    ------
    LeaseHeldError
        If one of them is leased already, to this holder or another; says to whom and until when.
    """
    wanted = tuple(sorted(set(resources)))
    with catalogue.writing() as session:
        token = acquire_within(session, wanted, holder, seconds)
    return Lease(catalogue, wanted, holder, token)


def acquire_within(session: Session, resources: Sequence[str], holder: str, seconds: float) -> int:
    """Take exclusive use of all `resources`, or of none, when a writing transaction commits.

    Parameters and errors as for `acquire`, whose `Lease` can be made with the fencing token that
    is returned.
    """
    lock_until_commit(session, "lease")
    now = database_now(session)
    known = {row.resource: row for row in _rows(session, resources)}
    for row in known.values():
        if row.expires_at > now:
            raise LeaseHeldError(
                f"{row.resource} is leased to {row.holder} until {_words(row.expires_at)}:"
                " wait until then, or end that session"
            )
    token = (session.scalar(select(func.max(LeaseRow.fencing_token))) or 0) + 1
    expires_at = now + timedelta(seconds=seconds)
    for resource in sorted(set(resources)):
        row = known.get(resource) or LeaseRow(resource=resource)
        row.holder = holder
        row.fencing_token = token
        row.expires_at = expires_at
        session.add(row)
    return token


def _rows(session: Session, resources: Sequence[str]) -> list[LeaseRow]:
    return list(session.scalars(select(LeaseRow).where(LeaseRow.resource.in_(resources))))


def _words(at: datetime) -> str:
    return at.isoformat(sep=" ", timespec="seconds")
