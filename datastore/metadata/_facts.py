"""What a file says of itself, and how hostile values become safe ones; reads no file."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction
from itertools import islice
from typing import Any

_MAX_TEXT = 256
_MAX_VALUE_TEXT = 1000
_MAX_VALUES = 2000
_MAX_TOTAL_TEXT = 500_000
_DATE_TIME = re.compile(
    r"(\d{4})[:-](\d\d)[:-](\d\d)[ T](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?\s*(Z|[+-]\d\d:?\d\d)?"
)
_ZONE = re.compile(r"([+-])(\d\d):?(\d\d)")
_RATIONAL = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,2})?(?:/\d+)?", re.ASCII)
_RELATIVE_PRECISION = Fraction(1, 10**9)  # exiftool prints ten digits


@dataclass(frozen=True)
class FileMetadata:
    """What a file says of itself; None where it does not.

    Attributes
    ----------
    make, model, serial
        Of the body, without control characters; never fit for a path.
    taken_at
        When the shutter opened, aware; None where the file names no zone.
    taken_at_local
        The time as written in the file, evidence only.
    utc_offset
        Zone that the file names, ``+02:00``.
    exposure, exposure_s
        Exposure time as a rational string and in seconds.
    iso, f_number
        Settings.
    camera_temperature_c
        Temperature that the camera recorded.
    width, height, orientation
        As the tags say; decoding tells the truth.
    firmware
        Of the body.
    long_exposure_noise_reduction
        Whether the camera subtracted a dark frame of its own (automatic counts as on).
    reader
        ``exiftool``, ``exifread`` or ``fits``.
    verbatim
        Everything that was read, safe for JSON, bounded in number and length.
    """

    reader: str
    make: str | None = None
    model: str | None = None
    serial: str | None = None
    taken_at: datetime | None = None
    taken_at_local: str | None = None
    utc_offset: str | None = None
    exposure: str | None = None
    exposure_s: float | None = None
    iso: int | None = None
    f_number: float | None = None
    camera_temperature_c: float | None = None
    width: int | None = None
    height: int | None = None
    orientation: int | None = None
    firmware: str | None = None
    long_exposure_noise_reduction: bool | None = None
    verbatim: dict[str, Any] = field(default_factory=dict)


def clean_text(value: object) -> str | None:
    """Return printable text of bounded length, None for nothing but blanks."""
    if value is None:
        return None
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    kept = "".join(c if c.isprintable() else " " for c in text[: 4 * _MAX_TEXT])
    return " ".join(kept.split())[:_MAX_TEXT] or None


def serial_number(value: object) -> str | None:
    """Return a serial number; None for what cameras without one write (blanks, zeros)."""
    text = clean_text(value)
    return text if text and text.strip("0 .-") else None


def number(value: object) -> float | None:
    """Return a finite number from a number or a text such as ``9 C`` or ``1/30``, else None."""
    if isinstance(value, bool) or value is None:
        return None
    match = re.match(r"\s*([+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)(?:/(\d+))?", str(value)[:_MAX_TEXT])
    if match is None:
        return None
    divisor = float(match[2]) if match[2] else 1.0
    result = float(match[1]) / divisor if divisor else math.nan
    return result if math.isfinite(result) else None


def whole_number(value: object, *, largest: int = 2**31 - 1) -> int | None:
    """Return a whole number from 1 to `largest`, else None."""
    found = number(value)
    return int(found) if found is not None and 1 <= found <= largest else None


def rational(value: object) -> Fraction | None:
    """Return the simplest fraction that prints as this number of ten digits.

    Readers give `0.03225806452` where the file has 1/31.
    """
    text = str(value).strip()[:_MAX_TEXT]
    # without a bound on the exponent a few letters cost all memory and time there is
    if _RATIONAL.fullmatch(text) is None:
        return None
    try:
        exact = Fraction(text)
    except (ValueError, ZeroDivisionError):
        return None
    if exact < 0 or exact > 10**7:
        return None
    if "/" in text:
        return exact
    for digits in range(10):
        simple = exact.limit_denominator(10**digits)
        if abs(simple - exact) <= exact * _RELATIVE_PRECISION:
            return simple
    return exact


def taken_at(
    written: object, *, offset: object = None, sub_second: object = None
) -> tuple[datetime | None, str | None, str | None]:
    """Return (aware UTC time or None, the time as written, the zone) of an EXIF time.

    Parameters
    ----------
    written
        `2008:02:16 13:51:56`, possibly with fraction and zone.
    offset
        `+01:00`, or the whole hours that TIFF/EP writes.
    sub_second
        Digits after the decimal point.
    """
    local = clean_text(written)
    match = _DATE_TIME.match(local or "")
    if match is None:
        return None, local, None
    zone = _zone(match[8]) or _zone(offset)
    fraction = (match[7] or re.sub(r"\D.*", "", str(sub_second or "")))[:6].ljust(6, "0")
    if zone is None:
        return None, local, None
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    try:
        moment = datetime(
            year, month, day, hour, minute, second, int(fraction), tzinfo=zone
        ).astimezone(UTC)
    except (ValueError, OverflowError):
        return None, local, None
    return moment, local, _zone_text(zone)


def _zone(value: object) -> timezone | None:
    text = str(value if value is not None else "").strip()
    if text == "Z":
        return UTC
    match = _ZONE.match(text)
    if match:
        minutes = (int(match[2]) * 60 + int(match[3])) * (-1 if match[1] == "-" else 1)
    elif re.fullmatch(r"-?\d{1,2}", text.split(" ")[0]):
        minutes = int(text.split(" ")[0]) * 60
    else:
        return None
    return timezone(timedelta(minutes=minutes)) if abs(minutes) <= 14 * 60 else None


def _zone_text(zone: timezone) -> str:
    minutes = int(zone.utcoffset(None).total_seconds() // 60)
    sign = "-" if minutes < 0 else "+"
    return f"{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


def temperature(value: object) -> float | None:
    """Return degrees Celsius, None for what cameras write that did not measure it."""
    degrees = number(value)
    return degrees if degrees is not None and -100 < degrees < 200 else None


def json_safe(values: Mapping[str, object]) -> dict[str, Any]:
    """Return values that any JSON writer takes: bounded, printable, without NaN or bytes.

    Real cameras write some ten thousand characters; what goes beyond half a million is left out.
    """
    safe: dict[str, Any] = {}
    room = _MAX_TOTAL_TEXT
    for key, value in islice(values.items(), _MAX_VALUES):
        name, kept = str(clean_text(key)), _safe(value)
        room -= len(name) + len(str(kept))
        if room < 0:
            break
        safe[name] = kept
    return safe


def _safe(value: object, depth: int = 0) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**63 else str(value)[:_MAX_VALUE_TEXT]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, bytes):
        return f"({len(value)} bytes) {value[:32].hex()}"
    if isinstance(value, list | tuple) and depth == 0:
        return [_safe(entry, 1) for entry in value[:64]]
    text = str(value)[:_MAX_VALUE_TEXT]
    return "".join(c if c.isprintable() else "�" for c in text)
