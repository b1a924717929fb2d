"""Keeps the daemon from working on a file that is no longer the catalogue; knows no table."""

from __future__ import annotations

from pathlib import Path

from datastore.catalogue import Catalogue
from datastore.engine import parse_url, sqlite_path
from datastore.errors import CatalogueUnavailableError


class CatalogueGuard:
    """Looks whether the file of an SQLite catalogue is in its place, and still the same file.

    An open connection goes on writing to a file that was moved away or replaced, and a new one
    would begin an empty catalogue in its place. PostgreSQL's connections fail by themselves.

    Parameters
    ----------
    catalogue
        Open; its connections are closed when its file was replaced.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._file = sqlite_path(parse_url(catalogue.url))
        self._seen = None if self._file is None else _identity(self._file)

    def require(self) -> None:
        """Make sure that the catalogue is where it was.

        Raises
        ------
        CatalogueUnavailableError
            If its file is not there.
        """
        if self._file is None:
            return
        found = _identity(self._file)
        if found is None:
            raise CatalogueUnavailableError(
                f"the catalogue {self._file} is not there: move it back, or stop the daemon"
            )
        if found != self._seen:
            self._catalogue.close()
            self._seen = found


def _identity(file: Path) -> tuple[int, int] | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
