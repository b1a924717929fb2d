"""Grids that were read once, kept by the hash of their file; decodes nothing."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np

from training.baselines.features import DEFINITION, Grid
from training.files import write_atomically

SHAPE: Final = (4, 32, 32)
QUOTA_BYTES: Final = 4 << 30
"""A quarter of a million frames."""

_KEPT_SHARE: Final = 0.9


class GridCache:
    """A folder of grids, 16 KB each; several processes may share it.

    A disk that is full or may not be written to costs the next reader time, nobody anything else.

    Parameters
    ----------
    folder
        Made when missing. Grids of another definition of the features are not looked at.
    quota_bytes
        What `trim` leaves at most.
    report
        Called once, with a sentence, where nothing can be kept.
    """

    def __init__(
        self,
        folder: Path,
        *,
        quota_bytes: int = QUOTA_BYTES,
        report: Callable[[str], None] | None = None,
    ) -> None:
        self._folder = folder / DEFINITION
        self._quota_bytes = quota_bytes
        self._report = report
        self._is_closed = False

    def get(self, sha256: str) -> Grid | str | None:
        """Return a file's grids, or why it cannot be read; None where neither is known."""
        path = self._path(sha256)
        try:
            found = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None  # not there, or cut off by what could not finish it
        with contextlib.suppress(OSError):
            os.utime(path)
        if found.shape == SHAPE:
            return found.astype(np.float64)
        return str(found) if found.dtype.kind == "U" else None

    def put(self, sha256: str, found: Grid | str) -> Grid | str:
        """Keep a file's grids, or why it cannot be read; return them as `get` will."""
        content = np.array(found) if isinstance(found, str) else found.astype(np.float32)
        if not self._is_closed:
            try:
                write_atomically(
                    self._path(sha256),
                    lambda opened: np.save(opened, content, allow_pickle=False),
                )
            except OSError as error:
                self._is_closed = True
                if self._report is not None:
                    self._report(
                        f"{self._folder} cannot be written ({error.strerror}): frames will be"
                        " decoded again next time"
                    )
        return found if isinstance(found, str) else content.astype(np.float64)

    def trim(self) -> None:
        """Remove those that were used longest ago, where all take more than the quota."""
        files = []
        for path in self._folder.glob("??/*.npy"):
            with contextlib.suppress(FileNotFoundError):
                facts = path.stat()
                files.append((facts.st_mtime_ns, facts.st_size, path))
        used = sum(size for _, size, _ in files)
        if used <= self._quota_bytes:
            return
        for _, size, path in sorted(files):
            if used <= self._quota_bytes * _KEPT_SHARE:
                return
            with contextlib.suppress(OSError):
                path.unlink()
                used -= size

    def _path(self, sha256: str) -> Path:
        return self._folder / sha256[:2] / f"{sha256}.npy"
