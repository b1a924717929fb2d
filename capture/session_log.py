"""The log of a session: what happened, in order, from its rows; changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session as Transaction

from datastore.tables import (
    Camera,
    OperatorAnswer,
    OperatorPrompt,
    Scene,
    SceneRevision,
    SessionEvent,
    SessionRequest,
    Shot,
    ShotEvent,
    Verdict,
)


@dataclass(frozen=True)
class LogEntry:
    """Something that happened in a session.

    Attributes
    ----------
    at
        Civil time.
    name
        The event's name, `request`, `prompt`, `answer`, or a verdict.
    text
        What happened, for a person.
    camera, shot
        Serial and sequence (with the attempt) where it concerns one shot.
    detail
        Everything that was recorded about it.
    """

    at: datetime
    name: str
    text: str
    camera: str | None = None
    shot: str | None = None
    detail: Mapping[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the entry as JSON values."""
        return {
            "at": self.at.isoformat(),
            "name": self.name,
            "camera": self.camera,
            "shot": self.shot,
            "text": self.text,
            "detail": None if self.detail is None else dict(self.detail),
        }


def read_log(transaction: Transaction, session_id: int) -> Iterator[LogEntry]:
    """Yield what happened in a session, oldest first.

    Of shots that went as planned there is one entry each, their verdict; of failed ones the
    failure. The rows of a session are held in memory, its frames are not.
    """
    entries = [
        *_session_events(transaction, session_id),
        *_failed_shots(transaction, session_id),
        *_verdicts(transaction, session_id),
        *_attendance(transaction, session_id),
    ]
    yield from sorted(entries, key=lambda entry: entry.at)


def last_failures(transaction: Transaction, session_id: int, scene: str | None) -> list[str]:
    """Return why the last frame of a scene was of no use, a sentence for each camera of which so.

    Parameters
    ----------
    transaction
        Any.
    session_id
        The session.
    scene
        Name; None for the dark fields.
    """
    newest = (
        select(func.max(Shot.id))
        .outerjoin(SceneRevision, Shot.scene_revision_id == SceneRevision.id)
        .outerjoin(Scene, SceneRevision.scene_id == Scene.id)
        .where(
            Shot.session_id == session_id,
            Shot.kind == "dark-field" if scene is None else Scene.name == scene,
        )
        .group_by(Shot.camera_id)
    )
    rows = transaction.execute(
        select(Shot, Camera.serial)
        .join(Camera, Shot.camera_id == Camera.id)
        .where(Shot.id.in_(newest))
        .order_by(Camera.serial)
    )
    found = []
    for shot, serial in rows:
        failed = [event for event in shot.events if event.name == "failed"]
        verdict = shot.verdicts[-1] if shot.verdicts else None
        reason = None
        if failed:
            reason = str((failed[-1].detail or {}).get("reason", "the shot failed"))
        elif verdict is not None and verdict.verdict != "accepted":
            reason = verdict.reason
        if reason is not None:
            found.append(f"the last frame of camera {serial} was of no use: {reason.rstrip('.')}")
    return found


def _session_events(transaction: Transaction, session_id: int) -> Iterator[LogEntry]:
    rows = transaction.scalars(
        select(SessionEvent).where(SessionEvent.session_id == session_id).order_by(SessionEvent.id)
    )
    for event in rows:
        camera = (event.detail or {}).get("camera")
        text = _words(event.detail or {})
        yield LogEntry(event.at, event.name, text, camera, None, event.detail)


def _words(detail: Mapping[str, Any]) -> str:
    """Return what was recorded of an event as a sentence of its parts."""
    parts = [str(detail[name]) for name in ("exit_reason", "reason") if detail.get(name)]
    for name, value in detail.items():
        if name in ("camera", "exit_reason", "reason") or value is None:
            continue
        shown = ", ".join(map(str, value)) if isinstance(value, list) else value
        shown = {True: "yes", False: "no"}.get(shown, shown) if isinstance(shown, bool) else shown
        label, seconds = name.removesuffix("_s").replace("_", " "), name.endswith("_s")
        parts.append(f"{label} {shown}{' s' if seconds else ''}")
    return "; ".join(parts)


def _failed_shots(transaction: Transaction, session_id: int) -> Iterator[LogEntry]:
    rows = transaction.execute(
        select(Shot, ShotEvent, Camera.serial)
        .join(ShotEvent, ShotEvent.shot_id == Shot.id)
        .join(Camera, Shot.camera_id == Camera.id)
        .where(Shot.session_id == session_id, ShotEvent.name == "failed")
        .order_by(ShotEvent.id)
    )
    for shot, event, serial in rows:
        detail = event.detail or {}
        yield LogEntry(
            event.at, "failed", str(detail.get("reason", "")), serial, _label(shot), event.detail
        )


def _verdicts(transaction: Transaction, session_id: int) -> Iterator[LogEntry]:
    rows = transaction.execute(
        select(Shot, Verdict, Camera.serial)
        .join(Verdict, Verdict.shot_id == Shot.id)
        .join(Camera, Shot.camera_id == Camera.id)
        .where(Shot.session_id == session_id)
        .order_by(Verdict.id)
    )
    for shot, verdict, serial in rows:
        yield LogEntry(
            verdict.at, verdict.verdict, verdict.reason, serial, _label(shot), verdict.numbers
        )


def _attendance(transaction: Transaction, session_id: int) -> Iterator[LogEntry]:
    requests = transaction.scalars(
        select(SessionRequest).where(SessionRequest.session_id == session_id)
    )
    for request in requests:
        by = f" by {request.operator}" if request.operator else ""
        yield LogEntry(request.at, "request", f"{request.name}{by}")
    rows = transaction.execute(
        select(OperatorPrompt, OperatorAnswer)
        .outerjoin(OperatorAnswer, OperatorAnswer.prompt_id == OperatorPrompt.id)
        .where(OperatorPrompt.session_id == session_id)
    )
    for prompt, answer in rows:
        yield LogEntry(prompt.asked_at, "prompt", prompt.text)
        if answer is not None:
            by = f" by {answer.operator}" if answer.operator else ""
            yield LogEntry(answer.answered_at, "answer", f"{answer.answer}{by}: {prompt.text}")


def _label(shot: Shot) -> str:
    return f"{shot.sequence}.{shot.attempt}"
