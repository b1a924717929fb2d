"""Whether a file is what it claims: findings with numbers, where decoders give silent garbage.

LibRaw hands out zeros or stale memory for parts that are missing from a file, so the structure is
judged before anything is decoded. Owns the rules and knows no catalogue; files of unknown origin
are judged in a worker process, by `datastore.frames.isolated`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np

from datastore.frames import tiff
from datastore.frames.errors import FrameError
from datastore.frames.frame import Frame, read_frame, read_jpeg_luma
from datastore.frames.measures import FrameMeasures, measure_frame, measure_luma

_JPEG_MAGIC = b"\xff\xd8\xff"
_START_OF_SCAN = b"\xff\xda"
_END_OF_IMAGE = b"\xff\xd9"
# Beginnings of the RAW formats that LibRaw knows. What begins otherwise it may take for a
# headerless format by the length alone.
_MAGICS = (
    b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"II\x1a\0",
    b"FUJIFILMCCD-RAW", b"\0MRM", b"FOVb", b"SIMPLE  =",
)  # fmt: skip
_ISO_MEDIA = b"ftypcrx"
_HEAD_BYTES = 32
# A lossless JPEG spends at least one bit on a photosite; half of that leaves room for doubt.
_MIN_LOSSLESS_BYTES_PER_PHOTOSITE = 1 / 16
_LOSSLESS_JPEG = 7
_MIN_IMAGE_SIDE = 320


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with a file.

    Attributes
    ----------
    name
        The rule that was broken, such as ``extent-outside``.
    numbers
        What was measured.
    sentence
        The same for a reader.
    """

    name: str
    numbers: dict[str, int | float | str]
    sentence: str


@dataclass(frozen=True, slots=True)
class ExpectedFile:
    """What is known of a file beforehand; None is not compared.

    Attributes
    ----------
    bytes
        Length that the camera announced.
    make, model
        Of the registered camera.
    width, height
        Of the registered camera's `raw_image`, in photosites.
    """

    bytes: int | None = None
    make: str | None = None
    model: str | None = None
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True, slots=True)
class Examination:
    """What looking into a file gave.

    Attributes
    ----------
    role
        ``raw`` (anything with a mosaic), ``jpeg``, or None where the content is no image.
    findings
        What is wrong; empty for a sound file.
    width, height
        Of the decoded image, None where nothing was decoded.
    cfa, white_level
        Of the mosaic, None for a JPEG or where nothing was decoded.
    measures
        Of the frame, without the temperature; nothing but None where parts of it are missing.
    """

    role: str | None
    findings: list[Finding] = field(default_factory=list)
    width: int | None = None
    height: int | None = None
    cfa: str | None = None
    white_level: int | None = None
    measures: FrameMeasures = field(default_factory=FrameMeasures)

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> Self:
        """Return what `dataclasses.asdict` made fields of."""
        parts = {
            "findings": [Finding(**finding) for finding in fields["findings"]],
            "measures": FrameMeasures(**fields["measures"]),
        }
        return cls(**{**fields, **parts})


def begins_like_image(path: Path) -> bool:
    """Return whether a file begins as one of the formats that are read here."""
    with path.open("rb") as file:
        return _begins_like_image(file.read(_HEAD_BYTES))


def _begins_like_image(head: bytes) -> bool:
    return head.startswith((_JPEG_MAGIC, *_MAGICS)) or head[4:11] == _ISO_MEDIA


def check_file(path: Path, expected: ExpectedFile | None = None) -> list[Finding]:
    """Return everything that is wrong with a file; an empty list for a sound one.

    Raises
    ------
    FrameError
        If there is no such file or it cannot be opened.
    """
    return examine_file(path, expected).findings


def examine_file(path: Path, expected: ExpectedFile | None = None) -> Examination:
    """Judge a file by its structure, decode it and judge its photosites.

    Raises
    ------
    FrameError
        If there is no such file or it cannot be opened.
    """
    return examine_frame(path, expected)[0]


def examine_frame(
    path: Path, expected: ExpectedFile | None = None
) -> tuple[Examination, Frame | None]:
    """Examine a file as `examine_file` does and give its frame too, so that it is decoded once.

    The frame is None for a JPEG and where nothing was decoded.

    Raises
    ------
    FrameError
        If there is no such file or it cannot be opened.
    """
    expected = expected or ExpectedFile()
    try:
        length = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise FrameError(f"{path} cannot be read: {error.strerror}") from error
    if length == 0:
        return Examination(None, [Finding("empty", {"bytes": 0}, "The file is empty.")]), None
    findings = _check_length(length, expected)
    if head.startswith(_JPEG_MAGIC):
        is_of_known_camera = expected.width is not None
        return _examine_jpeg(path, findings, is_of_known_camera=is_of_known_camera), None
    if not _begins_like_image(head):
        findings.append(
            Finding(
                "unknown-format",
                {"bytes": length, "begins_with": head[:8].hex()},
                "The file begins like no image format that is read here.",
            )
        )
        return Examination(None, findings), None
    findings += _check_directories(path, expected)
    if findings:
        # what LibRaw makes of missing data is stale memory, which tells nothing
        return Examination("raw", findings), None
    try:
        frame = read_frame(path)
    except FrameError as error:
        return Examination("raw", [_unreadable(error, path)]), None
    height, width = frame.mosaic.shape
    missing = _check_rows(frame)
    measures = FrameMeasures() if missing else measure_frame(frame)
    found = _check_dimensions(frame, expected) + missing
    return Examination("raw", found, width, height, frame.cfa, frame.white_level, measures), frame


def check_frame(frame: Frame, expected: ExpectedFile | None = None) -> list[Finding]:
    """Judge the photosites of a decoded frame: its dimensions, and rows that no sensor gives."""
    return _check_dimensions(frame, expected or ExpectedFile()) + _check_rows(frame)


def _check_dimensions(frame: Frame, expected: ExpectedFile) -> list[Finding]:
    findings = []
    height, width = frame.mosaic.shape
    for name, found, registered in (
        ("width", width, expected.width),
        ("height", height, expected.height),
    ):
        if registered is not None and found != registered:
            findings.append(
                Finding(
                    "wrong-dimensions",
                    {name: found, f"registered_{name}": registered},
                    f"The {name} is {found} photosites, the registered camera's is {registered}.",
                )
            )
    return findings


def _check_rows(frame: Frame) -> list[Finding]:
    """Find rows that no sensor gives: of one value throughout, unless clipped at either end."""
    top, left, visible_height, visible_width = frame.visible
    mosaic = frame.mosaic[top : top + visible_height, left : left + visible_width]
    lowest = mosaic.min(axis=1)
    is_constant = (lowest == mosaic.max(axis=1)) & (lowest < frame.white_level)
    rows, constant_rows = len(mosaic), int(np.count_nonzero(is_constant))
    # what is missing from a file reads as zero, or as the zero point of a signed format
    value = int(lowest[is_constant].max()) if constant_rows else 0
    kind = "constant" if value else "zero"
    sentence = "hold one value throughout" if value else "hold only zeros"
    if constant_rows == rows:
        name = f"all-{kind}"
        return [Finding(name, {"rows": rows, "value": value}, f"All {rows} rows {sentence}.")]
    # Where most photosites are zero (a black level of zero, short dark exposures) rows of zeros
    # are to be expected.
    if constant_rows == 0 or np.median(mosaic[~is_constant]) == 0:
        return []
    tail = int(np.argmin(is_constant[::-1]))
    numbers: dict[str, int | float | str] = {f"{kind}_rows": constant_rows, "rows": rows}
    if tail == constant_rows:
        return [
            Finding(
                f"{kind}-tail",
                numbers,
                f"The last {tail} of {rows} rows {sentence}: the end of the file is missing.",
            )
        ]
    return [Finding(f"{kind}-rows", numbers, f"{constant_rows} of {rows} rows {sentence}.")]


def _check_length(length: int, expected: ExpectedFile) -> list[Finding]:
    if expected.bytes is None or expected.bytes == length:
        return []
    return [
        Finding(
            "wrong-length",
            {"bytes": length, "announced_bytes": expected.bytes},
            f"The file has {length} bytes, {expected.bytes} were announced.",
        )
    ]


def _check_directories(path: Path, expected: ExpectedFile) -> list[Finding]:
    """Judge a TIFF-based file without decoding it; other formats have no findings here."""
    with path.open("rb") as file:
        if file.read(4) not in (b"II*\0", b"MM\0*"):
            return []
    try:
        structure = tiff.read_structure(path)
    except FrameError as error:
        return [_unreadable(error, path)]
    findings = _check_body(structure, expected)
    for directory in structure.directories:
        of_directory = _check_extents(directory, structure.file_bytes)
        if structure.is_dng and not of_directory:  # Kodak calls other data so
            of_directory = _check_lossless_jpegs(path, directory)
        findings += of_directory
    return findings


def _check_body(structure: tiff.TiffStructure, expected: ExpectedFile) -> list[Finding]:
    make, model = structure.find_text(tiff.MAKE), structure.find_text(tiff.MODEL)
    if make is None and structure.is_dng:
        return [Finding("no-make", {}, "The file does not say which make of camera wrote it.")]
    return [
        Finding(
            f"wrong-{name}",
            {name: found, f"registered_{name}": registered},
            f"The file's {name} is {found!r}, the registered camera's is {registered!r}.",
        )
        for name, found, registered in (
            ("make", make, expected.make),
            ("model", model, expected.model),
        )
        if found is not None and registered is not None and found != registered
    ]


def _check_extents(directory: tiff.Directory, file_bytes: int) -> list[Finding]:
    extents = directory.extents()
    if not extents:
        return []
    end = max(offset + length for offset, length in extents)
    if end > file_bytes:
        return [
            Finding(
                "extent-outside",
                {"extents_end": end, "bytes": file_bytes},
                f"The image data reach to byte {end}, but the file ends at {file_bytes}:"
                " it was cut short.",
            )
        ]
    width, height = directory.integer(tiff.IMAGE_WIDTH), directory.integer(tiff.IMAGE_LENGTH)
    bits = directory.integer(tiff.BITS_PER_SAMPLE)
    if not width or not height or not bits:
        return []
    if directory.integer(tiff.PHOTOMETRIC) != tiff.PHOTOMETRIC_CFA:
        return []
    stored = sum(length for _, length in extents)
    compression = directory.integer(tiff.COMPRESSION)
    if compression == tiff.UNCOMPRESSED:
        needed = height * -(-width * bits // 8)
    elif compression == _LOSSLESS_JPEG:
        needed = round(width * height * _MIN_LOSSLESS_BYTES_PER_PHOTOSITE)
    else:
        return []
    if stored >= needed:
        return []
    return [
        Finding(
            "header-only",
            {"image_bytes": stored, "least_bytes": needed, "width": width, "height": height},
            f"The file holds {stored} bytes of image data; {width} x {height} photosites need at"
            f" least {needed}.",
        )
    ]


def _check_lossless_jpegs(path: Path, directory: tiff.Directory) -> list[Finding]:
    """Find strips and tiles that do not begin as a JPEG: LibRaw leaves their photosites as is."""
    is_mosaic = directory.integer(tiff.PHOTOMETRIC) == tiff.PHOTOMETRIC_CFA
    if not is_mosaic or directory.integer(tiff.COMPRESSION) != _LOSSLESS_JPEG:
        return []
    extents = directory.extents()
    broken = 0
    with path.open("rb") as file:
        for offset, _ in extents:
            file.seek(offset)
            broken += file.read(len(_JPEG_MAGIC)) != _JPEG_MAGIC
    if not broken:
        return []
    numbers: dict[str, int | float | str] = {"broken_tiles": broken, "tiles": len(extents)}
    sentence = f"{broken} of {len(extents)} tiles of image data do not begin as they must."
    return [Finding("broken-tiles", numbers, sentence)]


def _examine_jpeg(path: Path, findings: list[Finding], *, is_of_known_camera: bool) -> Examination:
    data = path.read_bytes()
    # cameras pad files after the end marker, so it need not come last
    is_cut = data.rfind(_END_OF_IMAGE) < data.rfind(_START_OF_SCAN) or _START_OF_SCAN not in data
    if is_cut:
        findings.append(
            Finding(
                "no-end-of-image",
                {"bytes": len(data)},
                "The JPEG has no end-of-image marker: it was cut short.",
            )
        )
    try:
        luma = read_jpeg_luma(path)
    except FrameError as error:
        return Examination("jpeg", [*findings, _unreadable(error, path)])
    height, width = luma.shape
    if not is_of_known_camera and max(width, height) < _MIN_IMAGE_SIDE:
        findings.append(
            Finding(
                "thumbnail-sized",
                {"width": width, "height": height, "least_longer_side": _MIN_IMAGE_SIDE},
                f"The image has {width} x {height} pixels, as thumbnails have.",
            )
        )
    measures = FrameMeasures() if is_cut else measure_luma(luma)
    return Examination("jpeg", findings, width, height, measures=measures)


def _unreadable(error: FrameError, path: Path) -> Finding:
    reason = str(error).removeprefix(f"{path} ")
    return Finding("unreadable", {}, f"The file {reason}.")
