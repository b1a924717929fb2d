"""Examination of a shot's files: their structure, their pixels, what they say of themselves.

Owns the processes in which files from outside are read. Decides nothing about rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from capture import checks
from capture.cameras.protocol import CameraSettings, ReadBack
from capture.checks import ClockSkew
from capture.spool import SpooledFile
from datastore.frames import (
    DecodingStoppedError,
    DecodingWorker,
    Examination,
    ExpectedFile,
    Finding,
    FrameError,
)
from datastore.metadata import FileMetadata, MetadataReader

_STOPPED = "decoder-stopped"
Result = TypeVar("Result")


@dataclass(frozen=True)
class CameraFacts:
    """What the catalogue knows of a camera that takes part in a session."""

    camera_id: int
    serial: str
    make: str
    model: str
    simulated: bool
    address: str
    width: int | None
    height: int | None


@dataclass(frozen=True)
class ShotFacts:
    """What a shot's files are held against.

    Attributes
    ----------
    kind, requested, read_back
        What was asked for and what the camera showed; None where that is not known any more.
    earliest, latest
        Civil times between which the shutter must have opened; `latest` may be unknown.
    skew
        Of the camera's clock, None where it shows none.
    """

    kind: str
    requested: CameraSettings
    read_back: ReadBack | None
    earliest: datetime | None
    latest: datetime | None
    skew: ClockSkew | None


@dataclass(frozen=True)
class ExaminedFile:
    """A spooled file and what was found in it."""

    spooled: SpooledFile
    examination: Examination
    metadata: FileMetadata


@dataclass(frozen=True)
class ExaminedShot:
    """A shot's files, what is wrong with them, and what speaks against their being the shot's."""

    files: tuple[ExaminedFile, ...]
    findings: list[Finding] = field(default_factory=list)
    foreign: list[Finding] = field(default_factory=list)

    @property
    def main_metadata(self) -> FileMetadata:
        """What the RAW file says of itself, or the only file."""
        by_role = {file.spooled.role: file for file in reversed(self.files)}
        return (by_role.get("raw") or self.files[0]).metadata


class Examiner:
    """Examines the files of one camera's shots; a context manager."""

    def __init__(self) -> None:
        self._decoder = DecodingWorker()
        self._reader = MetadataReader()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="metadata")
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Return the examiner; its processes start with the first file."""
        self._stack.enter_context(self._thread)
        self._stack.enter_context(self._decoder)
        self._stack.enter_context(self._reader)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the processes."""
        self._stack.close()

    def read_metadata(self, path: Path) -> FileMetadata:
        """Return what a file says of itself; a file that cannot be read says nothing."""
        try:
            return _twice(lambda: self._reader.read(path))
        except FrameError as error:
            return FileMetadata(reader="none", verbatim={"error": str(error)})

    def examine(
        self, files: Sequence[SpooledFile], camera: CameraFacts, shot: ShotFacts
    ) -> ExaminedShot:
        """Examine the files of one shot."""
        # two processes read: one what the files say, the other what they hold
        reading = self._thread.submit(lambda: [self.read_metadata(file.path) for file in files])
        examinations = [self._examine(file, camera) for file in files]
        examined = tuple(
            ExaminedFile(*facts)
            for facts in zip(files, examinations, reading.result(), strict=True)
        )
        result = ExaminedShot(examined)
        for file in examined:
            result.foreign.extend(_foreign(file.metadata, camera, shot))
            result.findings.extend(file.examination.findings)
            if file.examination.role not in (None, file.spooled.role):
                result.findings.append(_wrong_role(file))
        if not result.findings:
            result.findings.extend(
                checks.check_settings(shot.requested, shot.read_back, result.main_metadata)
            )
            result.findings.extend(self._check_content(examined, shot))
        return result

    def _examine(self, file: SpooledFile, camera: CameraFacts) -> Examination:
        expected = ExpectedFile(
            bytes=file.bytes,
            make=camera.make,
            model=camera.model,
            width=camera.width,
            height=camera.height,
        )
        examination = self._decoder.examine_file(file.path, expected)
        if any(finding.name == _STOPPED for finding in examination.findings):
            # an interrupt at the terminal reaches the decoder too: it is no judgement on the file
            examination = self._decoder.examine_file(file.path, expected)
        return examination

    def _check_content(self, files: Sequence[ExaminedFile], shot: ShotFacts) -> list[Finding]:
        raw = next((file for file in files if file.spooled.role == "raw"), None)
        if shot.kind != "dark-field" or raw is None:
            return []
        try:
            frame = _twice(lambda: self._decoder.read_frame(raw.spooled.path))
        except FrameError as error:
            return [Finding("unreadable", {}, f"{error}.")]
        return checks.check_dark(frame)


def _twice(read: Callable[[], Result]) -> Result:
    """Read again where the reading process was stopped, which an interrupt may have done."""
    try:
        return read()
    except DecodingStoppedError:
        return read()


def _foreign(metadata: FileMetadata, camera: CameraFacts, shot: ShotFacts) -> list[Finding]:
    found = [checks.foreign_body(metadata, camera.serial)]
    if shot.earliest is not None and shot.latest is not None:
        found.append(checks.foreign_time(metadata, shot.earliest, shot.latest, shot.skew))
    return [finding for finding in found if finding is not None]


def _wrong_role(file: ExaminedFile) -> Finding:
    numbers: dict[str, int | float | str] = {
        "role": file.spooled.role,
        "content": str(file.examination.role),
    }
    return Finding(
        "wrong-role",
        numbers,
        f"{file.spooled.camera_name} is named like a {file.spooled.role} file and holds"
        f" a {file.examination.role}.",
    )
