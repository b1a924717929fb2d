"""What a catalogue can find wrong with itself: rows, guards, derived rows and the audit.

Knows nothing of migrations; whether the tables are those of the models is asked elsewhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import func, or_, select, text
from sqlalchemy.orm import Session, aliased

from datastore import audit
from datastore.audit import GENESIS_SHA256
from datastore.catalogue import Catalogue
from datastore.tables import (
    OPERATIONAL_TABLES,
    AuditEntry,
    Base,
    Shot,
    ShotEvent,
    ShotStatus,
    Verdict,
)
from datastore.triggers import missing_triggers

RESTORED: Final = "catalogue.restore"
"""Action of the audit entry that says which backup took the place of which catalogue."""

_SHOWN: Final = 20
_DESCRIPTION: Final = re.compile(r"catalogue-\d{8}T\d{12}Z\.json")


@dataclass(frozen=True)
class KnownHead:
    """A head of the audit that was noted outside the catalogue, and where."""

    sha256: str
    source: str


def check_catalogue(catalogue: Catalogue, known_heads: Iterable[KnownHead] = ()) -> list[str]:
    """Return what is wrong with a catalogue, a sentence each; none where all is well.

    Parameters
    ----------
    catalogue
        Read in one transaction; writers need not wait.
    known_heads
        Heads that the audit must contain: those of backups, reports and notes.

    Raises
    ------
    CatalogueUnavailableError
        If the catalogue cannot even be read.
    """
    with catalogue.reading() as session:
        problems = _integrity_problems(session)
        if problems:
            # what a damaged file says about its rows is worth nothing
            return problems
        problems += _reference_problems(session)
        guarded = Base.metadata.tables.keys() - OPERATIONAL_TABLES
        problems += [
            f"the trigger {name} is missing: rows could be changed or left out of what is derived"
            for name in missing_triggers(session.connection(), guarded)
        ]
        problems += _status_problems(session)
        problems += [str(found) for found in audit.verify(session)]
        problems += _head_problems(session, known_heads)
    return problems


def heads_of_backups(folder: Path) -> tuple[list[KnownHead], list[str]]:
    """Return the heads that the backups of a folder noted, and what of them cannot be read."""
    heads, problems = [], []
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    for path in found:
        if not _DESCRIPTION.fullmatch(path.name):
            continue
        try:
            head = json.loads(path.read_text(encoding="utf-8"))["audit_head"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            problems.append(f"the description {path} of a backup cannot be read: {error!r}")
        else:
            heads.append(KnownHead(str(head), f"the backup {path.with_suffix('.sqlite').name}"))
    return heads, problems


def _integrity_problems(session: Session) -> list[str]:
    if session.get_bind().dialect.name != "sqlite":
        return []
    found = session.scalars(text(f"pragma integrity_check({_SHOWN})"))
    return [
        f"the catalogue's file is damaged: {line}; restore a backup with `agetrace catalogue"
        " restore`"
        for line in found
        if line != "ok"
    ]


def _reference_problems(session: Session) -> list[str]:
    if session.get_bind().dialect.name != "sqlite":
        # PostgreSQL has nothing that switches its foreign keys off for a connection of ours
        return []
    broken = session.execute(
        text(
            'select "table", parent, count(*) from pragma_foreign_key_check'
            ' group by "table", parent order by 1, 2'
        )
    )
    return [
        f"{count} rows of {table} refer to rows of {parent} that are not there"
        for table, parent, count in broken
    ]


def _status_problems(session: Session) -> list[str]:
    """Compare the derived status of all shots with their events and verdicts."""
    events, verdicts = aliased(ShotEvent), aliased(Verdict)
    event = select(func.max(events.id)).where(events.shot_id == Shot.id).scalar_subquery()
    verdict = select(func.max(verdicts.id)).where(verdicts.shot_id == Shot.id).scalar_subquery()
    wrong = (
        select(Shot.id)
        .outerjoin(ShotStatus, ShotStatus.shot_id == Shot.id)
        .outerjoin(ShotEvent, ShotEvent.id == event)
        .outerjoin(Verdict, Verdict.id == verdict)
        .where(
            or_(
                ShotStatus.shot_id.is_(None),
                ShotStatus.triggered_at.is_distinct_from(Shot.triggered_at),
                ShotStatus.state_event_id.is_distinct_from(ShotEvent.id),
                ShotStatus.state.is_distinct_from(ShotEvent.name),
                ShotStatus.verdict_id.is_distinct_from(Verdict.id),
                ShotStatus.verdict.is_distinct_from(Verdict.verdict),
            )
        )
    )
    count = session.scalar(select(func.count()).select_from(wrong.subquery())) or 0
    if not count:
        return []
    some = ", ".join(map(str, session.scalars(wrong.order_by(Shot.id).limit(_SHOWN))))
    more = ", ..." if count > _SHOWN else ""
    return [f"the status of {count} shots is not what their events and verdicts say: {some}{more}"]


def _head_problems(session: Session, known_heads: Iterable[KnownHead]) -> list[str]:
    excused = {GENESIS_SHA256}
    for entry in session.scalars(select(AuditEntry.entry).where(AuditEntry.action == RESTORED)):
        excused.update(entry.get("heads_left_behind", []))
    return [
        f"the audit no longer contains the head {head.sha256} that {head.source} noted: entries"
        " were cut off or rewritten since"
        for head in known_heads
        if head.sha256 not in excused
        and session.scalar(select(AuditEntry.id).where(AuditEntry.sha256 == head.sha256)) is None
    ]
