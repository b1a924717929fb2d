"""One decoded frame as a file that is mapped into memory: how it is written, and when it is sound.

A first page describes the pixels that follow it, with checksums of both. What was cut short or
altered is told from what is whole; nothing here decides what to do about it.
"""

from __future__ import annotations

import json
import struct
import zlib
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from training.patches.inputs import CachedFrame, Decoded

_MAGIC = b"agframe2"
_FIXED = struct.Struct("<8sII")
_FIRST_PAGE_BYTES = 4096
"""Pixels begin on a page of their own, as memory maps like it."""


class UnsoundEntryError(Exception):
    """A file that is no whole entry; caught by the cache, which replaces it."""


def entry_bytes(frame: Decoded) -> int:
    """Return the size of a frame's file."""
    return _FIRST_PAGE_BYTES + frame.pixels.nbytes


def write_entry(file: BinaryIO, frame: Decoded) -> None:
    """Write a frame from the beginning of a file."""
    pixels = np.ascontiguousarray(frame.pixels)
    facts = {
        "dtype": pixels.dtype.name,
        "shape": pixels.shape,
        "black_levels": frame.black_levels,
        "white_level": frame.white_level,
        "visible": frame.visible,
        "crc32": zlib.crc32(pixels.data),
    }
    described = json.dumps(facts).encode()
    file.write(_FIXED.pack(_MAGIC, len(described), zlib.crc32(described)))
    file.write(described.ljust(_FIRST_PAGE_BYTES - _FIXED.size, b"\0"))
    file.write(pixels.data)
    file.flush()


def map_entry(file: BinaryIO, key: str, *, compare_pixels: bool) -> CachedFrame:
    """Map the frame of an open file into memory, read-only.

    Parameters
    ----------
    file
        An entry; it may be closed afterwards, the map keeps it (and a lock on it) open.
    key
        The frame's content address.
    compare_pixels
        Whether the pixels are read and compared with their checksum, at some gigabytes a second;
        size and description are compared always.

    Raises
    ------
    UnsoundEntryError
        When the file is not what was written.
    """
    file.seek(0)
    first_page = file.read(_FIRST_PAGE_BYTES)
    facts = _described(first_page)
    dtype, shape = np.dtype(facts["dtype"]), tuple(facts["shape"])
    size = file.seek(0, 2)
    if size != _FIRST_PAGE_BYTES + dtype.itemsize * int(np.prod(shape)):
        raise UnsoundEntryError(f"{size} bytes for pixels of shape {shape}")
    pixels: NDArray[Any] = np.memmap(
        file, dtype=dtype, mode="r", offset=_FIRST_PAGE_BYTES, shape=shape
    ).view(np.ndarray)
    if compare_pixels and zlib.crc32(pixels.data) != facts["crc32"]:
        raise UnsoundEntryError("the pixels are not those that were written")
    first, second, third, fourth = facts["black_levels"]
    top, left, height, width = facts["visible"]
    return CachedFrame(
        key=key,
        pixels=pixels,
        black_levels=(first, second, third, fourth),
        white_level=facts["white_level"],
        visible=(top, left, height, width),
    )


def _described(first_page: bytes) -> dict[str, Any]:
    if len(first_page) < _FIRST_PAGE_BYTES:
        raise UnsoundEntryError("cut short before the pixels")
    magic, length, checksum = _FIXED.unpack_from(first_page)
    described = first_page[_FIXED.size : _FIXED.size + length]
    if magic != _MAGIC or zlib.crc32(described) != checksum:
        raise UnsoundEntryError("no description of pixels")
    facts: dict[str, Any] = json.loads(described)
    return facts
