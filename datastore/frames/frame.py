"""Frames: the mosaic of photosites as the sensor gave it, and the ways to read one from a file.

Owns decoding. Photosites are counted in full `raw_image` space, never rotated, never cropped. It
knows no catalogue; files that are not trusted are read through `datastore.frames.isolated`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datastore.frames import tiff
from datastore.frames.errors import FrameError, UnsupportedFrameError

MONOCHROME = "MONO"
_COLOUR_LETTERS = "RGB"
_JPEG_MAGIC = b"\xff\xd8\xff"
_FITS_MAGIC = b"SIMPLE  ="
_TIFF_MAGICS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame as the sensor gave it.

    Attributes
    ----------
    mosaic
        Digital numbers of every photosite, uint16 of shape (rows, columns), in full `raw_image`
        space; an array of its own.
    cfa
        Colours of the 2 x 2 cell at (0, 0) in reading order, such as ``RGGB``; ``MONO`` for
        sensors without colour filters.
    white_level
        Digital number at which the file says that a photosite is full.
    black_level
        As the file states it, per position (0, 0), (0, 1), (1, 0), (1, 1) of that cell; None
        where it states none. Real files err here: see `datastore.frames.robust_black`.
    visible
        Top, left, height and width of the area that sees light.
    """

    mosaic: NDArray[np.uint16]
    cfa: str
    white_level: int
    black_level: tuple[float, float, float, float] | None
    visible: tuple[int, int, int, int]


def read_frame(path: Path, *, cfa: str | None = None) -> Frame:
    """Read a RAW file, a monochrome or Bayer TIFF, or a FITS image.

    The content decides what the file is, never its name. A TIFF that names no camera is read as a
    plain image.

    Parameters
    ----------
    path
        The file. Decode files of unknown origin through `datastore.frames.isolated`.
    cfa
        Colours that are declared where the file names none; ignored where it does.

    Raises
    ------
    FrameError
        If the file is missing, damaged or empty.
    UnsupportedFrameError
        If it is a JPEG, has several samples per photosite or another pattern than 2 x 2.
    """
    try:
        with path.open("rb") as file:
            magic = file.read(16)
    except OSError as error:
        raise FrameError(f"{path} cannot be read: {error.strerror}") from error
    if not magic:
        raise FrameError(f"{path} is empty")
    if magic.startswith(_JPEG_MAGIC):
        raise UnsupportedFrameError(f"{path} is a JPEG, which has no mosaic of photosites")
    if magic.startswith(_FITS_MAGIC):
        return _with_declared_cfa(_read_fits(path), cfa)
    if magic.startswith(_TIFF_MAGICS):
        if (frame := _read_plain_dng(path)) is not None:
            return frame
        if not _names_camera(path):
            return _with_declared_cfa(_read_tiff(path), cfa)
    return _with_declared_cfa(_read_raw(path), cfa)


def read_jpeg_luma(path: Path) -> NDArray[np.uint8]:
    """Return the luma of a JPEG, uint8 of shape (rows, columns), never rotated by EXIF.

    Raises
    ------
    FrameError
        If the file is missing or cannot be decoded.
    """
    return _decode_jpeg(path, "GRAY")[:, :, 0]


def read_jpeg_rgb(path: Path) -> NDArray[np.uint8]:
    """Return the colours of a JPEG, uint8 of shape (rows, columns, 3), never rotated by EXIF.

    Raises
    ------
    FrameError
        If the file is missing or cannot be decoded.
    """
    return _decode_jpeg(path, "RGB")


def _decode_jpeg(path: Path, colours: str) -> NDArray[np.uint8]:
    import simplejpeg

    try:
        pixels: NDArray[np.uint8] = simplejpeg.decode_jpeg(path.read_bytes(), colorspace=colours)
    except OSError as error:
        raise FrameError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise FrameError(f"{path} cannot be decoded as a JPEG: {error}") from error
    return pixels


def _with_declared_cfa(frame: Frame, cfa: str | None) -> Frame:
    if cfa is None or frame.cfa != MONOCHROME:
        return frame
    return Frame(frame.mosaic, cfa, frame.white_level, frame.black_level, frame.visible)


def _read_raw(path: Path) -> Frame:
    import rawpy

    try:
        with rawpy.imread(str(path)) as raw:
            if raw.raw_type != rawpy.RawType.Flat or raw.raw_image is None:
                raise UnsupportedFrameError(f"{path} has several samples per photosite")
            # outside this block the decoder's memory is gone, and reading it ends the process
            mosaic = np.array(raw.raw_image, dtype=np.uint16)
            colours = raw.color_desc.decode("ascii")
            monochrome = raw.num_colors == 1
            cell = [] if monochrome else [raw.raw_color(y, x) for y in (0, 1) for x in (0, 1)]
            pattern_size = None if raw.raw_pattern is None else raw.raw_pattern.shape
            black = tuple(float(value) for value in raw.black_level_per_channel)
            white_level = int(raw.white_level)
            sizes = raw.sizes
            visible = (sizes.top_margin, sizes.left_margin, sizes.height, sizes.width)
    except rawpy.NotSupportedError as error:
        raise UnsupportedFrameError(f"{path} is a RAW file of another kind: {error}") from error
    except rawpy.LibRawError as error:
        raise FrameError(
            f"{path} cannot be decoded as a RAW file: {_libraw_text(error)}"
        ) from error
    if mosaic.size == 0:
        raise FrameError(f"{path} holds no photosites")
    if monochrome:
        return Frame(mosaic, MONOCHROME, white_level, _four([black[0]] * 4), visible)
    if pattern_size != (2, 2):
        raise UnsupportedFrameError(f"{path} has a colour pattern other than 2 x 2: {pattern_size}")
    cfa = "".join(colours[index] for index in cell)
    if not set(cfa) <= set(_COLOUR_LETTERS):
        raise UnsupportedFrameError(f"{path} has colours other than red, green and blue: {cfa}")
    # LibRaw counts black levels by colour index (R, G, B, second G), not by position
    return Frame(mosaic, cfa, white_level, _four([black[i] for i in cell]), visible)


def _libraw_text(error: Exception) -> str:
    text = error.args[0] if error.args else ""
    return text.decode("ascii", "replace") if isinstance(text, bytes) else str(text)


def _four(values: Sequence[float]) -> tuple[float, float, float, float]:
    first, second, third, fourth = values
    return float(first), float(second), float(third), float(fourth)


def _names_camera(path: Path) -> bool:
    try:
        structure = tiff.read_structure(path)
    except FrameError:
        return False
    return structure.is_dng or structure.find_text(tiff.MAKE) is not None


def _read_tiff(path: Path) -> Frame:
    import tifffile

    try:
        with tifffile.TiffFile(path) as file:
            page: Any = file.pages[0]
            pixels = page.asarray()
            bits = int(page.bitspersample)
            pattern = page.tags.get(tiff.CFA_PATTERN)
    except MemoryError:
        raise
    except Exception as error:  # it fails in many ways on damaged files
        raise FrameError(f"{path} cannot be decoded as a TIFF: {error}") from error
    if pixels.ndim != 2 or pixels.dtype not in (np.uint8, np.uint16) or pixels.size == 0:
        raise UnsupportedFrameError(
            f"{path} is no frame of one 8- or 16-bit sample per photosite: shape {pixels.shape},"
            f" type {pixels.dtype}"
        )
    cfa = MONOCHROME if pattern is None else _cfa_of_bytes(bytes(pattern.value))
    if cfa is None:
        raise UnsupportedFrameError(f"{path} has a colour pattern other than 2 x 2 of R, G and B")
    height, width = pixels.shape
    return Frame(pixels.astype(np.uint16), cfa, (1 << bits) - 1, None, (0, 0, height, width))


def _cfa_of_bytes(pattern: bytes) -> str | None:
    if len(pattern) != 4 or max(pattern) >= len(_COLOUR_LETTERS):
        return None
    return "".join(_COLOUR_LETTERS[index] for index in pattern)


def _read_fits(path: Path) -> Frame:
    try:
        from astropy.io import fits
    except ModuleNotFoundError as error:
        raise UnsupportedFrameError(
            f"{path} is a FITS file; install what reads them: pip install 'agetrace[fits]'"
        ) from error
    try:
        with path.open("rb") as file:
            data_bytes = fits.Header.fromfile(file).data_size
            missing = file.tell() + data_bytes - path.stat().st_size
        if missing > 0:
            raise FrameError(f"{path} was cut short: {missing} bytes of its image are missing")
        with fits.open(path, memmap=False) as units:
            unit = next((u for u in units if u.data is not None and u.data.ndim == 2), None)
            if unit is None:
                raise UnsupportedFrameError(f"{path} holds no two-dimensional image")
            pixels, header = np.array(unit.data), unit.header
    except (FrameError, MemoryError):
        raise
    except Exception as error:  # it fails in many ways on damaged files
        raise FrameError(f"{path} cannot be decoded as FITS: {error}") from error
    if pixels.dtype.kind not in "iu" or pixels.min() < 0 or pixels.max() > np.iinfo(np.uint16).max:
        raise UnsupportedFrameError(
            f"{path} has values that are no digital numbers of 16 bits: type {pixels.dtype}, from"
            f" {pixels.min()} to {pixels.max()}"
        )
    cfa = str(header.get("BAYERPAT", MONOCHROME)).strip().upper()
    if cfa != MONOCHROME and (len(cfa) != 4 or not set(cfa) <= set(_COLOUR_LETTERS)):
        raise UnsupportedFrameError(f"{path} names the colour pattern {cfa!r}, which is not 2 x 2")
    white_level = min(int(header.get("SATURATE", 65535)), 65535)
    height, width = pixels.shape
    return Frame(pixels.astype(np.uint16), cfa, white_level, None, (0, 0, height, width))


# The make of the virtual cameras, whose files hold their photosites uncompressed, and every tag
# that their writer uses. A file with any other tag goes through LibRaw, which may heed it.
_PLAIN_MAKE = "Agetrace"
_PLAIN_TAGS = frozenset(
    {254, 256, 257, 258, 259, 262, 271, 272, 273, 274, 277, 278, 279, 284, 305, 306, 33421, 33422}
    | {34665, 50706, 50707, 50708, 50710, 50711, 50713, 50714, 50717, 50721, 50728, 50735, 50778}
)


def _read_plain_dng(path: Path) -> Frame | None:
    """Read an uncompressed DNG of one strip by its offsets; None where anything is unusual.

    LibRaw gives the same frame after 75-95 ms of unpacking for 24 megapixels, this takes 6 ms.
    """
    try:
        structure = tiff.read_structure(path)
    except FrameError:
        return None
    first = structure.directories[0]
    height, width = first.integer(tiff.IMAGE_LENGTH), first.integer(tiff.IMAGE_WIDTH)
    white_level = first.integer(tiff.WHITE_LEVEL)
    black = first.numbers(tiff.BLACK_LEVEL)
    cfa = _cfa_of_bytes(bytes(int(v) & 255 for v in first.numbers(tiff.CFA_PATTERN)))
    extents = first.extents()
    plain = (
        first.text(tiff.MAKE) == _PLAIN_MAKE
        and not first.outside
        and _PLAIN_TAGS.issuperset(first.tags)
        and tiff.DNG_VERSION in first.tags
        and first.integer(tiff.SUBFILE_TYPE) == 0
        and first.integer(tiff.BITS_PER_SAMPLE) == 16
        and first.integer(tiff.COMPRESSION) == tiff.UNCOMPRESSED
        and first.integer(tiff.PHOTOMETRIC) == tiff.PHOTOMETRIC_CFA
        and first.integer(tiff.SAMPLES_PER_PIXEL) == 1
        and first.numbers(tiff.CFA_REPEAT_PATTERN_DIM) == (2, 2)
        and first.numbers(tiff.BLACK_LEVEL_REPEAT_DIM) == (2, 2)
        and len(black) == 4
        and all(value == int(value) for value in black)
        and len(extents) == 1
    )
    if not plain or not height or not width or white_level is None or cfa is None:
        return None
    offset, length = extents[0]
    if length != height * width * 2 or offset + length > structure.file_bytes:
        return None
    mapped = np.memmap(
        path, dtype=structure.byte_order + "u2", mode="r", offset=offset, shape=(height, width)
    )
    mosaic = np.array(mapped, dtype=np.uint16)
    levels = _four([float(value) for value in black])
    return Frame(mosaic, cfa, white_level, levels, (0, 0, height, width))
