"""Selections as tables: record batches of Arrow, frames of polars and pandas; typed throughout."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from datastore.errors import MissingPackageError
from datastore.selections.records import AssetRecord, ShotRecord

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from datastore.selections.selection import Selection

_MEASURES = ("black_level_dn", "mean_dn", "clipped_share", "sharpness", "temperature_c")


def batches(selection: Selection, size: int) -> Iterator[pa.RecordBatch]:
    """Read a selection as record batches of at most `size` shots; see `schema` for the columns.

    Raises
    ------
    MissingPackageError
        If pyarrow is not installed.
    """
    arrow = _package("pyarrow")
    columns = schema()
    waiting: list[ShotRecord] = []
    for records in selection.pages(min(size, 500)):
        waiting += records
        while len(waiting) >= size:
            yield arrow.RecordBatch.from_pylist(_rows(waiting[:size]), schema=columns)
            del waiting[:size]
    if waiting:
        yield arrow.RecordBatch.from_pylist(_rows(waiting), schema=columns)


def schema() -> pa.Schema:
    """Return the columns of a selection's table.

    They are those of `ShotRecord`; the measures are those of the raw file, or of the JPEG where
    there is none; the assets are a list of role, hash, size and path.
    """
    arrow = _package("pyarrow")
    text, whole, number = arrow.string(), arrow.int64(), arrow.float64()
    asset = arrow.struct([("role", text), ("sha256", text), ("bytes", whole), ("path", text)])
    return arrow.schema(
        [
            ("id", text),
            ("camera_serial", text),
            ("kind", text),
            ("scene", text),
            ("scene_revision", whole),
            ("timeslot", whole),
            ("session_id", text),
            ("triggered_at", arrow.timestamp("us", tz="UTC")),
            ("exposure_s", number),
            ("iso", whole),
            ("f_number", number),
            ("state", text),
            ("verdict", text),
            *((name, number) for name in _MEASURES),
            ("assets", arrow.list_(asset)),
        ]
    )


def to_arrow(selection: Selection) -> pa.Table:
    """Read a selection into a table of Arrow; raises as `batches`."""
    arrow = _package("pyarrow")
    return arrow.Table.from_batches(batches(selection, 10_000), schema=schema())


def to_polars(selection: Selection) -> pl.DataFrame:
    """Read a selection into a frame of polars.

    Raises
    ------
    MissingPackageError
        If polars or pyarrow is not installed.
    """
    return _package("polars").from_arrow(to_arrow(selection))


def to_pandas(selection: Selection) -> pd.DataFrame:
    """Read a selection into a frame of pandas; whole numbers may be unknown, times are in UTC.

    Raises
    ------
    MissingPackageError
        If pandas or pyarrow is not installed.
    """
    pandas = _package("pandas")
    arrow = _package("pyarrow")
    nullable = {arrow.int64(): pandas.Int64Dtype()}
    return to_arrow(selection).to_pandas(types_mapper=nullable.get)


def _rows(records: Sequence[ShotRecord]) -> list[dict[str, Any]]:
    return [
        {
            **record.to_json(),
            "scene_revision": record.scene_revision,
            "triggered_at": record.triggered_at,
            **_measures(record.assets),
        }
        for record in records
    ]


def _measures(assets: Sequence[AssetRecord]) -> dict[str, float | None]:
    by_role = {asset.role: asset.measures for asset in assets if asset.measures is not None}
    measures = by_role.get("raw") or by_role.get("jpeg")
    return {name: getattr(measures, name, None) for name in _MEASURES}


def _package(name: str) -> Any:
    from importlib import import_module

    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise MissingPackageError(
            f"tables need {name}: install it with `pip install 'agetrace[tables]'`"
        ) from error
