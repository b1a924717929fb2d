"""Operational and integrity tables: leases and the audit's hash chain."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Mapped, mapped_column

from datastore.tables._base import Base


class Lease(Base):
    """Exclusive use of a fixture or camera until a time of the database's clock.

    `fencing_token` grows with every acquisition, so that a holder whose lease ran out can be told
    from the present one.
    """

    __tablename__ = "lease"

    resource: Mapped[str] = mapped_column(primary_key=True)
    holder: Mapped[str]
    fencing_token: Mapped[int] = mapped_column(index=True)
    expires_at: Mapped[datetime]


class AuditEntry(Base):
    """A link of the hash chain over every batch of changes to the record."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    action: Mapped[str]
    entry: Mapped[dict[str, Any]]
    previous_sha256: Mapped[str] = mapped_column(unique=True)
    sha256: Mapped[str] = mapped_column(unique=True)
