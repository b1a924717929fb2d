"""Tables by which people steer a running session: requests to it, its prompts and their answers.

Any front end writes and reads them; the session's process looks at them between its steps.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column, relationship

from datastore.tables._base import Base, new_uuid, one_of
from datastore.tables._capture import Session

SessionRequestName = Literal["pause", "resume", "finish", "abort"]
PromptKind = Literal["scene", "cap"]
AnswerName = Literal["done", "refused"]


class SessionRequest(Base):
    """What somebody asked a running session to do; the newest counts."""

    __tablename__ = "session_request"
    __table_args__ = (
        CheckConstraint(one_of("name", SessionRequestName), name="name"),
        Index("ix_session_request_newest", "session_id", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    session_id: Mapped[int] = mapped_column(ForeignKey("session.id", ondelete="RESTRICT"))
    name: Mapped[str]
    operator: Mapped[str | None]
    at: Mapped[datetime]


class OperatorPrompt(Base):
    """Something that a session asks an operator to do; open until it has an answer."""

    __tablename__ = "operator_prompt"
    __table_args__ = (CheckConstraint(one_of("kind", PromptKind), name="kind"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(unique=True, default=new_uuid)
    session_id: Mapped[int] = mapped_column(
        ForeignKey("session.id", ondelete="RESTRICT"), index=True
    )
    kind: Mapped[str]
    text: Mapped[str]
    asked_at: Mapped[datetime]

    session: Mapped[Session] = relationship()
    answer: Mapped[OperatorAnswer | None] = relationship(back_populates="prompt")


class OperatorAnswer(Base):
    """The one answer to a prompt."""

    __tablename__ = "operator_answer"
    __table_args__ = (CheckConstraint(one_of("answer", AnswerName), name="answer"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    prompt_id: Mapped[int] = mapped_column(
        ForeignKey("operator_prompt.id", ondelete="RESTRICT"), unique=True
    )
    answer: Mapped[str]
    operator: Mapped[str | None]
    answered_at: Mapped[datetime]

    prompt: Mapped[OperatorPrompt] = relationship(back_populates="answer")
