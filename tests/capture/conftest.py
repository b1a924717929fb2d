"""A running virtual fixture with a Nikon-speaking and a generic camera, and a laboratory on it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from capture.actuators import VirtualActuator
from capture.cameras.gphoto2_camera import Gphoto2Camera
from capture.cameras.protocol import Camera, CameraSettings, Delivery
from capture.clock_source import VirtualFixtureClock
from capture.outcome import SessionOutcome
from capture.recipes import Recipe, parse_recipe
from capture.sessions import run_session
from datastore.catalogue import Catalogue
from datastore.equipment import add_fixture, read_description
from datastore.tables import Shot
from tests.support.catalogues import new_sqlite_catalogue
from tests.support.virtual import RunningFixture, running_fixture, small_description

NIKON = "7100001"
GENERIC = "7100002"
MARGIN_S = 2.0


@dataclass(frozen=True)
class Laboratory:
    """A home's parts on a running virtual fixture."""

    virtual: RunningFixture
    catalogue: Catalogue
    clock: VirtualFixtureClock
    spool_folder: Path

    def run(self, recipe: Recipe, *serials: str, **options: Any) -> SessionOutcome:
        """Run a session with some of the cameras."""
        options.setdefault("actuator", VirtualActuator(self.virtual.control_url))
        options.setdefault("camera_factory", patient_camera)
        options.setdefault("camera_patience_s", 1.0)
        return run_session(
            self.catalogue,
            recipe,
            "virtual",
            clock=self.clock,
            spool_folder=self.spool_folder,
            serials=serials or None,
            **options,
        )

    def camera(self, serial: str, expected: str | None = None) -> Gphoto2Camera:
        """Return a closed camera."""
        return quick_camera(self.virtual.cameras[serial], expected or serial, self.spool_folder)

    def unsettle(self, serial: str) -> None:
        """Leave a camera with settings that no recipe here asks for: each must be changed."""
        with closing(self.camera(serial)) as camera:
            camera.open()
            camera.settings.apply(CameraSettings(Fraction(1, 250), 1600, 4.0, "raw+jpeg"))

    def exposures(self, serial: str) -> int:
        """Return how often a camera's shutter opened in its life: the camera's own truth."""
        counter = self.virtual.state_folder / "cameras" / serial / "shots_taken.txt"
        return int(counter.read_text()) if counter.exists() else 0

    def empty_card(self, serial: str) -> list[str]:
        """Delete the files on a camera's card and return their names."""
        camera = self.camera(serial)
        camera.open()
        files = camera.files.list_card()
        for file in files:
            camera.files.delete(file.folder, file.name)
        camera.close()
        return [file.name for file in files]

    def shots(self) -> list[dict[str, Any]]:
        """Return every shot with its events, assets and verdicts as plain values."""
        with self.catalogue.reading() as transaction:
            return [
                {
                    "uuid": shot.uuid,
                    "serial": shot.camera.serial if shot.camera else None,
                    "sequence": shot.sequence,
                    "attempt": shot.attempt,
                    "kind": shot.kind,
                    "exposure_s": shot.exposure_s,
                    "iso": shot.iso,
                    "warm_up": shot.warm_up,
                    "scene": shot.scene_revision.scene.name if shot.scene_revision else None,
                    "triggered_at": shot.triggered_at,
                    "events": [event.name for event in shot.events],
                    "reason": (shot.events[-1].detail or {}).get("reason"),
                    "assets": {asset.role: asset.sha256 for asset in shot.assets},
                    "settings": {row.source: row for row in shot.settings},
                    "verdict": shot.verdicts[-1].verdict if shot.verdicts else None,
                    "verdict_reason": shot.verdicts[-1].reason if shot.verdicts else None,
                    "numbers": shot.verdicts[-1].numbers if shot.verdicts else None,
                }
                for shot in transaction.scalars(select(Shot).order_by(Shot.id))
            ]


def quick_camera(address: str, serial: str, spool_folder: Path) -> Gphoto2Camera:
    """Return a camera with short deadlines."""
    return Gphoto2Camera(address, serial, spool_folder, margin_s=MARGIN_S)


def patient_camera(address: str, serial: str, spool_folder: Path) -> Gphoto2Camera:
    """Return a camera that answers late on a busy machine, and is waited for."""
    return Gphoto2Camera(address, serial, spool_folder, margin_s=5 * MARGIN_S)


def shoot(camera: Camera, shot_uuid: str, settings: CameraSettings) -> Delivery:
    """Release a camera's shutter and wait for the shot's files."""
    camera.trigger.release(shot_uuid, settings)
    return camera.files.delivered(shot_uuid)


def recipe(shots: str, **fields: Any) -> Recipe:
    """Return a recipe from the YAML of its shots."""
    head = "".join(f"{name}: {value}\n" for name, value in {"attempts": 2, **fields}.items())
    return parse_recipe(f"name: test\n{head}shots:\n{shots}", "test recipe")


@pytest.fixture(scope="session")
def virtual_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningFixture]:
    """Run two small virtual cameras whose exposures take a thousandth of their time."""
    description = small_description({}, {"profile": "generic"}, exposure_time_scale=0.001)
    with running_fixture(tmp_path_factory.mktemp("virtual"), description) as running:
        yield running


@pytest.fixture(scope="session")
def days() -> Iterator[datetime]:
    """Return days that no test had before: what others left on a card is never of today."""
    begin = datetime(2024, 3, 1, 12, tzinfo=UTC)
    return (begin + timedelta(days=3 * number) for number in itertools.count())


@pytest.fixture
def virtual(virtual_fixture: RunningFixture, days: Iterator[datetime]) -> Iterator[RunningFixture]:
    """Return the virtual fixture, sound and on a day of its own."""
    virtual_fixture.put("/civil-time", {"civil_time": next(days).isoformat()})
    yield virtual_fixture
    virtual_fixture.put("/faults", {serial: [] for serial in virtual_fixture.cameras})


@pytest.fixture
def laboratory(virtual: RunningFixture, tmp_path: Path) -> Iterator[Laboratory]:
    """Return a laboratory whose catalogue knows the virtual fixture."""
    with new_sqlite_catalogue(tmp_path) as catalogue:
        clock = VirtualFixtureClock(virtual.control_url)
        add_fixture(catalogue, read_description(virtual.fixture_file), clock.now())
        yield Laboratory(virtual, catalogue, clock, tmp_path / "spool")
