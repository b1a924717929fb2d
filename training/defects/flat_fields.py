"""What one session's flat fields show: weak photosites, dust, whose body; reads no catalogue."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datastore.frames import Frame
from training.defects.dust import DustSpots, find_dust, under_dust
from training.defects.errors import DarkFrameError
from training.defects.fingerprint import Fingerprint, estimate_fingerprint
from training.defects.fingerprint_check import FingerprintCheck, FingerprintVerdict
from training.defects.flats import LowResponse, low_response
from training.defects.frames import Scratch, scratch_file
from training.defects.parameters import FlatParameters

FEWEST_FOR_FINGERPRINT = 2
"""Flat fields that a fingerprint is taken from: from one it cannot be told how strong it is."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class FlatFields:
    """What one session's flat fields show, all in full `raw_image` space.

    Attributes
    ----------
    shape
        Rows and columns of the sensor.
    weak
        Photosites that answer to light too weakly.
    under_dust
        Which of them lie in the shadow of dust.
    dust
        The dust.
    fingerprint
        Taken from these frames, where there was none to compare with; None otherwise.
    verdicts
        Whether each frame comes from the body of the given fingerprint; empty without one.
    """

    shape: tuple[int, int]
    weak: LowResponse
    under_dust: NDArray[np.bool_]
    dust: DustSpots
    fingerprint: Fingerprint | None
    verdicts: tuple[FingerprintVerdict, ...]


def measure_flats(
    frames: Sequence[tuple[str, Callable[[], Frame]]],
    black_dn: tuple[float, ...],
    fingerprint: Fingerprint | None,
    parameters: FlatParameters | None = None,
    *,
    scratch_folder: Path | None = None,
    progress: Progress | None = None,
) -> FlatFields:
    """Measure flat fields of one camera, session and setting; each is decoded once.

    Parameters
    ----------
    frames
        Name of each frame, and what reads it.
    black_dn
        Black level of each plane, from dark frames.
    fingerprint
        Of the claimed body; None where it has none yet: then one is taken from these frames.
    parameters
        Thresholds; the defaults where None.
    scratch_folder
        Where the decoded frames lie meanwhile.
    progress
        Called with frames decoded and frames in all.

    Raises
    ------
    DarkFrameError
        If there are no frames, they differ in size, or are dark or saturated.
    """
    parameters = parameters or FlatParameters()
    if not frames:
        raise DarkFrameError("there are no flat fields to measure")
    first = frames[0][1]()
    top, left, rows, columns = _whole_cells(first)
    with scratch_file((rows, columns), scratch_folder) as scratch:
        total = np.zeros((rows, columns), np.float32)
        for number, (name, read) in enumerate(frames):
            frame = first if number == 0 else read()
            if frame.mosaic.shape != first.mosaic.shape or frame.cfa != first.cfa:
                raise DarkFrameError(
                    f"{name} has the shape {frame.mosaic.shape} and the filters {frame.cfa}, the"
                    f" first flat field {first.mosaic.shape} and {first.cfa}"
                )
            lit = np.ascontiguousarray(frame.mosaic[top : top + rows, left : left + columns])
            scratch.write(number, lit)
            total += lit
            if progress is not None:
                progress(number + 1, len(frames))
        reads = [_reader(scratch, number) for number in range(len(frames))]
        weak = low_response(
            reads,
            first.cfa,
            black_dn,
            white_level=first.white_level,
            false_discovery_rate=parameters.false_discovery_rate,
            largest_response=parameters.largest_response,
        )
        dust = find_dust(
            total / np.float32(len(frames)),
            first.cfa,
            black_dn,
            false_discovery_rate=parameters.false_discovery_rate,
            least_depth=parameters.least_depth,
        )
        verdicts: tuple[FingerprintVerdict, ...] = ()
        taken = None
        if fingerprint is not None:
            check = FingerprintCheck(fingerprint)
            verdicts = tuple(
                check.judge(read(), black_dn, first.white_level, name)
                for read, (name, _) in zip(reads, frames, strict=True)
            )
        elif len(frames) >= FEWEST_FOR_FINGERPRINT:
            taken = estimate_fingerprint(reads, first.cfa, black_dn, first.white_level)
    shaded = under_dust(dust, weak.row, weak.column)
    return FlatFields(
        shape=(first.mosaic.shape[0], first.mosaic.shape[1]),
        weak=replace(weak, row=weak.row + top, column=weak.column + left),
        under_dust=shaded,
        dust=replace(dust, row=dust.row + top, column=dust.column + left),
        fingerprint=taken,
        verdicts=verdicts,
    )


def _whole_cells(frame: Frame) -> tuple[int, int, int, int]:
    """Return the area that sees light, in whole cells of the filters: margins are dark."""
    top, left, height, width = frame.visible
    bottom, right = top + height, left + width
    top, left = top + top % 2, left + left % 2
    return top, left, (bottom - top) // 2 * 2, (right - left) // 2 * 2


def _reader(scratch: Scratch, number: int) -> Callable[[], NDArray[np.uint16]]:
    def read() -> NDArray[np.uint16]:
        frame = np.empty(scratch.shape, np.uint16)
        scratch.read_band(number, 0, frame)
        return frame

    return read
