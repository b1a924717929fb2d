"""Bringing files into the store and looking into them, several at once; writes no row.

Decoders and metadata readers are processes; each of several threads has its own.
"""

from __future__ import annotations

import hashlib
import os
import queue
import re
import stat
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from datastore.errors import AssetCorruptError
from datastore.frames import DecodingWorker, Finding, FrameError
from datastore.importing._plan import PlannedGroup
from datastore.importing._rows import ImportedFile
from datastore.metadata import FileMetadata, MetadataReader
from datastore.store import LocalStore

_SUFFIX = re.compile(r"\.[a-z0-9]{1,8}")
_LOOK_AHEAD = 4
"""Groups that are in work or done, for each thread, before the first of them is asked for."""

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class FileReading:
    """What came of reading one file.

    Attributes
    ----------
    path
        The file.
    sha256
        Of its bytes, None where it could not be read.
    imported
        What is in the store now; None where the catalogue had it already, or nothing was read.
    problem
        Why it could not be read.
    """

    path: Path
    sha256: str | None
    imported: ImportedFile | None = None
    problem: str | None = None


class GroupReader:
    """Reads the files of one group after the other; for one thread at a time.

    Parameters
    ----------
    store
        Where the bytes go.
    is_known
        Tells whether the catalogue has a file of this hash.
    names
        Folder of this reader's own, for names under which stored files are decoded.
    """

    def __init__(self, store: LocalStore, is_known: Callable[[str], bool], names: Path) -> None:
        self._store = store
        self._is_known = is_known
        self._names = names
        self._resources = ExitStack()
        self._worker = self._resources.enter_context(DecodingWorker())
        self._metadata = self._resources.enter_context(MetadataReader())

    def close(self) -> None:
        """End its processes."""
        self._resources.close()

    def read(self, group: PlannedGroup) -> list[FileReading]:
        """Store and examine those files of a group that are new.

        Raises
        ------
        StoreFullError
            If the disk is full.
        """
        return [self._read(path) for path in group.files]

    def _read(self, path: Path) -> FileReading:
        try:
            sha256 = _sha256(path)
            imported = None if self._is_known(sha256) else self._examined(path, sha256)
        except (OSError, AssetCorruptError) as error:
            problem = f"The file cannot be read, or changed meanwhile: {error}"
            return FileReading(path, None, problem=problem)
        return FileReading(path, sha256, imported)

    def _examined(self, path: Path, sha256: str) -> ImportedFile:
        """Store a file, then look into the store's copy, which nobody changes any more."""
        stored = self._store.put_file(path, sha256=sha256)
        # under a name of our own: nothing that a stranger wrote reaches a decoder's command line
        suffix = path.suffix.lower()
        name = self._names / f"file{suffix if _SUFFIX.fullmatch(suffix) else ''}"
        name.symlink_to(self._store.path(sha256).absolute())
        try:
            findings: list[Finding] = []
            try:
                metadata = self._metadata.read(name)
            except FrameError as error:
                metadata = FileMetadata(reader="none")
                sentence = f"Its metadata cannot be read: {error}."
                findings.append(Finding("unreadable-metadata", {}, sentence))
            examination = self._worker.examine_file(name)
        finally:
            name.unlink()
        return ImportedFile(path, stored, metadata, examination, (*examination.findings, *findings))


class Readers(Generic[Item, Result]):
    """Threads that work on items of a stream, whose results come in the order of the items.

    Parameters
    ----------
    work
        What to do with an item; called in a thread.
    count
        How many threads.
    """

    def __init__(self, work: Callable[[Item], Result], count: int) -> None:
        self._work = work
        self._ahead = _LOOK_AHEAD * count
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="import")

    def results(self, items: Iterable[Item]) -> Iterator[Result]:
        """Give the result of each item; a bounded number is in work or waits."""
        waiting: deque[Future[Result]] = deque()
        for item in items:
            waiting.append(self._threads.submit(self._work, item))
            if len(waiting) >= self._ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def close(self) -> None:
        """Drop what nobody has begun, and wait for what is in work."""
        self._threads.shutdown(cancel_futures=True)


class GroupReaders:
    """Readers to be borrowed by threads; the one that was given back last goes out first.

    So a small import starts no more processes than it needs.
    """

    def __init__(self, readers: Iterable[GroupReader]) -> None:
        self._all = list(readers)
        self._idle: queue.LifoQueue[GroupReader] = queue.LifoQueue()
        for reader in self._all:
            self._idle.put(reader)

    def read(self, group: PlannedGroup) -> list[FileReading]:
        """Read a group with the next idle reader."""
        reader = self._idle.get()
        try:
            return reader.read(group)
        finally:
            self._idle.put(reader)

    def close(self) -> None:
        """End all their processes."""
        for reader in self._all:
            reader.close()


def processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0))


def _sha256(path: Path) -> str:
    # the file was regular when the folder was walked; if it is a pipe by now, opening must not wait
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(f"{path} is no regular file any more")
        return hashlib.file_digest(file, "sha256").hexdigest()
