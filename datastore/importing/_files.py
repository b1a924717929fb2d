"""Which files of a folder belong together; opens none but to look at how it begins."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from datastore.frames import begins_like_image
from datastore.importing._options import FILE_SIDECAR_SUFFIX, FOLDER_SIDECAR
from datastore.importing._report import ImportEntry

_JPEG_SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe"})
_MOSAIC_SUFFIXES = frozenset(
    {
        ".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".fit", ".fits", ".fts",
        ".iiq", ".k25", ".kdc", ".mef", ".mos", ".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf",
        ".raw", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".tif", ".tiff", ".x3f",
    }
)  # fmt: skip


@dataclass(frozen=True)
class FileGroup:
    """The files of one shutter release: a mosaic, a JPEG, or both of one name in one folder."""

    files: tuple[Path, ...]


def walk(folder: Path) -> Iterator[FileGroup | ImportEntry]:
    """Give the groups of image files below a folder, and the entries of files that are none.

    Links are not followed: they may lead anywhere.
    """
    refused: list[ImportEntry] = []

    def refuse(error: OSError) -> None:
        name = printable(Path(error.filename).relative_to(folder))
        sentence = f"The folder cannot be read: {error.strerror}."
        refused.append(ImportEntry(name, "unreadable", sentence))

    for place, folders, names in os.walk(folder, onerror=refuse):
        folders.sort()
        yield from refused
        refused.clear()
        images: list[Path] = []
        for path in (Path(place) / name for name in sorted(names)):
            entry = _passed_over(path, folder)
            if entry is None:
                images.append(path)
            elif not _is_sidecar(path, names):
                yield entry
        yield from _grouped(images)
    yield from refused


def is_jpeg_name(path: Path) -> bool:
    """Return whether a file is called a JPEG."""
    return path.suffix.lower() in _JPEG_SUFFIXES


def printable(path: Path) -> str:
    """Return a path as text without control characters and undecodable bytes."""
    text = path.as_posix().encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def _passed_over(path: Path, folder: Path) -> ImportEntry | None:
    """Return the entry of a file that is not taken for an image, None for one that is."""
    name = printable(path.relative_to(folder))
    try:
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            return ImportEntry(name, "skipped", "The file is a link.")
        if not stat.S_ISREG(mode):
            return ImportEntry(name, "skipped", "The file is no regular file.")
        if path.suffix.lower() in _JPEG_SUFFIXES | _MOSAIC_SUFFIXES or begins_like_image(path):
            return None
    except OSError as error:
        return ImportEntry(name, "unreadable", f"The file cannot be read: {error.strerror}.")
    return ImportEntry(name, "skipped", "The file is no image.")


def _is_sidecar(path: Path, names: list[str]) -> bool:
    if path.name == FOLDER_SIDECAR:
        return True
    return path.name.endswith(FILE_SIDECAR_SUFFIX) and (
        path.name.removesuffix(FILE_SIDECAR_SUFFIX) in names
    )


def _grouped(images: list[Path]) -> Iterator[FileGroup]:
    """Pair every JPEG with the one mosaic of its stem; all others stand alone."""
    stems: dict[str, list[Path]] = {}
    for path in images:
        stems.setdefault(path.stem, []).append(path)
    for paths in stems.values():
        jpegs = [path for path in paths if is_jpeg_name(path)]
        mosaics = [path for path in paths if not is_jpeg_name(path)]
        if len(jpegs) == len(mosaics) == 1:
            yield FileGroup((mosaics[0], jpegs[0]))
        else:
            yield from (FileGroup((path,)) for path in paths)
