"""What networks see of a frame, and how files become it; knows no catalogue and no patch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from datastore.frames import read_frame, read_jpeg_luma, read_jpeg_rgb
from training.patches.errors import PatchError
from training.patches.places import Area

InputName = Literal["raw-mosaic", "raw-planes", "jpeg-luma", "jpeg-rgb"]
"""`raw-mosaic` is one channel, `raw-planes` the four places of the colour cell at half size."""

INPUTS: tuple[InputName, ...] = get_args(InputName)

Transform = Literal["linear", "square-root"]

Mosaic = NDArray[np.uint16]

_JPEG_WHITE_LEVEL = 255


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
    pixels
        Values of a mosaic or of a luma, shape (rows, columns), or of colours, shape (rows, columns,
        3); uint16 for a mosaic, else uint8; usually memory-mapped and read-only.
    black_levels
        Black level in DN of the four places of the 2x2 colour cell, row-major.
    white_level
        Saturation in DN.
    visible
        The part of ``pixels`` that sees light; patches are cut from it alone.
    """

    key: str
    pixels: NDArray[Any]
    black_levels: tuple[float, float, float, float]
    white_level: int
    visible: Area

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns."""
        rows, columns = self.pixels.shape[:2]
        return rows, columns


@dataclass(frozen=True)
class Decoded:
    """What decoding a file gives; the attributes are those of `CachedFrame`."""

    pixels: NDArray[Any]
    black_levels: tuple[float, float, float, float]
    white_level: int
    visible: Area


@dataclass(frozen=True)
class Content:
    """What a cache keeps of a file.

    Attributes
    ----------
    name
        Tells it from other contents of the same file.
    decode
        Reads it from the file.
    """

    name: str
    decode: Callable[[Path], Decoded]


def decode_mosaic(path: Path) -> Decoded:
    """Read the mosaic of a RAW file.

    Raises
    ------
    PatchError
        When the file states no black level: darkness would differ between cameras.
    FrameError
        When the file cannot be decoded.
    """
    frame = read_frame(path)
    if frame.black_level is None:
        raise PatchError(f"{path}: states no black level; decode it with a measured one")
    return Decoded(frame.mosaic, frame.black_level, frame.white_level, frame.visible)


def decode_luma(path: Path) -> Decoded:
    """Read the luma of a JPEG; raises FrameError when it cannot be decoded."""
    return _of_jpeg(read_jpeg_luma(path))


def decode_rgb(path: Path) -> Decoded:
    """Read the colours of a JPEG; raises FrameError when it cannot be decoded."""
    return _of_jpeg(read_jpeg_rgb(path))


def _of_jpeg(pixels: NDArray[np.uint8]) -> Decoded:
    rows, columns = pixels.shape[:2]
    return Decoded(pixels, (0.0, 0.0, 0.0, 0.0), _JPEG_WHITE_LEVEL, (0, 0, rows, columns))


MOSAIC = Content("mosaic", decode_mosaic)
LUMA = Content("luma", decode_luma)
RGB = Content("rgb", decode_rgb)


def content_of(input_name: InputName) -> Content:
    """Return what the cache keeps for an input; planes are cut from mosaics."""
    return {"raw-mosaic": MOSAIC, "raw-planes": MOSAIC, "jpeg-luma": LUMA, "jpeg-rgb": RGB}[
        input_name
    ]


def batch_shape(input_name: InputName, patches: int, patch_size: int) -> tuple[int, int, int, int]:
    """Return (patches, channels, rows, columns) of a batch; planes are half a patch wide."""
    channels = {"raw-mosaic": 1, "raw-planes": 4, "jpeg-luma": 1, "jpeg-rgb": 3}[input_name]
    side = patch_size // 2 if input_name == "raw-planes" else patch_size
    return patches, channels, side, side
