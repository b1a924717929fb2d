"""What a session asks of a camera, and the facts that come back; knows no implementation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Protocol

from capture.cameras.capabilities import Capabilities
from capture.spool import SpooledFile


@dataclass(frozen=True)
class CameraIdentity:
    """What a camera says of itself after each opening; the serial is its identity."""

    make: str
    model: str
    serial: str
    firmware: str | None


@dataclass(frozen=True)
class CameraSettings:
    """Settings that a shot asks for.

    Attributes
    ----------
    exposure
        Exposure time in seconds.
    iso, f_number
        Sensitivity and aperture; an f-number of None leaves the lens as it is.
    image_quality
        `raw`, `raw+jpeg` or `jpeg`.
    """

    exposure: Fraction
    iso: int
    f_number: float | None
    image_quality: str

    def fields(self) -> dict[str, str | int | float | None]:
        """Return the settings by field as JSON values, the exposure as a rational text."""
        return {
            "exposure": str(self.exposure),
            "iso": self.iso,
            "f_number": self.f_number,
            "image_quality": self.image_quality,
        }


@dataclass(frozen=True)
class ReadBack:
    """Settings as a camera shows them after they were applied; None where it shows nothing.

    Attributes
    ----------
    exposure_s, iso, f_number, image_quality, long_exposure_noise_reduction
        The camera's own texts, understood.
    values
        The texts themselves, by the name that the driver gives each setting.
    """

    exposure_s: float | None
    iso: int | None
    f_number: float | None
    image_quality: str | None
    long_exposure_noise_reduction: bool | None
    values: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Release:
    """One release of the shutter, after which the camera is free for the next.

    Attributes
    ----------
    shot_uuid
        The shot.
    released_after_s
        Time between the order and the release, in seconds.
    free_after_s
        Time between the order and the end of the transfer, in seconds.
    """

    shot_uuid: str
    released_after_s: float
    free_after_s: float


@dataclass(frozen=True)
class Delivery:
    """What a shot brought into the spool.

    Attributes
    ----------
    files
        The shot's files, complete and durable.
    released_after_s
        Time between the order and the release, in seconds; 0 where nothing was released.
    """

    files: tuple[SpooledFile, ...]
    released_after_s: float


@dataclass(frozen=True)
class CardFile:
    """A file on a camera's memory card."""

    folder: str
    name: str
    bytes: int


class SettingsPart(Protocol):
    """What a camera is set to."""

    def offered(self) -> dict[str, tuple[str, ...]]:
        """Return the choices of every setting that a recipe can ask for, by field."""
        ...

    def apply(self, settings: CameraSettings) -> ReadBack:
        """Apply settings and return what the camera shows afterwards."""
        ...

    def clock_s(self) -> float | None:
        """Return the camera's own clock as seconds since 1970, its wall time taken for UTC."""
        ...

    def capabilities(self) -> Capabilities:
        """Find out what the camera can do for a session; its settings are as before."""
        ...


class TriggerPart(Protocol):
    """A camera's shutter."""

    def release(self, shot_uuid: str, settings: CameraSettings) -> Release:
        """Release the shutter once; returns when the camera is free for its next exposure."""
        ...


class FilesPart(Protocol):
    """The files of a camera: those of its shots in the spool, and those on its card."""

    def delivered(self, shot_uuid: str) -> Delivery:
        """Wait until a released shot is complete and durable in the spool."""
        ...

    def list_card(self) -> tuple[CardFile, ...]:
        """Return the files on the memory card."""
        ...

    def fetch(self, shot_uuid: str, files: Sequence[CardFile]) -> Delivery:
        """Bring files of the card into the spool as those of a shot, durably."""
        ...

    def delete(self, folder: str, name: str) -> None:
        """Delete a file from the card; a file that is not there is as good as deleted."""
        ...


class Camera(Protocol):
    """One camera body.

    Everything asked of a camera or of its parts raises a `capture.errors.CameraError` if the camera
    fails; the camera is then closed, and `open` starts anew.
    """

    @property
    def settings(self) -> SettingsPart:
        """What it is set to."""
        ...

    @property
    def trigger(self) -> TriggerPart:
        """Its shutter."""
        ...

    @property
    def files(self) -> FilesPart:
        """Its files."""
        ...

    @property
    def is_open(self) -> bool:
        """Whether the camera is held open."""
        ...

    @property
    def wants_recycling(self) -> bool:
        """Whether it should be closed and opened anew before the next shot: its process is old."""
        ...

    def open(self) -> CameraIdentity:
        """Open the camera, verify its serial and bring it to the state that sessions need."""
        ...

    def close(self) -> None:
        """Close the camera; closing a closed one does nothing."""
        ...
