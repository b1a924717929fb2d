"""What a person declares where files are silent: options, and the sidecars beside the files.

Owns their meaning and which one counts. It knows no table and reads no image.
"""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from datastore.descriptions import describe_problems, read_description
from datastore.errors import RequestError
from datastore.importing._times import DeclaredTime, parse_written

FOLDER_SIDECAR = "agetrace-import.yaml"
FILE_SIDECAR_SUFFIX = ".yaml"
_MAX_SIDECAR_BYTES = 1 << 16
_NAME_GROUPS = frozenset({"exposure_s", "exposure_ms", "iso", "temperature_c", "taken_at"})


class ImportOptionsError(RequestError):
    """Options or a sidecar of an import are malformed."""


def _quoted(value: object) -> object:
    if value is not None and not isinstance(value, str):
        raise ValueError("write it in quotes: without them YAML may read another number (0071)")
    return value


FrameKind = Literal["dark-field", "flat-field", "fixed-background", "natural"]
Identity = Annotated[str, BeforeValidator(_quoted), Field(min_length=1, max_length=100)]


class CameraDeclaration(BaseModel):
    """The camera, as far as its files do not name it; `width` and `height` are the sensor's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    make: str | None = Field(default=None, min_length=1)
    model: str | None = Field(default=None, min_length=1)
    serial: Identity | None = None
    alias: Identity | None = None
    simulated: bool = False
    sensor_type: str | None = None
    cfa: str | None = Field(default=None, pattern="^([RGB]{4}|MONO)$")
    pixel_pitch_um: float | None = Field(default=None, gt=0)
    width: int | None = Field(default=None, gt=0)
    height: int | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _has_one_identity(self) -> CameraDeclaration:
        if self.serial and self.alias:
            raise ValueError("a camera has a serial or an alias, not both")
        return self


class ImportOptions(BaseModel):
    """What is declared of files; what a file says itself comes first.

    Attributes
    ----------
    kind
        Kind of frame, ``natural`` where nothing is declared.
    scene
        Name of a scene of the catalogue, or ``name@revision``; makes it a ``fixed-background``.
    camera
        The body.
    exposure
        Exposure time in seconds, a number or a fraction such as ``1/30``.
    iso, f_number, temperature_c
        Settings and temperature.
    timezone
        IANA name of the zone of times that name none; without it they stay unknown.
    file_name_pattern
        Regular expression found in file names, with named groups out of ``exposure_s``,
        ``exposure_ms``, ``iso``, ``temperature_c`` and ``taken_at``.
    taken_at_format
        How the group ``taken_at`` is written, in the codes of `datetime.strptime`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: FrameKind = "natural"
    scene: str | None = Field(default=None, min_length=1)
    camera: CameraDeclaration = CameraDeclaration()
    exposure: str | None = None
    iso: int | None = Field(default=None, gt=0)
    f_number: float | None = Field(default=None, gt=0)
    temperature_c: float | None = Field(default=None, ge=-100, le=200)
    timezone: str | None = None
    file_name_pattern: str | None = None
    taken_at_format: str | None = None

    @field_validator("exposure", mode="before")
    @classmethod
    def _is_exposure(cls, value: object) -> str | None:
        if value is None:
            return None
        try:
            seconds = Fraction(str(value))
        except (ValueError, ZeroDivisionError):
            raise ValueError("is no exposure time: write seconds as 2.5 or 1/30") from None
        if seconds < 0:
            raise ValueError("is negative")
        return str(seconds)

    @field_validator("timezone")
    @classmethod
    def _is_zone(cls, value: str | None) -> str | None:
        if value is not None and value not in available_timezones():
            raise ValueError(f"{value!r} is no IANA time zone such as Europe/Vienna")
        return value

    @field_validator("file_name_pattern")
    @classmethod
    def _is_pattern(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            groups = set(re.compile(value).groupindex)
        except re.error as error:
            raise ValueError(f"is no regular expression: {error}") from None
        if not groups or groups - _NAME_GROUPS:
            raise ValueError(f"needs named groups out of {', '.join(sorted(_NAME_GROUPS))}")
        return value

    @model_validator(mode="before")
    @classmethod
    def _scene_makes_the_kind(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("scene") and "kind" not in values:
            return {**values, "kind": "fixed-background"}
        return values

    @model_validator(mode="after")
    def _belongs_together(self) -> ImportOptions:
        if (self.kind == "fixed-background") != (self.scene is not None):
            raise ValueError("the kind fixed-background and a scene belong together")
        groups = re.compile(self.file_name_pattern or "").groupindex
        if "taken_at" in groups and self.taken_at_format is None:
            raise ValueError("a file_name_pattern with the group taken_at needs a taken_at_format")
        return self

    def overridden(self, other: ImportOptions) -> ImportOptions:
        """Return these options with everything that `other` states put in their place."""
        stated = {name: getattr(other, name) for name in other.model_fields_set}
        if "camera" in stated:
            camera = {name: getattr(other.camera, name) for name in other.camera.model_fields_set}
            stated["camera"] = self.camera.model_copy(update=camera)
        if "kind" in stated:
            stated["scene"] = other.scene
        return self.model_copy(update=stated)

    def for_name(self, name: str) -> ImportOptions:
        """Return the options with what the pattern finds in a file's name put in their place.

        Raises
        ------
        ImportOptionsError
            If the pattern matches something that is no number.
        """
        match = re.search(self.file_name_pattern, name) if self.file_name_pattern else None
        if match is None:
            return self
        found = {key: text for key, text in match.groupdict().items() if text is not None}
        found.pop("taken_at", None)
        milliseconds = found.pop("exposure_ms", None)
        seconds = found.pop("exposure_s", None)
        try:
            if milliseconds is not None:
                found["exposure"] = str(Fraction(milliseconds) / 1000)
            elif seconds is not None:
                found["exposure"] = seconds
            return self.overridden(ImportOptions.model_validate(found))
        except (ValidationError, ValueError, ZeroDivisionError) as error:
            raise ImportOptionsError(
                f"file_name_pattern finds in {name!r} what is no number: {found}"
            ) from error

    def taken_at(self, name: str) -> DeclaredTime | None:
        """Return the time that a file's name gives in the declared zone, else None."""
        if self.file_name_pattern is None or self.taken_at_format is None:
            return None
        match = re.search(self.file_name_pattern, name)
        if match is None or not match.groupdict().get("taken_at"):
            return None
        return parse_written(match["taken_at"], self.taken_at_format, self.timezone)


def read_options(
    path: Path | None = None,
    *,
    kind: str | None = None,
    timezone: str | None = None,
    alias: str | None = None,
) -> ImportOptions:
    """Read a file of options, and put what is given beside it in its place.

    Raises
    ------
    ImportOptionsError
        If the file cannot be read, or anything in it or beside it is malformed.
    """
    options = ImportOptions() if path is None else _read(path)
    given: dict[str, object] = {"kind": kind, "timezone": timezone}
    given = {name: value for name, value in given.items() if value is not None}
    if alias is not None:
        given["camera"] = {"alias": alias}
    try:
        return options.overridden(ImportOptions.model_validate(given))
    except ValidationError as error:
        raise ImportOptionsError(f"the options are malformed: {describe_problems(error)}") from None


def folder_options(folder: Path, options: ImportOptions) -> ImportOptions:
    """Return what sidecars state within a folder: those around it, overridden by its own."""
    sidecar = folder / FOLDER_SIDECAR
    return options.overridden(_read(sidecar)) if sidecar.is_file() else options


def file_options(file: Path, options: ImportOptions) -> ImportOptions:
    """Return the options of a file: those around it, those of its name and its own sidecar."""
    sidecar = file.with_name(file.name + FILE_SIDECAR_SUFFIX)
    named = options.for_name(file.name)
    return named.overridden(_read(sidecar)) if sidecar.is_file() else named


def _read(path: Path) -> ImportOptions:
    try:
        too_large = path.stat().st_size > _MAX_SIDECAR_BYTES
    except OSError as error:
        raise ImportOptionsError(f"{path} cannot be read: {error.strerror}") from None
    if too_large:
        raise ImportOptionsError(f"{path} is larger than {_MAX_SIDECAR_BYTES} bytes")
    return read_description(path, ImportOptions, ImportOptionsError)
