"""Logs of jobs: what a command said, in files of bounded size below one folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO, Final

from capture.daemon.job_errors import JobLogError

LOG_BYTES: Final = 8 << 20
"""A log keeps the last half of this at least, and never takes more."""

_EARLIER: Final = ".earlier"


def log_name(job_name: str, job_uuid: str, attempt: int) -> str:
    """Return the path of an attempt's log, relative to the folder of logs."""
    return f"jobs/{job_name}/{job_uuid}.{attempt}.log"


def log_path(folder: Path, name: str) -> Path:
    """Return where a log lies.

    Raises
    ------
    JobLogError
        If that is not below the folder of logs.
    """
    root = folder.resolve()
    path = (root / name).resolve()
    if not path.is_relative_to(root) or path == root:
        raise JobLogError(f"the log {name!r} does not lie below {root}")
    return path


class BoundedLog:
    """A file that is appended to; when half is full, only the newest half of it is kept.

    Parameters
    ----------
    path
        The file, which may hold what an attempt said that was broken off; its folder is made.
    most_bytes
        Size of both halves together.

    Raises
    ------
    OSError
        If it cannot be written.
    """

    def __init__(self, path: Path, most_bytes: int = LOG_BYTES) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._half_bytes = most_bytes // 2
        self._file: BinaryIO = path.open("ab", buffering=0)
        self._written = os.fstat(self._file.fileno()).st_size

    def write(self, data: bytes) -> None:
        """Append to the log; OSError where the disk is full."""
        while data:
            if self._written >= self._half_bytes:
                self._file.close()
                self._path.replace(_earlier(self._path))
                self._file = self._path.open("wb", buffering=0)
                self._written = 0
            count = self._file.write(data[: self._half_bytes - self._written])
            self._written += count
            data = data[count:]

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read_end(path: Path, most_bytes: int) -> str:
    """Return the end of a log, at most that many bytes of it; empty where there is none."""
    data = b""
    for part in (path, _earlier(path)):
        missing = most_bytes - len(data)
        if missing > 0 and part.is_file():
            with part.open("rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - missing))
                data = file.read(missing) + data
    return data.decode(errors="replace")


def _earlier(path: Path) -> Path:
    return path.with_name(path.name + _EARLIER)
