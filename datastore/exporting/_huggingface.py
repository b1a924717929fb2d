"""Parquet with the files' bytes in the layout that Hugging Face's `datasets` loads, with a card."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

from datastore.errors import ExportRefusedError
from datastore.exporting._files import Work, new_file, read_bytes
from datastore.exporting._items import COLUMNS, ColumnKind, Item, in_shards, read_plan
from datastore.exporting._tables import arrow, arrow_type
from datastore.exporting._tree import path_of

if TYPE_CHECKING:
    from datastore.exporting._sources import Source

_GROUP_BYTES = 64 << 20
_GROUP_ROWS = 500
_DTYPES: Final[dict[ColumnKind, str]] = {
    "text": "string",
    "integer": "int64",
    "number": "float64",
    "time": "timestamp[us, tz=UTC]",
}


@dataclass(frozen=True)
class HuggingFaceExport:
    """A folder for `datasets.load_dataset`: `data/SPLIT-00000-of-00001.parquet` and a card.

    The splits are the blocks, `new-scene` as `new_scene`; shots that are in no dataset are `train`.
    JPEGs are images; files of other roles are plain bytes, in the column `file`.

    Attributes
    ----------
    role
        The role of all files.
    shard_bytes
        A file ends before it would hold more bytes of frames; one frame always fits.
    licence
        Identifier for the card; None leaves it to whoever publishes the dataset.
    title
        Of the card.
    """

    role: str
    shard_bytes: int = 500_000_000
    licence: str | None = None
    title: str = "Frames"
    name: ClassVar[str] = "huggingface"

    def check(self, source: Source) -> None:
        """Refuse files of several roles; raises MissingPackageError without pyarrow."""
        if source.describe().get("roles", [self.role]) != [self.role]:
            raise ExportRefusedError("a Hugging Face dataset has files of one role: name it")
        if self.shard_bytes < 1:
            raise ExportRefusedError("a file holds at least one byte")
        arrow()

    def write(self, work: Work) -> list[str]:
        """Write the files and the card; files that have their names are whole."""
        names = []
        done = 0
        counts: dict[str, int] = {}
        for split in dict.fromkeys(_split(item) for item in read_plan(work.plan)):
            shards = sum(1 for _ in self._shards(work, split))
            for number, items in enumerate(self._shards(work, split)):
                name = f"data/{split}-{number:05}-of-{shards:05}.parquet"
                if not (work.folder / name).exists():
                    self._write_shard(work, name, items, done)
                done += len(items)
                counts[split] = counts.get(split, 0) + len(items)
                names.append(name)
                work.advance(done, work.count)
        with new_file(work, "README.md") as card:
            card.write(self._card(work, counts).encode())
        return [*names, "README.md"]

    @property
    def _column(self) -> str:
        return "image" if self.role == "jpeg" else "file"

    def _shards(self, work: Work, split: str) -> Iterator[list[Item]]:
        of_split = (item for item in read_plan(work.plan) if _split(item) == split)
        return in_shards(of_split, self.shard_bytes)

    def _write_shard(self, work: Work, name: str, items: list[Item], done: int) -> None:
        pa = arrow()
        from pyarrow import parquet

        schema = self._schema(work)
        group: list[dict[str, Any]] = []
        size = 0
        with (
            new_file(work, name) as file,
            parquet.ParquetWriter(file, schema, compression="zstd") as writer,
        ):
            for place, item in enumerate(items, done + 1):
                if group and (len(group) == _GROUP_ROWS or size + item.bytes > _GROUP_BYTES):
                    writer.write_batch(pa.RecordBatch.from_pylist(group, schema=schema))
                    group, size = [], 0
                group.append(self._row(work, item))
                size += item.bytes
                work.advance(place, work.count)
            writer.write_batch(pa.RecordBatch.from_pylist(group, schema=schema))

    def _row(self, work: Work, item: Item) -> dict[str, Any]:
        data = read_bytes(work.store, item)
        is_image = self._column == "image"
        name = path_of("{sha256}.{suffix}", item)
        label = None if item.label is None else work.labels.index(item.label)
        return {
            **vars(item),
            self._column: {"bytes": data, "path": name} if is_image else data,
            "label": label,
        }

    def _schema(self, work: Work) -> Any:
        pa = arrow()
        is_image = self._column == "image"
        kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        columns = [(self._column, kind if is_image else pa.binary())]
        columns += [
            (name, pa.int64() if name == "label" else arrow_type(COLUMNS[name]))
            for name in _facts(work)
        ]
        features = {"info": {"features": self._features(work)}}
        return pa.schema(columns, metadata={"huggingface": json.dumps(features), **work.metadata})

    def _features(self, work: Work) -> dict[str, Any]:
        features: dict[str, Any] = {
            name: {"dtype": _DTYPES[COLUMNS[name]], "_type": "Value"} for name in _facts(work)
        }
        if work.labels:
            features["label"] = {"names": list(work.labels), "_type": "ClassLabel"}
        is_image = self._column == "image"
        own = {"_type": "Image"} if is_image else {"dtype": "binary", "_type": "Value"}
        return {self._column: own, **features}

    def _card(self, work: Work, counts: dict[str, int]) -> str:
        import yaml

        described = []
        for name, feature in self._features(work).items():
            dtype: Any = feature.get("dtype", "image")
            if feature["_type"] == "ClassLabel":
                names = {str(number): label for number, label in enumerate(work.labels)}
                dtype = {"class_label": {"names": names}}
            described.append({"name": name, "dtype": dtype})
        head: dict[str, Any] = {
            "configs": [
                {
                    "config_name": "default",
                    "data_files": [
                        {"split": split, "path": f"data/{split}-*.parquet"} for split in counts
                    ],
                }
            ],
            "dataset_info": {"features": described},
        }
        if self.licence is not None:
            head["license"] = self.licence
        release = work.metadata["agetrace_version"]
        lines = [
            "---",
            yaml.safe_dump(head, sort_keys=False, allow_unicode=True).rstrip(),
            "---",
            "",
            f"# {self.title}",
            "",
            f"{work.count} files of cameras' frames, exported by agetrace {release}.",
            "",
            "| split | files |",
            "| --- | --- |",
            *(f"| {split} | {count} |" for split, count in counts.items()),
            "",
            "`export.json` says what was exported, from which catalogue, and every file's sha256.",
        ]
        return "\n".join(lines) + "\n"


def _split(item: Item) -> str:
    return "train" if item.block is None else item.block.replace("-", "_")


def _facts(work: Work) -> list[str]:
    """Return the columns beside the bytes; without labels there is none for them."""
    return [name for name in COLUMNS if work.labels or name not in ("label", "block")]
