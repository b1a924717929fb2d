"""Tables: CSV and Parquet, one row per file or per shot; moves no bytes of files."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import TextIOWrapper
from itertools import groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, Final, Literal

from datastore.errors import MissingPackageError
from datastore.exporting._files import Work, new_file
from datastore.exporting._items import COLUMNS, ColumnKind, read_plan, time_text

if TYPE_CHECKING:
    import pyarrow as pa

    from datastore.exporting._sources import Source

Per = Literal["file", "shot"]

_ROW_GROUP = 10_000
_OF_FILES: Final = ("position", "role", "sha256", "bytes", "suffix")
_OF_SHOTS: Final[dict[str, ColumnKind]] = {
    "raw_sha256": "text",
    "jpeg_sha256": "text",
    "files": "integer",
    "bytes": "integer",
}


def columns_of(per: Per) -> dict[str, ColumnKind]:
    """Return the columns of a table with their kinds."""
    if per == "file":
        return dict(COLUMNS)
    shared = {name: kind for name, kind in COLUMNS.items() if name not in _OF_FILES}
    return {**shared, **_OF_SHOTS}


def rows(plan: Path, per: Per) -> Iterator[dict[str, Any]]:
    """Read a plan as rows; times are datetimes.

    A shot's measures are those of its first file that has any.
    """
    items = ({**vars(item)} for item in read_plan(plan))
    if per == "file":
        yield from items
        return
    # the files of a shot follow one another
    for _, group in groupby(items, key=lambda facts: facts["shot_id"]):
        files = list(group)
        hashes = {file["role"]: file["sha256"] for file in files}
        measured = next((file for file in files if file["mean_dn"] is not None), files[0])
        row = {name: value for name, value in measured.items() if name not in _OF_FILES}
        yield {
            **row,
            "raw_sha256": hashes.get("raw"),
            "jpeg_sha256": hashes.get("jpeg"),
            "files": len(files),
            "bytes": sum(file["bytes"] for file in files),
        }


@dataclass(frozen=True)
class CsvExport:
    """A table `shots.csv`; what is unknown is empty.

    Attributes
    ----------
    per
        Whether a row is a file or a shot.
    """

    per: Per = "file"
    name: ClassVar[str] = "csv"

    def check(self, source: Source) -> None:
        """Take every source."""

    def write(self, work: Work) -> list[str]:
        """Write the table."""
        with new_file(work, "shots.csv") as file:
            write_csv(file, columns_of(self.per), _counted(work, self.per))
        return ["shots.csv"]


@dataclass(frozen=True)
class ParquetExport:
    """A table `shots.parquet`, typed, written group of rows by group of rows.

    Attributes
    ----------
    per
        Whether a row is a file or a shot.
    """

    per: Per = "file"
    name: ClassVar[str] = "parquet"

    def check(self, source: Source) -> None:
        """Take every source; raises MissingPackageError without pyarrow."""
        arrow()

    def write(self, work: Work) -> list[str]:
        """Write the table."""
        pa = arrow()
        from pyarrow import parquet

        schema = pa.schema(
            [(name, arrow_type(kind)) for name, kind in columns_of(self.per).items()],
            metadata=work.metadata,
        )
        remaining = _counted(work, self.per)
        with (
            new_file(work, "shots.parquet") as file,
            parquet.ParquetWriter(file, schema, compression="zstd") as writer,
        ):
            while group := list(islice(remaining, _ROW_GROUP)):
                writer.write_batch(pa.RecordBatch.from_pylist(group, schema=schema))
        return ["shots.parquet"]


def write_csv(
    file: BinaryIO, columns: Mapping[str, ColumnKind], table: Iterator[Mapping[str, Any]]
) -> None:
    """Write rows as CSV in UTF-8 with a header; times are ISO 8601 in UTC."""
    text = TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in table:
        writer.writerow(
            [
                time_text(row[name]) if kind == "time" else row[name]
                for name, kind in columns.items()
            ]
        )
    text.detach()


def arrow_type(kind: ColumnKind) -> pa.DataType:
    """Return the type of Arrow for a kind of column; times are in microseconds, UTC."""
    pa = arrow()
    return {
        "text": pa.string(),
        "integer": pa.int64(),
        "number": pa.float64(),
        "time": pa.timestamp("us", tz="UTC"),
    }[kind]


def arrow() -> Any:
    """Return pyarrow.

    Raises
    ------
    MissingPackageError
        If it is not installed.
    """
    try:
        import pyarrow as pa
    except ModuleNotFoundError as error:
        raise MissingPackageError(
            "Parquet needs pyarrow: install it with `pip install 'agetrace[tables]'`"
        ) from error
    return pa


def _counted(work: Work, per: Per) -> Iterator[dict[str, Any]]:
    done = 0
    for row in rows(work.plan, per):
        yield row
        done += row.get("files", 1)
        if done % 100 == 0 or done == work.count:
            work.advance(done, work.count)
