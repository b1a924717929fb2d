"""Tables of facts about files: CSV with a column `path`; knows no image and no catalogue."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path, PurePosixPath
from typing import Final

from datastore.errors import RequestError

COLUMNS: Final = (
    "path",
    "camera",
    "serial",
    "make",
    "model",
    "kind",
    "scene",
    "timeslot",
    "taken_at",
    "timezone",
    "exposure",
    "iso",
    "f_number",
    "temperature_c",
)
"""What a table may say of a file."""

_NUMBERS: Final = ("exposure", "iso", "f_number", "temperature_c")


@dataclass(frozen=True, slots=True)
class Row:
    """What a row says: its number, counted as an editor counts lines, and words by column."""

    number: int
    words: dict[str, str]


class FactsTable:
    """Rows by the path that they speak of.

    Parameters
    ----------
    source
        File that it was read from.
    rows
        By path below the imported folder, with slashes.
    """

    def __init__(self, source: Path, rows: dict[str, Row]) -> None:
        self.source = source
        self._rows = rows

    def row(self, path: str) -> Row | None:
        """Return the row of a file, None where there is none."""
        return self._rows.get(path)

    def rows(self) -> Iterator[tuple[str, Row]]:
        """Give every path with its row."""
        yield from self._rows.items()


def read_table(path: Path, error: type[RequestError]) -> FactsTable:
    """Read a table of facts.

    Raises
    ------
    RequestError
        Of the class `error`, naming row and column, if it cannot be read or is malformed.
    """
    rows: dict[str, Row] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            _require_columns(path, reader.fieldnames or (), error)
            for found in reader:
                place = f"{path}, row {reader.line_num}"
                if None in found or None in found.values():
                    raise error(f"{place}: it has not as many fields as the first row")
                words = {name: text.strip() for name, text in found.items() if text.strip()}
                name = _checked_path(words.pop("path", ""), place, error)
                if name in rows:
                    raise error(f"{place}, column path: {name} is in row {rows[name].number} too")
                for column in _NUMBERS:
                    _require_number(words.get(column), f"{place}, column {column}", error)
                rows[name] = Row(reader.line_num, words)
    except OSError as problem:
        raise error(f"{path} cannot be read: {problem.strerror}") from None
    except (csv.Error, UnicodeDecodeError) as problem:
        raise error(f"{path} is no CSV in UTF-8: {problem}") from None
    return FactsTable(path, rows)


def _require_columns(path: Path, names: object, error: type[RequestError]) -> None:
    columns = list(names) if isinstance(names, list | tuple) else []
    unknown = [name for name in columns if name not in COLUMNS]
    if unknown:
        raise error(
            f"{path}, row 1: no column is called {unknown[0]!r}; there are {', '.join(COLUMNS)}"
        )
    if "path" not in columns or len(set(columns)) < len(columns):
        raise error(f"{path}, row 1: it needs a column path, and every column once")


def _checked_path(text: str, place: str, error: type[RequestError]) -> str:
    path = PurePosixPath(text)
    if not text or path.is_absolute() or ".." in path.parts:
        raise error(f"{place}, column path: write the path below the imported folder")
    return path.as_posix()


def _require_number(text: str | None, place: str, error: type[RequestError]) -> None:
    if text is None:
        return
    try:
        Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise error(f"{place}: {text!r} is no number") from None
