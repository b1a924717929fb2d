"""Reads files of a store anew and hashes them, several at once; knows no database.

Hashing and reading release the interpreter's lock, so that neither disk nor processor waits for the
other. What the operating system remembers of a file is dropped first: memory may still have the
sound bytes of a file that the disk has lost.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from io import UnsupportedOperation
from typing import BinaryIO, Final, Literal, Protocol, TypeVar

from datastore.errors import AssetMissingError
from datastore.stores.protocol import AssetStore


class _Named(Protocol):
    @property
    def sha256(self) -> str: ...


_Item = TypeVar("_Item", bound=_Named)

_CHUNK_BYTES: Final = 1 << 18
_FILES_AT_ONCE: Final = 3
_WAITING_FILES: Final = 6
"""Files that are read or were read while an earlier one is still at work."""


class Pace:
    """Keeps a rate of reading over all threads, from the moment on that it was made.

    Parameters
    ----------
    bytes_per_s
        Read no faster; None for as fast as it goes.
    """

    def __init__(self, bytes_per_s: float | None = None) -> None:
        self._bytes_per_s = bytes_per_s
        self._due_s = time.monotonic()
        self._lock = threading.Lock()
        self._stopped = threading.Event()

    def take(self, count: int) -> None:
        """Wait until so many more bytes are within the rate.

        Raises
        ------
        StoppedError
            If nobody waits for what is read any more.
        """
        wait_s = 0.0
        if self._bytes_per_s is not None:
            with self._lock:
                now_s = time.monotonic()
                # what was not used while something else took its time is not made up for
                self._due_s = max(self._due_s, now_s - 1.0) + count / self._bytes_per_s
                wait_s = self._due_s - now_s
        if self._stopped.wait(wait_s) if wait_s > 0 else self._stopped.is_set():
            raise StoppedError

    def stop(self) -> None:
        """Have every thread that reads at this pace end."""
        self._stopped.set()


class StoppedError(Exception):
    """The reading was given up; nobody sees this but the thread that reads."""


@dataclass(frozen=True)
class Examined:
    """What reading a file anew showed.

    Attributes
    ----------
    problem
        What is wrong with the file; None where its bytes are those that its name claims.
    detail
        The problem in words.
    """

    problem: Literal["damaged", "missing", "unreadable"] | None
    detail: str = ""


def examine(store: AssetStore, sha256: str, pace: Pace) -> Examined:
    """Read a file of a store to its end and compare its bytes with its name.

    Bytes that differ are read a second time: somebody may have brought the file again meanwhile,
    and what a cable or a memory changed on the way is no fault of the file.

    Raises
    ------
    StoreUnavailableError
        If the store cannot be reached, which says nothing of the file.
    """
    try:
        found = _hash_anew(store, sha256, pace)
        if found != sha256:
            found = _hash_anew(store, sha256, pace)
    except AssetMissingError:
        return Examined("missing", f"It is not in {store.place}.")
    except OSError as error:
        return Examined("unreadable", f"It cannot be read: {error.strerror or error}.")
    if found != sha256:
        return Examined("damaged", f"Its sha256 is {found}.")
    return Examined(None)


def examine_each(
    store: AssetStore,
    items: Iterable[_Item],
    pace: Pace,
    *,
    limit: int | None,
    costs: Callable[[_Item, Examined], bool],
) -> Generator[tuple[_Item, Examined], None, None]:
    """Yield items with what reading their files showed, in the order of the items.

    Items are taken, and results given, by the calling thread; only files are read by others. Close
    the iterator to end them early.

    Parameters
    ----------
    store, items
        The files of a store, by the hashes that their names claim.
    pace
        Of all threads together; it is stopped at the end.
    limit
        Read at most so many files; None reads all.
    costs
        Tells whether a file counts against the limit.
    """
    remaining = iter(items)
    waiting: deque[tuple[_Item, Future[Examined]]] = deque()
    left = limit
    with ThreadPoolExecutor(_FILES_AT_ONCE, thread_name_prefix="examining") as pool:
        try:
            while True:
                most = _WAITING_FILES if left is None else min(_WAITING_FILES, left)
                while len(waiting) < most and (item := next(remaining, None)) is not None:
                    waiting.append((item, pool.submit(examine, store, item.sha256, pace)))
                if not waiting:
                    return
                first, future = waiting.popleft()
                examined = future.result()
                if left is not None:
                    left -= costs(first, examined)
                yield first, examined
        finally:
            pace.stop()
            pool.shutdown(wait=False, cancel_futures=True)


def _hash_anew(store: AssetStore, sha256: str, pace: Pace) -> str:
    digest = hashlib.sha256()
    with closing(store.open(sha256)) as file:
        _forget_cached(file)
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
            pace.take(len(chunk))
        # what is read once must not drive out what others work with
        _forget_cached(file)
    return digest.hexdigest()


def _forget_cached(file: BinaryIO) -> None:
    try:
        descriptor = file.fileno()
    except (AttributeError, UnsupportedOperation):
        # a file of another host; its system keeps no copy here
        return
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
