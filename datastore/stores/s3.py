"""An asset store in a bucket: keys `sha256/ab/cd/<hex>`, created once, checked once they are there.

A key is created on the condition that it is not taken, in one request that carries the sha256 of
its bytes; no part of a file is ever under its name. What was put is read back unless the server
checks that sha256, which `datastore.stores.self_test` finds out.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, Literal

from datastore._names import StoredName, is_sha256, require_sha256
from datastore.errors import (
    AssetCorruptError,
    AssetMissingError,
    AssetTooLargeError,
    StoreUnavailableError,
)
from datastore.store import StoredFile
from datastore.stores._bucket import LARGEST_BYTES, Bucket, open_bucket
from datastore.stores.description import S3Description

_CHUNK_BYTES: Final = 1 << 20


class S3Store:
    """Content-addressed files in a bucket; satisfies `AssetStore`.

    A file that is put is held in memory for as long as that takes.

    Parameters
    ----------
    name
        Name of the store in the catalogue.
    description
        Of the settings.
    bucket
        Where the keys are.
    """

    def __init__(self, name: str, description: S3Description, bucket: Bucket) -> None:
        self._name = name
        self.description = description
        self.bucket = bucket

    @property
    def name(self) -> str:
        """Name of the store in the catalogue."""
        return self._name

    @property
    def kind(self) -> Literal["s3"]:
        """A bucket of a server that speaks S3."""
        return "s3"

    @property
    def place(self) -> str:
        """Bucket, prefix and server."""
        return self.bucket.place

    def contains(self, sha256: str) -> bool:
        """Return whether the bucket has a key of this name; see `AssetStore`."""
        return self.bucket.find(_key(sha256)) is not None

    def put_file(self, path: Path, *, sha256: str | None = None) -> StoredFile:
        """Put a file into the bucket; see `AssetStore`."""
        with path.open("rb") as source:
            return self._put(source, sha256, str(path))

    def put_stream(self, source: BinaryIO, *, sha256: str) -> StoredFile:
        """Put what a file gives from where it stands to its end; see `AssetStore`."""
        return self._put(source, require_sha256(sha256), "what was read")

    def open(self, sha256: str) -> BinaryIO:
        """Open a file of the bucket for reading, once from its beginning; see `AssetStore`.

        Reading raises StoreUnavailableError if the server stops sending.
        """
        file = self.bucket.open(_key(sha256))
        if file is None:
            raise AssetMissingError(f"the store {self.place} does not hold {sha256}")
        return file

    def set_aside(self, sha256: str) -> str:
        """Copy a damaged file to `quarantine/<hex>.<uuid>`, then remove it; see `AssetStore`.

        It is removed only after the copy was read and has the same bytes, and only if nobody
        brought other bytes meanwhile.
        """
        key = _key(sha256)
        kept = f"quarantine/{sha256}.{uuid.uuid4().hex}"
        damaged = self.bucket.find(key)
        if damaged is None:
            raise AssetMissingError(f"the store {self.place} does not hold {sha256}")
        self.bucket.copy(key, kept)
        if self.bucket.sha256(kept) != self.bucket.sha256(key):
            raise StoreUnavailableError(
                f"{self.place}: {key} could not be set aside, its copy {kept} has other bytes;"
                " nothing was removed"
            )
        if self.bucket.find(key) == damaged:
            self.bucket.delete(key)
        return f"{self.place} {kept}"

    def names(self, after: str = "") -> Iterator[StoredName]:
        """Return the files in the order of their hashes, those behind `after`; see `AssetStore`.

        Raises
        ------
        InvalidHashError
            If `after` is neither empty nor a hash.
        StoreUnavailableError
            If the server lists them in another order, or cannot be reached.
        """
        return self._listed(after, _key(after) if after else None)

    def free_bytes(self) -> int | None:
        """Return None: a bucket has no such bound."""
        return None

    def _listed(self, after: str, after_key: str | None) -> Iterator[StoredName]:
        last = after
        for found in self.bucket.list("sha256", after_key):
            sha256 = found.key.rpartition("/")[2]
            if not is_sha256(sha256) or found.key != _key(sha256):
                continue
            if sha256 <= last:
                raise StoreUnavailableError(
                    f"{self.place} lists {sha256} behind {last}: a store needs a server that lists"
                    " keys in their order"
                )
            last = sha256
            yield StoredName(sha256, found.bytes, found.modified_at)

    def _put(self, source: BinaryIO, expected: str | None, name: str) -> StoredFile:
        data = bytearray()
        while chunk := source.read(_CHUNK_BYTES):
            data += chunk
            if len(data) > LARGEST_BYTES:
                raise AssetTooLargeError(
                    f"{name} is larger than the {LARGEST_BYTES} bytes that {self.place} takes"
                )
        stored = StoredFile(hashlib.sha256(data).hexdigest(), len(data))
        if expected not in (None, stored.sha256):
            raise AssetCorruptError(
                f"{name} has the sha256 {stored.sha256} ({stored.bytes} bytes), expected {expected}"
            )
        key = _key(stored.sha256)
        if not self.bucket.create(key, data):
            if self.bucket.sha256(key) == stored.sha256:
                return stored
            self.set_aside(stored.sha256)
            if not self.bucket.create(key, data):
                raise StoreUnavailableError(
                    f"{self.place}: somebody else put {key} at the same time; try again"
                )
        self._require_arrived(key, stored)
        return stored

    def _require_arrived(self, key: str, stored: StoredFile) -> None:
        found = self.bucket.find(key)
        if found is None:
            raise StoreUnavailableError(f"{self.place} took {key} and does not have it")
        is_whole = found.bytes == stored.bytes and (
            not self.description.verify_after_put or self.bucket.sha256(key) == stored.sha256
        )
        if not is_whole:
            kept = self.set_aside(stored.sha256)
            raise AssetCorruptError(
                f"{self.place} has other bytes under {key} than were put there; they are kept as"
                f" {kept}"
            )


def open_s3_store(name: str, description: S3Description) -> S3Store:
    """Open a store in a bucket; its server is not spoken to yet.

    Raises
    ------
    StoreSettingsError
        If the extra `s3` is not installed, or the environment has not the keys.
    """
    return S3Store(name, description, open_bucket(description))


def _key(sha256: str) -> str:
    require_sha256(sha256)
    return f"sha256/{sha256[:2]}/{sha256[2:4]}/{sha256}"
