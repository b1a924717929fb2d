"""The audit: a hash chain over batches of changes, so that a rewritten record shows.

Every entry holds the hash of the one before it. Whoever changes an entry must change all that
follow, and the newest hash, which backups and reports carry along, no longer fits.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from datastore.canonical import canonical_json, content_sha256
from datastore.clocks import as_utc
from datastore.locks import lock_until_commit
from datastore.tables import AuditEntry

GENESIS_SHA256 = "0" * 64
"""What the first entry names as the hash before it."""

_PAGE = 1000


@dataclass(frozen=True)
class AuditBreak:
    """A place where the chain does not hold; `entry_id` is None where an entry is missing."""

    entry_id: int | None
    problem: str

    def __str__(self) -> str:
        """Return the break as a sentence."""
        place = "the audit" if self.entry_id is None else f"audit entry {self.entry_id}"
        return f"{place}: {self.problem}"


def append(session: Session, action: str, entry: dict[str, Any], at: datetime) -> AuditEntry:
    """Link one batch of changes to the chain, in the transaction that makes them.

    Parameters
    ----------
    session
        A writing transaction; other writers to the audit wait until it ends.
    action
        What was done, `verdict.add` for example.
    entry
        The facts as JSON; numbers must be finite.
    at
        Civil time with a zone.
    """
    lock_until_commit(session, "audit")
    previous = head(session)
    # what JSON makes of the entry is what will be read back and hashed again
    stored = json.loads(canonical_json(entry))
    link = AuditEntry(
        at=at,
        action=action,
        entry=stored,
        previous_sha256=previous,
        sha256=_link_sha256(previous, action, stored, at),
    )
    session.add(link)
    session.flush()
    return link


def head(session: Session) -> str:
    """Return the newest hash of the chain, `GENESIS_SHA256` while it is empty."""
    newest = select(AuditEntry.sha256).order_by(AuditEntry.id.desc()).limit(1)
    return session.scalar(newest) or GENESIS_SHA256


def verify(session: Session, *, known_head: str | None = None) -> list[AuditBreak]:
    """Recompute the chain and return its breaks, none where it holds.

    Parameters
    ----------
    session
        A reading transaction.
    known_head
        A head that was noted earlier; if the chain no longer contains it, entries were cut off.
    """
    breaks: list[AuditBreak] = []
    previous = GENESIS_SHA256
    known_head_seen = known_head in (None, GENESIS_SHA256)
    links = session.execute(
        select(
            AuditEntry.id,
            AuditEntry.at,
            AuditEntry.action,
            AuditEntry.entry,
            AuditEntry.previous_sha256,
            AuditEntry.sha256,
        )
        .order_by(AuditEntry.id)
        .execution_options(yield_per=_PAGE)
    )
    for entry_id, at, action, entry, named_previous, sha256 in links:
        if named_previous != previous:
            breaks.append(AuditBreak(entry_id, "an entry before it was changed or removed"))
        if _link_sha256(named_previous, action, entry, at) != sha256:
            breaks.append(AuditBreak(entry_id, "its content is not what was hashed"))
        previous = sha256
        known_head_seen = known_head_seen or sha256 == known_head
    if not known_head_seen:
        breaks.append(AuditBreak(None, f"the known head {known_head} is missing"))
    return breaks


def _link_sha256(previous: str, action: str, entry: dict[str, Any], at: datetime) -> str:
    return content_sha256(
        {
            "action": action,
            "at": as_utc(at).isoformat(timespec="microseconds"),
            "entry": entry,
            "previous_sha256": previous,
        }
    )
