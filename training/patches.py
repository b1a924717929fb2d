"""Whole decoded frames kept on disk, and the crops that networks see; knows no catalogue, no torch.

A frame is decoded once, ever: its mosaic lies in a content-addressed cache as a memory-mapped
array, and a crop is a view of it at even origins, so the colour of a photosite follows from its
place in the crop. Coordinates are photosites in full sensor space throughout.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from training.errors import TrainingError

CACHE_RECIPE = 1
"""Version of what a cached frame holds; raise it whenever the same file would decode otherwise."""

Transform = Literal["linear", "square-root"]

Item = TypeVar("Item")
Loaded = TypeVar("Loaded")
Mosaic = NDArray[np.uint16]
Area = tuple[int, int, int, int]
"""Top, left, height and width of a part of the sensor, in photosites."""


class PatchError(TrainingError):
    """Crops were asked for that the frames cannot give."""

    exit_code: ClassVar[int] = 2


class DecodedFrame(Protocol):
    """What the injected decoder returns."""

    @property
    def mosaic(self) -> Mosaic:
        """Raw values of shape (rows, columns), the whole sensor."""

    @property
    def black_level(self) -> tuple[float, float, float, float] | None:
        """Black level in DN of the four places of the 2x2 colour cell, row-major; None unknown."""

    @property
    def white_level(self) -> int:
        """Saturation in DN."""

    @property
    def visible(self) -> Area:
        """The part that sees light."""


@dataclass(frozen=True)
class Variation:
    """A named change of a frame's mosaic before it is cached, such as the masking of defects.

    Attributes
    ----------
    name
        Tells this change from every other; it must name the content, not only the kind
        (for a mask: with a hash of its coordinates).
    apply
        Takes a mosaic and returns the changed one, same shape and dtype.
    """

    name: str
    apply: Callable[[Mosaic], Mosaic]


@dataclass(frozen=True)
class CachedFrame:
    """One decoded frame.

    Attributes
    ----------
    key
        Content address: tells this frame, with its variation, from every other.
    mosaic
        Raw values (rows, columns), usually memory-mapped and read-only.
    black_levels
        Black level in DN of the four places of the 2x2 colour cell, row-major.
    white_level
        Saturation in DN.
    visible
        The part that sees light; crops are cut from it alone.
    """

    key: str
    mosaic: Mosaic
    black_levels: tuple[float, float, float, float]
    white_level: int
    visible: Area


class FrameCache:
    """Decoded frames in a folder, found by what they were made from.

    Parameters
    ----------
    folder
        Where the frames lie; made when missing. Deleting it costs only time.
    decode
        Returns the decoded frame of a file.
    input_name
        Which input of a network the decoder yields.
    """

    def __init__(
        self,
        folder: Path,
        decode: Callable[[Path], DecodedFrame],
        input_name: str = "raw-mosaic",
    ) -> None:
        self._folder = folder
        self._decode = decode
        self._input_name = input_name

    def key(self, asset_sha256: str, variation: Variation | None = None) -> str:
        """Return the content address of a frame: hash of asset, input, recipe and variation."""
        identity = {
            "asset": asset_sha256,
            "input": self._input_name,
            "recipe": CACHE_RECIPE,
            "variation": variation.name if variation else None,
        }
        return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()

    def frame(
        self, asset_sha256: str, path: Path, variation: Variation | None = None
    ) -> CachedFrame:
        """Return a frame, decoding ``path`` only when the cache does not hold it.

        Parameters
        ----------
        asset_sha256
            Hash of the file's bytes, as the catalogue has it.
        path
            Where the file lies.
        variation
            Change applied to the mosaic; the unchanged frame is decoded through the cache too.

        Returns
        -------
        CachedFrame
            With a read-only memory-mapped mosaic.
        """
        key = self.key(asset_sha256, variation)
        stem = self._folder / key[:2] / key
        facts_path, mosaic_path = stem.with_suffix(".json"), stem.with_suffix(".npy")
        if not facts_path.exists():
            self._fill(asset_sha256, path, variation, mosaic_path, facts_path)
        facts = json.loads(facts_path.read_text(encoding="utf-8"))
        return CachedFrame(
            key=key,
            mosaic=np.load(mosaic_path, mmap_mode="r", allow_pickle=False),
            black_levels=tuple(facts["black_levels"]),
            white_level=facts["white_level"],
            visible=tuple(facts["visible"]),
        )

    def _fill(
        self,
        asset_sha256: str,
        path: Path,
        variation: Variation | None,
        mosaic_path: Path,
        facts_path: Path,
    ) -> None:
        if variation is None:
            frame = self._decode(path)
            mosaic, black_levels = frame.mosaic, frame.black_level
            white_level, visible = frame.white_level, frame.visible
        else:
            original = self.frame(asset_sha256, path)
            mosaic, black_levels = variation.apply(original.mosaic), original.black_levels
            white_level, visible = original.white_level, original.visible
        if mosaic.dtype != np.uint16 or mosaic.ndim != 2:
            raise PatchError(
                f"{path}: a frame of {mosaic.dtype} and shape {mosaic.shape}; "
                "the cache takes two-dimensional uint16 mosaics"
            )
        if black_levels is None:
            raise PatchError(f"{path}: states no black level; decode it with a measured one")
        facts = json.dumps(
            {"black_levels": black_levels, "white_level": white_level, "visible": visible}
        )
        # The facts come last: a frame counts as cached from then on.
        write_atomically(mosaic_path, lambda file: np.save(file, mosaic, allow_pickle=False))
        write_atomically(facts_path, lambda file: file.write(facts.encode()))


def write_atomically(path: Path, write: Callable[[Any], Any]) -> None:
    """Make a file appear under ``path`` complete or not at all; ``write`` gets it open, binary."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".partial-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(temporary).unlink()
        raise


def _even_span(start: int, length: int, patch_size: int) -> tuple[int, int]:
    """Return the first even coordinate of one side of an area, and what is left of the side."""
    if patch_size < 2 or patch_size % 2:
        raise PatchError(f"patch size {patch_size}: must be even, to keep the colour pattern")
    first = start + start % 2
    left = start + length - first
    if left < patch_size:
        raise PatchError(f"patch size {patch_size}: does not fit in a side of {length} photosites")
    return first, left


def grid_origins(visible: Area, patch_size: int, limit: int | None = None) -> NDArray[np.int64]:
    """Return the origins of non-overlapping crops that tile the visible part of a frame.

    Parameters
    ----------
    visible
        Top, left, height and width of the part to tile.
    patch_size
        Side of a crop in photosites, even.
    limit
        At most this many crops, spread evenly over the tiling; all of them by default.

    Returns
    -------
    ndarray
        Even (row, column) of each crop's first photosite, shape (crops, 2), centred.

    Raises
    ------
    PatchError
        When the patch size is odd or larger than the part.
    """
    starts = []
    for start, length in zip(visible[:2], visible[2:], strict=True):
        first, left = _even_span(start, length, patch_size)
        margin = left % patch_size // 4 * 2
        starts.append(first + margin + patch_size * np.arange(left // patch_size, dtype=np.int64))
    origins = np.stack(np.meshgrid(*starts, indexing="ij"), axis=-1).reshape(-1, 2)
    if limit is not None and limit < len(origins):
        origins = origins[np.linspace(0, len(origins) - 1, limit).round().astype(np.int64)]
    return origins


def random_origins(
    generator: np.random.Generator, visible: Area, patch_size: int, count: int
) -> NDArray[np.int64]:
    """Return ``count`` even origins, shape (count, 2), drawn uniformly where a crop fits.

    Raises
    ------
    PatchError
        When the patch size is odd or larger than the visible part.
    """
    sides = []
    for start, length in zip(visible[:2], visible[2:], strict=True):
        first, left = _even_span(start, length, patch_size)
        sides.append(first + 2 * generator.integers((left - patch_size) // 2 + 1, size=count))
    return np.stack(sides, axis=-1)


def gather(
    frames: Sequence[CachedFrame],
    indices: NDArray[np.int64],
    origins: NDArray[np.int64],
    patch_size: int,
) -> Mosaic:
    """Copy one batch of crops out of the frames.

    Parameters
    ----------
    frames
        Frames to cut from.
    indices
        Which frame each crop is from, shape (batch,).
    origins
        Even (row, column) of each crop, shape (batch, 2).
    patch_size
        Side of a crop in photosites.

    Returns
    -------
    ndarray
        Raw values, uint16, shape (batch, patch_size, patch_size).
    """
    batch = np.empty((len(indices), patch_size, patch_size), np.uint16)
    for crop, index, (row, column) in zip(batch, indices, origins, strict=True):
        crop[:] = frames[index].mosaic[row : row + patch_size, column : column + patch_size]
    return batch


def to_network_input(
    crops: Mosaic, frames: Sequence[CachedFrame], transform: Transform
) -> NDArray[np.float32]:
    """Turn raw crops into what the network reads.

    The black level of each place of the colour cell is subtracted and the rest divided by the
    power of two that takes saturation into (0.5, 1]; a power of two changes no mantissa. With
    ``square-root`` the signal's root follows (0 below black), which makes photon noise the same at
    every brightness.

    Parameters
    ----------
    crops
        Raw values of crops with even origins, shape (batch, patch_size, patch_size).
    frames
        The frame of each crop.
    transform
        ``linear`` or ``square-root``.

    Returns
    -------
    ndarray
        float32, shape (batch, 1, patch_size, patch_size).
    """
    black = np.array([frame.black_levels for frame in frames], np.float32).reshape(-1, 2, 2)
    span = np.array([frame.white_level - min(frame.black_levels) for frame in frames])
    scale = np.exp2(-np.ceil(np.log2(span))).astype(np.float32)[:, None, None]
    signal = crops.astype(np.float32)
    for row in (0, 1):
        for column in (0, 1):
            signal[:, row::2, column::2] -= black[:, row, column, None, None]
    signal *= scale
    if transform == "square-root":
        np.sqrt(np.maximum(signal, 0, out=signal), out=signal)
    return signal[:, None]


def prefetched(items: Iterable[Item], load: Callable[[Item], Loaded]) -> Iterator[Loaded]:
    """Yield ``load(item)`` for each item while one thread prepares the next.

    Memory stays bounded by two loaded items, whatever the number of items.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="patches") as executor:
        pending = None
        for item in items:
            following = executor.submit(load, item)
            if pending is not None:
                yield pending.result()
            pending = following
        if pending is not None:
            yield pending.result()
