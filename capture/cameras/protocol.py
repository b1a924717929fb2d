"""What a session asks of a camera, and the facts that come back; knows no implementation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Protocol

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
class Delivery:
    """What one release of the shutter brought into the spool.

    Attributes
    ----------
    files
        The shot's files, complete and durable.
    released_after_s
        Time between the order and the release, in seconds.
    """

    files: tuple[SpooledFile, ...]
    released_after_s: float


@dataclass(frozen=True)
class CardFile:
    """A file on a camera's memory card."""

    folder: str
    name: str
    bytes: int


class Camera(Protocol):
    """One camera body.

    Every method raises a `capture.errors.CameraError` if the camera fails; the camera is then
    closed, and `open` starts anew.
    """

    @property
    def is_open(self) -> bool:
        """Whether the camera is held open."""
        ...

    def open(self) -> CameraIdentity:
        """Open the camera, verify its serial and bring it to the state that sessions need."""
        ...

    def offered(self) -> dict[str, tuple[str, ...]]:
        """Return the choices of every setting that a recipe can ask for, by field."""
        ...

    def clock_s(self) -> float | None:
        """Return the camera's own clock as seconds since 1970, its wall time taken for UTC."""
        ...

    def apply(self, settings: CameraSettings) -> ReadBack:
        """Apply settings and return what the camera shows afterwards."""
        ...

    def shoot(self, shot_uuid: str, settings: CameraSettings) -> Delivery:
        """Release the shutter once and bring all files of the shot into the spool, durably."""
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

    def close(self) -> None:
        """Close the camera; closing a closed one does nothing."""
        ...
