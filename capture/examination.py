"""Examination of a shot's files: their structure, their content, what they say of themselves.

Owns the processes in which files from outside are read. Decides nothing about rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from queue import LifoQueue
from types import TracebackType
from typing import Final, Self, TypeVar

from capture import checks
from capture.cameras.protocol import CameraSettings, ReadBack
from capture.checks import (
    CheckResult,
    CheckThresholds,
    ClockSkew,
    ExaminingWorker,
    FrameAnswer,
    FrameQuestion,
    ReferencePlace,
    SceneDescriptor,
)
from capture.checks.process import STOPPED
from capture.spool import SpooledFile
from datastore.frames import (
    DecodingStoppedError,
    Examination,
    ExpectedFile,
    Finding,
    FrameError,
)
from datastore.metadata import FileMetadata, MetadataReader

FIXED_BACKGROUND: Final = "fixed-background"
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
class SceneFacts:
    """What a camera's frames of a scene are held against.

    Attributes
    ----------
    reference
        Where the reference frame lies.
    own
        Its description.
    others
        Descriptions of the references of the fixture's other scenes, by name.
    """

    reference: ReferencePlace
    own: SceneDescriptor
    others: Mapping[str, SceneDescriptor]


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
    thresholds
        Of the recipe.
    scene
        None for a scene without a reference, and for dark fields.
    """

    kind: str
    requested: CameraSettings
    read_back: ReadBack | None
    earliest: datetime | None
    latest: datetime | None
    skew: ClockSkew | None
    thresholds: CheckThresholds
    scene: SceneFacts | None


@dataclass(frozen=True)
class ExaminedFile:
    """A spooled file and what was found in it."""

    spooled: SpooledFile
    examination: Examination
    metadata: FileMetadata


@dataclass(frozen=True)
class ExaminedShot:
    """A shot's files and what came of looking at them.

    Attributes
    ----------
    files
        One examination each.
    damage
        What is wrong with the files as files.
    checks
        Results of the content checks, passed or not; none for damaged files.
    foreign
        What speaks against their being the shot's at all.
    """

    files: tuple[ExaminedFile, ...]
    damage: list[Finding] = field(default_factory=list)
    checks: list[CheckResult] = field(default_factory=list)
    foreign: list[Finding] = field(default_factory=list)

    @property
    def is_intact(self) -> bool:
        """Whether every file is whole and what it claims to be."""
        return not self.damage

    @property
    def failed_checks(self) -> list[CheckResult]:
        """The content checks that the shot did not pass."""
        return [result for result in self.checks if not result.passed]

    @property
    def main_metadata(self) -> FileMetadata:
        """What the RAW file says of itself, or the only file."""
        by_role = {file.spooled.role: file for file in reversed(self.files)}
        return (by_role.get("raw") or self.files[0]).metadata


class Examiner:
    """Examines the files of one shot after the other; a context manager."""

    def __init__(self) -> None:
        self._worker = ExaminingWorker()
        self._reader = MetadataReader()
        # exiftool goes with the thread that starts it: this one lasts as long as the examiner
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="metadata")
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Return the examiner; its processes start with the first file, or before."""
        self._stack.enter_context(self._worker)
        self._stack.enter_context(self._reader)
        # ends first: it may be starting what the reader ends
        self._stack.enter_context(self._thread)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the processes."""
        self._stack.close()

    def start(self) -> None:
        """Have the processes get ready, without waiting for them."""
        self._worker.start()
        self._thread.submit(self._reader.start)

    def read_metadata(self, path: Path) -> FileMetadata:
        """Return what a file says of itself; a file that cannot be read says nothing."""
        return self._thread.submit(self._read_metadata, path).result()

    def _read_metadata(self, path: Path) -> FileMetadata:
        try:
            return _twice(lambda: self._reader.read(path))
        except FrameError as error:
            return FileMetadata(reader="none", verbatim={"error": str(error)})

    def examine(
        self, files: Sequence[SpooledFile], camera: CameraFacts, shot: ShotFacts
    ) -> ExaminedShot:
        """Examine the files of one shot."""
        # two processes read: one what the files say, the other what they hold
        reading = self._thread.submit(lambda: [self._read_metadata(file.path) for file in files])
        answers = [self._examine(file, camera, shot) for file in files]
        examined = tuple(
            ExaminedFile(file, answer.examination, metadata)
            for file, answer, metadata in zip(files, answers, reading.result(), strict=True)
        )
        result = ExaminedShot(examined)
        for file in examined:
            result.foreign.extend(_foreign(file.metadata, camera, shot))
            result.damage.extend(file.examination.findings)
            if file.examination.role not in (None, file.spooled.role):
                result.damage.append(_wrong_role(file))
        if result.is_intact:
            result.checks.extend(_checks_of(shot, answers, result.main_metadata))
        return result

    def _examine(self, file: SpooledFile, camera: CameraFacts, shot: ShotFacts) -> FrameAnswer:
        expected = ExpectedFile(
            bytes=file.bytes,
            make=camera.make,
            model=camera.model,
            width=camera.width,
            height=camera.height,
        )
        question = None
        if file.role == "raw":
            question = FrameQuestion(
                kind=shot.kind,
                exposure_product=checks.exposure_product(
                    float(shot.requested.exposure), shot.requested.iso, shot.requested.f_number
                ),
                thresholds=shot.thresholds,
                reference=None if shot.scene is None else shot.scene.reference,
            )
        answer = self._worker.examine(file.path, expected, question)
        if any(finding.name == STOPPED for finding in answer.examination.findings):
            # an interrupt at the terminal reaches the decoder too: it is no judgement on the file
            answer = self._worker.examine(file.path, expected, question)
        return answer


class Examiners:
    """The examiners that the cameras of a session share; a context manager.

    Each examines one shot at a time, so that a file that ends its processes spoils no other's
    examination. Further ones start only where a shot would have to wait.

    Parameters
    ----------
    most
        How many there may be.
    """

    def __init__(self, most: int) -> None:
        self._all = [Examiner() for _ in range(most)]
        # the one that examined last comes first: its processes run
        self._idle: LifoQueue[Examiner] = LifoQueue()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Return the examiners; the first gets ready meanwhile."""
        with ExitStack() as stack:
            for examiner in self._all:
                self._idle.put(stack.enter_context(examiner))
            self._all[-1].start()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End every process."""
        self._stack.close()

    def examine(
        self, files: Sequence[SpooledFile], camera: CameraFacts, shot: ShotFacts
    ) -> ExaminedShot:
        """Examine the files of one shot; waits for an idle examiner."""
        with self._examiner() as examiner:
            return examiner.examine(files, camera, shot)

    def read_metadata(self, path: Path) -> FileMetadata:
        """Return what a file says of itself; a file that cannot be read says nothing."""
        with self._examiner() as examiner:
            return examiner.read_metadata(path)

    @contextmanager
    def _examiner(self) -> Iterator[Examiner]:
        examiner = self._idle.get()
        try:
            yield examiner
        finally:
            self._idle.put(examiner)


def _checks_of(
    shot: ShotFacts, answers: Sequence[FrameAnswer], metadata: FileMetadata
) -> list[CheckResult]:
    """Return every result of a shot whose files are intact."""
    results = [
        checks.structure_result(answers[0].examination),
        checks.settings_result(shot.requested, shot.read_back, metadata),
        *(result for answer in answers for result in answer.checks),
    ]
    descriptors = [answer.descriptor for answer in answers if answer.descriptor is not None]
    if shot.kind == FIXED_BACKGROUND and descriptors and shot.scene is not None:
        scene = shot.scene
        results.append(
            checks.check_right_scene(descriptors[0], scene.own, scene.others, shot.thresholds)
        )
    return results


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
