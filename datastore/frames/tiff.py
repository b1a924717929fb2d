"""Directories of TIFF-based files (TIFF, DNG, CR2, NEF, KDC), read with every bound checked.

Owns the tag structure alone, so that it can judge damaged and hostile files without a decoder. It
decodes no pixels and knows no camera.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

from datastore.frames.errors import FrameError

SUBFILE_TYPE = 254
IMAGE_WIDTH = 256
IMAGE_LENGTH = 257
BITS_PER_SAMPLE = 258
COMPRESSION = 259
PHOTOMETRIC = 262
MAKE = 271
MODEL = 272
STRIP_OFFSETS = 273
SAMPLES_PER_PIXEL = 277
STRIP_BYTE_COUNTS = 279
TILE_OFFSETS = 324
TILE_BYTE_COUNTS = 325
SUB_DIRECTORIES = 330
JPEG_OFFSET = 513
JPEG_BYTE_COUNT = 514
CFA_REPEAT_PATTERN_DIM = 33421
CFA_PATTERN = 33422
EXIF_DIRECTORY = 34665
DNG_VERSION = 50706
BLACK_LEVEL_REPEAT_DIM = 50713
BLACK_LEVEL = 50714
WHITE_LEVEL = 50717

PHOTOMETRIC_CFA = 32803
UNCOMPRESSED = 1

_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_NUMBER_CODES = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 11: "f", 12: "d", 13: "I"}
_MAX_DIRECTORIES = 32
_MAX_ENTRIES = 2048
_MAX_VALUE_BYTES = 4 << 20

Number = int | float | Fraction
Value = bytes | tuple[Number, ...]


@dataclass(frozen=True)
class Directory:
    """One TIFF directory: its tags, without those whose values lie outside the file.

    Attributes
    ----------
    tags
        Numbers as tuples; text and undefined bytes as bytes.
    outside
        Tags whose values lie beyond the end of the file or are absurdly large.
    """

    tags: dict[int, Value]
    outside: tuple[int, ...]

    def numbers(self, tag: int) -> tuple[Number, ...]:
        """Return the numbers of a tag, bytes as integers; empty where it is absent."""
        return tuple(self.tags.get(tag, ()))

    def integer(self, tag: int) -> int | None:
        """Return the tag's first value where it is a whole number, else None."""
        values = self.numbers(tag)
        return int(values[0]) if values and values[0] == int(values[0]) else None

    def text(self, tag: int) -> str | None:
        """Return a text without its padding, None where it is absent or empty."""
        value = self.tags.get(tag)
        if not isinstance(value, bytes):
            return None
        return value.split(b"\0")[0].decode("latin-1").strip() or None

    def extents(self) -> list[tuple[int, int]]:
        """Return (offset, length) in bytes of every strip and tile and of a JPEG preview."""
        pairs = (
            (STRIP_OFFSETS, STRIP_BYTE_COUNTS),
            (TILE_OFFSETS, TILE_BYTE_COUNTS),
            (JPEG_OFFSET, JPEG_BYTE_COUNT),
        )
        return [
            (int(offset), int(length))
            for offsets, lengths in pairs
            for offset, length in zip(self.numbers(offsets), self.numbers(lengths), strict=False)
        ]


@dataclass(frozen=True)
class TiffStructure:
    """The directories of a file, the first one first, and how long the file is in bytes."""

    byte_order: str
    directories: tuple[Directory, ...]
    file_bytes: int

    @property
    def is_dng(self) -> bool:
        """Whether the file calls itself a DNG."""
        return any(DNG_VERSION in directory.tags for directory in self.directories)

    def find_text(self, tag: int) -> str | None:
        """Return the first directory's text of a tag that has one."""
        return next((text for d in self.directories if (text := d.text(tag))), None)


def read_structure(path: Path) -> TiffStructure:
    """Read the directories of a TIFF-based file, with sub-directories and Exif.

    Raises
    ------
    FrameError
        If the file is no classic TIFF, or its first directory lies outside it.
    """
    with path.open("rb") as file:
        file_bytes = file.seek(0, 2)
        file.seek(0)
        header = file.read(8)
        byte_order = {b"II*\0": "<", b"MM\0*": ">"}.get(header[:4])
        if byte_order is None or len(header) < 8:
            raise FrameError(f"{path} does not begin with a TIFF header")
        waiting: list[int] = [struct.unpack(byte_order + "I", header[4:])[0]]
        seen: set[int] = set()
        directories: list[Directory] = []
        while waiting and len(directories) < _MAX_DIRECTORIES:
            offset = waiting.pop(0)
            if offset == 0 or offset in seen:
                continue
            seen.add(offset)
            found = _read_directory(file, offset, file_bytes, byte_order)
            if found is None:
                continue
            directory, following = found
            directories.append(directory)
            for tag in (SUB_DIRECTORIES, EXIF_DIRECTORY):
                waiting.extend(int(value) for value in directory.numbers(tag))
            waiting.append(following)
    if not directories:
        raise FrameError(
            f"{path} has a TIFF header, but no directory within its {file_bytes} bytes"
        )
    return TiffStructure(byte_order, tuple(directories), file_bytes)


def _read_directory(
    file: BinaryIO, offset: int, file_bytes: int, byte_order: str
) -> tuple[Directory, int] | None:
    """Return the directory and the offset of the next one (0 = none); None if it lies outside."""
    if offset + 2 > file_bytes:
        return None
    file.seek(offset)
    (count,) = struct.unpack(byte_order + "H", file.read(2))
    body = file.read(count * 12)
    if count == 0 or count > _MAX_ENTRIES or len(body) < count * 12:
        return None
    link = file.read(4)
    following = struct.unpack(byte_order + "I", link)[0] if len(link) == 4 else 0
    tags: dict[int, Value] = {}
    outside: list[int] = []
    for start in range(0, count * 12, 12):
        tag, kind, length = struct.unpack(byte_order + "HHI", body[start : start + 8])
        size = _TYPE_BYTES.get(kind, 0) * length
        if size == 0:
            continue
        if size <= 4:
            data = body[start + 8 : start + 8 + size]
        else:
            (place,) = struct.unpack(byte_order + "I", body[start + 8 : start + 12])
            if place + size > file_bytes or size > _MAX_VALUE_BYTES:
                outside.append(tag)
                continue
            file.seek(place)
            data = file.read(size)
        tags[tag] = _value(data, kind, length, byte_order)
    return Directory(tags, tuple(outside)), following


def _value(data: bytes, kind: int, count: int, byte_order: str) -> Value:
    if kind in (2, 7):
        return data
    if kind in (5, 10):
        numbers = struct.unpack(f"{byte_order}{2 * count}{'I' if kind == 5 else 'i'}", data)
        pairs = zip(numbers[::2], numbers[1::2], strict=True)
        return tuple(Fraction(top, bottom) if bottom else float("nan") for top, bottom in pairs)
    return struct.unpack(f"{byte_order}{count}{_NUMBER_CODES[kind]}", data)
