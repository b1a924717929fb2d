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


def median_seconds(
    ours: Callable[[], object], peer: Callable[[], object], repeats: int
) -> tuple[float, float]:
    """Return the median durations of two actions in turn, each run once beforehand to warm up.

    In turn, so that whatever else the machine does meanwhile falls on both alike.
    """
    actions = (ours, peer)
    durations: tuple[list[float], list[float]] = ([], [])
    for repeat in range(repeats + 1):
        for action, own in zip(actions, durations, strict=True):
            start = time.perf_counter()
            action()
            if repeat:
                own.append(time.perf_counter() - start)
    return statistics.median(durations[0]), statistics.median(durations[1])


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
