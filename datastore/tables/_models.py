"""Tables of what runs were computed with, of verdicts, models in service, and retraining."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from datastore.tables._base import Base, new_uuid, one_of
from datastore.tables._capture import Asset
from datastore.tables._equipment import Timeslot
from datastore.tables._research import Dataset, Experiment, Run

ModelState = Literal["candidate", "in-service", "retired", "rejected"]
EvidenceVerdictName = Literal[
    "defect-trace-supported",
    "other-device-age-trace",
    "content-suspected",
    "no-evidence",
    "inconclusive",
]
RetrainingStep = Literal[
    "begun", "frozen", "unchanged", "refused", "trained", "promoted", "kept", "failed"
]


class RunExecution(Base):
    """How a run was computed: on which dataset, by which means, and which step was kept."""

    __tablename__ = "run_execution"

    run_id: Mapped[int] = mapped_column(
        ForeignKey("run.id", ondelete="RESTRICT"), primary_key=True, autoincrement=False
    )
    dataset_id: Mapped[int] = mapped_column(
        ForeignKey("dataset.id", ondelete="RESTRICT"), index=True
    )
    """The fold that the run learned from, or the experiment's one dataset."""
    execution: Mapped[dict[str, Any]]
    """Device, precision, memory layout, threads and processes, as they were chosen."""
    selected_step: Mapped[int]
    """The training step whose weights were kept."""
    validation_history: Mapped[list[Any]]
    """Step, loss and accuracy of every look at the validation block."""

    run: Mapped[Run] = relationship()
    dataset: Mapped[Dataset] = relationship()


class RunPredictions(Base):
    """What a run said about every crop under one evaluation, as a file of arrays."""

    __tablename__ = "run_predictions"

    run_id: Mapped[int] = mapped_column(
        ForeignKey("run.id", ondelete="RESTRICT"), primary_key=True, autoincrement=False
    )
    evaluation: Mapped[str] = mapped_column(primary_key=True)
    predictions_asset_id: Mapped[int] = mapped_column(ForeignKey("asset.id", ondelete="RESTRICT"))

    predictions_asset: Mapped[Asset] = relationship()


class EvidenceReport(Base):
    """A verdict on an experiment with the report that it rests on; the newest row counts."""

    __tablename__ = "evidence_report"
    __table_args__ = (
        CheckConstraint(one_of("verdict", EvidenceVerdictName), name="verdict"),
        Index("ix_evidence_report_newest", "experiment_id", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(unique=True, default=new_uuid)
    experiment_id: Mapped[int] = mapped_column(ForeignKey("experiment.id", ondelete="RESTRICT"))
    verdict: Mapped[str]
    reason: Mapped[str]
    parameters: Mapped[dict[str, Any]]
    """Seed, placebos, known cases, methods of the maps."""
    report_asset_id: Mapped[int] = mapped_column(ForeignKey("asset.id", ondelete="RESTRICT"))
    """Every line and every finding as JSON."""
    code_version: Mapped[str]
    created_at: Mapped[datetime]

    experiment: Mapped[Experiment] = relationship()
    report_asset: Mapped[Asset] = relationship()


class RegisteredModel(Base):
    """A version of a line of models: the trained networks of one experiment together."""

    __tablename__ = "registered_model"
    __table_args__ = (
        UniqueConstraint("name", "version"),
        UniqueConstraint("name", "experiment_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(unique=True, default=new_uuid)
    name: Mapped[str]
    """The line that it belongs to, such as a retraining policy's name."""
    version: Mapped[int]
    """From 1 within its line."""
    experiment_id: Mapped[int] = mapped_column(ForeignKey("experiment.id", ondelete="RESTRICT"))
    created_at: Mapped[datetime]

    experiment: Mapped[Experiment] = relationship()
    events: Mapped[list[ModelEvent]] = relationship(order_by="ModelEvent.id")


class ModelEvent(Base):
    """A change of a model's state; the newest names it, and one of a line is in service at most."""

    __tablename__ = "model_event"
    __table_args__ = (
        CheckConstraint(one_of("state", ModelState), name="state"),
        Index("ix_model_event_newest", "model_id", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    model_id: Mapped[int] = mapped_column(ForeignKey("registered_model.id", ondelete="RESTRICT"))
    state: Mapped[str]
    at: Mapped[datetime]
    operator: Mapped[str | None]
    """Who did it; NULL where a retraining did."""
    reason: Mapped[str]
    numbers: Mapped[dict[str, Any] | None]
    """What the decision rests on."""


class Retraining(Base):
    """What a policy owes to one closed timeslot; how far it came are its events."""

    __tablename__ = "retraining"
    __table_args__ = (UniqueConstraint("policy", "timeslot_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(unique=True, default=new_uuid)
    policy: Mapped[str]
    """Name of the policy."""
    timeslot_id: Mapped[int] = mapped_column(ForeignKey("timeslot.id", ondelete="RESTRICT"))
    policy_document: Mapped[dict[str, Any]]
    """The policy as it was validated."""
    created_at: Mapped[datetime]

    timeslot: Mapped[Timeslot] = relationship()
    events: Mapped[list[RetrainingEvent]] = relationship(order_by="RetrainingEvent.id")


class RetrainingEvent(Base):
    """A step of a retraining that is done, or why it went no further."""

    __tablename__ = "retraining_event"
    __table_args__ = (
        CheckConstraint(one_of("step", RetrainingStep), name="step"),
        Index("ix_retraining_event_newest", "retraining_id", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    retraining_id: Mapped[int] = mapped_column(ForeignKey("retraining.id", ondelete="RESTRICT"))
    step: Mapped[str]
    at: Mapped[datetime]
    reason: Mapped[str | None]
    numbers: Mapped[dict[str, Any]]
    """Versions, identifiers and accuracies of the step."""
