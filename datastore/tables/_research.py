"""Tables of what was concluded: defects, ledgers, datasets, experiments, runs, predictions."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from datastore.tables._base import Base, new_uuid, one_of
from datastore.tables._capture import Asset, Session
from datastore.tables._equipment import Camera

AuditVerdictName = Literal["pass", "warn", "fail"]


class DefectExtraction(Base):
    """One measurement of a camera's defects from one session's dark fields."""

    __tablename__ = "defect_extraction"
    __table_args__ = (UniqueConstraint("session_id", "camera_id", "parameters_sha256"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    session_id: Mapped[int] = mapped_column(ForeignKey("session.id", ondelete="RESTRICT"))
    camera_id: Mapped[int] = mapped_column(ForeignKey("camera.id", ondelete="RESTRICT"), index=True)
    code_version: Mapped[str]
    parameters: Mapped[dict[str, Any]]
    parameters_sha256: Mapped[str]
    """Hash of the parameters, the code version and the input assets together."""
    inputs: Mapped[list[Any]]
    """sha256 of every frame used, in order."""
    summary: Mapped[dict[str, Any]]
    maps_asset_id: Mapped[int | None] = mapped_column(ForeignKey("asset.id", ondelete="RESTRICT"))
    """Per-photosite measurement of the session, for measuring given photosites later."""
    started_at: Mapped[datetime]
    """When the first dark frame was taken, or the session began where that is unknown."""
    created_at: Mapped[datetime]

    session: Mapped[Session] = relationship()
    camera: Mapped[Camera] = relationship()
    maps_asset: Mapped[Asset | None] = relationship()


class DefectObservation(Base):
    """One significant photosite of an extraction."""

    __tablename__ = "defect_observation"

    extraction_id: Mapped[int] = mapped_column(
        ForeignKey("defect_extraction.id", ondelete="RESTRICT"), primary_key=True
    )
    row: Mapped[int] = mapped_column(primary_key=True)
    column: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    dark_rate_dn_per_s: Mapped[float | None]
    dark_rate_error_dn_per_s: Mapped[float | None]
    offset_dn: Mapped[float | None]
    offset_error_dn: Mapped[float | None]
    amplitude_dn: Mapped[float]
    significance: Mapped[float]
    flags: Mapped[list[Any]]


class DefectLedger(Base):
    """The defects of one camera over all its dark sessions so far; the newest row counts."""

    __tablename__ = "defect_ledger"

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(unique=True, default=new_uuid)
    camera_id: Mapped[int] = mapped_column(ForeignKey("camera.id", ondelete="RESTRICT"), index=True)
    code_version: Mapped[str]
    parameters: Mapped[dict[str, Any]]
    inputs: Mapped[list[Any]]
    """Identifiers of the extractions used, in order of time."""
    summary: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]

    camera: Mapped[Camera] = relationship()
    defects: Mapped[list[LedgerDefect]] = relationship(back_populates="ledger")


class LedgerDefect(Base):
    """The history of one defect: where, what, since when."""

    __tablename__ = "ledger_defect"

    ledger_id: Mapped[int] = mapped_column(
        ForeignKey("defect_ledger.id", ondelete="RESTRICT"), primary_key=True
    )
    row: Mapped[int] = mapped_column(primary_key=True)
    column: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    pre_existing: Mapped[bool]
    onset_after: Mapped[datetime | None]
    """Last dark session in which it was detectable and absent; NULL if pre-existing."""
    onset_before: Mapped[datetime]
    """First dark session in which it was present."""
    last_seen: Mapped[datetime]
    dark_rate_dn_per_s: Mapped[float | None]
    dark_rate_error_dn_per_s: Mapped[float | None]
    offset_dn: Mapped[float | None]
    offset_error_dn: Mapped[float | None]
    amplitude_dn: Mapped[float]
    significance: Mapped[float]
    blinking: Mapped[bool]
    annealed: Mapped[bool]
    mapped_out: Mapped[bool | None]
    """Whether the camera replaces it since; NULL in ledgers of before that was judged."""
    flags: Mapped[list[Any]]

    ledger: Mapped[DefectLedger] = relationship(back_populates="defects")


class LedgerHistory(Base):
    """What a ledger tells beyond its defects: their amplitudes over time, and the epochs."""

    __tablename__ = "ledger_history"

    ledger_id: Mapped[int] = mapped_column(
        ForeignKey("defect_ledger.id", ondelete="RESTRICT"), primary_key=True, autoincrement=False
    )
    series_asset_id: Mapped[int] = mapped_column(ForeignKey("asset.id", ondelete="RESTRICT"))
    """Amplitude, error and state of every defect in every dark session."""
    mapping_events: Mapped[list[Any]]
    """Sessions at which the camera mapped many defects out at once, each with its numbers."""

    series_asset: Mapped[Asset] = relationship()


class FlatExtraction(Base):
    """One measurement of a camera's response and dust from one session's flat fields."""

    __tablename__ = "flat_extraction"
    __table_args__ = (UniqueConstraint("session_id", "camera_id", "parameters_sha256"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    session_id: Mapped[int] = mapped_column(ForeignKey("session.id", ondelete="RESTRICT"))
    camera_id: Mapped[int] = mapped_column(ForeignKey("camera.id", ondelete="RESTRICT"), index=True)
    code_version: Mapped[str]
    parameters: Mapped[dict[str, Any]]
    parameters_sha256: Mapped[str]
    """Hash of the parameters, the code version and the input assets together."""
    inputs: Mapped[list[Any]]
    """sha256 of every frame used, in order."""
    summary: Mapped[dict[str, Any]]
    started_at: Mapped[datetime]
    """When the first flat field was taken, or the session began where that is unknown."""
    created_at: Mapped[datetime]

    session: Mapped[Session] = relationship()
    camera: Mapped[Camera] = relationship()


class FlatObservation(Base):
    """One photosite that answers to light too weakly, `dead` or `low-response`."""

    __tablename__ = "flat_observation"

    extraction_id: Mapped[int] = mapped_column(
        ForeignKey("flat_extraction.id", ondelete="RESTRICT"), primary_key=True
    )
    row: Mapped[int] = mapped_column(primary_key=True)
    column: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    response: Mapped[float]
    """Signal over that of its neighbours of the same colour, 1 for sound photosites."""
    response_error: Mapped[float]
    significance: Mapped[float]
    under_dust: Mapped[bool]
    """Whether a dust spot lies over it, which explains it as well."""


class DustSpot(Base):
    """One dust spot of a flat extraction: a shadow several photosites wide."""

    __tablename__ = "dust_spot"

    extraction_id: Mapped[int] = mapped_column(
        ForeignKey("flat_extraction.id", ondelete="RESTRICT"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True)
    row: Mapped[float]
    column: Mapped[float]
    radius_photosites: Mapped[float]
    depth: Mapped[float]
    """Share of the light that it takes at its middle."""
    depth_error: Mapped[float]
    significance: Mapped[float]


class CameraFingerprint(Base):
    """The pattern of a camera's response, by which later files are known to be its own."""

    __tablename__ = "camera_fingerprint"

    id: Mapped[int] = mapped_column(primary_key=True)
    camera_id: Mapped[int] = mapped_column(ForeignKey("camera.id", ondelete="RESTRICT"), index=True)
    code_version: Mapped[str]
    inputs: Mapped[list[Any]]
    """sha256 of every frame it was estimated from, in order."""
    fingerprint_asset_id: Mapped[int] = mapped_column(ForeignKey("asset.id", ondelete="RESTRICT"))
    created_at: Mapped[datetime]

    camera: Mapped[Camera] = relationship()
    fingerprint_asset: Mapped[Asset] = relationship()


class SavedSelection(Base):
    """A selection of shots under a name; the newest row of a name counts."""

    __tablename__ = "saved_selection"
    __table_args__ = (Index("ix_saved_selection_newest", "name", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    expression: Mapped[str]
    """As `agetrace shots where` takes it."""
    timeslot_scheme: Mapped[str | None]
    """Name of the scheme that its timeslots belong to; NULL where it names none."""
    operator: Mapped[str | None]
    created_at: Mapped[datetime]


class Dataset(Base):
    """A frozen, content-hashed manifest; `version` is the sha256 of its bytes."""

    __tablename__ = "dataset"

    id: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str] = mapped_column(index=True)
    specification: Mapped[dict[str, Any]]
    waived: Mapped[list[Any]]
    """Constraints waived by name, each with its reason."""
    manifest_asset_id: Mapped[int] = mapped_column(ForeignKey("asset.id", ondelete="RESTRICT"))
    created_at: Mapped[datetime]

    manifest_asset: Mapped[Asset] = relationship()


class DatasetItem(Base):
    """One asset of a dataset with its label and block, copied from the manifest for queries."""

    __tablename__ = "dataset_item"

    dataset_id: Mapped[int] = mapped_column(
        ForeignKey("dataset.id", ondelete="RESTRICT"), primary_key=True
    )
    position: Mapped[int] = mapped_column(primary_key=True)
    asset_id: Mapped[int] = mapped_column(ForeignKey("asset.id", ondelete="RESTRICT"), index=True)
    class_name: Mapped[str]
    block: Mapped[str]

    asset: Mapped[Asset] = relationship()


class DatasetAudit(Base):
    """An audit of a manifest, frozen or not; the newest row of a manifest counts."""

    __tablename__ = "dataset_audit"
    __table_args__ = (
        CheckConstraint(one_of("verdict", AuditVerdictName), name="verdict"),
        Index("ix_dataset_audit_newest", "manifest_version", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(unique=True, default=new_uuid)
    manifest_version: Mapped[str]
    """sha256 of the manifest's bytes."""
    verdict: Mapped[str]
    """The worst of the rules'."""
    rules: Mapped[dict[str, Any]]
    """Verdict of every rule by its name."""
    parameters: Mapped[dict[str, Any]]
    """Levels, thresholds, numbers of permutations, seed."""
    report_asset_id: Mapped[int] = mapped_column(ForeignKey("asset.id", ondelete="RESTRICT"))
    """The whole report as JSON."""
    code_version: Mapped[str]
    created_at: Mapped[datetime]

    report_asset: Mapped[Asset] = relationship()


class DatasetFreeze(Base):
    """How a dataset came to be frozen: on which audit, and forced or not.

    `forced_reason` is NULL unless the audit failed. `family` names the datasets that are the folds
    of one specification, `fold` counts them from 0; both are NULL for a dataset of its own.
    """

    __tablename__ = "dataset_freeze"
    __table_args__ = (
        CheckConstraint("(family is null) = (fold is null)", name="fold_of_family"),
        Index("ix_dataset_freeze_family", "family", "fold"),
    )

    dataset_id: Mapped[int] = mapped_column(
        ForeignKey("dataset.id", ondelete="RESTRICT"), primary_key=True, autoincrement=False
    )
    audit_id: Mapped[int] = mapped_column(
        ForeignKey("dataset_audit.id", ondelete="RESTRICT"), index=True
    )
    forced_reason: Mapped[str | None]
    family: Mapped[str | None]
    fold: Mapped[int | None]

    dataset: Mapped[Dataset] = relationship()
    audit: Mapped[DatasetAudit] = relationship()


class Experiment(Base):
    """A specification of runs over a dataset; the same content is the same experiment."""

    __tablename__ = "experiment"

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(unique=True, default=new_uuid)
    name: Mapped[str] = mapped_column(index=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("dataset.id", ondelete="RESTRICT"))
    specification: Mapped[dict[str, Any]]
    content_sha256: Mapped[str] = mapped_column(unique=True)
    """Hash of the specification, the dataset's version and the code version together."""
    code_version: Mapped[str]
    created_at: Mapped[datetime]

    dataset: Mapped[Dataset] = relationship()
    runs: Mapped[list[Run]] = relationship(back_populates="experiment", order_by="Run.ordinal")


class Run(Base):
    """A finished run of an experiment: one seed, one trained network."""

    __tablename__ = "run"
    __table_args__ = (UniqueConstraint("experiment_id", "ordinal"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(unique=True, default=new_uuid)
    experiment_id: Mapped[int] = mapped_column(ForeignKey("experiment.id", ondelete="RESTRICT"))
    ordinal: Mapped[int]
    seed: Mapped[int]
    machine: Mapped[dict[str, Any]]
    training_history: Mapped[list[Any]]
    model_asset_id: Mapped[int] = mapped_column(ForeignKey("asset.id", ondelete="RESTRICT"))
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime]

    experiment: Mapped[Experiment] = relationship(back_populates="runs")
    model_asset: Mapped[Asset] = relationship()


class Prediction(Base):
    """What a run said about one image under one evaluation (a block, or an intervention)."""

    __tablename__ = "prediction"
    __table_args__ = (
        Index("ix_prediction_run_evaluation", "run_id", "evaluation"),
        CheckConstraint("score >= 0 and score <= 1", name="score"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id", ondelete="RESTRICT"))
    evaluation: Mapped[str]
    asset_id: Mapped[int] = mapped_column(ForeignKey("asset.id", ondelete="RESTRICT"))
    class_name: Mapped[str]
    """The label in the evaluated dataset."""
    predicted_class_name: Mapped[str]
    score: Mapped[float]
    """Image-level probability of the predicted class."""
    crops: Mapped[int]
    crops_correct: Mapped[int]

    asset: Mapped[Asset] = relationship()


class SaliencyMap(Base):
    """A class-mean saliency map of a run on one camera, stored as a measurement asset."""

    __tablename__ = "saliency_map"
    __table_args__ = (
        UniqueConstraint("run_id", "camera_id", "method", "evaluation", "class_name"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id", ondelete="RESTRICT"))
    camera_id: Mapped[int] = mapped_column(ForeignKey("camera.id", ondelete="RESTRICT"))
    method: Mapped[str]
    evaluation: Mapped[str]
    class_name: Mapped[str]
    images: Mapped[int]
    map_asset_id: Mapped[int] = mapped_column(ForeignKey("asset.id", ondelete="RESTRICT"))
    measures: Mapped[dict[str, Any]]

    map_asset: Mapped[Asset] = relationship()
