"""The exiftool command, kept open as a process; knows how it names things, not what they mean here.

PyExifTool waits for ever once its process has died, so a deadline could not be kept through it.
"""

from __future__ import annotations

import json
import os
import resource
import selectors
import shutil
import subprocess
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from datastore.clocks import Deadline
from datastore.frames import DecodingStoppedError, FrameError
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

_READY = b"{ready}\n"
_MAX_OUTPUT_BYTES = 16 << 20
_MEMORY_BYTES = 2 << 30
# Groups in order of trust. Vendors' groups come after the standard ones, XMP (which any program
# may have written) after those; previews' directories say nothing of the frame.
_STANDARD_GROUPS = ("ExifIFD", "IFD0", "CanonRaw", "SubIFD")
_IGNORED_GROUPS = frozenset(
    {"IFD1", "IFD2", "IFD3", "System", "ExifTool", "File", "Composite", "SourceFile"}
)
_NOISE_REDUCTION_TAGS = ("LongExposureNoiseReduction", "LongExposureNoiseReduction2")
_NOISE_REDUCTION_AMOUNT = "NoiseReductionApplied"
_NOISE_REDUCTION_OFF = {"Panasonic": (1,), "Sony": (0, 0xFFFF0000)}
_NOISE_REDUCTION_UNKNOWN = (-1, 0xFFFF, 0xFFFFFFFF)
_ISO_BEYOND_SHORT = 65535


class ExifTool:
    """One `exiftool` process in stay-open mode.

    Parameters
    ----------
    executable
        The command.
    deadline_s
        Longest time for one file, in seconds.
    """

    def __init__(self, executable: str, *, deadline_s: float) -> None:
        self._executable = executable
        self._deadline_s = deadline_s
        self._process: subprocess.Popen[bytes] | None = None

    def read(self, path: Path) -> FileMetadata:
        """Read a file.

        Raises
        ------
        DecodingStoppedError
            If exiftool died or ran past its deadline.
        FrameError
            If its answer is no description of a file.
        """
        output = self._execute(path)
        try:
            values = json.loads(output)[0]
            # a serial such as 1.50 is text, whatever it looks like
            texts = json.loads(output, parse_float=str)[0]
        except (ValueError, IndexError, KeyError, RecursionError) as error:
            raise FrameError(f"exiftool could make nothing of {path}") from error
        return _metadata(values, texts)

    def start(self) -> None:
        """Start the process, if none runs, without waiting until it is ready."""
        self._running()

    def close(self) -> None:
        """End the process, if one runs."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):  # of a request that it no longer took
                    pipe.close()
        self._process = None

    def _execute(self, path: Path) -> bytes:
        process = self._running()
        assert process.stdin is not None and process.stdout is not None
        deadline = Deadline.after(self._deadline_s)
        try:
            # arguments are lines: an absolute path is no option, and callers keep line ends out
            process.stdin.write(os.fsencode(path.absolute()) + b"\n-execute\n")
            process.stdin.flush()
            output = bytearray()
            # not `select.select`, which takes no descriptor above 1023
            with selectors.DefaultSelector() as selector:
                selector.register(process.stdout, selectors.EVENT_READ)
                while not output.endswith(_READY):
                    ready = selector.select(deadline.remaining())
                    chunk = os.read(process.stdout.fileno(), 1 << 16) if ready else b""
                    if not chunk or len(output) > _MAX_OUTPUT_BYTES:
                        raise DecodingStoppedError(
                            f"exiftool was stopped at {path}: no answer within"
                            f" {self._deadline_s:g} s and {_MAX_OUTPUT_BYTES} bytes"
                        )
                    output += chunk
        except (OSError, DecodingStoppedError) as error:
            self.close()
            if isinstance(error, DecodingStoppedError):
                raise
            raise DecodingStoppedError(f"exiftool ended at {path}: {error.strerror}") from error
        return bytes(output[: -len(_READY)])

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self.close()
            # its configuration is a program of the user's, which could change what tags mean
            arguments = ["-config", "", "-stay_open", "True", "-@", "-", "-common_args"]
            arguments += ["-json", "-n", "-G1", "-charset", "filename=utf8"]
            self._process = subprocess.Popen(  # noqa: S603 - a fixed command, no shell
                [*_dying_with_us(), self._executable, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                # an interrupt at the terminal is for this process, which ends the other
                start_new_session=True,
            )
            limits = (_MEMORY_BYTES, _MEMORY_BYTES)
            resource.prlimit(self._process.pid, resource.RLIMIT_AS, limits)
        return self._process


def _dying_with_us() -> list[str]:
    """Return how to start a process that the kernel kills with the thread that started it.

    exiftool waits for more after the end of its input: if we were killed, it would stay for ever.
    """
    setpriv = shutil.which("setpriv")
    return [] if setpriv is None else [setpriv, "--pdeathsig", "KILL", "--"]


class _Values:
    """Values by tag name, the most trusted group first."""

    def __init__(self, values: dict[str, Any]) -> None:
        self._by_name: dict[str, list[tuple[int, Any]]] = {}
        for key, value in values.items():
            group, _, name = key.partition(":")
            if group not in _IGNORED_GROUPS:
                self._by_name.setdefault(name, []).append((_rank(group), value))

    def all(self, *names: str) -> Iterable[Any]:
        """Return the values of the first name that has any, best first, then of the others."""
        for name in names:
            ranked = sorted(self._by_name.get(name, []), key=lambda entry: entry[0])
            yield from (value for _, value in ranked)

    def first(self, *names: str) -> Any:
        return next(iter(self.all(*names)), None)


def _rank(group: str) -> int:
    if group in _STANDARD_GROUPS:
        return _STANDARD_GROUPS.index(group)
    return len(_STANDARD_GROUPS) + group.startswith("XMP")


def _metadata(values: dict[str, Any], texts: dict[str, Any]) -> FileMetadata:
    tags = _Values(values)
    moment, local, offset = taken_at(
        tags.first("DateTimeOriginal"),
        offset=tags.first("OffsetTimeOriginal", "TimeZoneOffset"),
        sub_second=tags.first("SubSecTimeOriginal"),
    )
    exposure = rational(tags.first("ExposureTime"))
    serials = _Values(texts).all("SerialNumber", "BodySerialNumber", "CameraSerialNumber")
    temperatures = tags.all("CameraTemperature", "SensorTemperature", "AmbientTemperature")
    return FileMetadata(
        reader="exiftool",
        make=clean_text(tags.first("Make")),
        model=clean_text(tags.first("Model")),
        serial=next((s for value in serials if (s := serial_number(value))), None),
        taken_at=moment,
        taken_at_local=local,
        utc_offset=offset,
        exposure=None if exposure is None else str(exposure),
        exposure_s=None if exposure is None else float(exposure),
        iso=_iso(tags, values),
        f_number=number(tags.first("FNumber")) or None,
        camera_temperature_c=next(
            (t for v in temperatures if (t := temperature(v)) is not None), None
        ),
        width=whole_number(tags.first("ExifImageWidth") or values.get("File:ImageWidth")),
        height=whole_number(tags.first("ExifImageHeight") or values.get("File:ImageHeight")),
        orientation=whole_number(values.get("IFD0:Orientation"), largest=8),
        firmware=_firmware(tags, values),
        long_exposure_noise_reduction=_noise_reduction(values),
        verbatim=json_safe({k: v for k, v in values.items() if _is_of_file(k)}),
    )


def _is_of_file(key: str) -> bool:
    """Whether a value is the file's own and not of the disk where it lies just now."""
    return not key.startswith(("System:", "SourceFile", "ExifTool:"))


def _iso(tags: _Values, values: dict[str, Any]) -> int | None:
    for value in tags.all("ISO"):
        iso = whole_number(value)
        if iso == _ISO_BEYOND_SHORT:
            return whole_number(tags.first("RecommendedExposureIndex", "ISOSpeed")) or iso
        if iso is not None:
            return iso
    return whole_number(values.get("Composite:ISO"))


def _firmware(tags: _Values, values: dict[str, Any]) -> str | None:
    named = clean_text(tags.first("FirmwareVersion", "CanonFirmwareVersion", "Firmware"))
    software = clean_text(values.get("IFD0:Software")) or ""
    return named or (software if software.startswith("Ver.") else None)


def _noise_reduction(values: dict[str, Any]) -> bool | None:
    """Return whether any tag has it on; what stands for off differs between vendors."""
    switches: list[bool] = []
    for key, value in values.items():
        group, _, name = key.partition(":")
        setting = number(value) if name in _NOISE_REDUCTION_TAGS else None
        if setting is not None and setting not in _NOISE_REDUCTION_UNKNOWN:
            switches.append(setting not in _NOISE_REDUCTION_OFF.get(group, (0,)))
        if name == _NOISE_REDUCTION_AMOUNT and group not in _IGNORED_GROUPS:
            # a DNG's own, from 0 to 1; exiftool has words for the 0/0 of a file that cannot tell
            amount = number(value)
            switches += [] if amount is None else [amount > 0]
    nikon = clean_text(values.get("Nikon:NoiseReduction"))
    if nikon is not None:
        switches.append(nikon.upper() != "OFF")
    return any(switches) if switches else None
