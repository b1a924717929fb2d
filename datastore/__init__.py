"""The catalogue, the asset store, queries, datasets, import, export and integrity."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from datastore.catalogue import Catalogue

__all__ = ["open"]


def open(  # noqa: A001 - `datastore.open(...)` is what people type
    place: str | Path, store: str | Path | None = None, *, read_only: bool = True
) -> Catalogue:
    """Open a catalogue for queries; `catalogue.shots` selects its shots.

    Parameters
    ----------
    place
        URL of the database, or an SQLite file.
    store
        Folder of the local asset store; `store` beside an SQLite file where it is not given. A
        catalogue on PostgreSQL without it tells paths below `store` in the current folder.
    read_only
        Whether nothing can be written, which is safe beside a running daemon and on files that may
        not be written to.

    Raises
    ------
    datastore.errors.DatastoreError
        If there is no catalogue, it is of another revision, or cannot be reached.

    Examples
    --------
    >>> catalogue = datastore.open("lab/catalogue.sqlite")
    >>> catalogue.shots.where(kind="dark-field", iso=[100, 200]).count()
    """
    from pathlib import Path

    from datastore.catalogue import open_catalogue
    from datastore.engine import parse_url, sqlite_path

    text = str(place)
    url = text if "://" in text else f"sqlite:///{Path(text).absolute()}"
    file = sqlite_path(parse_url(url))
    beside = Path("store") if file is None else file.absolute().parent / "store"
    return open_catalogue(url, beside if store is None else Path(store), read_only=read_only)
