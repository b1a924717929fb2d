"""What a shot is, out of what its file says and what was declared; pure, knows no table."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Literal

from datastore.frames import Finding
from datastore.importing._layout import Declared
from datastore.importing._options import ImportOptions
from datastore.importing._times import FARTHEST_ZONE_S, DeclaredTime, in_zone
from datastore.metadata import FileMetadata

_EXIF_TIME = re.compile(r"(\d{4})[:-](\d\d)[:-](\d\d)[ T](\d\d:\d\d:\d\d)")
_SAME_EXPOSURE = 0.01  # cameras round the exposure times that they name
_RESIZED_BELOW = 0.9  # borders and crops of a sensor's full image are narrower than this


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
    time_uncertainty_s: float | None
    exposure: str | None
    iso: int | None
    f_number: float | None
    temperature_c: float | None
    findings: tuple[Finding, ...]

    @property
    def exposure_s(self) -> float | None:
        """Exposure time in seconds."""
        return None if self.exposure is None else float(Fraction(self.exposure))


def shot_facts(metadata: FileMetadata, declared: Declared, file_name: str) -> ShotFacts:
    """Combine what a file says with what was declared; the file comes first."""
    options = declared.options
    findings = _contradictions(metadata, declared)
    camera = _camera(metadata, declared)
    triggered_at, source, uncertainty_s, of_time = _time(metadata, declared, file_name)
    findings += of_time
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
        uncertainty_s,
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


def resized(size: tuple[int, int] | None, sensor: tuple[int, int] | None) -> dict[str, int] | None:
    """Return the dimensions of a picture and of its sensor where the camera made it smaller.

    One defect of the sensor is then spread over pixels that no map of defects names. None where the
    picture has the sensor's size but for its borders, and where either is unknown.
    """
    if size is None or sensor is None:
        return None
    # a picture that was turned upright has its sides exchanged
    sides = zip(sorted(size), sorted(sensor), strict=True)
    if any(side >= _RESIZED_BELOW * whole for side, whole in sides):
        return None
    return {
        "width": size[0],
        "height": size[1],
        "sensor_width": sensor[0],
        "sensor_height": sensor[1],
    }


def _camera(metadata: FileMetadata, declared: Declared) -> CameraIdentity | None:
    options, body = declared.options, declared.camera
    if _other_serial(metadata, options):
        return None
    if body is not None:
        # one body of a published set, whatever its files call it
        if _other_model(metadata, declared) is not None:
            return None
        if body.serial is not None:
            return CameraIdentity(body.make, body.model, body.serial, "serial")
        assert body.alias is not None
        return CameraIdentity(body.make, body.model, body.alias, "alias")
    make, model = metadata.make or options.camera.make, metadata.model or options.camera.model
    serial = metadata.serial or options.camera.serial
    if make is None or model is None:
        return None
    if serial is not None:
        return CameraIdentity(make, model, serial, "serial")
    if options.camera.alias is not None:
        return CameraIdentity(make, model, options.camera.alias, "alias")
    return None


def _time(
    metadata: FileMetadata, declared: Declared, file_name: str
) -> tuple[datetime | None, Literal["exif", "declared"] | None, float | None, list[Finding]]:
    """Return the time, its source, how far it may be off, and what it contradicts."""
    options, slot = declared.options, declared.timeslot
    local = _local_time(metadata.taken_at_local)
    own = metadata.taken_at
    if own is None and local is not None:
        own = in_zone(local, options.timezone)
    evidence = None if own is None else DeclaredTime(own)
    if evidence is None and local is not None and options.timezone is None:
        # it dates nothing, but tells a wrong timeslot
        evidence = DeclaredTime(local.replace(tzinfo=UTC), FARTHEST_ZONE_S)
    stated = declared.taken_at or options.taken_at(file_name)
    findings = []
    if declared.taken_at is not None and evidence is not None:
        findings += _other_time(evidence, declared.taken_at, declared.tolerance_s)
    if slot is not None:
        found = evidence or stated
        findings += [] if found is None else _outside_timeslot(found, declared)
        stated = stated or DeclaredTime.middle_of(slot.starts_at, slot.ends_at)
    if own is not None:
        source: Literal["exif", "declared"] = "declared" if metadata.taken_at is None else "exif"
        return own, source, None, findings
    if stated is None:
        return None, None, None, findings
    return stated.at, "declared", stated.uncertainty_s, findings


def _local_time(text: str | None) -> datetime | None:
    match = _EXIF_TIME.match(text or "")
    if match is None:
        return None
    try:
        return datetime.fromisoformat("{}-{}-{}T{}".format(*match.groups()))
    except ValueError:
        return None


def _other_time(own: DeclaredTime, stated: DeclaredTime, tolerance_s: float) -> list[Finding]:
    apart_s = abs((own.at - stated.at).total_seconds())
    if apart_s <= tolerance_s + (own.uncertainty_s or 0) + (stated.uncertainty_s or 0):
        return []
    numbers: dict[str, int | float | str] = {
        "taken_at": own.at.astimezone(UTC).isoformat(),
        "declared_taken_at": stated.at.astimezone(UTC).isoformat(),
        "apart_s": apart_s,
    }
    sentence = (
        f"The file's own time is {numbers['taken_at']}, {numbers['declared_taken_at']} was"
        " declared."
    )
    return [Finding("other-time", numbers, sentence)]


def _outside_timeslot(found: DeclaredTime, declared: Declared) -> list[Finding]:
    slot = declared.timeslot
    assert slot is not None
    slack = timedelta(seconds=declared.tolerance_s + (found.uncertainty_s or 0))
    if slot.starts_at - slack <= found.at < slot.ends_at + slack:
        return []
    numbers: dict[str, int | float | str] = {
        "taken_at": found.at.astimezone(UTC).isoformat(),
        "timeslot": slot.ordinal,
        "starts_at": slot.starts_at.isoformat(),
        "ends_at": slot.ends_at.isoformat(),
    }
    sentence = (
        f"The file's own time {numbers['taken_at']} lies outside of timeslot {slot.ordinal} of"
        f" {declared.scheme}, {numbers['starts_at']} to {numbers['ends_at']}, which was declared."
    )
    return [Finding("outside-timeslot", numbers, sentence)]


def _contradictions(metadata: FileMetadata, declared: Declared) -> list[Finding]:
    options = declared.options
    findings = []
    other_model = _other_model(metadata, declared)
    if other_model is not None:
        findings.append(other_model)
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


def _other_model(metadata: FileMetadata, declared: Declared) -> Finding | None:
    body, model = declared.camera, metadata.model
    if body is None or model is None or body.is_called(metadata.make, model):
        return None
    return Finding(
        "other-model",
        {"model": model, "declared_model": body.model},
        f"The file names the model {model}, {body.model} was declared: if they are the same, add"
        " the file's name to exif_models.",
    )
