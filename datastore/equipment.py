"""Fixtures, their cameras and scenes: registering what a description says, revision by revision.

A description is the YAML file that a person keeps. What it says becomes rows that never change: a
changed description is the next fixture revision, and a changed scene the next scene revision.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator
from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from datastore import audit, descriptions
from datastore.canonical import content_sha256
from datastore.catalogue import Catalogue
from datastore.errors import (
    FixtureDescriptionError,
    FixtureExistsError,
    UnknownFixtureError,
)
from datastore.locks import lock_until_commit
from datastore.tables import (
    Camera,
    Fixture,
    FixtureRevision,
    MountedCamera,
    Scene,
    SceneRevision,
)


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _written_in_quotes(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError("write it in quotes: without them YAML may read another number (0071)")
    return value.strip()


def _all_unknown_for_null(value: Any) -> Any:
    return {} if value is None else value


class SensorDescription(_Model):
    """A camera's sensor; what is unknown is null."""

    type: str | None = None
    width: int | None = Field(default=None, gt=0)
    height: int | None = Field(default=None, gt=0)
    pixel_pitch_um: float | None = Field(default=None, gt=0)
    cfa: str | None = None
    white_level: int | None = Field(default=None, gt=0)


class CameraDescription(_Model):
    """A camera mounted in the fixture, and the address where it answers."""

    serial: Annotated[str, BeforeValidator(_written_in_quotes), Field(min_length=1)]
    make: str = Field(min_length=1)
    model: str = Field(min_length=1)
    address: str = Field(min_length=1)
    profile: Literal["nikon", "generic", "eos"] | None = None
    sensor: Annotated[SensorDescription, BeforeValidator(_all_unknown_for_null)] = (
        SensorDescription()
    )


class SceneDescription(_Model):
    """A background with foreground objects under an illumination."""

    name: str = Field(min_length=1)
    background: str = Field(min_length=1)
    foreground: str = Field(min_length=1)
    illumination: str = Field(min_length=1)

    @field_validator("name")
    @classmethod
    def _without_at_sign(cls, name: str) -> str:
        if "@" in name:
            raise ValueError("must not contain @, which stands before a scene's revision")
        return name


class FixtureDescription(_Model):
    """A fixture as its YAML file describes it."""

    name: str = Field(min_length=1)
    simulated: bool
    cameras: tuple[CameraDescription, ...] = Field(min_length=1)
    scenes: tuple[SceneDescription, ...] = ()

    @model_validator(mode="after")
    def _distinct(self) -> FixtureDescription:
        _refuse_twice("camera", (f"{c.make} {c.model} {c.serial}" for c in self.cameras))
        _refuse_twice("address", (camera.address for camera in self.cameras))
        _refuse_twice("scene", (scene.name for scene in self.scenes))
        return self


def _refuse_twice(what: str, values: Iterable[str]) -> None:
    twice = [value for value, count in Counter(values).items() if count > 1]
    if twice:
        raise ValueError(f"the {what} {twice[0]} is given twice")


def read_description(path: Path) -> FixtureDescription:
    """Read the YAML description of a fixture.

    Raises
    ------
    FixtureDescriptionError
        Naming the file and the fields that are wrong.
    """
    return descriptions.read_description(path, FixtureDescription, FixtureDescriptionError)


def add_fixture(catalogue: Catalogue, description: FixtureDescription, at: datetime) -> int:
    """Register a new fixture with its cameras and scenes, and return its revision, 1.

    Raises
    ------
    FixtureExistsError
        If there is one of this name; the message names the command that revises it.
    FixtureDescriptionError
        If a camera is registered already with other facts.
    """
    with catalogue.writing() as session:
        lock_until_commit(session, "fixture")
        if _find(session, description.name) is not None:
            raise FixtureExistsError(
                f"the fixture {description.name} exists already: record a change of it with"
                " `agetrace fixture revise FILE.yaml`"
            )
        fixture = Fixture(name=description.name, simulated=description.simulated, created_at=at)
        session.add(fixture)
        return _add_revision(session, fixture, description, 1, at)


def revise_fixture(catalogue: Catalogue, description: FixtureDescription, at: datetime) -> int:
    """Record a changed description as the next fixture revision, and return its number.

    A description that says nothing new leaves everything as it is, and the present number is
    returned.

    Raises
    ------
    UnknownFixtureError
        If there is none of this name.
    FixtureDescriptionError
        If a camera is registered already with other facts, or a real fixture was to become
        simulated or the other way round.
    """
    with catalogue.writing() as session:
        lock_until_commit(session, "fixture")
        current = current_revision(session, description.name)
        if current.fixture.simulated != description.simulated:
            raise FixtureDescriptionError(
                f"the fixture {description.name} is registered as"
                f" {_reality(current.fixture.simulated)} and the description says"
                f" {_reality(description.simulated)}: that is another fixture, give it another name"
            )
        if current.content_sha256 == content_sha256(description.model_dump(mode="json")):
            return current.revision
        return _add_revision(session, current.fixture, description, current.revision + 1, at)


def register_camera(
    catalogue: Catalogue, description: CameraDescription, *, simulated: bool, at: datetime
) -> bool:
    """Register a body that is not mounted yet, and return whether it is new.

    Raises
    ------
    FixtureDescriptionError
        If it is registered with other facts, or without one that the description gives.
    """
    with catalogue.writing() as session:
        lock_until_commit(session, "fixture")
        is_new = _find_camera(session, description) is None
        camera = _register_camera(session, description, simulated, at)
        for name, value in _facts_of(description, simulated).items():
            if getattr(camera, name) is None and value is not None:
                raise FixtureDescriptionError(
                    f"the camera {description.make} {description.model} {description.serial} is"
                    f" registered without {name}, and a registered camera does not change: leave"
                    f" out {name} {value}"
                )
        if is_new:
            entry = {
                "make": description.make,
                "model": description.model,
                "serial": description.serial,
            }
            audit.append(session, "camera.add", entry, at)
    return is_new


def current_revision(session: Session, name: str) -> FixtureRevision:
    """Return the newest revision of a fixture, with its mounts, their cameras and its scenes.

    Raises
    ------
    UnknownFixtureError
        If there is no fixture of this name; the message lists those that there are.
    """
    revision = session.scalar(
        select(FixtureRevision)
        .join(FixtureRevision.fixture)
        .where(Fixture.name == name)
        .order_by(FixtureRevision.revision.desc())
        .limit(1)
        .options(
            selectinload(FixtureRevision.fixture),
            selectinload(FixtureRevision.mounts).selectinload(MountedCamera.camera),
            selectinload(FixtureRevision.scenes).selectinload(SceneRevision.scene),
        )
    )
    if revision is None:
        names = list(session.scalars(select(Fixture.name).order_by(Fixture.name)))
        known = f"there are {', '.join(names)}" if names else "there is none yet"
        raise UnknownFixtureError(
            f"no fixture is called {name!r} ({known}): register one with `agetrace fixture add`"
        )
    return revision


def list_scenes(session: Session, fixture: str | None = None) -> list[SceneRevision]:
    """Return the scenes that the fixtures offer now, by fixture and name.

    Parameters
    ----------
    session
        A transaction.
    fixture
        Name of the only fixture to list; None lists those of all.

    Raises
    ------
    UnknownFixtureError
        If `fixture` is not in the catalogue.
    """
    names = (
        list(session.scalars(select(Fixture.name).order_by(Fixture.name)))
        if fixture is None
        else [fixture]
    )
    return [
        scene
        for name in names
        for scene in sorted(
            current_revision(session, name).scenes, key=lambda revision: revision.scene.name
        )
    ]


def _find(session: Session, name: str) -> Fixture | None:
    return session.scalar(select(Fixture).where(Fixture.name == name))


def _reality(simulated: bool) -> str:
    return "simulated" if simulated else "real"


def _add_revision(
    session: Session,
    fixture: Fixture,
    description: FixtureDescription,
    number: int,
    at: datetime,
) -> int:
    content = description.model_dump(mode="json")
    revision = FixtureRevision(
        fixture=fixture,
        revision=number,
        content_sha256=content_sha256(content),
        description=content,
        created_at=at,
    )
    session.add(revision)
    for camera in description.cameras:
        row = _register_camera(session, camera, fixture.simulated, at)
        revision.mounts.append(MountedCamera(camera=row, address=camera.address))
    session.flush()
    for scene in description.scenes:
        revision.scenes.append(_scene_revision(session, fixture, scene, revision.id))
    session.flush()
    entry = {
        "fixture": fixture.name,
        "revision": number,
        "content_sha256": revision.content_sha256,
    }
    audit.append(session, "fixture.add" if number == 1 else "fixture.revise", entry, at)
    return number


def _register_camera(
    session: Session, description: CameraDescription, simulated: bool, at: datetime
) -> Camera:
    facts = _facts_of(description, simulated)
    known = _find_camera(session, description)
    if known is None:
        camera = Camera(
            serial=description.serial,
            identity_source="serial",
            make=description.make,
            model=description.model,
            registered_at=at,
            **facts,
        )
        session.add(camera)
        return camera
    for name, value in facts.items():
        registered = getattr(known, name)
        if None not in (value, registered) and value != registered:
            raise FixtureDescriptionError(
                f"the camera {description.make} {description.model} {description.serial} is"
                f" registered with {name} {registered}, the description says {value}: a body does"
                " not change, correct the description"
            )
    return known


def _facts_of(description: CameraDescription, simulated: bool) -> dict[str, Any]:
    return {
        "simulated": simulated,
        "sensor_type": description.sensor.type,
        **description.sensor.model_dump(exclude={"type"}),
    }


def _find_camera(session: Session, description: CameraDescription) -> Camera | None:
    return session.scalar(
        select(Camera).where(
            Camera.make == description.make,
            Camera.model == description.model,
            Camera.serial == description.serial,
        )
    )


def _scene_revision(
    session: Session, fixture: Fixture, description: SceneDescription, fixture_revision_id: int
) -> SceneRevision:
    """Return the scene's newest revision if it says the same, its next one otherwise."""
    content = description.model_dump(mode="json", exclude={"name"})
    scene = session.scalar(
        select(Scene).where(Scene.fixture_id == fixture.id, Scene.name == description.name)
    )
    if scene is None:
        scene = Scene(fixture=fixture, name=description.name)
        session.add(scene)
    newest = scene.revisions[-1] if scene.revisions else None
    sha256 = content_sha256(content)
    if newest is not None and newest.content_sha256 == sha256:
        return newest
    revision = SceneRevision(
        scene=scene,
        revision=1 if newest is None else newest.revision + 1,
        fixture_revision_id=fixture_revision_id,
        content_sha256=sha256,
        **content,
    )
    session.add(revision)
    return revision
