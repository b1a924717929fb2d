"""The rows of imported shots, written in the caller's transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session as Transaction

from datastore.assets import register_asset
from datastore.frames import Examination, Finding
from datastore.importing._facts import CameraIdentity, ShotFacts
from datastore.importing._files import is_jpeg_name, printable
from datastore.importing._options import ImportOptions
from datastore.locks import lock_until_commit
from datastore.metadata import FileMetadata
from datastore.shot_settings import exif_settings
from datastore.store import StoredFile
from datastore.tables import Asset, Camera, Shot, ShotEvent, ShotSettings, Verdict

_AUTHOR = "import"


@dataclass(frozen=True)
class ImportedFile:
    """A file that lies in the store, with what was found in it."""

    path: Path
    stored: StoredFile
    metadata: FileMetadata
    examination: Examination
    findings: tuple[Finding, ...]

    @property
    def role(self) -> str:
        """Role of its asset; the name decides where the content tells nothing."""
        return self.examination.role or ("jpeg" if is_jpeg_name(self.path) else "raw")


@dataclass(frozen=True)
class Place:
    """Where a shot belongs: its session and number there, its camera, the imported folder."""

    session_id: int
    sequence: int
    camera_id: int | None
    folder: Path


def find_shot(session: Transaction, sha256: str) -> tuple[int, str] | None:
    """Return the row number and the UUID of the shot that has a file of these bytes."""
    row = session.execute(
        select(Shot.id, Shot.uuid)
        .join(Asset, Asset.shot_id == Shot.id)
        .where(Asset.sha256 == sha256)
    ).one_or_none()
    return None if row is None else (row.id, row.uuid)


def find_camera(session: Transaction, identity: CameraIdentity) -> Camera | None:
    """Return the registered camera of this identity, if there is one."""
    return session.scalar(
        select(Camera).where(
            Camera.make == identity.make,
            Camera.model == identity.model,
            Camera.serial == identity.serial,
        )
    )


def camera_of(
    session: Transaction,
    facts: ShotFacts,
    options: ImportOptions,
    file: ImportedFile,
    at: datetime,
) -> int | None:
    """Return the row number of the camera, registered now if it was not; None where unknown.

    A damaged file registers no camera: what it says of one may be garbage.
    """
    if facts.camera is None:
        return None
    lock_until_commit(session, "camera")
    known = find_camera(session, facts.camera)
    if known is not None:
        return known.id
    if file.findings:
        return None
    declared, examination = options.camera, file.examination
    has_mosaic = examination.cfa is not None
    camera = Camera(
        serial=facts.camera.serial,
        identity_source=facts.camera.source,
        make=facts.camera.make,
        model=facts.camera.model,
        simulated=declared.simulated,
        sensor_type=declared.sensor_type,
        width=examination.width if has_mosaic else None,
        height=examination.height if has_mosaic else None,
        pixel_pitch_um=declared.pixel_pitch_um,
        cfa=declared.cfa or examination.cfa,
        white_level=examination.white_level,
        registered_at=at,
    )
    session.add(camera)
    session.flush()
    return camera.id


def add_shot(
    session: Transaction,
    place: Place,
    files: tuple[ImportedFile, ...],
    facts: ShotFacts,
    options: ImportOptions,
    at: datetime,
) -> Shot:
    """Add a shot with its events, settings and files; the verdict follows."""
    shot = Shot(
        session_id=place.session_id,
        camera_id=place.camera_id,
        sequence=place.sequence,
        kind=options.kind,
        triggered_at=facts.triggered_at,
        time_source=facts.time_source,
        exposure=facts.exposure,
        exposure_s=facts.exposure_s,
        iso=facts.iso,
        f_number=facts.f_number,
    )
    session.add(shot)
    session.flush()
    paths = [printable(file.path.relative_to(place.folder)) for file in files]
    session.add(ShotEvent(shot_id=shot.id, name="downloaded", at=at, detail={"files": paths}))
    session.add(_settings(shot.id, files[0].metadata, facts, options))
    for file in files:
        add_file(session, shot.id, file, at)
    session.add(ShotEvent(shot_id=shot.id, name="registered", at=at))
    return shot


def _settings(
    shot_id: int, metadata: FileMetadata, facts: ShotFacts, options: ImportOptions
) -> ShotSettings:
    declared = options.model_dump(mode="json", exclude_unset=True)
    return exif_settings(
        shot_id,
        metadata,
        temperature_c=facts.temperature_c,
        raw_values={"declared": declared} if declared else None,
    )


def add_file(session: Transaction, shot_id: int, file: ImportedFile, at: datetime) -> None:
    """Add the asset of a stored file to a shot."""
    register_asset(
        session,
        file.stored,
        file.role,
        at,
        shot_id=shot_id,
        original_name=printable(Path(file.path.name)),
        width=file.examination.width,
        height=file.examination.height,
        exif=file.metadata.verbatim,
        metadata_reader=file.metadata.reader,
    )


def add_verdict(
    session: Transaction,
    shot_id: int,
    files: tuple[ImportedFile, ...],
    findings: tuple[Finding, ...],
    at: datetime,
) -> Verdict:
    """Judge a new shot, and add the verdict."""
    verdict = verdict_on(shot_id, files, findings, at)
    session.add(verdict)
    return verdict


def verdict_on(
    shot_id: int, files: tuple[ImportedFile, ...], findings: tuple[Finding, ...], at: datetime
) -> Verdict:
    """Judge a shot: accepted where nothing speaks against it, else quarantined with all reasons."""
    named = [(file.path.name, finding) for file in files for finding in file.findings]
    sentences = [
        finding.sentence if len(files) == 1 else f"{printable(Path(name))}: {finding.sentence}"
        for name, finding in named
    ]
    sentences += [finding.sentence for finding in findings]
    numbers = {finding.name: dict(finding.numbers) for _, finding in named}
    numbers |= {finding.name: dict(finding.numbers) for finding in findings}
    return Verdict(
        shot_id=shot_id,
        verdict="quarantined" if sentences else "accepted",
        reason=" ".join(sentences) or "The file is whole and decodes.",
        numbers=numbers or None,
        author=_AUTHOR,
        at=at,
    )
