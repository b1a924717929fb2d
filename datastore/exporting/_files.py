"""Moving bytes out of the store: nothing is exported that has another hash than its name."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from datastore.durable import sync_folder
from datastore.errors import AssetCorruptError, AssetMissingError
from datastore.exporting._items import Item
from datastore.store import LocalStore

_CHUNK_BYTES = 1 << 20
_REMEDY = "see `agetrace store verify` and `agetrace store repair`, then export again to go on"

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Work:
    """What a format gets to work with.

    Attributes
    ----------
    store
        Where the files come from.
    plan
        The items in their order; see `read_plan`.
    count
        How many these are.
    labels
        Names of the classes in their order.
    folder
        Where the export goes.
    unfinished
        Where files are made before they get their names in `folder`; of the same file system.
    metadata
        What tables carry about themselves.
    advance
        Called with how many items are done, and how many there are.
    """

    store: LocalStore
    plan: Path
    count: int
    labels: tuple[str, ...]
    folder: Path
    unfinished: Path
    metadata: dict[str, str]
    advance: Progress


class HashingReader:
    """A file whose bytes are hashed as they are read."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """Read as a file does."""
        data = self._source.read(size)
        self._digest.update(data)
        return data

    def require(self, item: Item) -> None:
        """Make sure that what was read are the item's bytes and that nothing follows them."""
        if self._source.read(1) or self._digest.hexdigest() != item.sha256:
            raise _damaged(item)


@contextmanager
def opened(store: LocalStore, item: Item) -> Iterator[HashingReader]:
    """Open an item's file for one reading from beginning to end, and judge what was read.

    Raises
    ------
    AssetMissingError, AssetCorruptError
        If the store does not hold it, or holds other bytes.
    """
    try:
        file = store.open(item.sha256)
    except AssetMissingError as error:
        raise AssetMissingError(f"{error}: {_REMEDY}") from None
    with file:
        if os.fstat(file.fileno()).st_size != item.bytes:
            raise _damaged(item)
        reader = HashingReader(file)
        yield reader
        reader.require(item)


def copy(store: LocalStore, item: Item, target: BinaryIO | None) -> None:
    """Read an item's file to its end, into `target` where there is one; raises as `opened`."""
    with opened(store, item) as reader:
        while chunk := reader.read(_CHUNK_BYTES):
            if target is not None:
                target.write(chunk)


def read_bytes(store: LocalStore, item: Item) -> bytes:
    """Return an item's bytes; raises as `opened`."""
    with opened(store, item) as reader:
        return reader.read()


@contextmanager
def new_file(work: Work, name: str) -> Iterator[BinaryIO]:
    """Make a file that gets its name below the export's folder once it is whole and durable."""
    partial = new_partial(work)
    try:
        with partial.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        settle(partial, work.folder / name)
    finally:
        partial.unlink(missing_ok=True)


def new_partial(work: Work) -> Path:
    """Return where to make a file; nothing is there.

    What a killed run left may be a hard link to the store's own file: never write into it.
    """
    partial = work.unfinished / "partial"
    partial.unlink(missing_ok=True)
    return partial


def settle(partial: Path, final: Path) -> None:
    """Give a whole file its name, durably."""
    final.parent.mkdir(parents=True, exist_ok=True)
    partial.replace(final)
    sync_folder(final.parent)


def sha256_of(path: Path) -> str:
    """Return the hash of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _damaged(item: Item) -> AssetCorruptError:
    return AssetCorruptError(
        f"the store's file {item.sha256} (shot {item.shot_id}) is damaged and was not exported:"
        f" {_REMEDY}"
    )
