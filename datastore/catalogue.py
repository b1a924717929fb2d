"""The catalogue: opening it, and transactions that read or write; knows no table."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.orm import Session

from datastore.engine import Engines, create_engines, parse_url, translated_errors
from datastore.errors import CatalogueReadOnlyError
from datastore.revision import require_expected_revision
from datastore.store import LocalStore

if TYPE_CHECKING:
    from datastore.selections import Selection


class Catalogue:
    """An open catalogue with its asset store; made by `open_catalogue`.

    Parameters
    ----------
    engines
        Engines of a database at the expected revision.
    store
        The local store that keeps the files which the rows speak of.
    is_read_only
        Whether writing is refused.
    """

    def __init__(self, engines: Engines, store: LocalStore, *, is_read_only: bool = False) -> None:
        self._engines = engines
        self.store = store
        self.is_read_only = is_read_only

    @property
    def url(self) -> str:
        """The database's URL with its password hidden."""
        return self._engines.write.url.render_as_string(hide_password=True)

    @property
    def shots(self) -> Selection:
        """All shots, as a selection to narrow down."""
        from datastore.selections import Selection

        return Selection(self)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Open a transaction that sees one snapshot and can write nothing."""
        with (
            translated_errors(self._engines.read.url),
            Session(self._engines.read, autoflush=False, expire_on_commit=False) as session,
        ):
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """Open a transaction that commits at the end of the block, or rolls back on an error.

        It holds SQLite's one write lock from its beginning, so keep it short and never open a
        second one inside it. Objects keep their values after the commit.

        Raises
        ------
        CatalogueBusyError
            If another process held the lock for too long.
        CatalogueFullError
            If the disk is full; the transaction was rolled back.
        CatalogueReadOnlyError
            If the catalogue was opened for reading only.
        """
        if self.is_read_only:
            raise CatalogueReadOnlyError(
                f"{self.url} was opened for reading only: open it with read_only=False"
            )
        with (
            translated_errors(self._engines.write.url),
            Session(self._engines.write, expire_on_commit=False) as session,
            session.begin(),
        ):
            session.connection()
            yield session

    def close(self) -> None:
        """Close every connection; the catalogue can be opened again."""
        self._engines.dispose()

    def __enter__(self) -> Catalogue:
        """Return the catalogue itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the catalogue."""
        self.close()


def open_catalogue(url: str, store_root: Path, *, read_only: bool = False) -> Catalogue:
    """Open an existing catalogue.

    Parameters
    ----------
    url
        `sqlite:////folder/catalogue.sqlite` or `postgresql+psycopg://user@host/database`.
    store_root
        Folder of the local asset store; it need not exist yet.
    read_only
        Whether writing is refused, and an SQLite file opened that this process may not write to.

    Raises
    ------
    NoCatalogueError
        If there is none; the message says how to make one.
    RevisionMismatchError
        If it has another revision than this program's; the message names the command.
    NetworkFileSystemError
        If an SQLite catalogue lies on a network file system.
    CatalogueUnavailableError
        If the database cannot be reached.
    """
    parsed = parse_url(url)
    engines = create_engines(parsed, read_only=read_only)
    try:
        with translated_errors(parsed), engines.read.connect() as connection:
            require_expected_revision(connection)
    except BaseException:
        engines.dispose()
        raise
    return Catalogue(engines, LocalStore(store_root), is_read_only=read_only)
