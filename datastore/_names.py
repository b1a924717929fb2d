"""Names of stored files: what is a hash, and the files of a folder in the order of their hashes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from datastore.errors import InvalidHashError

_SHA256 = re.compile(r"[0-9a-f]{64}")
_TWO_DIGITS = re.compile(r"[0-9a-f]{2}")


@dataclass(frozen=True)
class StoredName:
    """A file that a store lists: its name, which claims a hash, and what listing tells of it."""

    sha256: str
    bytes: int
    modified_at: datetime


def is_sha256(text: str) -> bool:
    """Return whether a text is a sha256 in lower-case hexadecimal."""
    return _SHA256.fullmatch(text) is not None


def require_sha256(text: str) -> str:
    """Return `text` if it is a sha256; no other text becomes part of a path or key.

    Raises
    ------
    InvalidHashError
        If it is not 64 lower-case hexadecimal digits.
    """
    if not is_sha256(text):
        raise InvalidHashError(f"not a sha256 in lower-case hexadecimal: {text!r}")
    return text


def list_names(base: Path, after: str) -> Iterator[StoredName]:
    """Return the files `ab/cd/<hex>` below `base` by their hashes, those behind `after`.

    Raises
    ------
    InvalidHashError
        If `after` is neither empty nor a hash.
    """
    if after:
        require_sha256(after)
    return _walk(base, after)


def _walk(base: Path, after: str) -> Iterator[StoredName]:
    for first in _folders(base, after[:2]):
        for second in _folders(base / first, after[2:4] if first == after[:2] else ""):
            yield from _files(base / first / second, first + second, after)


def _folders(parent: Path, least: str) -> list[str]:
    try:
        with os.scandir(parent) as entries:
            return sorted(
                entry.name
                for entry in entries
                if _TWO_DIGITS.fullmatch(entry.name)
                and entry.name >= least
                and entry.is_dir(follow_symlinks=False)
            )
    except FileNotFoundError:
        return []


def _files(folder: Path, prefix: str, after: str) -> Iterator[StoredName]:
    try:
        with os.scandir(folder) as entries:
            names = sorted(
                entry.name
                for entry in entries
                if is_sha256(entry.name)
                and entry.name.startswith(prefix)
                and entry.name > after
                and entry.is_file(follow_symlinks=False)
            )
    except FileNotFoundError:
        return
    for name in names:
        try:
            status = (folder / name).lstat()
        except FileNotFoundError:
            # it was set aside or removed since its folder was read
            continue
        # an old file that was linked into the store is as old as its link
        modified_s = max(status.st_mtime, status.st_ctime)
        yield StoredName(name, status.st_size, datetime.fromtimestamp(modified_s, UTC))
