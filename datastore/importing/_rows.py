"""The rows of imported shots, written in the caller's transaction."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session as Transaction

from datastore.assets import register_asset
from datastore.frames import Examination, Finding
from datastore.importing._facts import CameraIdentity, ShotFacts, resized
from datastore.importing._files import is_jpeg_name, printable
from datastore.importing._layout import Declared
from datastore.importing._options import ImportOptions
from datastore.locks import lock_until_commit
from datastore.metadata import FileMetadata
from datastore.shot_settings import exif_settings
from datastore.store import StoredFile
from datastore.tables import Asset, Camera, Shot, ShotEvent, ShotSettings, Verdict

_AUTHOR = "import"
_LOOKED_AT = 100
"""Files of a camera that are asked for a serial: if these name none, its files do not."""


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
    """Where a shot belongs: its session and number there, its camera, scene, imported folder."""

    session_id: int
    sequence: int
    camera_id: int | None
    scene_revision_id: int | None
    folder: Path


def find_camera(session: Transaction, identity: CameraIdentity | None) -> Camera | None:
    """Return the registered camera of this identity, if there is one."""
    if identity is None:
        return None
    return session.scalar(
        select(Camera).where(
            Camera.make == identity.make,
            Camera.model == identity.model,
            Camera.serial == identity.serial,
        )
    )


def camera_of_shot(session: Transaction, shot_id: int) -> Camera | None:
    """Return the camera of a shot, None where it is unknown."""
    return session.scalar(
        select(Camera).join(Shot, Shot.camera_id == Camera.id).where(Shot.id == shot_id)
    )


def serial_of_alias(session: Transaction, camera_id: int) -> str | None:
    """Return the serial that the first file of a camera named which is known by an alias."""
    values = session.scalars(
        select(ShotSettings.raw_values)
        .join(Shot, Shot.id == ShotSettings.shot_id)
        .where(Shot.camera_id == camera_id, ShotSettings.raw_values.is_not(None))
        .order_by(Shot.id)
        .limit(_LOOKED_AT)
    )
    return next((value["serial"] for value in values if value and value.get("serial")), None)


def judged_by_camera(file: ImportedFile, camera: Camera | None) -> ImportedFile:
    """Return a file with what is wrong with it if it is of a registered camera."""
    if camera is None or camera.width is None or camera.height is None:
        return file
    examination = file.examination
    # a camera of few photosites makes small pictures
    findings = [finding for finding in file.findings if finding.name != "thumbnail-sized"]
    if examination.cfa is not None:
        for name, found, registered in (
            ("width", examination.width, camera.width),
            ("height", examination.height, camera.height),
        ):
            if found is not None and found != registered:
                numbers: dict[str, int | float | str] = {
                    name: found,
                    f"registered_{name}": registered,
                }
                sentence = (
                    f"The {name} is {found} photosites, the registered camera's is {registered}."
                )
                findings.append(Finding("wrong-dimensions", numbers, sentence))
    return replace(file, findings=tuple(findings))


def resized_files(
    files: tuple[ImportedFile, ...], camera: Camera | None
) -> dict[str, dict[str, int]]:
    """Return the pictures that the camera made smaller than its sensor, by name."""
    if camera is None or camera.width is None or camera.height is None:
        return {}
    found = {}
    for file in files:
        examination = file.examination
        if examination.cfa is None and examination.width and examination.height:
            size = (examination.width, examination.height)
            numbers = resized(size, (camera.width, camera.height))
            if numbers is not None:
                found[printable(Path(file.path.name))] = numbers
    return found


def register_camera(
    session: Transaction,
    facts: ShotFacts,
    options: ImportOptions,
    file: ImportedFile,
    at: datetime,
) -> Camera | None:
    """Register the camera that a file and declarations name; None where it is unknown.

    A damaged file registers no camera: what it says of one may be garbage.
    """
    if facts.camera is None or file.findings:
        return None
    lock_until_commit(session, "camera")
    known = find_camera(session, facts.camera)
    if known is not None:
        return known
    declared, examination = options.camera, file.examination
    has_mosaic = examination.cfa is not None
    camera = Camera(
        serial=facts.camera.serial,
        identity_source=facts.camera.source,
        make=facts.camera.make,
        model=facts.camera.model,
        simulated=declared.simulated,
        sensor_type=declared.sensor_type,
        width=examination.width if has_mosaic else declared.width,
        height=examination.height if has_mosaic else declared.height,
        pixel_pitch_um=declared.pixel_pitch_um,
        cfa=declared.cfa or examination.cfa,
        white_level=examination.white_level,
        registered_at=at,
    )
    session.add(camera)
    session.flush()
    return camera


def add_shot(
    session: Transaction,
    place: Place,
    files: tuple[ImportedFile, ...],
    facts: ShotFacts,
    declared: Declared,
    at: datetime,
) -> Shot:
    """Add a shot with its events and settings; its files and the verdict follow."""
    shot = Shot(
        session_id=place.session_id,
        camera_id=place.camera_id,
        sequence=place.sequence,
        kind=declared.options.kind,
        scene_revision_id=place.scene_revision_id,
        triggered_at=facts.triggered_at,
        time_source=facts.time_source,
        time_uncertainty_s=facts.time_uncertainty_s,
        exposure=facts.exposure,
        exposure_s=facts.exposure_s,
        iso=facts.iso,
        f_number=facts.f_number,
    )
    session.add(shot)
    session.flush()
    paths = [printable(file.path.relative_to(place.folder)) for file in files]
    said: dict[str, Any] = {"declared": stated} if (stated := declared.verbatim()) else {}
    if facts.camera is not None and facts.camera.source == "alias" and files[0].metadata.serial:
        said["serial"] = files[0].metadata.serial
    session.add_all(
        [
            ShotEvent(shot_id=shot.id, name="downloaded", at=at, detail={"files": paths}),
            exif_settings(
                shot.id,
                files[0].metadata,
                temperature_c=facts.temperature_c,
                raw_values=said or None,
            ),
            ShotEvent(shot_id=shot.id, name="registered", at=at),
        ]
    )
    return shot


def add_file(session: Transaction, shot_id: int, file: ImportedFile, at: datetime) -> Asset:
    """Add the asset of a stored file to a shot."""
    return register_asset(
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
        measures=file.examination.measures.at_temperature(file.metadata.camera_temperature_c),
    )


def verdict_on(
    shot_id: int,
    files: tuple[ImportedFile, ...],
    findings: tuple[Finding, ...],
    at: datetime,
    *,
    resized: dict[str, dict[str, int]] | None = None,
) -> Verdict:
    """Judge a shot: accepted where nothing speaks against it, else quarantined with all reasons.

    Pictures that the camera made smaller are told of, and are no reason to quarantine.
    """
    named = [(file.path.name, finding) for file in files for finding in file.findings]
    sentences = [
        finding.sentence if len(files) == 1 else f"{printable(Path(name))}: {finding.sentence}"
        for name, finding in named
    ]
    sentences += [finding.sentence for finding in findings]
    numbers: dict[str, Any] = {finding.name: dict(finding.numbers) for _, finding in named}
    numbers |= {finding.name: dict(finding.numbers) for finding in findings}
    is_sound = not sentences
    if is_sound:
        sentences = ["The file is whole and decodes."]
    for name, sizes in (resized or {}).items():
        numbers["resized"] = sizes
        sentences.append(
            f"{name} has {sizes['width']} x {sizes['height']} pixels of a sensor of"
            f" {sizes['sensor_width']} x {sizes['sensor_height']}: the camera resized it, so no"
            " defect has a place of its own in it."
        )
    return Verdict(
        shot_id=shot_id,
        verdict="accepted" if is_sound else "quarantined",
        reason=" ".join(sentences),
        numbers=numbers or None,
        author=_AUTHOR,
        at=at,
    )
