"""The session of an import: taken up again where an earlier import of the folder did not end."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session as Transaction

from datastore import audit
from datastore.catalogue import Catalogue
from datastore.clocks import CivilClock
from datastore.importing._files import printable
from datastore.tables import Session, SessionEvent, Shot


class ImportSession:
    """The session of one import; its row is written with the first new one of anything else.

    Parameters
    ----------
    catalogue
        Where the rows go.
    folder
        The imported folder, absolute.
    clock
        Dates beginning and end; an import on another kind of clock is another session.
    lineage
        What its first event tells.
    """

    def __init__(
        self, catalogue: Catalogue, folder: Path, clock: CivilClock, lineage: dict[str, Any]
    ) -> None:
        self._catalogue = catalogue
        self._note = f"import of {printable(folder)}"
        self._clock = clock
        self._lineage = lineage
        self._begun: tuple[int, str] | None = None

    def begin(self, session: Transaction, at: datetime) -> tuple[int, str]:
        """Return row number and UUID of the session: the running one, an unended one, a new one."""
        if self._begun is not None:
            return self._begun
        unended = self._find_unended(session)
        if unended is not None:
            event = SessionEvent(session_id=unended[0], name="resumed", at=at, detail=self._lineage)
            session.add(event)
            return unended
        row = Session(
            kind="import", clock_source=self._clock.source, started_at=at, note=self._note
        )
        session.add(row)
        session.flush()
        event = SessionEvent(session_id=row.id, name="started", at=at, detail=self._lineage)
        session.add(event)
        return row.id, row.uuid

    def keep(self, begun: tuple[int, str] | None) -> None:
        """Go on in the session that was begun, now that this is committed."""
        self._begun = begun or self._begun

    def complete(self) -> str | None:
        """End the session, if there is one, and return its UUID."""
        if self._begun is None:
            # one that was killed after its last file wants no more than its end
            with self._catalogue.reading() as session:
                self._begun = self._find_unended(session)
        if self._begun is None:
            return None
        self._end("completed", {})
        return self._begun[1]

    def abort(self, reason: str) -> None:
        """Say why the session did not reach its end, if there is one."""
        if self._begun is not None:
            self._end("aborted", {"reason": reason})

    def _find_unended(self, session: Transaction) -> tuple[int, str] | None:
        """Return the folder's newest import if it was killed or aborted."""
        newest = session.execute(
            select(Session.id, Session.uuid)
            .where(
                Session.kind == "import",
                Session.note == self._note,
                Session.clock_source == self._clock.source,
            )
            .order_by(Session.id.desc())
            .limit(1)
        ).one_or_none()
        if newest is None:
            return None
        state = session.scalar(
            select(SessionEvent.name)
            .where(SessionEvent.session_id == newest.id)
            .order_by(SessionEvent.id.desc())
            .limit(1)
        )
        return None if state == "completed" else (newest.id, newest.uuid)

    def _end(self, name: str, detail: dict[str, object]) -> None:
        assert self._begun is not None
        session_id, uuid = self._begun
        at = self._clock.now()
        with self._catalogue.writing() as session:
            count = select(func.count()).select_from(Shot).where(Shot.session_id == session_id)
            shots = session.scalar(count)
            detail = {**detail, "shots": shots}
            session.add(SessionEvent(session_id=session_id, name=name, at=at, detail=detail))
            audit.append(
                session, "import.folder", {"session": uuid, "end": name, "shots": shots}, at
            )
