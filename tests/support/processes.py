"""What processes hold, read from /proc: memory, descriptors, children."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Held:
    """What processes hold together: processes, resident megabytes and open descriptors."""

    processes: int
    megabytes: float
    descriptors: int


def family(pid: int) -> list[int]:
    """Return a process and all that descend from it."""
    found = [pid]
    for thread in Path(f"/proc/{pid}/task").glob("*/children"):
        # threads and processes come and go meanwhile
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for child in thread.read_text().split():
                found += family(int(child))
    return found


def held(pids: list[int]) -> Held:
    """Return what processes hold together; one that has just ended holds nothing."""
    pages = descriptors = living = 0
    for pid in pids:
        try:
            pages += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
            descriptors += sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
        except (FileNotFoundError, ProcessLookupError):
            continue
        living += 1
    return Held(living, pages * _PAGE_BYTES / 1e6, descriptors)
