"""The lease that a daemon holds over an occurrence while it carries it out."""

from __future__ import annotations

from typing import Final

from sqlalchemy.orm import Session as Transaction

from capture.leasing import is_abandoned
from datastore.catalogue import Catalogue
from datastore.clocks import database_now
from datastore.leases import Lease, acquire_within
from datastore.tables import Lease as LeaseRow

CLAIM_S: Final = 120.0
"""How long a claim holds unless it is renewed, by the database's clock."""


def is_held(transaction: Transaction, occurrence_uuid: str) -> bool:
    """Tell whether a process that may still run carries an occurrence out."""
    row = transaction.get(LeaseRow, _resource(occurrence_uuid))
    return (
        row is not None
        and row.expires_at > database_now(transaction)
        and not is_abandoned(row.holder)
    )


def holder_of(transaction: Transaction, occurrence_uuid: str) -> str | None:
    """Return who claimed an occurrence last, None if nobody ever did."""
    row = transaction.get(LeaseRow, _resource(occurrence_uuid))
    return None if row is None else row.holder


def take(
    catalogue: Catalogue,
    transaction: Transaction,
    occurrence_uuid: str,
    holder: str,
    seconds: float,
) -> Lease:
    """Lease an occurrence that `is_held` by nobody, when a writing transaction commits.

    Raises
    ------
    datastore.errors.LeaseHeldError
        If somebody else holds it.
    """
    resource = _resource(occurrence_uuid)
    row = transaction.get(LeaseRow, resource)
    if row is not None and is_abandoned(row.holder):
        former = Lease(catalogue, (resource,), row.holder, row.fencing_token)
        former.release_within(transaction)
        transaction.flush()
    token = acquire_within(transaction, [resource], holder, seconds)
    return Lease(catalogue, (resource,), holder, token)


def _resource(occurrence_uuid: str) -> str:
    return f"occurrence:{occurrence_uuid}"
