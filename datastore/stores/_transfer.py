"""Takes one file from the stores that have it into another store; knows no database."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final, Literal, cast

from datastore.errors import (
    AssetCorruptError,
    AssetMissingError,
    StoreUnavailableError,
)
from datastore.stores._examination import Pace
from datastore.stores.protocol import AssetStore

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_CHUNK_BYTES: Final = 1 << 20


@dataclass(frozen=True)
class Transfer:
    """What became of one file.

    Attributes
    ----------
    outcome
        `copied`: its bytes came from another store. `already`: the store had them, and they were
        read. `failed`: the store has no sound copy that we know of.
    reason
        Why it failed, in sentences; empty where it did not.
    away
        Names of sources that could not be reached.
    """

    outcome: Literal["copied", "already", "failed"]
    reason: str = ""
    away: frozenset[str] = frozenset()


def transfer(
    sha256: str, size: int, sources: Sequence[AssetStore], target: AssetStore, pace: Pace
) -> Transfer:
    """Have a sound and durable copy of a file in a store, from the first that gives one.

    Parameters
    ----------
    sha256, size
        The file.
    sources
        Stores with a copy, the nearest first.
    target
        The store that is to have one.
    pace
        Of the bytes that are read.

    Raises
    ------
    StoreUnavailableError
        If the target cannot be reached, or refuses.
    StoreFullError
        If the target has no room.
    StoppedError
        If the pace was stopped.
    """
    if target.contains(sha256) and _is_sound(target, sha256, pace):
        return Transfer("already")
    reasons = []
    away = set()
    for source in sources:
        try:
            with closing(_Watched(source, sha256, pace)) as watched:
                try:
                    stored = target.put_stream(cast(BinaryIO, watched), sha256=sha256)
                except AssetCorruptError as error:
                    if watched.sha256 == sha256:
                        reasons.append(f"it did not arrive whole: {error}")
                        continue
                    raise _SourceError(
                        f"its copy in {source.name} is damaged: run"
                        f" `agetrace store verify --store {source.name}`"
                    ) from None
        except _SourceError as error:
            reasons.append(str(error))
            if error.is_away:
                away.add(source.name)
            continue
        if stored.bytes != size:
            reasons.append(f"it has {stored.bytes} bytes, and {size} in the catalogue")
            continue
        return Transfer("copied", away=frozenset(away))
    reason = "; ".join(reasons) or "no store of these settings has a sound copy"
    return Transfer("failed", reason, frozenset(away))


class _SourceError(Exception):
    """A source does not give the file; another may."""

    def __init__(self, reason: str, *, is_away: bool = False) -> None:
        super().__init__(reason)
        self.is_away = is_away


class _Watched(io.RawIOBase):
    """A file of a source, read at a pace, that tells whose fault it is where reading fails."""

    def __init__(self, source: AssetStore, sha256: str, pace: Pace) -> None:
        super().__init__()
        self._name = source.name
        self._pace = pace
        self._digest = hashlib.sha256()
        try:
            self._file = source.open(sha256)
        except AssetMissingError:
            raise _SourceError(f"{self._name} has lost it") from None
        except (OSError, StoreUnavailableError) as error:
            raise self._blamed(error) from None

    @property
    def sha256(self) -> str:
        """Hash of what was read until now."""
        return self._digest.hexdigest()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        with memoryview(buffer) as view:
            data = self.read(len(view))
            view[: len(data)] = data
            return len(data)

    def read(self, size: int = -1) -> bytes:
        parts = []
        left = size
        while left != 0:
            chunk = self._read_chunk(_CHUNK_BYTES if left < 0 else min(left, _CHUNK_BYTES))
            if not chunk:
                break
            parts.append(chunk)
            left = left - len(chunk) if left > 0 else left
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def close(self) -> None:
        if not self.closed and hasattr(self, "_file"):
            self._file.close()
        super().close()

    def _read_chunk(self, size: int) -> bytes:
        try:
            chunk = self._file.read(size)
        except (OSError, StoreUnavailableError) as error:
            raise self._blamed(error) from None
        self._digest.update(chunk)
        self._pace.take(len(chunk))
        return chunk

    def _blamed(self, error: OSError | StoreUnavailableError) -> _SourceError:
        words = (error.strerror if isinstance(error, OSError) else None) or str(error)
        is_away = isinstance(error, StoreUnavailableError)
        return _SourceError(f"{self._name} does not give it: {words}", is_away=is_away)


def _is_sound(store: AssetStore, sha256: str, pace: Pace) -> bool:
    digest = hashlib.sha256()
    try:
        with closing(store.open(sha256)) as file:
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
                pace.take(len(chunk))
    except AssetMissingError:
        return False
    return digest.hexdigest() == sha256
