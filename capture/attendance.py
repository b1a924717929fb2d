"""How people attend a session: requests to it, its prompts to an operator, and their answers.

Everything goes through the catalogue, so that any front end on any host can take part. Nothing
here waits or knows cameras.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ScalarSelect, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session as Transaction

from capture.errors import PromptAnsweredError, SessionNotRunningError, UnknownSessionError
from datastore import audit
from datastore.catalogue import Catalogue
from datastore.tables import (
    AnswerName,
    OperatorAnswer,
    OperatorPrompt,
    PromptKind,
    Session,
    SessionEvent,
    SessionRequest,
    SessionRequestName,
)

ENDS = ("completed", "partial", "aborted", "failed")
"""Events that end a session; one of them may be followed by `resumed`."""

_STATES = (*ENDS, "started", "paused", "resumed")


@dataclass(frozen=True)
class Request:
    """What somebody asked a running session to do."""

    request_id: int
    name: str
    operator: str | None


@dataclass(frozen=True)
class Prompt:
    """Something that a session asks an operator to do.

    Attributes
    ----------
    uuid, session_uuid
        The prompt and the session that waits for it.
    kind
        `scene` or `cap`.
    text
        The request, for a person.
    asked_at
        Civil time.
    answer
        `done` or `refused`; None while it is open.
    """

    uuid: str
    session_uuid: str
    kind: str
    text: str
    asked_at: datetime
    answer: str | None

    def to_json(self) -> dict[str, Any]:
        """Return the prompt as JSON values."""
        return {
            "id": self.uuid,
            "session_id": self.session_uuid,
            "kind": self.kind,
            "text": self.text,
            "asked_at": self.asked_at.isoformat(),
            "answer": self.answer,
        }


def find_session(transaction: Transaction, uuid: str) -> Session:
    """Return a capture session by its UUID or an unambiguous beginning of it.

    Raises
    ------
    UnknownSessionError
        If there is none, or several.
    """
    query = select(Session).where(Session.uuid.startswith(uuid, autoescape=True))
    found = list(transaction.scalars(query.where(Session.kind == "capture").limit(2)))
    if len(found) != 1 or not uuid:
        how_many = "several capture sessions begin" if found else "no capture session begins"
        raise UnknownSessionError(
            f"{how_many} with {uuid!r}: `agetrace session list` shows the sessions"
        )
    return found[0]


def session_state() -> ScalarSelect[str]:
    """Return the state of each session of a query: its newest event of those that change it."""
    return (
        select(SessionEvent.name)
        .where(SessionEvent.session_id == Session.id, SessionEvent.name.in_(_STATES))
        .order_by(SessionEvent.id.desc())
        .limit(1)
        .correlate(Session)
        .scalar_subquery()
    )


def state_of(transaction: Transaction, session_id: int) -> str:
    """Return the state of a session."""
    query = select(session_state()).where(Session.id == session_id)
    return transaction.scalar(query.select_from(Session)) or "started"


def unfinished_session(transaction: Transaction, resources: Collection[str]) -> Session | None:
    """Return the newest session that has not ended and takes some fixture or camera.

    Parameters
    ----------
    transaction
        Any.
    resources
        Names as leases have them, such as `camera:7100001` and `fixture:north`.
    """
    query = (
        select(Session)
        .where(Session.kind == "capture", session_state().not_in(ENDS))
        .order_by(Session.id.desc())
    )
    for session in transaction.scalars(query):
        assert session.fixture_revision is not None
        began = next((event for event in session.events if event.name == "started"), None)
        cameras = [] if began is None else (began.detail or {}).get("cameras", [])
        taken = {f"fixture:{session.fixture_revision.fixture.name}"}
        taken |= {f"camera:{serial}" for serial in cameras}
        if not taken.isdisjoint(resources):
            return session
    return None


def ask_session(
    catalogue: Catalogue,
    session_uuid: str,
    name: SessionRequestName,
    *,
    operator: str | None,
    at: datetime,
) -> None:
    """Ask a running session to pause, resume, finish or abort; it obeys after the shot in hand.

    Raises
    ------
    UnknownSessionError
        If there is no such session.
    SessionNotRunningError
        If it has ended, or is to pause and has done so already.
    """
    with catalogue.writing() as transaction:
        session = find_session(transaction, session_uuid)
        state = state_of(transaction, session.id)
        if state in ENDS:
            raise SessionNotRunningError(
                f"session {session.uuid} is {state}: only a running session can {name}"
            )
        if name == "pause" and state == "paused" and _newest_request(transaction, session) == name:
            raise SessionNotRunningError(
                f"session {session.uuid} is paused already: `agetrace session resume` wakes it"
            )
        transaction.add(SessionRequest(session_id=session.id, name=name, operator=operator, at=at))
        entry = {"session": session.uuid, "request": name, "operator": operator}
        audit.append(transaction, "session.request", entry, at)


def _newest_request(transaction: Transaction, session: Session) -> str | None:
    # one that is not obeyed yet counts: a session that was asked to wake can be paused again
    query = select(SessionRequest.name).where(SessionRequest.session_id == session.id)
    return transaction.scalar(query.order_by(SessionRequest.id.desc()).limit(1))


def requests_since(transaction: Transaction, session_id: int, after_id: int) -> list[Request]:
    """Return what was asked of a session since the last request that it saw, in order."""
    rows = transaction.scalars(
        select(SessionRequest)
        .where(SessionRequest.session_id == session_id, SessionRequest.id > after_id)
        .order_by(SessionRequest.id)
    )
    return [Request(row.id, row.name, row.operator) for row in rows]


def newest_request_id(transaction: Transaction, session_id: int) -> int:
    """Return the number of the newest request to a session so far, 0 if there is none."""
    query = select(func.max(SessionRequest.id)).where(SessionRequest.session_id == session_id)
    return transaction.scalar(query) or 0


def add_prompt(
    transaction: Transaction, session_id: int, kind: PromptKind, text: str, at: datetime
) -> str:
    """Write a prompt and return its UUID."""
    row = OperatorPrompt(session_id=session_id, kind=kind, text=text, asked_at=at)
    transaction.add(row)
    transaction.flush()
    return row.uuid


def open_prompts(transaction: Transaction, session_uuid: str | None = None) -> list[Prompt]:
    """Return the prompts of sessions that still run and wait for an answer, oldest first."""
    query = (
        select(OperatorPrompt)
        .join(Session, OperatorPrompt.session_id == Session.id)
        .outerjoin(OperatorAnswer, OperatorAnswer.prompt_id == OperatorPrompt.id)
        .where(OperatorAnswer.id.is_(None))
        .order_by(OperatorPrompt.id)
    )
    if session_uuid is not None:
        query = query.where(Session.uuid == session_uuid)
    rows = transaction.scalars(query).all()
    states = {row.session_id: state_of(transaction, row.session_id) for row in rows}
    return [_prompt(row) for row in rows if states[row.session_id] not in ENDS]


def read_prompt(transaction: Transaction, uuid: str) -> Prompt:
    """Return a prompt by its UUID or an unambiguous beginning of it.

    Raises
    ------
    UnknownSessionError
        If no session asks this.
    """
    return _prompt(_find_prompt(transaction, uuid))


def answer_prompt(
    catalogue: Catalogue,
    prompt_uuid: str,
    answer: AnswerName,
    *,
    operator: str | None,
    at: datetime,
) -> Prompt:
    """Say that what a prompt asks for is done, or refuse it; the first answer counts.

    Raises
    ------
    UnknownSessionError
        If no session asks this.
    PromptAnsweredError
        If it has an answer already.
    """
    try:
        with catalogue.writing() as transaction:
            row = _find_prompt(transaction, prompt_uuid)
            if row.answer is not None:
                raise PromptAnsweredError(f"prompt {row.uuid} has the answer {row.answer.answer}")
            transaction.add(
                OperatorAnswer(prompt_id=row.id, answer=answer, operator=operator, answered_at=at)
            )
            entry = {"prompt": row.uuid, "answer": answer, "operator": operator}
            audit.append(transaction, "prompt.answer", entry, at)
            transaction.flush()
            transaction.refresh(row)
            return _prompt(row)
    except IntegrityError:
        raise PromptAnsweredError(
            f"prompt {prompt_uuid} was answered by somebody else in this moment"
        ) from None


def _find_prompt(transaction: Transaction, uuid: str) -> OperatorPrompt:
    query = select(OperatorPrompt).where(OperatorPrompt.uuid.startswith(uuid, autoescape=True))
    found = list(transaction.scalars(query.limit(2)))
    if len(found) != 1 or not uuid:
        how_many = "several prompts begin" if found else "no prompt begins"
        raise UnknownSessionError(
            f"{how_many} with {uuid!r}: `agetrace session prompts` shows the open ones"
        )
    return found[0]


def _prompt(row: OperatorPrompt) -> Prompt:
    return Prompt(
        uuid=row.uuid,
        session_uuid=row.session.uuid,
        kind=row.kind,
        text=row.text,
        asked_at=row.asked_at,
        answer=None if row.answer is None else row.answer.answer,
    )
