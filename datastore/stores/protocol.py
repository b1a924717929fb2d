"""What every asset store can do, be it a folder or a bucket; knows no database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Literal, Protocol

from datastore._names import StoredName
from datastore.store import StoredFile

__all__ = ["AssetStore", "StoreKind", "StoredFile", "StoredName"]

StoreKind = Literal["local", "s3"]


class AssetStore(Protocol):
    """Content-addressed files, `sha256/ab/cd/<hex>`, whole and durable once put."""

    @property
    def name(self) -> str:
        """Name of the store in the catalogue."""
        ...

    @property
    def kind(self) -> StoreKind:
        """Whether it is a folder of this host or a bucket."""
        ...

    @property
    def place(self) -> str:
        """Where it is, in words for people and without secrets."""
        ...

    def contains(self, sha256: str) -> bool:
        """Return whether the store holds a file of this name; its bytes are not read.

        Raises
        ------
        InvalidHashError
            If `sha256` is not 64 lower-case hexadecimal digits; no other text reaches a path.
        StoreUnavailableError
            If the store cannot be reached.
        """
        ...

    def put_file(self, path: Path, *, sha256: str | None = None) -> StoredFile:
        """Put a file into the store, durably; putting it again changes nothing.

        What lies under its name already and has other bytes is set aside first.

        Raises
        ------
        AssetCorruptError
            If the bytes have another hash than `sha256`, before or after the way to the store.
        StoreFullError
            If there is no room.
        StoreUnavailableError
            If the store cannot be reached, or refuses.
        """
        ...

    def put_stream(self, source: BinaryIO, *, sha256: str) -> StoredFile:
        """Put what a file gives from where it stands to its end; otherwise as `put_file`.

        Errors of reading `source` pass through, and leave nothing behind.
        """
        ...

    def open(self, sha256: str) -> BinaryIO:
        """Open a file of the store for reading from its beginning, without verifying it.

        Raises
        ------
        AssetMissingError
            If the store does not hold it.
        StoreUnavailableError
            If the store cannot be reached.
        """
        ...

    def set_aside(self, sha256: str) -> str:
        """Move a damaged file out of the way, and return where it lies from now on.

        Damaged bytes are evidence and are kept.

        Raises
        ------
        AssetMissingError
            If the store does not hold it.
        StoreUnavailableError
            If the store cannot be reached.
        """
        ...

    def names(self, after: str = "") -> Iterator[StoredName]:
        """Return the files in the order of their hashes, those behind `after`."""
        ...

    def free_bytes(self) -> int | None:
        """Return the free space in bytes, None where the store has no such bound."""
        ...
