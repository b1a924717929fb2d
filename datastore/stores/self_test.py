"""A store's self-test: whether it does what is relied on, tried out on files of its own.

Many servers speak most of S3. One that overwrites a key although it was told not to would lose the
first of two files without a word, so it is refused here, before it gets a file.
"""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from datastore.durable import write_durably
from datastore.errors import StoreUnavailableError, UnfitStoreError
from datastore.store import LocalStore
from datastore.stores._bucket import Bucket, checksum_header, open_bucket
from datastore.stores.protocol import AssetStore
from datastore.stores.s3 import S3Store

_RIVALS: Final = 6


@dataclass(frozen=True)
class SelfTest:
    """What a self-test found out beside that the store is fit.

    Attributes
    ----------
    checks_sha256
        Whether the store itself refuses bytes of another sha256 than the one that they are sent
        with.
    """

    checks_sha256: bool


def self_test(store: AssetStore) -> SelfTest:
    """Try out whether a store can be relied on; leaves nothing behind.

    Raises
    ------
    UnfitStoreError
        If it cannot; says what it does wrong.
    StoreUnavailableError
        If it cannot be reached, or refuses.
    """
    if isinstance(store, S3Store):
        return _test_bucket(store)
    if isinstance(store, LocalStore):
        _test_folder(store)
    # the store hashes every byte on its way to the disk
    return SelfTest(checks_sha256=True)


def _test_folder(store: LocalStore) -> None:
    probe = store.root / f"self-test.{uuid.uuid4().hex}"
    data = uuid.uuid4().bytes
    try:
        write_durably(probe, data)
        try:
            found = probe.read_bytes()
        finally:
            probe.unlink()
    except OSError as error:
        raise UnfitStoreError(f"{store.place} cannot be written to: {error.strerror}") from None
    if found != data:
        raise UnfitStoreError(f"{store.place} gives other bytes than were written")


def _test_bucket(store: S3Store) -> SelfTest:
    folder = f"self-test/{uuid.uuid4().hex}"
    try:
        _test_create(store.bucket, f"{folder}/once")
        _test_race(store.bucket, f"{folder}/race")
        _test_listing(store.bucket, f"{folder}/list")
        _test_copy(store.bucket, f"{folder}/once", f"{folder}/copy")
        checks_sha256 = _find_out_whether_checked(store, folder)
        _clean_up(store.bucket, folder)
    except BaseException:
        with suppress(StoreUnavailableError):
            _clean_up(store.bucket, folder)
        raise
    if not checks_sha256 and not store.description.verify_after_put:
        raise UnfitStoreError(
            f"{store.place} takes bytes of another sha256 than the one that they are sent with, so"
            f" files must be read back: set verify_after_put = true in [stores.{store.name}]"
        )
    return SelfTest(checks_sha256)


def _test_create(bucket: Bucket, key: str) -> None:
    if not bucket.create(key, b"first"):
        raise UnfitStoreError(f"{bucket.place} says that a new key is taken")
    if bucket.create(key, b"second"):
        raise UnfitStoreError(
            f"{bucket.place} overwrites a key although it is told to create it only if it is not"
            " taken (If-None-Match: *); two files of one name would become one"
        )
    if _read(bucket, key) != b"first":
        raise UnfitStoreError(f"{bucket.place} gives other bytes than were put")
    found = bucket.find(key)
    if found is None or found.bytes != len(b"first"):
        raise UnfitStoreError(f"{bucket.place} does not know the size of what was put")
    if bucket.find(f"{key}-not") is not None or bucket.open(f"{key}-not") is not None:
        raise UnfitStoreError(f"{bucket.place} says that it has what was never put")


def _test_race(bucket: Bucket, key: str) -> None:
    bodies = [bytes([number]) * 1000 for number in range(_RIVALS)]
    with ThreadPoolExecutor(_RIVALS) as pool:
        won = list(pool.map(lambda body: bucket.create(key, body), bodies))
    winners = [body for body, has_won in zip(bodies, won, strict=True) if has_won]
    if len(winners) != 1:
        raise UnfitStoreError(
            f"{bucket.place} lets {len(winners)} of {_RIVALS} who create one key at the same time"
            " do so, instead of one"
        )
    if _read(bucket, key) != winners[0]:
        raise UnfitStoreError(f"{bucket.place} has not the bytes of the one who created a key")


def _test_listing(bucket: Bucket, folder: str) -> None:
    keys = [f"{folder}/{first}/{second}" for first in "02bf" for second in "5a"]
    for key in reversed(keys):
        bucket.create(key, b"listed")
    for after, expected in ((None, keys), (keys[2], keys[3:])):
        if [found.key for found in bucket.list(folder, after)] != expected:
            raise UnfitStoreError(
                f"{bucket.place} does not list all keys in their order"
                + (" from a given one on" if after else "")
            )


def _test_copy(bucket: Bucket, key: str, to: str) -> None:
    bucket.copy(key, to)
    if _read(bucket, to) != b"first":
        raise UnfitStoreError(f"{bucket.place} copies a key to other bytes")
    bucket.delete(to)
    if bucket.find(to) is not None:
        raise UnfitStoreError(f"{bucket.place} still has a key that was removed")


def _find_out_whether_checked(store: S3Store, folder: str) -> bool:
    """Send bytes with their own sha256, which must do, and then with that of others."""
    sent = b"sent"
    right, wrong = (
        open_bucket(store.description, checksum_header(claimed), has_checksum=False)
        for claimed in (sent, b"other")
    )
    right.create(f"{folder}/right", sent)
    try:
        wrong.create(f"{folder}/wrong", sent)
    except StoreUnavailableError:
        return store.bucket.find(f"{folder}/wrong") is None
    return False


def _read(bucket: Bucket, key: str) -> bytes | None:
    file = bucket.open(key)
    if file is None:
        return None
    with file:
        return file.read()


def _clean_up(bucket: Bucket, folder: str) -> None:
    for found in list(bucket.list(folder)):
        bucket.delete(found.key)
    if next(bucket.list(folder), None) is not None:
        raise UnfitStoreError(f"{bucket.place} still lists keys that were removed")
