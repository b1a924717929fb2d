"""Files read to their end, hashed and copied on the way; knows no store."""

from __future__ import annotations

import hashlib
from typing import BinaryIO, Final

_CHUNK_BYTES: Final = 1 << 20


def hash_file(source: BinaryIO, target: BinaryIO | None = None) -> tuple[str, int]:
    """Read a file to its end, copying it to `target` on the way, and return sha256 and size."""
    digest = hashlib.sha256()
    size = 0
    while chunk := source.read(_CHUNK_BYTES):
        digest.update(chunk)
        size += len(chunk)
        if target is not None:
            _write_all(target, chunk)
    return digest.hexdigest(), size


def _write_all(target: BinaryIO, chunk: bytes) -> None:
    # an unbuffered file may take less than it was given, on a full disk above all
    view = memoryview(chunk)
    while view:
        view = view[target.write(view) :]
