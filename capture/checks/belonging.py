"""Whether a file belongs to its shot at all: written by this body, at this time.

A foreign file is not kept as the shot's, so these questions stand apart from the checks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from datastore.frames import Finding
from datastore.metadata import FileMetadata

_CLOCK_RESOLUTION: Final = timedelta(seconds=1)
_WALL_TIME: Final = re.compile(
    r"(\d{4})[:-](\d\d)[:-](\d\d)[ T](\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?"
)


@dataclass(frozen=True)
class ClockSkew:
    """How far a camera's wall clock, taken for UTC, is ahead of the civil time: bounds."""

    lowest: timedelta
    highest: timedelta

    @classmethod
    def measured(cls, camera_clock_s: float, before: datetime, after: datetime) -> ClockSkew:
        """Return the skew of a clock that was read between two civil times."""
        # fromtimestamp would refuse what a camera without a battery shows
        shown = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=camera_clock_s)
        return cls(shown - after, shown - before)


def foreign_body(metadata: FileMetadata, serial: str) -> Finding | None:
    """Tell whether a file says that another body wrote it."""
    if metadata.serial is None or metadata.serial == serial:
        return None
    return Finding(
        "foreign-body",
        {"serial": metadata.serial, "expected_serial": serial},
        f"The file was written by the camera {metadata.serial}, not by {serial}.",
    )


def foreign_time(
    metadata: FileMetadata, earliest: datetime, latest: datetime, skew: ClockSkew | None
) -> Finding | None:
    """Tell whether a file's own time lies outside of the shot.

    Parameters
    ----------
    metadata
        What the file says.
    earliest, latest
        Civil times between which the shutter must have opened.
    skew
        Of the camera's clock; None where it shows none, then nothing can be told.
    """
    taken = wall_time(metadata)
    if taken is None or skew is None:
        return None
    low, high = earliest + skew.lowest, latest + skew.highest
    if low - _CLOCK_RESOLUTION <= taken <= high + _CLOCK_RESOLUTION:
        return None
    return Finding(
        "foreign-time",
        {
            "taken_at_local": taken.replace(tzinfo=None).isoformat(),
            "earliest": low.replace(tzinfo=None).isoformat(),
            "latest": high.replace(tzinfo=None).isoformat(),
        },
        "The file's own time lies outside of the shot: it belongs to another one.",
    )


def wall_time(metadata: FileMetadata) -> datetime | None:
    """Return a file's wall time as written, taken for UTC; None where there is none."""
    match = _WALL_TIME.match(metadata.taken_at_local or "")
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    microsecond = int((match[7] or "0").ljust(6, "0"))
    try:
        return datetime(year, month, day, hour, minute, second, microsecond, tzinfo=UTC)
    except ValueError:
        return None
