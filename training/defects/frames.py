"""What the measurement reads: dark frames with their settings, decoded once into a scratch file."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from queue import SimpleQueue
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from training.defects.errors import DarkFrameError

Number = TypeVar("Number", np.uint16, np.float32)

WORKERS = min(4, os.cpu_count() or 1)
"""Threads that loops over photosites are shared out to."""


@dataclass(frozen=True)
class DarkFrame:
    """One dark frame, decoded when `read` is called.

    Attributes
    ----------
    read
        Returns the mosaic, uint16 of shape (rows, columns) in full `raw_image` space.
    exposure_s
        Exposure time in seconds.
    iso
        ISO setting; None where it is unknown, which counts as ISO 100.
    temperature_c
        Sensor temperature; None where it is unknown.
    cfa
        Colours of the 2 x 2 cell at (0, 0), or ``MONO``.
    white_level
        Digital number at which a photosite is full.
    identifier
        Name of the frame in messages and records.
    taken_at
        When it was taken; None where unknown.
    long_exposure_noise_reduction
        Whether the camera says that it subtracted a dark frame of its own; None where unknown.
    """

    read: Callable[[], NDArray[np.uint16]]
    exposure_s: float
    iso: int | None
    temperature_c: float | None
    cfa: str
    white_level: int
    identifier: str
    taken_at: datetime | None = None
    long_exposure_noise_reduction: bool | None = None

    @property
    def gain(self) -> float:
        """Gain relative to ISO 100."""
        return 1.0 if self.iso is None else self.iso / 100


@dataclass(frozen=True)
class Cell:
    """The frames of one exposure and ISO; `members` number them in the scratch file."""

    exposure_s: float
    iso: int | None
    gain: float
    seconds: float
    """Mean exposure time, in seconds at the reference temperature."""
    members: tuple[int, ...]


class Scratch:
    """Decoded frames in one file, read back in bands of rows; made by `decoded`.

    Plain reads keep the memory in use independent of the number of frames.
    """

    def __init__(self, descriptor: int, shape: tuple[int, int]) -> None:
        self._descriptor = descriptor
        self.shape = shape

    def write(self, member: int, mosaic: NDArray[np.uint16]) -> None:
        """Write a frame to its place."""
        view = np.ascontiguousarray(mosaic).data.cast("B")
        place = member * len(view)
        while view:
            count = os.pwrite(self._descriptor, view, place)
            view, place = view[count:], place + count

    def read_band(self, member: int, start: int, band: NDArray[np.uint16]) -> None:
        """Read a frame's rows from `start` on into a band that lies in one piece.

        Into the caller's memory: that of a new array costs more than the reading.
        """
        rows, columns = self.shape
        view = band.data.cast("B")
        place = (member * rows + start) * columns * 2
        while view:
            count = os.preadv(self._descriptor, [view], place)
            if not count:
                raise DarkFrameError(f"the scratch file ends before frame {member}")
            view, place = view[count:], place + count


class Buffers(Generic[Number]):
    """Arrays for as many threads as work, lent one at a time.

    Parameters
    ----------
    shape, dtype
        Of each.
    """

    def __init__(self, shape: tuple[int, ...], dtype: type[Number]) -> None:
        self._free: SimpleQueue[NDArray[Number]] = SimpleQueue()
        for _ in range(WORKERS):
            self._free.put(np.empty(shape, dtype))

    @contextmanager
    def lent(self) -> Iterator[NDArray[Number]]:
        """Lend an array that nobody else has meanwhile; what is in it is undefined."""
        array = self._free.get()
        try:
            yield array
        finally:
            self._free.put(array)


@contextmanager
def scratch_file(shape: tuple[int, int], folder: Path | None = None) -> Iterator[Scratch]:
    """Open an empty scratch file, which has no name and vanishes at the end of the block."""
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        yield Scratch(file.fileno(), shape)


def require_alike(frames: Sequence[DarkFrame]) -> None:
    """Refuse frames that one measurement cannot combine.

    Raises
    ------
    DarkFrameError
        If there are none, their filters or white levels differ, or an exposure is negative.
    """
    if not frames:
        raise DarkFrameError("there are no dark frames to measure")
    first = frames[0]
    for frame in frames:
        if frame.cfa != first.cfa or frame.white_level != first.white_level:
            raise DarkFrameError(
                f"{frame.identifier} has the filters {frame.cfa} and white level"
                f" {frame.white_level}, {first.identifier} has {first.cfa} and"
                f" {first.white_level}: measure each kind by itself"
            )
        if not frame.exposure_s >= 0 or (frame.iso is not None and frame.iso <= 0):
            raise DarkFrameError(
                f"{frame.identifier}: exposure {frame.exposure_s} s and ISO {frame.iso} are no"
                " settings of a camera"
            )


def cells_of(
    frames: Sequence[DarkFrame], reference_temperature_c: float, doubling_temperature_c: float
) -> tuple[Cell, ...]:
    """Group frames by exposure and ISO, the least sensitive cell first.

    The temperature counts only where it is known of every frame:
    ``seconds = t_exp 2^((T - T0) / Td)``.
    """
    known = all(frame.temperature_c is not None for frame in frames)
    groups: dict[tuple[float, int | None], list[int]] = {}
    for number, frame in enumerate(frames):
        groups.setdefault((frame.exposure_s, frame.iso), []).append(number)

    def factor(number: int) -> float:
        temperature_c = frames[number].temperature_c
        if not known or temperature_c is None:
            return 1.0
        return float(2.0 ** ((temperature_c - reference_temperature_c) / doubling_temperature_c))

    cells = [
        Cell(
            exposure_s=exposure_s,
            iso=iso,
            gain=frames[members[0]].gain,
            seconds=exposure_s * float(np.mean([factor(number) for number in members])),
            members=tuple(members),
        )
        for (exposure_s, iso), members in groups.items()
    ]
    return tuple(sorted(cells, key=lambda cell: (cell.gain * cell.seconds, cell.gain)))
