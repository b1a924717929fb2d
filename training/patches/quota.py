"""Room for decoded frames on the disk: how much is used, and what goes when more is needed.

Every process that uses the folder keeps to the same account, a number in a file under a lock. Room
is accounted for before it is taken, so that a process killed at any point leaves the account too
high, never too low; whoever then finds no room counts anew. A frame that a process has mapped is
locked by it and stays; the others go, those used longest ago first.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from training.patches.errors import PatchError

_KEPT_SHARE = 0.9
"""Down to this share of the quota is evicted, so that not every further frame has to."""

_ACCOUNT_DIGITS = 20


class FrameFolder:
    """The files of a cache: entries, what is being written, and the account of both.

    Parameters
    ----------
    folder
        Made when missing; on a disk of this host.
    quota_bytes
        The most that entries take together; no bound where it is None.
    """

    def __init__(self, folder: Path, quota_bytes: int | None) -> None:
        self._entries = folder / "entries"
        self._partial = folder / "partial"
        self._locks = folder / "locks"
        self._account = folder / "account"
        self.quota_bytes = quota_bytes
        self._has_counted = False

    def path(self, key: str) -> Path:
        """Return where the entry of a key lies or would lie."""
        return self._entries / key[:2] / f"{key}.frame"

    @contextlib.contextmanager
    def filling(self, key: str) -> Iterator[None]:
        """Hold the lock under which a key is filled, so that one process alone decodes it."""
        with self._locked(key[:2]):
            yield

    @contextlib.contextmanager
    def room(self, size: int) -> Iterator[BinaryIO | None]:
        """Give a locked file of ``size`` bytes to write to; None where there is no room.

        There is no room when the frames that processes have mapped fill the quota. The file is
        removed at the end unless it got a name by then.

        Raises
        ------
        PatchError
            When the quota could not hold the frame if it were alone.
        """
        if self.quota_bytes is not None and size > self.quota_bytes:
            raise PatchError(
                f"a quota of {self.quota_bytes:,} bytes does not hold one frame of {size:,} bytes:"
                " raise it"
            )
        with self._locked("account"):
            file = self._opened(size)
        if file is None:
            yield None
            return
        with file:
            try:
                yield file
            finally:
                Path(file.name).unlink(missing_ok=True)

    def used_bytes(self) -> int:
        """Count the bytes of all entries and unfinished files, while nobody takes more."""
        with self._locked("account"):
            return self._counted()

    def _opened(self, size: int) -> BinaryIO | None:
        used = self._accounted()
        quota = self.quota_bytes
        if used is None or not self._has_counted or (quota is not None and used + size > quota):
            self._sweep()
            used = self._counted()
            self._has_counted = True
        if quota is not None and used + size > quota:
            used -= self._evict(used + size - int(quota * _KEPT_SHARE))
            if used + size > quota:
                self._write_account(used)
                return None
        self._write_account(used + size)
        self._partial.mkdir(parents=True, exist_ok=True)
        file = (self._partial / uuid.uuid4().hex).open("x+b")
        fcntl.flock(file, fcntl.LOCK_EX)
        # whoever counts meanwhile finds all that it will take
        file.truncate(size)
        return file

    def _evict(self, wanted: int) -> int:
        """Remove entries that nobody has mapped until so many bytes are free; return how many."""
        freed = 0
        entries = [(path, facts) for path, facts in self._files() if path.suffix == ".frame"]
        for path, facts in sorted(entries, key=lambda entry: entry[1].st_atime_ns):
            if freed >= wanted:
                break
            if _remove_unused(path):
                freed += facts.st_size
        return freed

    def _sweep(self) -> None:
        """Remove what killed processes left unfinished; the living hold a lock on theirs."""
        for path in self._partial.glob("*"):
            _remove_unused(path)

    def _counted(self) -> int:
        # a file that is finished meanwhile is found twice rather than not at all
        sizes = {facts.st_ino: facts.st_size for _, facts in self._files()}
        return sum(sizes.values())

    def _files(self) -> Iterator[tuple[Path, os.stat_result]]:
        for folder, pattern in ((self._partial, "*"), (self._entries, "??/*.frame")):
            for path in folder.glob(pattern):
                with contextlib.suppress(FileNotFoundError):
                    yield path, path.stat()

    def _accounted(self) -> int | None:
        try:
            return int(self._account.read_text(encoding="ascii"))
        except (FileNotFoundError, ValueError):
            return None

    def _write_account(self, used: int) -> None:
        descriptor = os.open(self._account, os.O_WRONLY | os.O_CREAT, 0o666)
        try:
            os.pwrite(descriptor, f"{used:0{_ACCOUNT_DIGITS}d}".encode("ascii"), 0)
        finally:
            os.close(descriptor)

    @contextlib.contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        self._locks.mkdir(parents=True, exist_ok=True)
        with (self._locks / name).open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _remove_unused(path: Path) -> bool:
    """Remove a file that nobody holds a lock on; return whether it is gone."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink(missing_ok=True)
    except FileNotFoundError:
        return True
    except BlockingIOError:
        return False
    return True
