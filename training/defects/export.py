"""Ledgers as tables in files: one row per defect, or one per defect and dark session."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from training.defects.errors import LedgerError
from training.defects.ledger import LedgerEntry
from training.defects.series import AmplitudeSeries

FORMATS: Final = (".csv", ".jsonl", ".parquet")

_STATES = {1: "present", 0: "absent", -1: "not-detectable"}


def defect_rows(camera: str, defects: Sequence[LedgerEntry]) -> Iterator[dict[str, Any]]:
    """Give one row per defect, flags as one text."""
    for one in defects:
        row = one.to_json()
        yield {"camera": camera, **row, "flags": " ".join(row["flags"])}


def history_rows(camera: str, series: AmplitudeSeries) -> Iterator[dict[str, Any]]:
    """Give one row per defect and dark session.

    Amplitudes are dark rates in digital numbers per second or offsets in digital numbers, as
    `AmplitudeSeries` says; None where a session measured nothing.
    """
    for place in range(len(series.row)):
        unit = "dn" if series.offset_like[place] else "dn-per-s"
        for number, session in enumerate(series.sessions):
            error = float(series.error[place, number])
            is_measured = error != float("inf")
            yield {
                "camera": camera,
                "row": int(series.row[place]),
                "column": int(series.column[place]),
                "session": session,
                "at": series.at[number].isoformat(),
                "temperature_c": series.temperature_c[number],
                "state": _STATES[int(series.state[place, number])],
                "unit": unit,
                "amplitude": float(series.amplitude[place, number]) if is_measured else None,
                "amplitude_error": error if is_measured else None,
            }


def write_table(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Write rows into a new file, in the format that its name ends with.

    Raises
    ------
    LedgerError
        If the ending is none of `FORMATS`, there are no rows, or the file is there already.
    """
    if path.suffix not in FORMATS:
        raise LedgerError(f"{path}: a ledger is written as {', '.join(FORMATS)}")
    if not rows:
        raise LedgerError("the ledger holds no defects: there is nothing to write")
    try:
        if path.suffix == ".parquet":
            _write_parquet(rows, path)
            return
        with path.open("x", encoding="utf-8", newline="") as file:
            if path.suffix == ".jsonl":
                file.writelines(json.dumps(row) + "\n" for row in rows)
                return
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    except FileExistsError as error:
        raise LedgerError(f"{path} is there already: name a new file") from error
    except OSError as error:
        raise LedgerError(f"{path} cannot be written: {error.strerror}") from error


def _write_parquet(rows: Sequence[dict[str, Any]], path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    with path.open("xb") as file:
        parquet.write_table(pyarrow.Table.from_pylist(list(rows)), file, compression="zstd")
