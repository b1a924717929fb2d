"""Patches cut out of frames and turned into what networks read, in one pass; knows no dataset."""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from training.patches._kernels import cut, cut_colours, cut_planes
from training.patches.inputs import CachedFrame, InputName, Transform, batch_shape

Floats = NDArray[np.float32]

_KERNELS: dict[InputName, Callable[..., None]] = {
    "raw-mosaic": cut,
    "raw-planes": cut_planes,
    "jpeg-luma": cut,
    "jpeg-rgb": cut_colours,
}


def cut_batch(
    frames: Sequence[CachedFrame],
    origins: NDArray[np.int64],
    patch_size: int,
    *,
    input_name: InputName = "raw-mosaic",
    transform: Transform = "linear",
    out: Floats | None = None,
) -> Floats:
    """Return a batch of patches as a network reads them.

    The black level of each place of the colour cell is subtracted and the rest divided by the
    power of two that takes saturation into (0.5, 1]; a power of two changes no mantissa. With
    ``square-root`` the signal's root follows (0 below black), which makes photon noise the same at
    every brightness.

    Parameters
    ----------
    frames
        The frame of each patch.
    origins
        (row, column) of each patch's first pixel in its frame, shape (patches, 2); even for
        mosaics.
    patch_size
        Side of a patch in photosites.
    input_name
        Which input; `raw-planes` gives the four places of the colour cell, row-major, as channels.
    transform
        ``linear`` or ``square-root``.
    out
        Where the batch is written, of the shape that is returned; a new array by default.

    Returns
    -------
    ndarray
        float32, shape (patches, channels, rows, columns), as `batch_shape` has it.

    Raises
    ------
    IndexError
        When a patch reaches beyond its frame.
    """
    shape = batch_shape(input_name, len(frames), patch_size)
    batch = np.empty(shape, np.float32) if out is None else out
    kernel = _KERNELS[input_name]
    takes_root = transform == "square-root"
    known: dict[int, tuple[NDArray[np.float32], np.float32]] = {}
    for patch, frame, (row, column) in zip(batch, frames, origins.tolist(), strict=True):
        if id(frame) not in known:
            known[id(frame)] = _levels(frame)
        black, scale = known[id(frame)]
        rows, columns = frame.size
        if min(row, column) < 0 or max(row - rows, column - columns) > -patch_size:
            raise IndexError(
                f"a patch of {patch_size} at ({row}, {column}) in a frame of {rows} x {columns}"
            )
        kernel(frame.pixels, row, column, black, scale, takes_root, patch)
    return batch


def _levels(frame: CachedFrame) -> tuple[NDArray[np.float32], np.float32]:
    """Return the black levels of the colour cell, shape (2, 2), and the scale."""
    black = np.array(frame.black_levels, np.float32).reshape(2, 2)
    span = frame.white_level - min(frame.black_levels)
    return black, np.float32(np.exp2(-np.ceil(np.log2(span))))


class BatchMemory:
    """Memory for batches, used again once nothing refers to the batch that was in it.

    New memory for every batch costs as much as filling it does: the system clears each page first.

    Parameters
    ----------
    kept
        How many batches' memory is kept for later.
    """

    def __init__(self, kept: int = 3) -> None:
        # finalisers run in any thread at any time: each step on it is one that nothing interrupts
        self._free: deque[NDArray[np.uint8]] = deque(maxlen=kept)

    def take(self, shape: tuple[int, ...]) -> Floats:
        """Return a float32 array of any content, the caller's for as long as it is referred to."""
        size = int(np.prod(shape)) * np.dtype(np.float32).itemsize
        memory = self._free_or_new(size)
        # views refer to this array, not to the memory below it: it goes when the last of them went
        batch = np.frombuffer(memory[:size].data, np.float32)
        weakref.finalize(batch, self._free.append, memory).atexit = False
        return batch.reshape(shape)

    def _free_or_new(self, size: int) -> NDArray[np.uint8]:
        try:
            memory = self._free.popleft()
        except IndexError:
            return np.empty(size, np.uint8)
        return memory if memory.size >= size else np.empty(size, np.uint8)
