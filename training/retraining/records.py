"""Rows of retrainings: their timeslots, and the events that say how far they came."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from datastore import audit
from datastore.catalogue import Catalogue
from datastore.clocks import CivilClock
from datastore.tables import Retraining, RetrainingEvent, RetrainingStep, Timeslot
from datastore.timeslots import find_scheme
from training.retraining.errors import PolicyError
from training.retraining.policy import RetrainingPolicy
from training.retraining.registry import lock_line


@dataclass(frozen=True)
class ClosedTimeslot:
    """A timeslot that is over.

    Attributes
    ----------
    id, ordinal
        Number of its row, and its ordinal in the scheme.
    closed
        Ordinals of the scheme's closed timeslots up to it.
    """

    id: int
    ordinal: int
    closed: tuple[int, ...]


def begin(
    catalogue: Catalogue, policy: RetrainingPolicy, ordinal: int | None, clock: CivilClock
) -> tuple[int, ClosedTimeslot]:
    """Find or record a retraining; return the number of its row, and its timeslot.

    Raises
    ------
    PolicyError
        If the timeslot is not closed, or there is none.
    """
    now = clock.now()
    with catalogue.writing() as session:
        slot = _closed_timeslot(session, policy, ordinal, now)
        lock_line(session, policy.name)
        row = session.scalar(
            select(Retraining).where(
                Retraining.policy == policy.name, Retraining.timeslot_id == slot.id
            )
        )
        if row is None:
            row = Retraining(
                policy=policy.name,
                timeslot_id=slot.id,
                policy_document=policy.model_dump(mode="json"),
                created_at=now,
            )
            session.add(row)
            session.flush()
            add_event(session, row.id, "begun", None, {"timeslot": slot.ordinal}, now)
        return row.id, slot


def _closed_timeslot(
    session: Session, policy: RetrainingPolicy, ordinal: int | None, now: datetime
) -> ClosedTimeslot:
    scheme = find_scheme(session, policy.scheme)
    closed: list[Timeslot] = [one for one in scheme.timeslots if one.ends_at <= now]
    if ordinal is None:
        if not closed:
            raise PolicyError(f"scheme {policy.scheme}: no timeslot has closed yet")
        ordinal = closed[-1].ordinal
    found = next((one for one in scheme.timeslots if one.ordinal == ordinal), None)
    if found is None:
        raise PolicyError(f"scheme {policy.scheme} has no timeslot {ordinal}")
    if found.ends_at > now:
        raise PolicyError(
            f"timeslot {ordinal} of scheme {policy.scheme} is open until"
            f" {found.ends_at.isoformat()}: its frames are not all there"
        )
    until = tuple(one.ordinal for one in closed if one.ordinal <= ordinal)
    return ClosedTimeslot(found.id, ordinal, until)


def newest_event(session: Session, row_id: int) -> RetrainingEvent:
    """Return the event that says how far a retraining came."""
    return session.scalars(
        select(RetrainingEvent)
        .where(RetrainingEvent.retraining_id == row_id)
        .order_by(RetrainingEvent.id.desc())
        .limit(1)
    ).one()


def add_event(
    session: Session,
    row_id: int,
    step: RetrainingStep,
    reason: str | None,
    numbers: dict[str, Any],
    at: datetime,
) -> None:
    """Record a step of a retraining, in the rows and in the audit."""
    session.add(
        RetrainingEvent(retraining_id=row_id, step=step, at=at, reason=reason, numbers=numbers)
    )
    session.flush()
    entry = {"retraining": row_id, "reason": reason, "numbers": numbers}
    audit.append(session, f"retraining {step}", entry, at)
