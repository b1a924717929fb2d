"""Tables of what takes the pictures: cameras, fixtures, scenes, recipes, timeslot schemes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from datastore.tables._base import Base


class Camera(Base):
    """One physical (or simulated) body; its identity is the serial or a declared alias."""

    __tablename__ = "camera"
    __table_args__ = (
        UniqueConstraint("make", "model", "serial"),
        CheckConstraint("identity_source in ('serial', 'alias')", name="identity_source"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    serial: Mapped[str]
    identity_source: Mapped[str]
    make: Mapped[str]
    model: Mapped[str]
    simulated: Mapped[bool]
    sensor_type: Mapped[str | None]
    width: Mapped[int | None]
    height: Mapped[int | None]
    pixel_pitch_um: Mapped[float | None]
    cfa: Mapped[str | None]
    white_level: Mapped[int | None]
    registered_at: Mapped[datetime]


class Fixture(Base):
    """The box with backgrounds, foreground objects, light and mounted cameras."""

    __tablename__ = "fixture"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    simulated: Mapped[bool]
    created_at: Mapped[datetime]

    revisions: Mapped[list[FixtureRevision]] = relationship(
        back_populates="fixture", order_by="FixtureRevision.revision"
    )


class FixtureRevision(Base):
    """A fixture as described by one YAML file; any change of the fixture is a new revision."""

    __tablename__ = "fixture_revision"
    __table_args__ = (UniqueConstraint("fixture_id", "revision"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    fixture_id: Mapped[int] = mapped_column(ForeignKey("fixture.id", ondelete="RESTRICT"))
    revision: Mapped[int]
    content_sha256: Mapped[str]
    description: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]

    fixture: Mapped[Fixture] = relationship(back_populates="revisions")
    mounts: Mapped[list[MountedCamera]] = relationship(order_by="MountedCamera.camera_id")
    scenes: Mapped[list[SceneRevision]] = relationship(
        secondary="staged_scene", order_by="SceneRevision.id"
    )


class MountedCamera(Base):
    """A camera mounted in a fixture revision, and the address where it answers."""

    __tablename__ = "mounted_camera"

    fixture_revision_id: Mapped[int] = mapped_column(
        ForeignKey("fixture_revision.id", ondelete="RESTRICT"), primary_key=True
    )
    camera_id: Mapped[int] = mapped_column(
        ForeignKey("camera.id", ondelete="RESTRICT"), primary_key=True
    )
    address: Mapped[str]

    camera: Mapped[Camera] = relationship()


class Scene(Base):
    """A named arrangement of background, foreground objects and illumination in a fixture."""

    __tablename__ = "scene"
    __table_args__ = (UniqueConstraint("fixture_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    fixture_id: Mapped[int] = mapped_column(ForeignKey("fixture.id", ondelete="RESTRICT"))
    name: Mapped[str] = mapped_column(index=True)

    fixture: Mapped[Fixture] = relationship()
    revisions: Mapped[list[SceneRevision]] = relationship(
        back_populates="scene", order_by="SceneRevision.revision"
    )


class SceneRevision(Base):
    """What a scene consists of, from one fixture revision on; `name@revision` is portable."""

    __tablename__ = "scene_revision"
    __table_args__ = (UniqueConstraint("scene_id", "revision"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    scene_id: Mapped[int] = mapped_column(ForeignKey("scene.id", ondelete="RESTRICT"))
    revision: Mapped[int]
    fixture_revision_id: Mapped[int] = mapped_column(
        ForeignKey("fixture_revision.id", ondelete="RESTRICT")
    )
    background: Mapped[str]
    foreground: Mapped[str]
    illumination: Mapped[str]
    content_sha256: Mapped[str]

    scene: Mapped[Scene] = relationship(back_populates="revisions")


class StagedScene(Base):
    """A scene, at one of its revisions, that a fixture revision offers."""

    __tablename__ = "staged_scene"

    fixture_revision_id: Mapped[int] = mapped_column(
        ForeignKey("fixture_revision.id", ondelete="RESTRICT"), primary_key=True
    )
    scene_revision_id: Mapped[int] = mapped_column(
        ForeignKey("scene_revision.id", ondelete="RESTRICT"), primary_key=True
    )


class Recipe(Base):
    """An immutable plan of shot specs, identified by the hash of its content."""

    __tablename__ = "recipe"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(index=True)
    content_sha256: Mapped[str] = mapped_column(unique=True)
    body: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]


class TimeslotScheme(Base):
    """A named division of time into timeslots, the age labels of research."""

    __tablename__ = "timeslot_scheme"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    description: Mapped[str | None]
    zone: Mapped[str | None]
    """IANA zone in which people see the timeslots; it changes nothing about their bounds."""
    created_at: Mapped[datetime]

    timeslots: Mapped[list[Timeslot]] = relationship(
        back_populates="scheme", order_by="Timeslot.ordinal"
    )


class Timeslot(Base):
    """A half-open UTC interval with its ordinal in a scheme."""

    __tablename__ = "timeslot"
    __table_args__ = (
        UniqueConstraint("scheme_id", "ordinal"),
        UniqueConstraint("scheme_id", "starts_at"),
        CheckConstraint("starts_at < ends_at", name="not_empty"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    scheme_id: Mapped[int] = mapped_column(ForeignKey("timeslot_scheme.id", ondelete="RESTRICT"))
    ordinal: Mapped[int]
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]

    scheme: Mapped[TimeslotScheme] = relationship(back_populates="timeslots")
