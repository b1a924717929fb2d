"""Putting made-up frames into a catalogue, as captures would have left them there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from fractions import Fraction

from sqlalchemy.orm import Session

from datastore import tables
from datastore.catalogue import Catalogue
from datastore.datasets.items import CameraIdentity, Frame
from tests.support.dataset_frames import SCHEME, timeslot

REGISTERED_AT = datetime(2019, 1, 1, tzinfo=UTC)


class FrameWriter:
    """Writes frames as rows, in the order that they are given, each with its own shot."""

    def __init__(self, session: Session, sizes: Mapping[str, int] | None = None) -> None:
        self._session = session
        self._sizes = sizes or {}
        self._cameras: dict[CameraIdentity, tables.Camera] = {}
        self._sessions: dict[str, tables.Session] = {}
        self._scenes: dict[str, tables.SceneRevision] = {}
        self._fixture: tables.FixtureRevision | None = None
        self._sequence: Counter[str] = Counter()

    def _fixture_revision(self, name: str) -> tables.FixtureRevision:
        if self._fixture is None:
            fixture = tables.Fixture(name=name, simulated=True, created_at=REGISTERED_AT)
            self._fixture = tables.FixtureRevision(
                fixture=fixture,
                revision=1,
                content_sha256="0" * 64,
                description={},
                created_at=REGISTERED_AT,
            )
            self._session.add(self._fixture)
            self._session.flush()
        return self._fixture

    def _scene(self, fixture_name: str, scene: str) -> tables.SceneRevision:
        if scene not in self._scenes:
            revision = self._fixture_revision(fixture_name)
            name, _, number = scene.rpartition("@")
            self._scenes[scene] = tables.SceneRevision(
                scene=tables.Scene(fixture_id=revision.fixture_id, name=name),
                revision=int(number),
                fixture_revision_id=revision.id,
                background=name,
                foreground="none",
                illumination="lamp",
                content_sha256="0" * 64,
            )
        return self._scenes[scene]

    def _camera(self, camera: CameraIdentity) -> tables.Camera:
        if camera not in self._cameras:
            self._cameras[camera] = tables.Camera(
                serial=camera.serial,
                identity_source="serial",
                make=camera.make,
                model=camera.model,
                simulated=camera.simulated,
                registered_at=REGISTERED_AT,
            )
        return self._cameras[camera]

    def _session_row(self, frame: Frame) -> tables.Session:
        if frame.session not in self._sessions:
            self._sessions[frame.session] = tables.Session(
                uuid=frame.session,
                kind="capture",
                clock_source="simulated",
                started_at=frame.session_started_at,
            )
        return self._sessions[frame.session]

    def write(self, frame: Frame, *, state: str = "registered", warm_up: bool = False) -> None:
        """Add one frame with its shot, events, settings, asset and verdict."""
        self._sequence[frame.session] += 1
        at = frame.triggered_at
        temperature = frame.temperature_millidegrees
        shot = tables.Shot(
            session=self._session_row(frame),
            camera=self._camera(frame.camera),
            sequence=self._sequence[frame.session],
            kind=frame.kind,
            scene_revision=(
                None if frame.scene is None else self._scene(frame.fixture or "box", frame.scene)
            ),
            triggered_at=at,
            time_source="civil",
            exposure=frame.exposure,
            exposure_s=None if frame.exposure is None else float(Fraction(frame.exposure)),
            iso=frame.iso,
            f_number=None if frame.f_number is None else float(Fraction(frame.f_number)),
            warm_up=warm_up,
            events=[
                tables.ShotEvent(name="planned", at=at),
                tables.ShotEvent(name=state, at=at),
            ],
            settings=[
                tables.ShotSettings(
                    source="read-back",
                    temperature_c=None if temperature is None else temperature / 1000,
                    firmware=frame.firmware,
                )
            ],
            assets=[
                tables.Asset(
                    sha256=frame.sha256,
                    bytes=self._sizes.get(frame.sha256, 1),
                    role=frame.role,
                    created_at=REGISTERED_AT,
                )
            ],
        )
        if frame.verdict is not None:
            # an earlier judgement that no longer counts
            for verdict in ("quarantined", frame.verdict):
                shot.verdicts.append(
                    tables.Verdict(verdict=verdict, reason="test", author="test", at=at)
                )
        self._session.add(shot)
        self._session.flush()


def write_scheme(session: Session, timeslots: int = 3) -> None:
    """Add the scheme that `timeslot` speaks of."""
    bounds = [timeslot(ordinal) for ordinal in range(1, timeslots + 1)]
    session.add(
        tables.TimeslotScheme(
            name=SCHEME,
            created_at=REGISTERED_AT,
            timeslots=[
                tables.Timeslot(ordinal=b.ordinal, starts_at=b.starts_at, ends_at=b.ends_at)
                for b in bounds
            ],
        )
    )


def fill(
    catalogue: Catalogue, frames: Iterable[Frame], sizes: Mapping[str, int] | None = None
) -> None:
    """Add the scheme and the frames to an empty catalogue; files without a size have one byte."""
    with catalogue.writing() as session:
        write_scheme(session)
        writer = FrameWriter(session, sizes)
        for frame in frames:
            writer.write(frame)
