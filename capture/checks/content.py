"""All content checks of a frame of one kind, and the memory of the references they need.

Runs in the process that decodes; opens files only to read references.
"""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Final

import numpy as np

from capture.checks.dark import check_dark_field
from capture.checks.light import Reference, block_cells_of, check_lit, reference_of
from capture.checks.process import FrameQuestion, ReferencePlace
from capture.checks.results import CheckResult
from capture.checks.scenes import SceneDescriptor, describe_blocks
from capture.checks.thresholds import CheckThresholds
from datastore.frames import Frame, FrameError, read_frame
from datastore.frames.blocks import block_means

_REMEMBERED: Final = 64
DARK_FIELD: Final = "dark-field"


class ReferenceMemory:
    """The references that were read last, by path."""

    def __init__(self) -> None:
        self._references: OrderedDict[Path, Reference] = OrderedDict()

    def read(self, path: Path) -> Reference:
        """Return what is kept of a reference.

        Raises
        ------
        FrameError
            If it cannot be decoded.
        """
        reference = self._references.pop(path, None)
        if reference is None:
            reference = reference_of(read_frame(path))
        self._references[path] = reference
        while len(self._references) > _REMEMBERED:
            self._references.popitem(last=False)
        return reference


def check_content(
    frame: Frame, question: FrameQuestion, memory: ReferenceMemory
) -> tuple[tuple[CheckResult, ...], SceneDescriptor | None]:
    """Return every result of the frame's kind, and the description of a lit frame."""
    if question.kind == DARK_FIELD:
        return check_dark_field(frame, question.thresholds), None
    blocks = block_means(frame, block_cells_of(frame))
    descriptor = describe_blocks(blocks.means, frame.cfa)
    reference = None
    failures: list[CheckResult] = []
    if question.reference is not None:
        reference, failures = _read(question.reference, memory)
    results = check_lit(
        frame,
        blocks,
        reference,
        kind=question.kind,
        exposure_ratio=_exposure_ratio(question),
        thresholds=question.thresholds,
    )
    return (*failures, *results), descriptor


def warm_up() -> None:
    """Check a tiny dark field, so that everything is loaded when the first file comes."""
    mosaic = np.random.default_rng(0).integers(500, 525, (64, 96), np.uint16)
    frame = Frame(mosaic, "RGGB", 16383, (512.0,) * 4, (0, 0, 64, 96))
    check_dark_field(frame, CheckThresholds())


def _read(
    place: ReferencePlace, memory: ReferenceMemory
) -> tuple[Reference | None, list[CheckResult]]:
    try:
        return memory.read(place.path), []
    except FrameError as error:
        why = f"The scene's reference cannot be read: {error}."
        return None, [CheckResult("reference", None, None, "", False, why)]


def _exposure_ratio(question: FrameQuestion) -> float:
    if question.reference is None:
        return 1.0
    return question.exposure_product / question.reference.exposure_product
