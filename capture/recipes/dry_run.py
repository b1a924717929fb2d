"""A full rehearsal of a recipe without a shutter: cameras, settings, room, references, clocks.

Writes no row but the lease that keeps sessions away meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from capture.cameras.capabilities import Capabilities
from capture.cameras.choices import parse_image_quality, parse_number
from capture.cameras.gphoto2_camera import MARGIN_S, Gphoto2Camera
from capture.cameras.protocol import CameraSettings
from capture.errors import CaptureError
from capture.leasing import lease_equipment
from capture.recipes._model import Recipe
from capture.recipes._order import ShotSpec, expand
from capture.recipes.issues import OfferedByCamera, RecipeIssue, issues_with
from capture.references import load_references
from capture.session_rows import FixtureFacts, load_fixture
from capture.space import bytes_per_file, lacking_space, needed_bytes
from capture.spool import Spool
from capture.stations import CAMERA_PATIENCE_S, CameraFactory, Station, Stations
from capture.steps import settings_of
from datastore.catalogue import Catalogue
from datastore.clocks import CivilClock

_LARGEST_SKEW_S: Final = 60.0
_LOW_BATTERY_PERCENT: Final = 20.0
_OTHER_ORDERS: Final = 10
_FRAMES_ON_CARD: Final = 3
"""A card's copies are deleted as the session goes on; what is in hand and a retake must fit."""


@dataclass(frozen=True)
class DryRun:
    """What a dry run found.

    Attributes
    ----------
    fixture, cameras
        Name, and serials.
    shots
        Of the plan, for each camera.
    combinations
        Distinct settings that were applied and read back at each camera.
    issues
        Everything that was found, what blocks first.
    """

    fixture: str
    cameras: tuple[str, ...]
    shots: int
    combinations: int
    issues: tuple[RecipeIssue, ...]

    @property
    def exit_code(self) -> int:
        """0 if a session could begin; 2 if only the recipe is in the way, 1 if anything else is."""
        blocking = [issue for issue in self.issues if issue.is_blocking]
        if not blocking:
            return 0
        return 2 if all(issue.is_request for issue in blocking) else 1

    def to_json(self) -> dict[str, Any]:
        """Return the findings as JSON values."""
        return {
            "fixture": self.fixture,
            "cameras": list(self.cameras),
            "shots": self.shots,
            "combinations": self.combinations,
            "issues": [issue.to_json() for issue in self.issues],
        }


def dry_run(
    catalogue: Catalogue,
    recipe: Recipe,
    fixture_name: str,
    *,
    clock: CivilClock,
    spool_folder: Path,
    serials: Sequence[str] | None = None,
    camera_factory: CameraFactory = Gphoto2Camera,
    camera_patience_s: float = CAMERA_PATIENCE_S,
) -> DryRun:
    """Do everything that a session of a recipe does, but release a shutter or change the scene.

    The fixture and its cameras are leased, so that no session is disturbed. Every distinct
    combination of settings is applied and read back; afterwards exposure, ISO, aperture and image
    quality are as they were. What opening a camera for a session sets (transfer to the card,
    noise reduction off) stays.

    Parameters
    ----------
    catalogue, recipe, fixture_name, clock, spool_folder, serials
        As for `capture.sessions.run_session`.
    camera_factory, camera_patience_s
        Likewise.

    Raises
    ------
    RequestError
        If the recipe names a scene, or the request a camera, that the fixture does not have.
    datastore.errors.DatastoreError
        If the fixture is unknown or leased to a session.
    """
    with catalogue.reading() as transaction:
        fixture = load_fixture(transaction, fixture_name, serials)
    plan = expand(recipe, list(fixture.scenes))
    wishes = tuple(dict.fromkeys(settings_of(spec) for spec in plan))
    issues = [*_space_issues(catalogue, fixture, Spool(spool_folder), plan)]
    issues += _reference_issues(catalogue, fixture, plan)
    lease = lease_equipment(catalogue, fixture.resources)
    try:
        # the stations' threads do not touch the catalogue: one renewal covers all that they do
        lease.hold(camera_patience_s + (len(wishes) + _OTHER_ORDERS) * MARGIN_S)
        with Stations(fixture.cameras, spool_folder, camera_factory, camera_patience_s) as stations:
            for station, found in stations.each(
                stations.all, lambda station: _rehearse(station, clock, plan, wishes)
            ).items():
                if isinstance(found, Exception):
                    issues.append(_failure(station.facts.serial, "camera", found))
                else:
                    room = bytes_per_file(catalogue, station.facts, "raw")
                    issues += found.issues
                    issues += _state_issues(station, found.capabilities, room, plan)
    finally:
        lease.release()
    return DryRun(
        fixture=fixture.name,
        cameras=tuple(camera.serial for camera in fixture.cameras),
        shots=len(plan),
        combinations=len(wishes),
        issues=tuple(sorted(issues, key=lambda issue: not issue.is_blocking)),
    )


@dataclass(frozen=True)
class _Rehearsed:
    """What one camera said."""

    capabilities: Capabilities
    issues: tuple[RecipeIssue, ...]


def _rehearse(
    station: Station,
    clock: CivilClock,
    plan: Sequence[ShotSpec],
    wishes: Sequence[CameraSettings],
) -> _Rehearsed:
    """Open a camera, try every combination of settings and put back what was set before."""
    station.open(clock)
    camera, serial = station.camera, station.facts.serial
    capabilities = camera.settings.capabilities()
    offered = OfferedByCamera(station.facts.make, camera.settings.offered())
    issues = issues_with(plan, {serial: offered})
    refused = {(issue.field, issue.wanted) for issue in issues}
    for settings in wishes:
        if refused & {(field, str(value)) for field, value in settings.fields().items()}:
            continue
        try:
            camera.settings.apply(settings)
        except CaptureError as error:
            issues.append(_failure(serial, "settings", error))
            if not camera.is_open:
                station.open(clock)
    if not _put_back(station, capabilities):
        sentence = f"camera {serial}: what it was set to could not be put back; set it anew"
        issues.append(RecipeIssue(serial, "settings", None, (), sentence, is_blocking=False))
    return _Rehearsed(capabilities, tuple(issues))


def _put_back(station: Station, capabilities: Capabilities) -> bool:
    """Set a camera to what it showed before; return whether it took that."""
    before = _shown(capabilities, station.facts.make)
    if before is None:
        return False
    try:
        station.camera.settings.apply(before)
    except CaptureError:
        return False
    return True


def _shown(capabilities: Capabilities, make: str) -> CameraSettings | None:
    """Return what a camera was set to, None where a text cannot be understood."""
    texts = {
        field: None if setting is None else setting.shown
        for field, setting in capabilities.settings.items()
    }
    numbers = {
        field: None if text is None else parse_number(text)
        for field, text in texts.items()
        if field != "image_quality"
    }
    exposure, iso, f_number = (numbers.get(name) for name in ("exposure", "iso", "f_number"))
    quality = parse_image_quality(texts.get("image_quality") or "", make)
    if exposure is None or iso is None or quality is None:
        return None
    return CameraSettings(
        exposure, int(iso), None if f_number is None else float(f_number), quality
    )


def _failure(serial: str, field: str, error: Exception) -> RecipeIssue:
    text = str(error)
    sentence = text if serial in text else f"camera {serial}: {text}"
    return RecipeIssue(serial, field, None, (), sentence)


def _space_issues(
    catalogue: Catalogue, fixture: FixtureFacts, spool: Spool, plan: Sequence[ShotSpec]
) -> list[RecipeIssue]:
    needed = needed_bytes(catalogue, fixture.cameras, plan)
    return [
        RecipeIssue(None, "space", None, (), sentence)
        for sentence in lacking_space(catalogue, spool, needed)
    ]


def _reference_issues(
    catalogue: Catalogue, fixture: FixtureFacts, plan: Sequence[ShotSpec]
) -> list[RecipeIssue]:
    """Return the scenes whose frames would not be compared with anything."""
    scenes: Mapping[str, int] = {
        spec.scene: fixture.scenes[spec.scene]
        for spec in plan
        if spec.kind == "fixed-background" and spec.scene is not None
    }
    cameras = [camera.camera_id for camera in fixture.cameras]
    with catalogue.reading() as transaction:
        known = load_references(transaction, cameras, scenes.values())
    issues = []
    for camera in fixture.cameras:
        lacking = [name for name, row in scenes.items() if (camera.camera_id, row) not in known]
        if lacking:
            sentence = (
                f"camera {camera.serial}: {len(lacking)} of {len(scenes)} scenes have no"
                f" reference, so their frames are compared with nothing: take some with `agetrace"
                f" scene reference` ({', '.join(lacking)})"
            )
            issue = RecipeIssue(
                camera.serial, "reference", ", ".join(lacking), (), sentence, is_blocking=False
            )
            issues.append(issue)
    return issues


def _state_issues(
    station: Station, capabilities: Capabilities, frame_bytes: int, plan: Sequence[ShotSpec]
) -> list[RecipeIssue]:
    """Return what a camera's own state says against a session."""
    serial = station.facts.serial
    issues: list[RecipeIssue] = []

    def add(field: str, said: str, *, is_blocking: bool) -> None:
        sentence = f"camera {serial}: {said}"
        issues.append(RecipeIssue(serial, field, None, (), sentence, is_blocking=is_blocking))

    if station.skew is None:
        said = "it shows no clock, so that files of other times cannot be told by theirs"
        add("clock", said, is_blocking=False)
    else:
        skew_s = ((station.skew.lowest + station.skew.highest) / 2).total_seconds()
        if abs(skew_s) > _LARGEST_SKEW_S:
            add("clock", f"its clock is off by {skew_s:+.0f} s: set it", is_blocking=False)
    percent = capabilities.battery_percent
    if percent is not None and percent < _LOW_BATTERY_PERCENT:
        add("battery", f"its battery is at {percent:g} %: charge it", is_blocking=False)
    room, images = capabilities.card_free_bytes, capabilities.card_free_images
    if (room is not None and room < _FRAMES_ON_CARD * frame_bytes) or (
        images is not None and images < _FRAMES_ON_CARD
    ):
        add("card", "its memory card is full: free some space", is_blocking=True)
    reduction = capabilities.long_exposure_noise_reduction
    if reduction is None:
        said = "it does not show its long-exposure noise reduction: see that it is off in its menu"
        add("noise-reduction", said, is_blocking=False)
    elif reduction.is_on and not reduction.can_be_off:
        said = "its long-exposure noise reduction is on and cannot be switched off from here"
        add("noise-reduction", f"{said}: use its menu", is_blocking=any(s.cap_on for s in plan))
    for field, setting in capabilities.settings.items():
        if setting is not None and setting.read_back_works is False:
            add(field, f"it does not show the {field} that it was set to", is_blocking=True)
    return issues
