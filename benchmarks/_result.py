"""What a benchmark reports, and how both sides are timed."""

import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Result:
    """One comparison.

    Attributes
    ----------
    name
        Of the benchmark, with the size where there are several.
    ours, peer
        What was measured, in ``unit``.
    peer_name
        What we are compared with.
    unit
        Of both measurements.
    ratio
        Above 1 means that ours is better than the peer.
    goal
        The ratio aimed at.
    limit
        The ratio below which something is wrong.
    repeats
        Measurements of each side; their median is reported.
    machine
        What it ran on.
    """

    name: str
    ours: float
    peer: float
    peer_name: str
    unit: str
    ratio: float
    goal: float
    limit: float
    repeats: int
    machine: str

    def to_dict(self) -> dict[str, Any]:
        """Return the fields, figures rounded to four digits."""
        fields = asdict(self)
        for name in ("ours", "peer", "ratio"):
            fields[name] = float(f"{fields[name]:.4g}")
        return fields


def median_seconds(action: Callable[[], object], repeats: int) -> float:
    """Return the median duration of an action, which is run once beforehand to warm up."""
    action()
    durations = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        durations.append(time.perf_counter() - start)
    return statistics.median(durations)


def machine() -> str:
    """Return the processor, the number of cores and the Python version."""
    try:
        information = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        information = ""
    models = [
        line.split(":", 1)[1].strip()
        for line in information.splitlines()
        if line.startswith("model name")
    ]
    processor = models[0] if models else platform.machine()
    return f"{processor}, {os.cpu_count()} cores, Python {platform.python_version()}"
