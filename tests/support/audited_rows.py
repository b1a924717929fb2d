"""Frames in a catalogue with everything that is recorded of shots, for audits of datasets."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import timedelta
from fractions import Fraction
from typing import Any

import numpy as np
from sqlalchemy.orm import Session as Transaction

from capture.checks.results import CheckResult
from datastore.bulk import (
    BulkAsset,
    BulkEvent,
    BulkMeasures,
    BulkPerceptualHash,
    BulkShot,
    write_shots,
)
from datastore.catalogue import Catalogue
from datastore.clocks import FixedClock
from datastore.datasets.items import Frame
from datastore.tables import (
    Camera,
    ClockProbe,
    Fixture,
    FixtureRevision,
    Recipe,
    Scene,
    SceneRevision,
    Session,
)
from tests.support.catalogue_rows import NOW

CHECKS = ("structure", "registration", "focus", "illumination", "colour", "clipped", "scene")


def write_audited(
    catalogue: Catalogue,
    frames: Sequence[Frame],
    *,
    seed: int = 1,
    hashes: dict[str, str] | None = None,
    complete: bool = False,
) -> None:
    """Write frames with settings, measures, checks, probes; without `complete` some lack some.

    `hashes` are perceptual hashes by scene; each frame's differs from its scene's in three bits.
    """
    generator = np.random.default_rng(seed)
    with catalogue.writing() as transaction:
        sessions = _sessions(transaction, frames, generator)
        cameras = _cameras(transaction, frames)
        scenes = _scenes(transaction, frames)
        for session_id in sessions.values():
            for camera_id in cameras.values():
                for _ in range(int(generator.integers(0, 4))):
                    transaction.add(
                        ClockProbe(
                            camera_id=camera_id,
                            session_id=session_id,
                            at=NOW,
                            skew_s=float(generator.normal()),
                            source="probe",
                        )
                    )

    def shots() -> Iterator[BulkShot]:
        for number, frame in enumerate(frames):
            yield _shot(
                number, frame, sessions, cameras, scenes, generator, hashes or {}, complete=complete
            )

    write_shots(catalogue, shots(), clock=FixedClock(NOW))


def _sessions(
    transaction: Transaction, frames: Iterable[Frame], generator: np.random.Generator
) -> dict[str, int]:
    fixture = Fixture(name="box", simulated=True, created_at=NOW)
    revisions = [
        FixtureRevision(
            fixture=fixture, revision=n, content_sha256="0" * 64, description={}, created_at=NOW
        )
        for n in (1, 2)
    ]
    recipe = Recipe(name="nightly", content_sha256="1" * 64, body={}, created_at=NOW)
    transaction.add_all([*revisions, recipe])
    rows: dict[str, Session] = {}
    for frame in frames:
        if frame.session not in rows:
            rows[frame.session] = Session(
                uuid=frame.session,
                kind="capture",
                clock_source="simulated",
                operator=(None, "Ana", "Bo")[generator.integers(3)],
                recipe=recipe if generator.random() < 0.7 else None,
                fixture_revision=revisions[generator.integers(2)],
                started_at=frame.session_started_at,
            )
    transaction.add_all(rows.values())
    transaction.flush()
    return {name: row.id for name, row in rows.items()}


def _cameras(transaction: Transaction, frames: Iterable[Frame]) -> dict[str, int]:
    rows = {
        frame.camera.serial: Camera(
            serial=frame.camera.serial,
            identity_source="serial",
            make=frame.camera.make,
            model=frame.camera.model,
            simulated=frame.camera.simulated,
            registered_at=NOW,
        )
        for frame in frames
    }
    transaction.add_all(rows.values())
    transaction.flush()
    return {name: row.id for name, row in rows.items()}


def _scenes(transaction: Transaction, frames: Iterable[Frame]) -> dict[str, int]:
    fixture = transaction.query(Fixture).one()
    rows = {}
    for name in dict.fromkeys(frame.scene for frame in frames if frame.scene):
        rows[name] = SceneRevision(
            scene=Scene(fixture_id=fixture.id, name=name.partition("@")[0]),
            revision=int(name.partition("@")[2]),
            fixture_revision_id=fixture.revisions[0].id,
            background=name,
            foreground="none",
            illumination="lamp",
            content_sha256="0" * 64,
        )
    transaction.add_all(rows.values())
    transaction.flush()
    return {name: row.id for name, row in rows.items()}


def _shot(
    number: int,
    frame: Frame,
    sessions: dict[str, int],
    cameras: dict[str, int],
    scenes: dict[str, int],
    generator: np.random.Generator,
    hashes: dict[str, str],
    *,
    complete: bool,
) -> BulkShot:
    at = frame.triggered_at

    def known(value: Any) -> Any:
        return value if complete or generator.random() < 0.8 else None

    def verified() -> BulkEvent:
        checks = [
            CheckResult(name, known(float(generator.normal())), 1.0, "", True, "All is well.")
            for name in CHECKS
        ]
        detail = {"intact": True, "damage": {}, "checks": [asdict(check) for check in checks]}
        return BulkEvent("verified", at, detail)

    measures = BulkMeasures(
        code_version="measures-1",
        measured_at=at,
        black_level_dn=known(512.0),
        mean_dn=known(float(generator.normal(2000, 100))),
        clipped_share=known(0.0),
        sharpness=known(float(generator.random())),
        temperature_c=known(float(generator.normal(25, 2))),
    )
    likeness = BulkPerceptualHash("likeness-1", at, known(_hash(frame, generator, hashes)))
    retaken = not complete and number % 7 == 0
    return BulkShot(
        uuid=str(uuid.UUID(int=number)),
        session_id=sessions[frame.session],
        camera_id=cameras[frame.camera.serial],
        sequence=number,
        attempt=2 if retaken else 1,
        kind=frame.kind,
        scene_revision_id=None if frame.scene is None else scenes[frame.scene],
        triggered_at=at,
        time_source=known("civil"),
        exposure=frame.exposure,
        exposure_s=None if frame.exposure is None else float(Fraction(frame.exposure)),
        iso=frame.iso,
        image_quality=known("NEF (Raw)"),
        since_opened_s=known((at - frame.session_started_at) / timedelta(seconds=1)),
        since_last_shot_s=known(float(generator.random())),
        events=(
            BulkEvent("planned", at),
            BulkEvent("downloaded", at, {"source": "camera", "files": []}),
            *(verified() for _ in range(2 if retaken else 1)),
            BulkEvent("registered", at),
        ),
        assets=(
            BulkAsset(
                sha256=frame.sha256,
                bytes=1,
                role=frame.role,
                created_at=at,
                measures=known(measures),
                perceptual_hash=known(likeness),
            ),
        ),
    )


def _hash(frame: Frame, generator: np.random.Generator, hashes: dict[str, str]) -> str:
    """Return the scene's hash with three bits changed."""
    bits = int(hashes.get(str(frame.scene), "0" * 64), 16)
    for place in generator.choice(256, 3, replace=False):
        bits ^= 1 << int(place)
    return f"{bits:064x}"
