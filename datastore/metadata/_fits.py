"""Headers of FITS images; runs in a process of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from datastore.frames import FrameError, UnsupportedFrameError
from datastore.frames.process import Answer, IsolatedProcess
from datastore.metadata._facts import (
    FileMetadata,
    clean_text,
    json_safe,
    rational,
    serial_number,
    taken_at,
    temperature,
    whole_number,
)

_MEMORY_BYTES = 2 << 30


class FitsHeaders:
    """One process that reads the header of one FITS file after the other.

    Parameters
    ----------
    deadline_s
        Longest time for one file, in seconds.
    """

    def __init__(self, *, deadline_s: float) -> None:
        self._process = IsolatedProcess(
            _read_cards, deadline_s=deadline_s, memory_bytes=_MEMORY_BYTES
        )

    def read(self, path: Path) -> FileMetadata:
        """Read a file.

        Raises
        ------
        DecodingStoppedError
            If the reader died or ran past its deadline.
        FrameError
            If the header cannot be read.
        UnsupportedFrameError
            If the extra that reads FITS is not installed.
        """
        answer, _ = self._process.ask({"path": str(path)})
        return _metadata(answer["cards"])

    def close(self) -> None:
        """End the process, if one runs."""
        self._process.close()


def _read_cards(request: dict[str, Any]) -> Answer:
    path = Path(request["path"])
    try:
        from astropy.io import fits
    except ModuleNotFoundError as error:
        raise UnsupportedFrameError(
            f"{path} is a FITS file; install what reads them: pip install 'agetrace[fits]'"
        ) from error
    try:
        with path.open("rb") as file:
            header = fits.Header.fromfile(file)
            return {"cards": json_safe(dict(header))}, None
    except (OSError, ValueError) as error:
        raise FrameError(f"the FITS header of {path} cannot be read: {error}") from error


def _metadata(cards: dict[str, Any]) -> FileMetadata:
    # times are UTC where the header names no other scale (FITS standard 4.0, section 9.2)
    in_utc = str(cards.get("TIMESYS", "UTC")).strip().upper() in ("UTC", "UT")
    moment, local, offset = taken_at(cards.get("DATE-OBS"), offset="Z" if in_utc else None)
    exposure = rational(cards.get("EXPTIME", cards.get("EXPOSURE")))
    return FileMetadata(
        reader="fits",
        model=clean_text(cards.get("INSTRUME")),
        serial=serial_number(cards.get("SERIALNO")),
        taken_at=moment,
        taken_at_local=local,
        utc_offset=offset,
        exposure=None if exposure is None else str(exposure),
        exposure_s=None if exposure is None else float(exposure),
        camera_temperature_c=temperature(cards.get("CCD-TEMP")),
        width=whole_number(cards.get("NAXIS1")),
        height=whole_number(cards.get("NAXIS2")),
        verbatim=cards,
    )
