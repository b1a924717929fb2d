"""Tables of what happened: sessions, shots and their events, assets, verdicts."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from datastore.tables._base import Base, new_uuid, one_of
from datastore.tables._equipment import Camera, FixtureRevision, Recipe, SceneRevision

SessionKind = Literal["capture", "import"]
SessionEventName = Literal[
    "started",
    "camera-opened",
    "camera-closed",
    "camera-failed",
    "camera-lost",
    "clock-jumped",
    "scene-changed",
    "paused",
    "resumed",
    "completed",
    "partial",
    "aborted",
    "failed",
]
FrameKind = Literal["dark-field", "flat-field", "fixed-background", "natural"]
TimeSource = Literal["civil", "exif", "declared"]
ShotState = Literal["planned", "triggered", "downloaded", "verified", "registered", "failed"]
SettingsSource = Literal["read-back", "exif"]
LocationProblem = Literal["damaged", "missing", "unreadable"]
ClockProbeSource = Literal["probe", "exif"]
AssetRole = Literal[
    "raw", "jpeg", "preview", "sidecar", "other", "manifest", "model", "measurement"
]
VerdictName = Literal["accepted", "quarantined", "rejected"]


class Session(Base):
    """One execution of a recipe over the fixture's cameras, or one import; a write-once row."""

    __tablename__ = "session"
    __table_args__ = (
        CheckConstraint(one_of("kind", SessionKind), name="kind"),
        CheckConstraint(one_of("clock_source", Literal["host", "simulated"]), name="clock_source"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(unique=True, default=new_uuid)
    kind: Mapped[str]
    fixture_revision_id: Mapped[int | None] = mapped_column(
        ForeignKey("fixture_revision.id", ondelete="RESTRICT")
    )
    recipe_id: Mapped[int | None] = mapped_column(ForeignKey("recipe.id", ondelete="RESTRICT"))
    operator: Mapped[str | None]
    clock_source: Mapped[str]
    started_at: Mapped[datetime] = mapped_column(index=True)
    note: Mapped[str | None]

    fixture_revision: Mapped[FixtureRevision | None] = relationship()
    recipe: Mapped[Recipe | None] = relationship()
    events: Mapped[list[SessionEvent]] = relationship(order_by="SessionEvent.id")


class SessionEvent(Base):
    """Something that happened to a session: the newest names its state."""

    __tablename__ = "session_event"
    __table_args__ = (
        CheckConstraint(one_of("name", SessionEventName), name="name"),
        Index("ix_session_event_newest", "session_id", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    session_id: Mapped[int] = mapped_column(ForeignKey("session.id", ondelete="RESTRICT"))
    name: Mapped[str]
    at: Mapped[datetime]
    detail: Mapped[dict[str, Any] | None]


class Shot(Base):
    """One shutter release of one camera: a write-once row of plan and attempt.

    The row is committed before the shutter opens. `triggered_at` is the civil time read just
    before that commit (for imports the EXIF or declared time, NULL where it has no zone); the
    `triggered` event repeats it as it was at the release. A retaken frame is a new row with the
    next `attempt`.
    """

    __tablename__ = "shot"
    __table_args__ = (
        UniqueConstraint("session_id", "camera_id", "sequence", "attempt"),
        CheckConstraint(one_of("kind", FrameKind), name="kind"),
        CheckConstraint(
            f"time_source is null or {one_of('time_source', TimeSource)}", name="time_source"
        ),
        # time and identifier end them: what a page asks for lies together, in the order of pages
        Index("ix_shot_time", "triggered_at", "id"),
        Index("ix_shot_session_time", "session_id", "triggered_at", "id"),
        Index("ix_shot_camera_time", "camera_id", "triggered_at", "id"),
        Index("ix_shot_camera_kind_time", "camera_id", "kind", "triggered_at", "id"),
        Index("ix_shot_kind_time", "kind", "triggered_at", "id"),
        Index("ix_shot_scene_time", "scene_revision_id", "triggered_at", "id"),
        Index("ix_shot_exposure_time", "exposure_s", "triggered_at", "id"),
        Index("ix_shot_iso_time", "iso", "triggered_at", "id"),
        # it alone answers how many shots there are by scene, camera and timeslot
        Index("ix_shot_scene_camera_time", "scene_revision_id", "camera_id", "triggered_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(unique=True, default=new_uuid)
    session_id: Mapped[int] = mapped_column(ForeignKey("session.id", ondelete="RESTRICT"))
    camera_id: Mapped[int | None] = mapped_column(ForeignKey("camera.id", ondelete="RESTRICT"))
    sequence: Mapped[int]
    attempt: Mapped[int] = mapped_column(default=1)
    kind: Mapped[str]
    scene_revision_id: Mapped[int | None] = mapped_column(
        ForeignKey("scene_revision.id", ondelete="RESTRICT")
    )
    triggered_at: Mapped[datetime | None]
    time_source: Mapped[str | None]
    time_uncertainty_s: Mapped[float | None]
    """How far `triggered_at` may be off either way where only an interval was declared, in
    seconds; NULL where the time is as exact as its source."""
    exposure: Mapped[str | None]
    """Requested (imports: EXIF) exposure time as a rational string of seconds, `1/30`."""
    exposure_s: Mapped[float | None]
    iso: Mapped[int | None]
    f_number: Mapped[float | None]
    image_quality: Mapped[str | None]
    warm_up: Mapped[bool] = mapped_column(default=False)
    since_opened_s: Mapped[float | None]
    """How long the camera had been held open when the shot was planned: an open body warms up."""
    since_last_shot_s: Mapped[float | None]
    """Time since the camera's previous release of the shutter, NULL for the first since opening."""

    session: Mapped[Session] = relationship()
    camera: Mapped[Camera | None] = relationship()
    scene_revision: Mapped[SceneRevision | None] = relationship()
    events: Mapped[list[ShotEvent]] = relationship(order_by="ShotEvent.id")
    settings: Mapped[list[ShotSettings]] = relationship(order_by="ShotSettings.id")
    assets: Mapped[list[Asset]] = relationship(order_by="Asset.id", back_populates="shot")
    verdicts: Mapped[list[Verdict]] = relationship(order_by="Verdict.id")


class ShotEvent(Base):
    """A step of a shot; the newest is the shot's state."""

    __tablename__ = "shot_event"
    __table_args__ = (
        CheckConstraint(one_of("name", ShotState), name="name"),
        Index("ix_shot_event_newest", "shot_id", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    shot_id: Mapped[int] = mapped_column(ForeignKey("shot.id", ondelete="RESTRICT"))
    name: Mapped[str]
    at: Mapped[datetime]
    detail: Mapped[dict[str, Any] | None]


class ShotSettings(Base):
    """The settings of a shot as read back from the camera or from the file, beside the request."""

    __tablename__ = "shot_settings"
    __table_args__ = (
        UniqueConstraint("shot_id", "source"),
        CheckConstraint(one_of("source", SettingsSource), name="source"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    shot_id: Mapped[int] = mapped_column(ForeignKey("shot.id", ondelete="RESTRICT"))
    source: Mapped[str]
    exposure_s: Mapped[float | None]
    iso: Mapped[int | None]
    f_number: Mapped[float | None]
    image_quality: Mapped[str | None]
    temperature_c: Mapped[float | None]
    taken_at: Mapped[datetime | None]
    taken_at_text: Mapped[str | None]
    """The camera's own time as written, evidence only."""
    firmware: Mapped[str | None]
    long_exposure_noise_reduction: Mapped[bool | None]
    raw_values: Mapped[dict[str, Any] | None]


class ShotStatus(Base):
    """The newest event and the newest verdict of a shot, beside its time.

    Triggers derive the row from the append-only tables, so that a page of all quarantined shots
    takes no look at the others. It holds nothing that could not be derived again.
    """

    __tablename__ = "shot_status"
    __table_args__ = (
        Index("ix_shot_status_state_time", "state", "triggered_at", "shot_id"),
        Index("ix_shot_status_verdict_time", "verdict", "triggered_at", "shot_id"),
    )

    shot_id: Mapped[int] = mapped_column(
        ForeignKey("shot.id", ondelete="RESTRICT"), primary_key=True, autoincrement=False
    )
    triggered_at: Mapped[datetime | None]
    state: Mapped[str | None]
    state_event_id: Mapped[int | None]
    verdict: Mapped[str | None]
    verdict_id: Mapped[int | None]


class ClockProbe(Base):
    """How far a camera's clock was from the civil time; evidence for judging its EXIF times."""

    __tablename__ = "clock_probe"
    __table_args__ = (
        CheckConstraint(one_of("source", ClockProbeSource), name="source"),
        Index("ix_clock_probe_camera_time", "camera_id", "at", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    camera_id: Mapped[int] = mapped_column(ForeignKey("camera.id", ondelete="RESTRICT"))
    session_id: Mapped[int] = mapped_column(
        ForeignKey("session.id", ondelete="RESTRICT"), index=True
    )
    at: Mapped[datetime]
    """Civil time of the probe."""
    skew_s: Mapped[float]
    """Camera's time minus civil time."""
    source: Mapped[str]
    """`probe`: the camera was asked; `exif`: taken from a frame of known trigger time."""


class Asset(Base):
    """One file, named by the hash of its bytes; a write-once row."""

    __tablename__ = "asset"
    __table_args__ = (
        CheckConstraint(one_of("role", AssetRole), name="role"),
        CheckConstraint("length(sha256) = 64", name="sha256_length"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(unique=True)
    bytes: Mapped[int]
    role: Mapped[str]
    shot_id: Mapped[int | None] = mapped_column(
        ForeignKey("shot.id", ondelete="RESTRICT"), index=True
    )
    """NULL for files that no shutter made: manifests, models, measurements."""
    original_name: Mapped[str | None]
    width: Mapped[int | None]
    height: Mapped[int | None]
    exif: Mapped[dict[str, Any] | None]
    metadata_reader: Mapped[str | None]
    created_at: Mapped[datetime]

    shot: Mapped[Shot | None] = relationship(back_populates="assets")
    locations: Mapped[list[AssetLocation]] = relationship()


class SceneReference(Base):
    """The shot that a camera's later frames of a scene are compared with; the newest counts."""

    __tablename__ = "scene_reference"
    __table_args__ = (Index("ix_scene_reference_newest", "scene_revision_id", "camera_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    scene_revision_id: Mapped[int] = mapped_column(
        ForeignKey("scene_revision.id", ondelete="RESTRICT")
    )
    camera_id: Mapped[int] = mapped_column(ForeignKey("camera.id", ondelete="RESTRICT"))
    shot_id: Mapped[int] = mapped_column(ForeignKey("shot.id", ondelete="RESTRICT"))
    descriptor: Mapped[bytes]
    """A few kilobytes that tell this scene from the others without reading the frame."""
    operator: Mapped[str | None]
    created_at: Mapped[datetime]

    shot: Mapped[Shot] = relationship()


class Store(Base):
    """A place that keeps assets; its root is configuration of each host, not of the catalogue."""

    __tablename__ = "store"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    created_at: Mapped[datetime]


class AssetLocation(Base):
    """Where a copy of an asset lies; an operational row, its `verified_at` moves on."""

    __tablename__ = "asset_location"
    __table_args__ = (
        CheckConstraint(f"problem is null or {one_of('problem', LocationProblem)}", name="problem"),
        Index("ix_asset_location_unverified", "store_id", "verified_at", "asset_id"),
        Index(
            "ix_asset_location_problem",
            "store_id",
            "asset_id",
            sqlite_where=text("problem is not null"),
            postgresql_where=text("problem is not null"),
        ),
    )

    asset_id: Mapped[int] = mapped_column(
        ForeignKey("asset.id", ondelete="RESTRICT"), primary_key=True
    )
    store_id: Mapped[int] = mapped_column(
        ForeignKey("store.id", ondelete="RESTRICT"), primary_key=True
    )
    verified_at: Mapped[datetime]
    """When its bytes were last found to be the asset's."""
    problem: Mapped[str | None]
    """What was found wrong since; NULL where nothing was."""
    problem_at: Mapped[datetime | None]


class Verdict(Base):
    """A judgement on a shot with its reason and numbers; the newest counts."""

    __tablename__ = "verdict"
    __table_args__ = (
        CheckConstraint(one_of("verdict", VerdictName), name="verdict"),
        Index("ix_verdict_newest", "shot_id", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    shot_id: Mapped[int] = mapped_column(ForeignKey("shot.id", ondelete="RESTRICT"))
    verdict: Mapped[str]
    reason: Mapped[str]
    numbers: Mapped[dict[str, Any] | None]
    author: Mapped[str]
    at: Mapped[datetime]
