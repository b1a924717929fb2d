"""Content control at the shutter: whether a frame is what its shot asked for; pure functions.

A check returns what it found wrong, with numbers; nothing found is an accepted frame. Whether a
file belongs to the shot at all is a harder question with its own functions: a foreign file is not
kept as the shot's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np

from capture.cameras.protocol import CameraSettings, ReadBack
from datastore.frames import Finding, Frame, robust_black
from datastore.metadata import FileMetadata

AUTHOR: Final = "capture.checks"

_EXPOSURE_RATIO: Final = 2 ** (1 / 6)
"""Nominal and written exposure times differ by less than half a third-stop."""

_F_NUMBER_RATIO: Final = 2 ** (1 / 12)
_DARK_EXCESS_SHARE: Final = 0.01
"""Share of the sensor's range by which a dark field's level may lie above its black level."""

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


def check_settings(
    requested: CameraSettings, read_back: ReadBack | None, metadata: FileMetadata
) -> list[Finding]:
    """Compare what was asked for with what the camera showed and what its file says."""
    found = []
    shown: list[tuple[str, float | None, int | None, float | None]] = [
        ("exif", metadata.exposure_s, metadata.iso, metadata.f_number)
    ]
    if read_back is not None:
        shown.append(("read-back", read_back.exposure_s, read_back.iso, read_back.f_number))
    for source, exposure_s, iso, f_number in shown:
        wanted_s = float(requested.exposure)
        # drivers that show a tenth of a millisecond round 1/8000 s to 0.0001 s
        is_rounded = exposure_s is not None and abs(exposure_s - wanted_s) <= 5e-5
        if (
            exposure_s is not None
            and not is_rounded
            and _ratio(exposure_s, wanted_s) > (_EXPOSURE_RATIO)
        ):
            found.append(_differs(source, "exposure", "s", wanted_s, exposure_s))
        if iso is not None and iso != requested.iso:
            found.append(_differs(source, "iso", "", requested.iso, iso))
        if (
            requested.f_number is not None
            and f_number is not None
            and _ratio(f_number, requested.f_number) > _F_NUMBER_RATIO
        ):
            found.append(_differs(source, "f_number", "", requested.f_number, f_number))
    if True in (
        metadata.long_exposure_noise_reduction,
        read_back.long_exposure_noise_reduction if read_back is not None else None,
    ):
        found.append(
            Finding(
                "noise-reduction-on",
                {},
                "Long-exposure noise reduction was on: the camera removed defects by itself.",
            )
        )
    return found


def check_dark(frame: Frame) -> list[Finding]:
    """Judge whether a dark field is dark: its robust level above the file's black level."""
    if frame.black_level is None:
        return []
    top, left, height, width = frame.visible
    # even offsets keep the planes of the whole mosaic
    top, left = top + top % 2, left + left % 2
    visible = frame.mosaic[top : top + height // 2 * 2, left : left + width // 2 * 2]
    levels = np.asarray(robust_black(visible, frame.cfa))
    black = np.asarray(frame.black_level)
    excess_dn = float(np.max(levels - black))
    limit_dn = _DARK_EXCESS_SHARE * float(frame.white_level - black.max())
    if excess_dn <= limit_dn:
        return []
    numbers: dict[str, int | float | str] = {
        "excess_dn": round(excess_dn, 3),
        "limit_dn": round(limit_dn, 3),
    }
    return [
        Finding(
            "not-dark",
            numbers,
            f"The dark field lies {excess_dn:.1f} DN above black, more than {limit_dn:.1f} DN: is"
            " the body cap on?",
        )
    ]


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


def sentences(findings: Iterable[Finding]) -> str:
    """Return what was found as one reason."""
    return " ".join(finding.sentence for finding in findings)


def numbers(findings: Iterable[Finding]) -> dict[str, dict[str, int | float | str]]:
    """Return the numbers of what was found, by the name of the check."""
    return {finding.name: finding.numbers for finding in findings}


def _ratio(first: float, second: float) -> float:
    if min(first, second) <= 0:
        return float("inf")
    return max(first, second) / min(first, second)


def _differs(source: str, field: str, unit: str, wanted: float, found: float) -> Finding:
    said = "The camera showed" if source == "read-back" else "The file says"
    return Finding(
        f"{source}-{field}",
        {"requested": wanted, "found": found},
        f"{said} {field} {found:g} {unit}".rstrip() + f", {wanted:g} was asked for.",
    )
