"""The door: command line, settings, pages and the demo; it may import every other room."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from datastore.catalogue import Catalogue

__all__ = ["__version__", "open"]

__version__ = "0.1.0"


def open(home: str | Path | None = None, *, read_only: bool = True) -> Catalogue:  # noqa: A001
    """Open the catalogue of a home, as notebooks do; `catalogue.shots` selects its shots.

    The catalogue and the store are those that the home's settings name, or `AGETRACE_DATABASE_URL`
    for the catalogue.

    Parameters
    ----------
    home
        Folder of the home; that of `AGETRACE_HOME`, else the current folder, where it is not given.
    read_only
        Whether nothing can be written, which is safe beside a running daemon.

    Raises
    ------
    agetrace.errors.HomeError
        If the folder is no home.
    datastore.errors.DatastoreError
        If there is no catalogue, it is of another revision, or cannot be reached.

    Examples
    --------
    >>> shots = agetrace.open("lab").shots
    >>> shots.where(kind="dark-field", verdict="accepted").to_pandas()
    """
    import os
    from pathlib import Path

    from agetrace.settings import load_home
    from datastore.catalogue import open_catalogue

    folder = home if home is not None else os.environ.get("AGETRACE_HOME", ".")
    found = load_home(Path(folder))
    return open_catalogue(found.database_url, found.store_root, read_only=read_only)
