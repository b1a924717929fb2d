"""The local asset store: files by the hash of their bytes, durable once put; knows no database.

A file is written beside its place, flushed to the disk, named in one step, and the folder that
names it is flushed too. What has its final name is therefore whole, whatever was killed or cut off.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Literal

from datastore._hashing import hash_file
from datastore._names import StoredName, list_names, require_sha256
from datastore.durable import FULL_DISK_ERRORS, sync_folder
from datastore.errors import (
    AssetCorruptError,
    AssetMissingError,
    StoreFullError,
)

LOCAL_STORE = "local"
"""Name of the store that every home has."""

_NO_LINK = frozenset({errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.EACCES})


@dataclass(frozen=True)
class StoredFile:
    """What the store made of a file: its hash and its size."""

    sha256: str
    bytes: int


class LocalStore:
    """Content-addressed files in a folder of this host, `sha256/ab/cd/<hex>`.

    Parameters
    ----------
    root
        Folder of the store; made on the first put.
    name
        Name of the store in the catalogue.
    """

    def __init__(self, root: Path, name: str = LOCAL_STORE) -> None:
        self.root = root
        self._name = name
        self._unfinished = root / "unfinished"
        self._quarantine = root / "quarantine"

    @property
    def name(self) -> str:
        """Name of the store in the catalogue."""
        return self._name

    @property
    def kind(self) -> Literal["local"]:
        """A folder of this host."""
        return "local"

    @property
    def place(self) -> str:
        """The folder."""
        return str(self.root)

    def path(self, sha256: str) -> Path:
        """Return where the file of this hash lies or would lie.

        Raises
        ------
        InvalidHashError
            If `sha256` is not 64 lower-case hexadecimal digits; no other text reaches a path.
        """
        require_sha256(sha256)
        return self.root / "sha256" / sha256[:2] / sha256[2:4] / sha256

    def contains(self, sha256: str) -> bool:
        """Return whether the store holds a file of this name; its bytes are not read."""
        return self.path(sha256).is_file()

    def put_file(
        self,
        path: Path,
        *,
        sha256: str | None = None,
        keep_source: bool = True,
        is_verified: bool = False,
    ) -> StoredFile:
        """Put a file into the store, durably; putting it again changes nothing.

        Parameters
        ----------
        path
            The file to put.
        sha256
            The hash that it must have, where it is known already.
        keep_source
            False where the caller gives the file up and never writes to it again: on one file
            system it is then linked instead of copied. The caller removes its own name for it,
            after the row that speaks of the asset is committed.
        is_verified
            True where the caller has just read the file and found `sha256`: one that can be linked
            is not read again.

        Raises
        ------
        AssetCorruptError
            If the bytes have another hash than `sha256`.
        StoreFullError
            If the disk is full; nothing is left behind.
        """
        with path.open("rb") as source:
            if keep_source:
                return self._put_copy(source, sha256, str(path))
            if is_verified and sha256 is not None:
                stored = StoredFile(sha256, os.fstat(source.fileno()).st_size)
            else:
                stored = StoredFile(*hash_file(source))
                _require_hash(stored, sha256, str(path))
            if not self._put_link(path, source, stored):
                source.seek(0)
                return self._put_copy(source, stored.sha256, str(path))
            return stored

    def put_stream(self, source: BinaryIO, *, sha256: str) -> StoredFile:
        """Put what a file gives from where it stands to its end, durably; see `put_file`.

        Raises
        ------
        AssetCorruptError
            If the bytes have another hash than `sha256`; nothing is left behind.
        StoreFullError
            If the disk is full; nothing is left behind.
        """
        return self._put_copy(source, require_sha256(sha256), "what was read")

    def put_bytes(self, data: bytes) -> StoredFile:
        """Put bytes into the store, durably; raises StoreFullError if the disk is full."""
        return self._put_copy(BytesIO(data), None, f"{len(data)} bytes")

    def open(self, sha256: str) -> BinaryIO:
        """Open a file of the store for reading, without verifying it.

        Raises
        ------
        AssetMissingError
            If the store does not hold it.
        """
        try:
            return self.path(sha256).open("rb")
        except FileNotFoundError:
            raise AssetMissingError(f"the store {self.root} does not hold {sha256}") from None

    def verify(self, sha256: str) -> StoredFile:
        """Read a file of the store and compare its bytes with its name.

        Raises
        ------
        AssetMissingError
            If the store does not hold it.
        AssetCorruptError
            If its bytes have another hash.
        """
        with self.open(sha256) as file:
            stored = StoredFile(*hash_file(file))
        _require_hash(stored, sha256, str(self.path(sha256)))
        return stored

    def read_bytes(self, sha256: str) -> bytes:
        """Return the verified bytes of a file of the store; raises as `verify` does."""
        with self.open(sha256) as file:
            data = file.read()
        found = StoredFile(hashlib.sha256(data).hexdigest(), len(data))
        _require_hash(found, sha256, str(self.path(sha256)))
        return data

    def set_aside(self, sha256: str) -> str:
        """Move a damaged file out of the way, and return where it lies from now on.

        Damaged bytes are evidence and are kept.

        Raises
        ------
        AssetMissingError
            If the store does not hold it.
        """
        damaged = self.path(sha256)
        self._make_folder(self._quarantine)
        kept = self._quarantine / f"{sha256}.{uuid.uuid4().hex}"
        try:
            damaged.rename(kept)
        except FileNotFoundError:
            raise AssetMissingError(f"the store {self.root} does not hold {sha256}") from None
        sync_folder(self._quarantine)
        sync_folder(damaged.parent)
        return str(kept)

    def set_aside_unused(self, sha256: str, untouched_since: datetime) -> str | None:
        """Move a file that nobody seems to need out of the way, and return where it lies then.

        Whoever puts the same bytes at this moment either marks the file as wanted before, or puts
        it anew afterwards.

        Parameters
        ----------
        sha256
            The file.
        untouched_since
            A file that was put, or put again, at this time or later stays.

        Returns
        -------
        str or None
            None where the file stays or is not there.
        """
        with self._naming(alone=True):
            try:
                status = self.path(sha256).stat()
            except FileNotFoundError:
                return None
            # a link of an old file is new itself, and only the second time tells
            touched_s = max(status.st_mtime, status.st_ctime)
            if touched_s >= untouched_since.timestamp():
                return None
            return self.set_aside(sha256)

    def set_aside_before(self, sha256: str) -> list[Path]:
        """Return where damaged files of this name lie, the oldest first."""
        name = self.path(sha256).name
        found = self._quarantine.glob(f"{name}.*") if self._quarantine.is_dir() else ()
        return sorted(found, key=lambda file: file.stat().st_mtime)

    def names(self, after: str = "") -> Iterator[StoredName]:
        """Return the files in the order of their hashes, those behind `after`.

        One folder's names are in memory at a time. What is no file of the store's own is passed
        over: folders and links, names that are no hash or lie in another hash's folder.

        Parameters
        ----------
        after
            A hash, which need not be one of the store's; empty for all files.
        """
        return list_names(self.root / "sha256", after)

    def free_bytes(self) -> int:
        """Return the free space of the store's disk for this user, in bytes."""
        place = self.root
        while not place.exists():
            place = place.parent
        return shutil.disk_usage(place).free

    def discard_unfinished(self, older_than_s: float) -> int:
        """Remove what killed processes left unfinished, and return how many files that were.

        Parameters
        ----------
        older_than_s
            Files that were written to more recently are left alone: they may be in work.
        """
        stale = self.unfinished(older_than_s)
        for file in stale:
            file.unlink(missing_ok=True)
        return len(stale)

    def unfinished(self, older_than_s: float) -> list[Path]:
        """Return what killed processes left unfinished; see `discard_unfinished`."""
        if not self._unfinished.is_dir():
            return []
        oldest = time.time() - older_than_s
        stale = []
        for file in self._unfinished.iterdir():
            # it may be finished meanwhile
            with suppress(FileNotFoundError):
                # an old file that is on its way into the store was linked there only now
                if file.stat().st_ctime <= oldest:
                    stale.append(file)
        return stale

    def _put_copy(self, source: BinaryIO, expected: str | None, name: str) -> StoredFile:
        with self._unfinished_file() as (partial, target):
            stored = StoredFile(*hash_file(source, target))
            _require_hash(stored, expected, name)
            target.flush()
            os.fchmod(target.fileno(), 0o444)
            os.fsync(target.fileno())
            self._settle(partial, stored.sha256)
        return stored

    def _put_link(self, path: Path, source: BinaryIO, stored: StoredFile) -> bool:
        """Link `path` into its place; False where the file system cannot."""
        with _full_disk_reported(self.root):
            self._make_folder(self._unfinished)
            partial = self._unfinished / uuid.uuid4().hex
            try:
                os.link(path, partial)
            except OSError as error:
                if error.errno in _NO_LINK:
                    return False
                raise
            try:
                os.fchmod(source.fileno(), 0o444)
                os.fsync(source.fileno())
                self._settle(partial, stored.sha256)
            finally:
                partial.unlink(missing_ok=True)
        return True

    def _settle(self, partial: Path, sha256: str) -> None:
        """Give a flushed file its final name, once, and flush the folder."""
        final = self.path(sha256)
        self._make_folder(final.parent)
        with self._naming():
            try:
                os.link(partial, final)
            except FileExistsError:
                if self._is_sound(final, sha256):
                    self._mark_wanted(final)
                else:
                    self.set_aside(sha256)
                    partial.rename(final)
            except OSError as error:
                if error.errno not in _NO_LINK:
                    raise
                partial.rename(final)
        sync_folder(final.parent)

    @contextmanager
    def _naming(self, *, alone: bool = False) -> Iterator[None]:
        """Let many give names to files at once, or one take names away `alone`."""
        descriptor = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            # network file systems may lock no folder; there, the age of unused files must do
            with suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
            yield
        finally:
            os.close(descriptor)

    @staticmethod
    def _mark_wanted(final: Path) -> None:
        # a file of another account's making cannot be marked by us
        with suppress(PermissionError):
            os.utime(final)

    @staticmethod
    def _is_sound(final: Path, sha256: str) -> bool:
        with final.open("rb") as file:
            return hash_file(file)[0] == sha256

    @contextmanager
    def _unfinished_file(self) -> Iterator[tuple[Path, BinaryIO]]:
        with _full_disk_reported(self.root):
            self._make_folder(self._unfinished)
            partial = self._unfinished / uuid.uuid4().hex
            try:
                with partial.open("xb", buffering=0) as target:
                    yield partial, target
            finally:
                partial.unlink(missing_ok=True)

    def _make_folder(self, folder: Path) -> None:
        """Make a folder with its parents, each flushed into the one that names it."""
        if folder.is_dir():
            return
        self._make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)


def _require_hash(stored: StoredFile, expected: str | None, name: str) -> None:
    if expected is not None and stored.sha256 != expected:
        raise AssetCorruptError(
            f"{name} has the sha256 {stored.sha256} ({stored.bytes} bytes), expected {expected}"
        )


@contextmanager
def _full_disk_reported(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in FULL_DISK_ERRORS:
            raise
        raise StoreFullError(
            f"the asset store {root} is full ({error.strerror}); nothing was stored: free some"
            " space and try again"
        ) from error
