"""The pure-Python reader, for computers without exiftool; runs in a process of its own."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from datastore.frames import FrameError
from datastore.frames.process import Answer, IsolatedProcess
from datastore.metadata._facts import (
    FileMetadata,
    clean_text,
    json_safe,
    number,
    rational,
    serial_number,
    taken_at,
    temperature,
    whole_number,
)

_MEMORY_BYTES = 2 << 30
# tags that it has no names for
_AMBIENT_TEMPERATURE = "EXIF Tag 0x9400"
_CAMERA_SERIAL_NUMBER = "Image Tag 0xC62F"
_NOISE_REDUCTION_APPLIED = "Tag 0xC6F7"
# its words for 1 to 8
_ORIENTATIONS = (
    "Horizontal (normal)",
    "Mirrored horizontal",
    "Rotated 180",
    "Mirrored vertical",
    "Mirrored horizontal then rotated 90 CCW",
    "Rotated 90 CW",
    "Mirrored horizontal then rotated 90 CW",
    "Rotated 90 CCW",
)


class ExifRead:
    """One process that reads file after file with exifread.

    Parameters
    ----------
    deadline_s
        Longest time for one file, in seconds.
    """

    def __init__(self, *, deadline_s: float) -> None:
        self._process = IsolatedProcess(
            _read_tags, deadline_s=deadline_s, memory_bytes=_MEMORY_BYTES
        )

    def read(self, path: Path) -> FileMetadata:
        """Read a file.

        Raises
        ------
        DecodingStoppedError
            If the reader died or ran past its deadline.
        FrameError
            If the file cannot be read.
        """
        answer, _ = self._process.ask({"path": str(path)})
        return _metadata(answer["tags"])

    def start(self) -> None:
        """Start the process, if none runs, without waiting until it is ready."""
        self._process.start()

    def close(self) -> None:
        """End the process, if one runs."""
        self._process.close()


def _read_tags(request: dict[str, Any]) -> Answer:
    import exifread

    # it reports every oddity of every file; the empty answer says the same
    logging.getLogger("exifread").setLevel(logging.CRITICAL)
    try:
        with Path(request["path"]).open("rb") as file:
            tags = exifread.process_file(file, details=True)
    except OSError as error:
        raise FrameError(f"{request['path']} cannot be read: {error.strerror}") from error
    except Exception:  # hostile input fails in any way; the file then says nothing of itself
        tags = {}
    plain: Mapping[str, object] = {
        key: value if isinstance(value, bytes) else str(value) for key, value in tags.items()
    }
    return {"tags": json_safe(plain)}, None


def _metadata(tags: dict[str, Any]) -> FileMetadata:
    def first(*names: str) -> Any:
        return next((tags[name] for name in names if tags.get(name) not in (None, "", "[]")), None)

    moment, local, offset = taken_at(
        first("EXIF DateTimeOriginal", "Image DateTimeOriginal"),
        offset=first("EXIF OffsetTimeOriginal") or _first_hour(first("Image TimeZoneOffset")),
        sub_second=first("EXIF SubSecTimeOriginal"),
    )
    exposure = rational(first("EXIF ExposureTime", "Image ExposureTime"))
    software = clean_text(first("Image Software")) or ""
    return FileMetadata(
        reader="exifread",
        make=clean_text(first("Image Make")),
        model=clean_text(first("Image Model")),
        serial=serial_number(
            first("EXIF BodySerialNumber", "MakerNote SerialNumber", _CAMERA_SERIAL_NUMBER)
        ),
        taken_at=moment,
        taken_at_local=local,
        utc_offset=offset,
        exposure=None if exposure is None else str(exposure),
        exposure_s=None if exposure is None else float(exposure),
        iso=whole_number(first("EXIF ISOSpeedRatings", "Image ISOSpeedRatings", "MakerNote ISO")),
        f_number=number(first("EXIF FNumber", "Image FNumber")) or None,
        camera_temperature_c=temperature(
            first("MakerNote CameraTemperature", _AMBIENT_TEMPERATURE)
        ),
        width=whole_number(first("EXIF ExifImageWidth")),
        height=whole_number(first("EXIF ExifImageLength")),
        orientation=_orientation(first("Image Orientation")),
        firmware=clean_text(first("MakerNote FirmwareVersion"))
        or (software if software.startswith("Ver.") else None),
        long_exposure_noise_reduction=_noise_reduction(tags),
        verbatim=json_safe(tags),
    )


def _orientation(value: str | None) -> int | None:
    return _ORIENTATIONS.index(value) + 1 if value in _ORIENTATIONS else None


def _noise_reduction(tags: dict[str, Any]) -> bool | None:
    """Return whether any tag has it on; a DNG's own is an amount, 0/0 where it cannot tell."""
    switches: list[bool] = []
    for key, value in tags.items():
        if key == "MakerNote LongExposureNoiseReduction2":
            switches.append(value.strip().lower() != "off")
        elif key.endswith(_NOISE_REDUCTION_APPLIED) and not key.startswith("Thumbnail"):
            amount = number(value.strip("[]"))
            switches += [] if amount is None else [amount > 0]
    return any(switches) if switches else None


def _first_hour(value: str | None) -> str | None:
    """Return the hours of DateTimeOriginal from `[1, 1]`."""
    return None if value is None else value.strip("[]").split(",")[0]
