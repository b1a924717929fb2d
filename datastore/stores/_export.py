"""Copies files out of a store into a folder, verified, under names that say what they are."""

from __future__ import annotations

import hashlib
import os
from contextlib import closing
from pathlib import Path
from typing import Final

from datastore.stores.protocol import AssetStore

_CHUNK_BYTES: Final = 1 << 20


def export_file(store: AssetStore, sha256: str, folder: Path) -> Path | None:
    """Copy a file into a folder, and return where it lies there; None if its bytes are damaged.

    Its name is the hash with `.jpg`, `.fits`, `.raw` for other images, or `.bin`. What lies
    there already under it is replaced.

    Raises
    ------
    AssetMissingError
        If the store does not hold it any more.
    OSError
        If it cannot be read, or the folder cannot be written to.
    """
    partial = folder / f"{sha256}.part"
    digest = hashlib.sha256()
    try:
        with closing(store.open(sha256)) as source, partial.open("wb") as target:
            while chunk := source.read(_CHUNK_BYTES):
                digest.update(chunk)
                target.write(chunk)
            target.flush()
            os.fsync(target.fileno())
        if digest.hexdigest() != sha256:
            return None
        return partial.rename(folder / f"{sha256}{_suffix(partial)}")
    finally:
        partial.unlink(missing_ok=True)


def _suffix(path: Path) -> str:
    # it imports decoders, which only exports need
    from datastore.frames import begins_like_image

    with path.open("rb") as file:
        head = file.read(9)
    if head.startswith(b"\xff\xd8\xff"):
        return ".jpg"
    if head == b"SIMPLE  =":
        return ".fits"
    return ".raw" if begins_like_image(path) else ".bin"
