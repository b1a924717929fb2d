"""What durable files need of the operating system, for the store and the capture spool alike."""

from __future__ import annotations

import errno
import os
import uuid
from pathlib import Path
from typing import Final

FULL_DISK_ERRORS: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""Numbers of the OSErrors that mean that there is no room for a file."""


def sync_folder(folder: Path) -> None:
    """Flush a folder to the disk, so that the names in it survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_durably(path: Path, data: bytes) -> None:
    """Give a file its content in one step: whoever is killed leaves the old one or the new one."""
    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
    try:
        with partial.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            partial.chmod(path.stat().st_mode)
        partial.replace(path)
        sync_folder(path.parent)
    finally:
        partial.unlink(missing_ok=True)


def forget_pages(path: Path) -> None:
    """Have the operating system drop its copy of a flushed file that nobody will read soon.

    Frames that only pass through would push out of memory what others need there; besides, memory
    that is used again costs less than new memory.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)
