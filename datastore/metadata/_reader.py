"""The choice of reader: exiftool where it is installed, exifread otherwise, FITS by its header."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from datastore.frames import FrameError
from datastore.metadata._exifread import ExifRead
from datastore.metadata._exiftool import ExifTool
from datastore.metadata._facts import FileMetadata
from datastore.metadata._fits import FitsHeaders

_FITS_MAGIC = b"SIMPLE  ="
_LINE_ENDS = frozenset("\r\n")


class MetadataReader:
    """Reads what files say of themselves, file after file; a context manager.

    Parameters
    ----------
    prefer
        ``exifread`` to do without exiftool even where it is installed.
    deadline_s
        Longest time for one file, in seconds.
    """

    def __init__(
        self, *, prefer: Literal["exiftool", "exifread"] = "exiftool", deadline_s: float = 20.0
    ) -> None:
        executable = shutil.which("exiftool") if prefer == "exiftool" else None
        self._exiftool = executable and ExifTool(executable, deadline_s=deadline_s)
        self._exifread = ExifRead(deadline_s=deadline_s)
        self._fits = FitsHeaders(deadline_s=deadline_s)

    def __enter__(self) -> Self:
        """Return the reader; its processes start when they are needed."""
        return self

    def start(self) -> None:
        """Start the process that RAW files and JPEGs need, without waiting until it is ready."""
        (self._exiftool or self._exifread).start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the processes."""
        for reader in (self._exiftool, self._exifread, self._fits):
            if reader:
                reader.close()

    def read(self, path: Path) -> FileMetadata:
        """Read what a file says of itself; a file without metadata says nothing.

        Raises
        ------
        DecodingStoppedError
            If the reader crashed or ran past its deadline.
        FrameError
            If the file is missing or its metadata cannot be read.
        """
        try:
            with path.open("rb") as file:
                magic = file.read(len(_FITS_MAGIC))
        except OSError as error:
            raise FrameError(f"{path} cannot be read: {error.strerror}") from error
        if magic == _FITS_MAGIC:
            return self._fits.read(path)
        # exiftool takes a line for an argument
        if self._exiftool and _LINE_ENDS.isdisjoint(str(path)):
            return self._exiftool.read(path)
        return self._exifread.read(path)


def read_metadata(path: Path) -> FileMetadata:
    """Read what one file says of itself; for many files use `MetadataReader`.

    Raises
    ------
    DecodingStoppedError
        If the reader crashed or ran past its deadline.
    FrameError
        If the file is missing or its metadata cannot be read.
    """
    with MetadataReader() as reader:
        return reader.read(path)
