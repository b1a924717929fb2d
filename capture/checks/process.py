"""The process that decodes a shot's file once, examines its structure and makes its checks."""

from __future__ import annotations

import functools
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from capture.checks.results import CheckResult
from capture.checks.scenes import SceneDescriptor
from capture.checks.thresholds import CheckThresholds
from datastore.frames import DecodingStoppedError, Examination, ExpectedFile, Finding, examine_frame
from datastore.frames.process import Answer, IsolatedProcess

if TYPE_CHECKING:
    from capture.checks.content import ReferenceMemory

STOPPED = "decoder-stopped"


@dataclass(frozen=True)
class ReferencePlace:
    """Where the reference of a frame's scene lies.

    Attributes
    ----------
    path
        RAW file; files never change, so the process remembers what it read.
    exposure_product
        As in `FrameQuestion`.
    """

    path: Path
    exposure_product: float


@dataclass(frozen=True)
class FrameQuestion:
    """What a frame is held against.

    Attributes
    ----------
    kind
        Of the frame: ``dark-field``, ``flat-field`` or ``fixed-background``.
    exposure_product
        Exposure time in seconds x ISO / f-number squared; without the last where it is unknown.
    thresholds
        Of the recipe.
    reference
        Of the frame's scene, None where there is none.
    """

    kind: str
    exposure_product: float
    thresholds: CheckThresholds
    reference: ReferencePlace | None


@dataclass(frozen=True)
class FrameAnswer:
    """What looking into a file gave.

    Attributes
    ----------
    examination
        Of its structure.
    checks
        Of its content, passed or not; empty for a file with findings, a JPEG or no question.
    descriptor
        Of a lit frame.
    """

    examination: Examination
    checks: tuple[CheckResult, ...]
    descriptor: SceneDescriptor | None


class ExaminingWorker(IsolatedProcess):
    """One process that examines file after file; a context manager.

    A file that crashes the decoder, or takes too long or too much memory, ends the process; the
    next file gets a fresh one.

    Parameters
    ----------
    deadline_s
        Longest time for one file, in seconds.
    memory_bytes
        Address space of the process.
    """

    def __init__(self, *, deadline_s: float = 60.0, memory_bytes: int = 6 << 30) -> None:
        super().__init__(
            _examine, deadline_s=deadline_s, memory_bytes=memory_bytes, warm_up=_warm_up
        )

    def examine(
        self, path: Path, expected: ExpectedFile, question: FrameQuestion | None
    ) -> FrameAnswer:
        """Examine a file as `datastore.frames.examine_file` does, and check its content.

        A decoder that had to be stopped is a finding named ``decoder-stopped``.

        Raises
        ------
        FrameError
            If there is no such file or it cannot be opened.
        """
        request = {
            "path": str(path),
            "expected": asdict(expected),
            "question": None if question is None else _question_fields(question),
        }
        try:
            answer, block = self.ask(request)
        except DecodingStoppedError as error:
            reason = str(error).removeprefix(f"{path} ")
            finding = Finding(STOPPED, {}, f"The file {reason}.")
            return FrameAnswer(Examination("raw", [finding]), (), None)
        return FrameAnswer(
            Examination.from_fields(answer["examination"]),
            tuple(CheckResult(**result) for result in answer["checks"]),
            SceneDescriptor.from_bytes(block) if block else None,
        )


def _question_fields(question: FrameQuestion) -> dict[str, Any]:
    reference = question.reference
    return {
        "kind": question.kind,
        "exposure_product": question.exposure_product,
        "thresholds": question.thresholds.model_dump(),
        "reference": None
        if reference is None
        else {"path": str(reference.path), "exposure_product": reference.exposure_product},
    }


def _question(fields: dict[str, Any] | None) -> FrameQuestion | None:
    if fields is None:
        return None
    reference = fields["reference"]
    return FrameQuestion(
        fields["kind"],
        fields["exposure_product"],
        CheckThresholds(**fields["thresholds"]),
        None
        if reference is None
        else ReferencePlace(Path(reference["path"]), reference["exposure_product"]),
    )


def _examine(request: dict[str, Any]) -> Answer:
    """Answer one request; runs in the process."""
    from capture.checks.content import check_content

    examination, frame = examine_frame(Path(request["path"]), ExpectedFile(**request["expected"]))
    question = _question(request["question"])
    answer: dict[str, Any] = {"examination": asdict(examination), "checks": []}
    if frame is None or question is None or examination.findings:
        return answer, None
    results, descriptor = check_content(frame, question, _memory())
    answer["checks"] = [asdict(result) for result in results]
    return answer, None if descriptor is None else memoryview(descriptor.to_bytes())


def _warm_up() -> None:
    """Load what examining needs; runs in the process."""
    from capture.checks.content import warm_up

    warm_up()


@functools.cache
def _memory() -> ReferenceMemory:
    """Return the references that this process remembers."""
    from capture.checks.content import ReferenceMemory

    return ReferenceMemory()
