"""Schedules on simulated fixtures, and what the history of an occurrence may look like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select

from capture.recipes import Recipe, parse_recipe
from capture.schedules import ScheduleDescription
from capture.schedules.occurrences import (
    ClaimedOccurrence,
    OccurrenceRecord,
    claim_next,
    list_occurrences,
    materialise,
)
from capture.schedules.schedule_rows import add_schedule
from capture.session_rows import BegunSession, begin_session, end_session, load_fixture
from datastore.catalogue import Catalogue
from datastore.equipment import FixtureDescription, add_fixture
from datastore.tables import Camera, Occurrence, OccurrenceEvent, Session
from tests.support.catalogue_rows import add_shot

START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
SERIALS = ("7100001", "7100002")
RECIPE = parse_recipe(
    "name: darks\nshots:\n  - {kind: dark-field, exposure: '1/30', iso: 100}\n", "darks.yaml"
)
FINAL = {"completed", "partial", "failed", "missed", "cancelled"}
_CARRIED_OUT = {"completed", "partial", "failed"}
NEXT: dict[str | None, set[str]] = {
    None: {"pending"},
    # an attempt that failed is followed by another `pending`
    "pending": {"attended", "waiting", "claimed", *FINAL - {"completed"}},
    "attended": {"attended", "waiting", "claimed", *FINAL - {"completed"}},
    "waiting": {"attended", "waiting", "claimed", *FINAL - {"completed"}},
    "claimed": {"taken-over", "waiting", "pending", *_CARRIED_OUT},
    "taken-over": {"taken-over", "waiting", "pending", *_CARRIED_OUT},
    **{state: set() for state in FINAL},
}
"""Which event may follow which."""
STATES = {
    "pending": "pending",
    "attended": "pending",
    "waiting": "pending",
    "claimed": "claimed",
    "taken-over": "claimed",
    **{state: state for state in FINAL},
}
"""The state that an event leaves an occurrence in."""


def add_fixtures(catalogue: Catalogue, *names: str) -> None:
    """Add fixtures of two simulated cameras and one scene each."""
    for place, name in enumerate(names):
        cameras = [
            {
                "serial": str(int(serial) + 10 * place),
                "make": "Virtual",
                "model": "V1",
                "address": f"ptpip:127.0.0.{place + 2}:{port}",
            }
            for port, serial in enumerate(SERIALS, start=15740)
        ]
        scene = {"name": "wall", "background": "wall", "foreground": "none", "illumination": "day"}
        description = {"name": name, "simulated": True, "cameras": cameras, "scenes": [scene]}
        add_fixture(catalogue, FixtureDescription.model_validate(description), START)


def describe(
    name: str = "hourly", expression: str = "0 * * * *", **fields: Any
) -> ScheduleDescription:
    """Return the description of a schedule, every hour for half an hour by default."""
    content = {
        "name": name,
        "fixture": "north",
        "recipe": "darks.yaml",
        "rule": {"kind": "cron", "expression": expression},
        "zone": "Europe/Berlin",
        "window_s": 1800,
        **fields,
    }
    return ScheduleDescription.model_validate(content)


@dataclass(frozen=True)
class Diary:
    """The schedules of a catalogue, on a fixture `north` if nothing else is said."""

    catalogue: Catalogue
    holder: str = "a daemon"

    def add(
        self,
        name: str = "hourly",
        expression: str = "0 * * * *",
        *,
        at: datetime = START,
        recipe: Recipe = RECIPE,
        **fields: Any,
    ) -> None:
        """Add a schedule."""
        description = describe(name, expression, **fields)
        add_schedule(self.catalogue, description, recipe, operator="ada", at=at)

    def expand(self, until: datetime) -> int:
        """Write what is due before a moment."""
        return materialise(self.catalogue, now=until, horizon=timedelta())

    def claim(self, now: datetime, *busy: str, holder: str | None = None) -> ClaimedOccurrence:
        """Claim the next occurrence, of which there must be one."""
        claimed = claim_next(
            self.catalogue, now=now, holder=holder or self.holder, busy_fixtures=busy
        )
        assert claimed is not None
        return claimed

    def claims_nothing(self, now: datetime, *busy: str) -> bool:
        """Tell whether nothing can be claimed."""
        return claim_next(self.catalogue, now=now, holder=self.holder, busy_fixtures=busy) is None

    def rows(self) -> list[OccurrenceRecord]:
        """Return every occurrence by due time."""
        with self.catalogue.reading() as transaction:
            return list_occurrences(transaction, limit=1_000_000)

    def row(self, due_at: datetime = START) -> OccurrenceRecord:
        """Return the one occurrence that is due at a moment."""
        (row,) = [row for row in self.rows() if row.due_at == due_at]
        return row

    def history(self, uuid: str) -> list[OccurrenceEvent]:
        """Return the events of an occurrence."""
        with self.catalogue.reading() as transaction:
            query = select(OccurrenceEvent).join(Occurrence).where(Occurrence.uuid == uuid)
            return list(transaction.scalars(query.order_by(OccurrenceEvent.id)))

    def histories(self) -> dict[str, list[OccurrenceEvent]]:
        """Return the events of every occurrence."""
        with self.catalogue.reading() as transaction:
            query = select(Occurrence.uuid, OccurrenceEvent).join(
                Occurrence, OccurrenceEvent.occurrence_id == Occurrence.id
            )
            found: dict[str, list[OccurrenceEvent]] = {}
            for uuid, event in transaction.execute(query.order_by(OccurrenceEvent.id)):
                found.setdefault(uuid, []).append(event)
            return found

    def events(self, due_at: datetime = START) -> list[str]:
        """Return the names of what happened to the occurrence of a due time."""
        return [event.name for event in self.history(self.row(due_at).id)]

    def begin_session(self, occurrence_id: int, at: datetime, *, frames: int = 0) -> BegunSession:
        """Begin a session of an occurrence and register frames."""
        with self.catalogue.writing() as transaction:
            session = begin_session(
                transaction,
                load_fixture(transaction, "north"),
                RECIPE,
                operator=None,
                note=None,
                clock_source="simulated",
                occurrence_id=occurrence_id,
                at=at,
            )
            camera = transaction.scalars(select(Camera)).first()
            assert camera is not None
            row = transaction.get_one(Session, session.session_id)
            for sequence in range(1, frames + 1):
                add_shot(transaction, row, camera, sequence, at)
        return session

    def end_session(
        self, session: BegunSession, state: str, exit_reason: str, reason: str, at: datetime
    ) -> None:
        """End a session as its process does."""
        detail = {"exit_reason": exit_reason, "reason": reason}
        with self.catalogue.writing() as transaction:
            end_session(transaction, session, state, at, detail)


def require_legal(events: Sequence[OccurrenceEvent], state: str) -> None:
    """Fail unless a history is one that an occurrence can have, and leads to its state."""
    previous: str | None = None
    for event in events:
        assert event.name in NEXT[previous], [event.name for event in events]
        previous = event.name
    assert previous is not None
    assert STATES[previous] == state
    if state in FINAL:
        assert events[-1].reason
        assert state == "completed" or events[-1].detail
