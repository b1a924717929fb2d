"""A local store on a disk that may come and go; its folder holds a sign with the store's name.

An empty mount point looks like a store that lost every file, and takes files onto the wrong disk.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from datastore._names import StoredName
from datastore.durable import sync_folder, write_durably
from datastore.errors import AssetMissingError, StoreSettingsError, StoreUnavailableError
from datastore.store import LocalStore
from datastore.stores.description import LocalDescription

_SIGN = "agetrace-store"


class MountedStore(LocalStore):
    """A local store that knows its own folder from an empty one of the same path.

    Whatever is missing, and every folder that is to be made, has it look for its sign first, and
    raise StoreUnavailableError where that is not there.
    """

    def contains(self, sha256: str) -> bool:
        """Return whether the store holds a file of this name; its bytes are not read."""
        if super().contains(sha256):
            return True
        require_sign(self.name, self.root)
        return False

    def open(self, sha256: str) -> BinaryIO:
        """Open a file of the store for reading, without verifying it."""
        try:
            return super().open(sha256)
        except AssetMissingError:
            require_sign(self.name, self.root)
            raise

    def names(self, after: str = "") -> Iterator[StoredName]:
        """Return the files in the order of their hashes, those behind `after`."""
        return self._checked(super().names(after))

    def _checked(self, names: Iterator[StoredName]) -> Iterator[StoredName]:
        yield from names
        # a disk that went away meanwhile looks like the end of the list
        require_sign(self.name, self.root)

    def _make_folder(self, folder: Path) -> None:
        if not folder.is_dir():
            require_sign(self.name, self.root)
        super()._make_folder(folder)


def open_mounted_store(name: str, description: LocalDescription) -> MountedStore:
    """Open a local store.

    Raises
    ------
    StoreSettingsError
        If the folder belongs to another store.
    StoreUnavailableError
        If it is not there: its disk may not be mounted.
    """
    require_sign(name, description.root)
    return MountedStore(description.root, name)


def create_local_store(name: str, description: LocalDescription) -> MountedStore:
    """Make the folder of a local store, with the name of the store in it; an own one is kept.

    Raises
    ------
    StoreSettingsError
        If the folder belongs to another store, or cannot be made.
    """
    root = description.root
    sign = root / _SIGN
    try:
        root.mkdir(parents=True, exist_ok=True)
        if not sign.exists():
            write_durably(sign, f"{name}\n".encode())
            sync_folder(root.parent)
    except OSError as error:
        raise StoreSettingsError(f"{root}: no store can be made there: {error.strerror}") from None
    return open_mounted_store(name, description)


def require_sign(name: str, root: Path) -> None:
    """Have a folder be that of the store of this name; raises as `open_mounted_store` does."""
    try:
        found = (root / _SIGN).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise StoreUnavailableError(
            f"the store {name} is not at {root} ({_SIGN}: {error.strerror}): is its disk mounted? A"
            f" new disk for it needs the file {_SIGN} with the name {name}"
        ) from None
    if found != name:
        raise StoreSettingsError(f"{root} belongs to the store {found!r}, not to {name!r}")
