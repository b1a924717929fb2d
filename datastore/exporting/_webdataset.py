"""WebDataset: tar shards, each file beside its facts; the same plan gives the same bytes."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import IO, TYPE_CHECKING, ClassVar, cast

from datastore.errors import ExportRefusedError
from datastore.exporting._files import Work, new_file, opened
from datastore.exporting._items import COLUMNS, Item, in_shards, read_plan
from datastore.exporting._tables import write_csv
from datastore.exporting._tree import TABLE, path_of

if TYPE_CHECKING:
    from datastore.exporting._sources import Source


@dataclass(frozen=True)
class WebDatasetExport:
    """Shards `NAME-000000.tar`, for a dataset `NAME-BLOCK-000000.tar`, and their table `files.csv`.

    A sample's key is the file's sha256. Beside the file lie its facts as `.json` and, where it has
    a label, the number of its class as `.cls`.

    Attributes
    ----------
    shard_name
        NAME: letters, digits, `_` and `-`.
    shard_bytes, shard_items
        A shard ends before it would hold more; one item always fits.
    """

    shard_name: str = "shots"
    shard_bytes: int = 1_000_000_000
    shard_items: int = 10_000
    name: ClassVar[str] = "webdataset"

    def check(self, source: Source) -> None:
        """Refuse names and sizes that cannot be."""
        if not self.shard_name.replace("-", "").replace("_", "").isalnum():
            raise ExportRefusedError(
                f"a shard's name has letters, digits, - and _ alone, not {self.shard_name!r}"
            )
        if self.shard_bytes < 1 or self.shard_items < 1:
            raise ExportRefusedError("a shard holds at least one byte and one item")

    def write(self, work: Work) -> list[str]:
        """Write the shards one after the other; those that have their names are whole."""
        names = [TABLE]
        done = 0
        for name, items in self._shards(work):
            if not (work.folder / name).exists():
                self._write_shard(work, name, items, done)
            done += len(items)
            names.append(name)
            work.advance(done, work.count)
        rows = (
            {"shard": name, **vars(item)} for name, items in self._shards(work) for item in items
        )
        with new_file(work, TABLE) as table:
            write_csv(table, {"shard": "text", **COLUMNS}, rows)
        return names

    def _shards(self, work: Work) -> Iterator[tuple[str, list[Item]]]:
        """Return each shard's name and items, block by block."""
        for block in dict.fromkeys(item.block for item in read_plan(work.plan)):
            prefix = self.shard_name if block is None else f"{self.shard_name}-{block}"
            for number, items in enumerate(self._shards_of(work, block)):
                yield f"{prefix}-{number:06}.tar", items

    def _shards_of(self, work: Work, block: str | None) -> Iterator[list[Item]]:
        of_block = (item for item in read_plan(work.plan) if item.block == block)
        return in_shards(of_block, self.shard_bytes, self.shard_items)

    @staticmethod
    def _write_shard(work: Work, name: str, items: list[Item], done: int) -> None:
        with (
            new_file(work, name) as file,
            tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar,
        ):
            for place, item in enumerate(items, done + 1):
                with opened(work.store, item) as reader:
                    tar.addfile(
                        _entry(path_of("{sha256}.{suffix}", item), item.bytes),
                        cast("IO[bytes]", reader),
                    )
                beside = {"json": json.dumps(item.to_json(), sort_keys=True)}
                if item.label is not None:
                    beside["cls"] = str(work.labels.index(item.label))
                for suffix, text in beside.items():
                    data = text.encode()
                    tar.addfile(_entry(f"{item.sha256}.{suffix}", len(data)), BytesIO(data))
                work.advance(place, work.count)


def _entry(name: str, size: int) -> tarfile.TarInfo:
    # owner and time of a TarInfo are 0 by default, and stay so: the bytes must not depend on them
    entry = tarfile.TarInfo(name)
    entry.size = size
    return entry
