"""The mapping of a published data set: what the path of a file, or a table, says of it.

Owns the form of mapping files, and the ready ones. It knows no table and opens no image.
"""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from datastore.canonical import content_sha256
from datastore.descriptions import Name, read_description
from datastore.importing import ready_mappings as ready
from datastore.importing._options import (
    CameraDeclaration,
    FrameKind,
    ImportOptionsError,
)
from datastore.timeslots import Scheme
from datastore.zones import ZoneName

_READY_FOLDER: Final = Path(ready.__file__).parent
OPTION_GROUPS: Final = ("exposure", "iso", "f_number", "temperature_c")
_GROUPS: Final = frozenset({"camera", "timeslot", "kind", "scene", "taken_at", *OPTION_GROUPS})
TOLERANCE_S: Final = 86_400.0


class MappingError(ImportOptionsError):
    """A mapping or a table of facts is malformed, or does not fit the folder."""


class MappedCamera(CameraDeclaration):
    """One body of the data set; its files may call the model by other names."""

    make: str = Field(min_length=1)
    model: str = Field(min_length=1)
    exif_models: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _is_identified(self) -> MappedCamera:
        if not (self.serial or self.alias):
            raise ValueError("needs a serial, or an alias that stands for this one body")
        return self

    def is_called(self, make: str | None, model: str) -> bool:
        """Return whether a file that names this make and model may be of this body."""
        found = {_letters(model), _letters(f"{make or ''}{model}")}
        known = [_letters(name) for name in (self.model, *self.exif_models)]
        return any(
            one.endswith(other) or other.endswith(one) for one in found for other in known if other
        )


class MappedTimeslots(BaseModel):
    """The timeslots that the data set sorts its files into.

    Attributes
    ----------
    scheme
        The whole scheme, or the name of one that is in the catalogue.
    names
        Ordinals of timeslots whose names in paths are no numbers.
    tolerance_s
        How far a file's own time may lie outside of its timeslot, in seconds.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    scheme: Annotated[Scheme, Field(discriminator="division")] | Name
    names: dict[str, int] = Field(default_factory=dict)
    tolerance_s: float = Field(default=TOLERANCE_S, ge=0)


class Mapping(BaseModel):
    """The layout of a data set, and what is known of it.

    Attributes
    ----------
    name, description
        Of the data set.
    pattern
        Regular expression found in a file's path below the folder, with named groups out of
        ``camera``, ``timeslot``, ``kind``, ``scene``, ``taken_at``, ``exposure``, ``iso``,
        ``f_number`` and ``temperature_c``.
    table
        CSV file beside the mapping with the column ``path`` and such groups as columns.
    cameras
        The bodies, by their names in paths or table.
    kind, kinds
        Kind of frame of all files, or kinds by their names in paths or table.
    timeslots
        The timeslots that ``timeslot`` speaks of.
    timezone
        IANA name of the zone of times that name none.
    taken_at_format
        How ``taken_at`` is written in paths, in the codes of `datetime.strptime`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    description: str | None = None
    pattern: str | None = None
    table: Path | None = None
    cameras: dict[str, MappedCamera] = Field(min_length=1)
    kind: FrameKind | None = None
    kinds: dict[str, FrameKind] = Field(default_factory=dict)
    timeslots: MappedTimeslots | None = None
    timezone: ZoneName | None = None
    taken_at_format: str | None = None

    @field_validator("pattern")
    @classmethod
    def _is_pattern(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            groups = set(re.compile(value).groupindex)
        except re.error as error:
            raise ValueError(f"is no regular expression: {error}") from None
        if groups - _GROUPS:
            raise ValueError(f"may have named groups out of {', '.join(sorted(_GROUPS))}")
        return value

    @model_validator(mode="after")
    def _belongs_together(self) -> Mapping:
        if (self.pattern is None) == (self.table is None):
            raise ValueError("needs either a pattern or a table of the files' paths")
        groups = re.compile(self.pattern or "").groupindex
        if "taken_at" in groups and self.taken_at_format is None:
            raise ValueError("a pattern with the group taken_at needs a taken_at_format")
        if "timeslot" in groups and self.timeslots is None:
            raise ValueError("a pattern with the group timeslot needs timeslots")
        if self.table is None and "camera" not in groups and len(self.cameras) > 1:
            raise ValueError("a pattern without the group camera fits a single camera only")
        bodies = [(camera.make, camera.model, camera.serial or camera.alias) for camera in
                  self.cameras.values()]  # fmt: skip
        if len(set(bodies)) < len(bodies):
            raise ValueError("two cameras are the same body")
        return self

    @cached_property
    def sha256(self) -> str:
        """Hash of what it says."""
        return content_sha256(self.model_dump(mode="json"))


def ready_mapping_paths() -> dict[str, Path]:
    """Return the mappings that come with agetrace: name and path."""
    return {path.stem: path for path in sorted(_READY_FOLDER.glob("*.yaml"))}


def read_mapping(path: Path) -> Mapping:
    """Read and check a mapping.

    Parameters
    ----------
    path
        A YAML file, or the name of a mapping that comes with agetrace, such as ``NTIF``.

    Raises
    ------
    MappingError
        If it cannot be read or is malformed; names the fields.
    """
    known = ready_mapping_paths()
    if not path.exists() and path.parent == Path():
        path = known.get(path.stem, path)
    if not path.exists():
        raise MappingError(
            f"there is no mapping {path}; ready ones are {', '.join(known)}, and"
            " `agetrace import mappings show NAME` prints one to begin with"
        )
    mapping = read_description(path, Mapping, MappingError)
    if mapping.table is not None:
        mapping = mapping.model_copy(update={"table": path.parent / mapping.table})
    return mapping


def _letters(text: str) -> str:
    return "".join(c for c in text.lower() if c.isalnum())
