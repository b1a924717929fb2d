"""Inspection of a camera before it serves: what it can do, and whether a test shot comes out right.

Knows the camera through its protocol and the files of its shot; no catalogue, no fixture.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from fractions import Fraction
from typing import Any, Final

from capture.cameras.capabilities import Capabilities, SettingCapability
from capture.cameras.choices import parse_number
from capture.cameras.protocol import Camera, CameraIdentity, CameraSettings, Delivery
from capture.checks import (
    ClockSkew,
    ExaminingWorker,
    foreign_body,
    foreign_time,
    settings_result,
)
from capture.errors import CaptureError
from datastore.clocks import CivilClock
from datastore.frames import Examination, ExpectedFile
from datastore.metadata import MetadataReader

_NEEDED: Final = ("exposure", "iso", "image_quality")
_USUAL: Final = {"exposure": Fraction(1, 30), "iso": Fraction(100)}
_LEAST_ROOM_BYTES: Final = 256 << 20
_EMPTY_BATTERY_PERCENT: Final = 10.0
_LARGE_SKEW: Final = timedelta(minutes=1)


@dataclass(frozen=True)
class TestShot:
    """One release of the shutter and what became of it.

    Attributes
    ----------
    settings
        What was asked for.
    seconds
        From the order to the end of the transfer.
    files
        Role, name, bytes and finding sentences of each file.
    raw
        What decoding the RAW file gave, None if there was none.
    problems
        What is wrong with the shot, in sentences.
    """

    # its name begins like that of a test's class
    __test__ = False

    settings: CameraSettings
    seconds: float
    files: tuple[dict[str, Any], ...]
    raw: Examination | None
    problems: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the shot as JSON values."""
        return {
            "settings": self.settings.fields(),
            "seconds": round(self.seconds, 3),
            "files": list(self.files),
            "width": None if self.raw is None else self.raw.width,
            "height": None if self.raw is None else self.raw.height,
            "cfa": None if self.raw is None else self.raw.cfa,
            "white_level": None if self.raw is None else self.raw.white_level,
        }


@dataclass(frozen=True)
class Inspection:
    """What was found out about an open camera.

    Attributes
    ----------
    capabilities
        As the camera reports them.
    clock_skew_s
        How far its clock is ahead of the civil time, None if it shows none.
    test_shot
        None if none was asked for, or it failed.
    problems
        What would stop a session, in sentences.
    notes
        What its operator should know.
    """

    capabilities: Capabilities
    clock_skew_s: float | None
    test_shot: TestShot | None
    problems: tuple[str, ...]
    notes: tuple[str, ...] = field(default=())


def inspect_camera(
    camera: Camera,
    identity: CameraIdentity,
    clock: CivilClock,
    *,
    expected: ExpectedFile | None = None,
    with_test_shot: bool = False,
) -> Inspection:
    """Find out whether an open camera can serve in a session.

    Without a test shot its settings are afterwards as they were.

    Parameters
    ----------
    camera, identity
        The camera, and what it said when it was opened.
    clock
        The civil time that its clock is compared with.
    expected
        Make, model and dimensions of its files, as far as they are known.
    with_test_shot
        Release the shutter once.

    Raises
    ------
    CaptureError
        If the camera fails.
    """
    capabilities = camera.settings.capabilities()
    skew = _skew(camera, clock)
    problems, notes = _problems(identity, capabilities), _notes(capabilities, skew)
    shot = None
    if with_test_shot:
        try:
            shot = take_test_shot(camera, identity, capabilities, clock, expected)
        except CaptureError as error:
            problems.append(f"The test shot failed: {error}.")
        else:
            problems.extend(shot.problems)
    return Inspection(
        capabilities,
        None if skew is None else _middle_s(skew),
        shot,
        tuple(problems),
        tuple(notes),
    )


def take_test_shot(
    camera: Camera,
    identity: CameraIdentity,
    capabilities: Capabilities,
    clock: CivilClock,
    expected: ExpectedFile | None = None,
) -> TestShot:
    """Release the shutter once, examine the files and delete them from the card.

    RAW and JPEG together if the camera can, about 1/30 s at ISO 100; it stays set so. Parameters
    and errors as for `inspect_camera`.
    """
    settings = _test_settings(capabilities)
    read_back = camera.settings.apply(settings)
    skew, earliest, shot_uuid = _skew(camera, clock), clock.now(), str(uuid.uuid4())
    release = camera.trigger.release(shot_uuid, settings)
    delivery = camera.files.delivered(shot_uuid)
    latest = clock.now()
    for file in delivery.files:
        camera.files.delete(file.camera_folder, file.camera_name)
    roles = tuple(file.role for file in delivery.files)
    problems = []
    if roles != tuple(settings.image_quality.split("+")):
        problems.append(f"{settings.image_quality} was asked for and {'+'.join(roles)} came.")
    examined = _examined(delivery, expected or ExpectedFile())
    files = []
    with MetadataReader() as reader:
        for file, examination in zip(delivery.files, examined, strict=True):
            metadata = reader.read(file.path)
            found = [*examination.findings]
            for finding in (
                foreign_body(metadata, identity.serial),
                foreign_time(metadata, earliest, latest, skew),
            ):
                found.extend([finding] if finding is not None else [])
            said = [finding.sentence for finding in found]
            compared = settings_result(settings, read_back, metadata)
            said.extend([] if compared.passed else [compared.sentence])
            problems.extend(f"{file.camera_name}: {sentence}" for sentence in said)
            files.append({"role": file.role, "name": file.camera_name, "bytes": file.bytes})
    raw = next((e for e in examined if e.role == "raw" and e.width is not None), None)
    return TestShot(settings, release.free_after_s, tuple(files), raw, tuple(problems))


def _examined(delivery: Delivery, expected: ExpectedFile) -> list[Examination]:
    """Examine a shot's files, the RAW file first: it tells how large the JPEG may be."""
    examined = []
    with ExaminingWorker() as worker:
        for file in delivery.files:
            examination = worker.examine(file.path, expected, None).examination
            if expected.width is None:
                expected = replace(expected, width=examination.width, height=examination.height)
            examined.append(examination)
    return examined


def _problems(identity: CameraIdentity, capabilities: Capabilities) -> list[str]:
    """Return what would stop a session."""
    problems = []
    if not identity.serial:
        problems.append("It states no serial number, so it cannot be told from another body.")
    for name in _NEEDED:
        setting = capabilities.settings.get(name)
        if setting is None:
            problems.append(f"It has no setting for {name}.")
        elif setting.read_back_works is False:
            problems.append(
                f"Its setting {setting.name} ({name}) cannot be set from here, or shows another"
                " value afterwards: turn its mode dial to M."
            )
    if "raw" not in "+".join(capabilities.image_qualities):
        problems.append("It offers no image quality with RAW.")
    reduction = capabilities.long_exposure_noise_reduction
    if reduction is not None and not reduction.can_be_off:
        problems.append("Its long-exposure noise reduction is on: switch it off in its menu.")
    room = capabilities.card_free_bytes
    if capabilities.card_free_images == 0 or (room is not None and room < _LEAST_ROOM_BYTES):
        problems.append("Its memory card is full, or there is none.")
    charge = capabilities.battery_percent
    if charge is not None and charge < _EMPTY_BATTERY_PERCENT:
        problems.append(f"Its battery is at {charge:g} %.")
    return problems


def _notes(capabilities: Capabilities, skew: ClockSkew | None) -> list[str]:
    notes = []
    if capabilities.settings.get("f_number") is None:
        notes.append("The aperture cannot be set from here: leave f_number out of its recipes.")
    if "raw+jpeg" not in capabilities.image_qualities:
        notes.append("It cannot take RAW and JPEG together.")
    if capabilities.long_exposure_noise_reduction is None:
        notes.append(
            "It does not show its long-exposure noise reduction: see that it is off in its menu."
        )
    if skew is None:
        notes.append("It shows no clock, so that files of other times cannot be told by theirs.")
    elif not skew.lowest - _LARGE_SKEW <= timedelta(0) <= skew.highest + _LARGE_SKEW:
        notes.append(f"Its clock is ahead of the civil time by {_middle_s(skew):.0f} s.")
    return notes


def _skew(camera: Camera, clock: CivilClock) -> ClockSkew | None:
    before = clock.now()
    shown = camera.settings.clock_s()
    return None if shown is None else ClockSkew.measured(shown, before, clock.now())


def _middle_s(skew: ClockSkew) -> float:
    return round(((skew.lowest + skew.highest) / 2).total_seconds(), 1)


def _test_settings(capabilities: Capabilities) -> CameraSettings:
    """Return settings that the camera offers, near the usual ones."""
    qualities = capabilities.image_qualities
    quality = next((name for name in ("raw+jpeg", "raw", "jpeg") if name in qualities), "raw")
    return CameraSettings(
        _nearest(capabilities.settings.get("exposure"), "exposure"),
        int(_nearest(capabilities.settings.get("iso"), "iso")),
        None,
        quality,
    )


def _nearest(setting: SettingCapability | None, name: str) -> Fraction:
    choices: Sequence[str] = () if setting is None else setting.choices
    offered = [number for text in choices if (number := parse_number(text))]
    return min(offered, key=lambda number: abs(number - _USUAL[name]), default=_USUAL[name])
