"""Amplitudes of defects over the dark sessions, and the bytes they are kept as; pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from typing import IO

import numpy as np
from numpy.typing import NDArray

from training.defects.errors import DefectError
from training.defects.fit import Floats

_MAGIC = b"agetrace-defect-series-1\n"


@dataclass(frozen=True)
class AmplitudeSeries:
    """Every defect of a ledger in every dark session, in the order of the ledger.

    Amplitudes are normalised to ISO 100 and, where a session knows its temperature, to the
    reference temperature: a dark rate in digital numbers per second, or an offset in digital
    numbers for defects that are rather offsets.

    Attributes
    ----------
    sessions
        UUID of each dark session, by time.
    at
        Their times, with zones.
    temperature_c
        Mean temperature of each session; None where unknown, and then the session's amplitudes are
        those at its own temperature.
    row, column
        Photosite of each defect.
    offset_like
        Whether a defect's amplitudes are offsets, shape (defects,).
    amplitude, error
        float64 of shape (defects, sessions); an infinite error where a session measured nothing.
    state
        int8 of shape (defects, sessions): 1 present, 0 absent although the session would have
        shown it, -1 not detectable.
    """

    sessions: tuple[str, ...]
    at: tuple[datetime, ...]
    temperature_c: tuple[float | None, ...]
    row: NDArray[np.int64]
    column: NDArray[np.int64]
    offset_like: NDArray[np.bool_]
    amplitude: Floats
    error: Floats
    state: NDArray[np.int8]

    def place_of(self, row: int, column: int) -> int | None:
        """Return the number of the defect at a photosite; None where there is none."""
        found = np.flatnonzero((self.row == row) & (self.column == column))
        return int(found[0]) if len(found) else None


_ARRAYS = ("row", "column", "offset_like", "amplitude", "error", "state")


def write_series(series: AmplitudeSeries) -> bytes:
    """Return series as bytes: a line of JSON, then .npy arrays; the same series, the same bytes."""
    header = {
        "sessions": series.sessions,
        "at": [at.isoformat() for at in series.at],
        "temperature_c": series.temperature_c,
    }
    buffer = BytesIO()
    buffer.write(_MAGIC + json.dumps(header, sort_keys=True).encode() + b"\n")
    for name in _ARRAYS:
        np.save(buffer, getattr(series, name), allow_pickle=False)
    return buffer.getvalue()


def read_series(file: IO[bytes]) -> AmplitudeSeries:
    """Read what `write_series` wrote.

    Raises
    ------
    DefectError
        If the file holds something else.
    """
    if file.readline() != _MAGIC:
        raise DefectError("this file holds no amplitude series: build the ledger again")
    try:
        header = json.loads(file.readline())
        rest = BytesIO(file.read())
        return AmplitudeSeries(
            sessions=tuple(header["sessions"]),
            at=tuple(datetime.fromisoformat(at) for at in header["at"]),
            temperature_c=tuple(header["temperature_c"]),
            **{name: np.load(rest, allow_pickle=False) for name in _ARRAYS},
        )
    except (ValueError, KeyError, EOFError) as error:
        raise DefectError(f"the amplitude series is damaged: {error}") from error
