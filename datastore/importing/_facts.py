"""What a shot is, out of what its file says and what was declared; pure, knows no table."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Literal

from datastore.frames import Finding
from datastore.importing._options import ImportOptions
from datastore.metadata import FileMetadata

_EXIF_TIME = re.compile(r"(\d{4})[:-](\d\d)[:-](\d\d)[ T](\d\d:\d\d:\d\d)")
_SAME_EXPOSURE = 0.01  # cameras round the exposure times that they name


@dataclass(frozen=True)
class CameraIdentity:
    """Who took a shot: the body's own serial, or a declared alias."""

    make: str
    model: str
    serial: str
    source: Literal["serial", "alias"]


@dataclass(frozen=True)
class ShotFacts:
    """What is known of a shot, with what speaks against it."""

    camera: CameraIdentity | None
    triggered_at: datetime | None
    time_source: Literal["exif", "declared"] | None
    exposure: str | None
    iso: int | None
    f_number: float | None
    temperature_c: float | None
    findings: tuple[Finding, ...]

    @property
    def exposure_s(self) -> float | None:
        """Exposure time in seconds."""
        return None if self.exposure is None else float(Fraction(self.exposure))


def shot_facts(metadata: FileMetadata, options: ImportOptions, file_name: str) -> ShotFacts:
    """Combine what a file says with what was declared; the file comes first."""
    camera = _camera(metadata, options)
    triggered_at, source = _time(metadata, options, file_name)
    findings = _contradictions(metadata, options)
    if metadata.long_exposure_noise_reduction and options.kind == "dark-field":
        findings.append(
            Finding(
                "noise-reduction",
                {},
                "Long-exposure noise reduction was on: the camera removed the defects itself.",
            )
        )
    if camera is None and options.kind != "natural":
        findings.append(
            Finding(
                "unknown-camera",
                {},
                f"A {options.kind} frame needs a camera: the file names none, so declare make,"
                " model and serial or alias.",
            )
        )
    return ShotFacts(
        camera,
        triggered_at,
        source,
        exposure=metadata.exposure if metadata.exposure is not None else options.exposure,
        iso=metadata.iso if metadata.iso is not None else options.iso,
        f_number=metadata.f_number if metadata.f_number is not None else options.f_number,
        temperature_c=(
            metadata.camera_temperature_c
            if metadata.camera_temperature_c is not None
            else options.temperature_c
        ),
        findings=tuple(findings),
    )


def _camera(metadata: FileMetadata, options: ImportOptions) -> CameraIdentity | None:
    make, model = metadata.make or options.camera.make, metadata.model or options.camera.model
    serial = metadata.serial or options.camera.serial
    if make is None or model is None or _other_serial(metadata, options):
        return None
    if serial is not None:
        return CameraIdentity(make, model, serial, "serial")
    if options.camera.alias is not None:
        return CameraIdentity(make, model, options.camera.alias, "alias")
    return None


def _time(
    metadata: FileMetadata, options: ImportOptions, file_name: str
) -> tuple[datetime | None, Literal["exif", "declared"] | None]:
    if metadata.taken_at is not None:
        return metadata.taken_at, "exif"
    declared = _local_time(metadata.taken_at_local, options) or options.taken_at(file_name)
    return declared, None if declared is None else "declared"


def _local_time(text: str | None, options: ImportOptions) -> datetime | None:
    match = _EXIF_TIME.match(text or "")
    if match is None:
        return None
    try:
        return options.in_zone(datetime.fromisoformat("{}-{}-{}T{}".format(*match.groups())))
    except ValueError:
        return None


def _contradictions(metadata: FileMetadata, options: ImportOptions) -> list[Finding]:
    findings = []
    if _other_serial(metadata, options):
        serial, declared_serial = str(metadata.serial), str(options.camera.serial)
        findings.append(
            Finding(
                "other-serial",
                {"serial": serial, "declared_serial": declared_serial},
                f"The file names the serial {serial}, {declared_serial} was declared.",
            )
        )
    if metadata.exposure_s is not None and options.exposure is not None:
        declared_s = float(Fraction(options.exposure))
        if abs(metadata.exposure_s - declared_s) > _SAME_EXPOSURE * declared_s:
            findings.append(
                Finding(
                    "other-exposure",
                    {"exposure_s": metadata.exposure_s, "declared_exposure_s": declared_s},
                    f"The file names an exposure of {metadata.exposure_s:g} s, {declared_s:g} s"
                    " was declared.",
                )
            )
    return findings


def _other_serial(metadata: FileMetadata, options: ImportOptions) -> bool:
    return None not in (metadata.serial, options.camera.serial) and (
        metadata.serial != options.camera.serial
    )
