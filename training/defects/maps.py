"""Per-photosite measurement of one session, kept so that any photosite can be measured later.

A session's frames are reduced to two significances per photosite: against a pure dark rate
(offset zero) and against a pure offset (dark rate zero). With the information of the session's
grid they give back dark rate and offset at any place, also where the session by itself saw
nothing, so that weak defects add up over sessions.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from training.defects.backgrounds import at_places, everywhere
from training.defects.errors import DefectError

Floats = NDArray[np.float64]
LARGEST = 60_000.0
"""Significances are clipped here to fit 16-bit floats."""

_MAGIC = b"agetrace-defect-maps-2\n"
_MAGIC_OF_ONE_TILE = b"agetrace-defect-maps-1\n"
_ARRAY_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


@dataclass(frozen=True)
class SessionMaps:
    """Calibrated significances of every photosite of a session.

    Attributes
    ----------
    significance
        float16 of shape (2, rows, columns): of a dark rate, of an offset.
    error
        float64 of shape (2, planes, tiles down, tiles across): what a significance of one is worth
        in each tile of a plane, DN/s and DN at ISO 100; 0 where the grid measures nothing.
    information
        float64 of shape (planes, 2, 2): of dark rate and offset, from the grid and its noise.
    seconds, gain
        Of the most sensitive cell, so that ``gain (D seconds + c)`` is the amplitude.
    period
        2 with colour filters, 1 without.
    """

    significance: NDArray[np.float16]
    error: Floats
    information: Floats
    seconds: float
    gain: float
    period: int

    def planes_of(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the plane of each photosite."""
        return (rows % self.period) * self.period + columns % self.period

    def measure_at(
        self, rows: NDArray[np.int64], columns: NDArray[np.int64]
    ) -> tuple[Floats, Floats]:
        """Return the rates of pure dark rate and pure offset, and their errors.

        Returns
        -------
        values, errors
            float64 of shape (2, photosites): DN/s and DN at ISO 100.
        """
        errors = np.zeros((2, len(rows)))
        planes = self.planes_of(rows, columns)
        for plane in range(self.period**2):
            mine = planes == plane
            for index in range(2):
                errors[index, mine] = at_places(
                    self.error[index, plane],
                    self.plane_shape(plane),
                    rows[mine] // self.period,
                    columns[mine] // self.period,
                )
        return self.significance[:, rows, columns].astype(float) * errors, errors

    def plane_shape(self, plane: int) -> tuple[int, int]:
        """Return the shape of a plane."""
        top, left = divmod(plane, self.period)
        rows, columns = self.significance.shape[1:]
        return -(-(rows - top) // self.period), -(-(columns - left) // self.period)

    def errors_of(self, index: int, plane: int) -> NDArray[np.float32] | None:
        """Return the error of each photosite of a plane; None where nothing is measured."""
        grid = self.error[index, plane]
        return everywhere(grid, self.plane_shape(plane)) if grid.all() else None


def write_maps(maps: SessionMaps) -> bytes:
    """Return maps as bytes: a line of JSON, then a .npy array; the same maps, the same bytes."""
    header = {
        "error": maps.error.tolist(),
        "information": maps.information.tolist(),
        "seconds": maps.seconds,
        "gain": maps.gain,
        "period": maps.period,
    }
    buffer = BytesIO()
    buffer.write(_MAGIC + json.dumps(header, sort_keys=True).encode() + b"\n")
    np.save(buffer, maps.significance, allow_pickle=False)
    return buffer.getvalue()


def read_maps(file: IO[bytes]) -> SessionMaps:
    """Read what `write_maps` wrote.

    Raises
    ------
    DefectError
        If the file holds something else.
    """
    _require_magic(file.readline())
    try:
        header = json.loads(file.readline())
        return _from_header(header, np.load(BytesIO(file.read()), allow_pickle=False))
    except (ValueError, KeyError) as error:
        raise DefectError(f"the defect maps are damaged: {error}") from error


def open_maps(path: Path) -> SessionMaps:
    """Open maps that `write_maps` wrote without reading them into memory.

    The significances stay in the file, so that a ledger of many sessions needs the memory of one.

    Raises
    ------
    DefectError
        If the file holds something else.
    """
    with path.open("rb") as file:
        _require_magic(file.readline())
        try:
            header = json.loads(file.readline())
            version = np.lib.format.read_magic(file)
            shape, _, dtype = _ARRAY_HEADERS[version](file)
            mapped = np.memmap(path, dtype, "r", file.tell(), shape)
            return _from_header(header, mapped)
        except (ValueError, KeyError) as error:
            raise DefectError(f"the defect maps are damaged: {error}") from error


def _require_magic(line: bytes) -> None:
    if line not in (_MAGIC, _MAGIC_OF_ONE_TILE):
        raise DefectError("this file holds no defect maps: extract the session again")


def _from_header(header: dict[str, Any], significance: NDArray[np.float16]) -> SessionMaps:
    error = np.array(header["error"])
    return SessionMaps(
        significance=significance,
        error=error.reshape(*error.shape[:2], *(error.shape[2:] or (1, 1))),
        information=np.array(header["information"]),
        seconds=float(header["seconds"]),
        gain=float(header["gain"]),
        period=int(header["period"]),
    )
