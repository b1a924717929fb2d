"""Frame sets whose frames are made when they are needed; memory stays bounded, knows no catalogue.

What is made is kept only while it is used: ask for the crops of a frame one after the other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from training.experiments.frame_set import FrameSet
from training.patches.inputs import CachedFrame, Variation
from training.patches.mapped import MappedFrames
from training.patches.places import Area

_KEPT_BYTES = 4 * 256 * 2**20
"""A quarter of which is kept in memory."""

Change = Callable[[int, CachedFrame], Variation | None]
"""Returns how a frame, by its number in the set, is changed; None leaves it as it is."""


class MadeFrames(Sequence[CachedFrame]):
    """Frames that are made by number, the last ones kept.

    Parameters
    ----------
    make
        Makes the frame of a number.
    count
        How many there are.
    """

    def __init__(self, make: Callable[[int], CachedFrame], count: int) -> None:
        self._frames = MappedFrames(make, _KEPT_BYTES)
        self._count = count

    def __len__(self) -> int:
        """Return the number of frames."""
        return self._count

    def __getitem__(self, number: int) -> CachedFrame:  # type: ignore[override]
        """Return a frame, made where it is not kept."""
        if not 0 <= number < self._count:
            raise IndexError(number)
        return self._frames[number]

    def __iter__(self) -> Iterator[CachedFrame]:
        """Make the frames one after the other."""
        return (self._frames[number] for number in range(self._count))


def changed_frames(frames: FrameSet, change: Change) -> FrameSet:
    """Return the same frames, each changed by a variation of its own.

    Parameters
    ----------
    frames
        Frames of mosaics.
    change
        How each is changed.
    """

    def make(number: int) -> CachedFrame:
        frame = frames.frames[number]
        variation = change(number, frame)
        if variation is None:
            return frame
        key = hashlib.sha256(f"{frame.key}\n{variation.name}".encode()).hexdigest()
        pixels = np.ascontiguousarray(variation.apply(frame.pixels))
        pixels.flags.writeable = False
        return replace(frame, key=key, pixels=pixels)

    return replace(frames, frames=MadeFrames(make, len(frames.labels)))


def narrowed_frames(frames: FrameSet, narrow: Callable[[Area], Area]) -> FrameSet:
    """Return the same frames, less of each seen, such as what a shift leaves comparable."""

    def make(number: int) -> CachedFrame:
        frame = frames.frames[number]
        area = narrow(frame.visible)
        key = hashlib.sha256(f"{frame.key}\nvisible:{area}".encode()).hexdigest()
        return replace(frame, key=key, visible=area)

    return replace(frames, frames=MadeFrames(make, len(frames.labels)))
