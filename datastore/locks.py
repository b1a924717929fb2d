"""Named locks that a transaction holds until it ends; knows no table."""

from __future__ import annotations

import hashlib

from sqlalchemy import func, select
from sqlalchemy.orm import Session


def lock_until_commit(session: Session, name: str) -> None:
    """Wait until no other transaction holds the lock `name`, and hold it to the end of this one.

    SQLite has one writer at a time anyway: a writing transaction holds every lock.
    """
    if session.get_bind().dialect.name == "sqlite":
        return
    key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)
    session.execute(select(func.pg_advisory_xact_lock(key)))
