"""Writing shots in bulk against hand-written inserts.

The same shots go into the same schema with the same indexes and triggers, in transactions of the
same size, in turn.
"""

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from itertools import islice
from pathlib import Path

from sqlalchemy import URL

from benchmarks._raw_writer import RawPostgresql, RawSqlite, ready_rows
from benchmarks._result import Result, machine
from benchmarks._synthetic_catalogue import (
    Synthetic,
    add_surroundings,
    bulk_shots,
    cached_catalogue,
)
from datastore.bulk import BATCH, BulkShot, write_shots
from datastore.catalogue import open_catalogue
from datastore.clocks import HostClock
from migrations import runner
from tests.support.catalogues import new_database


def bulk_sqlite(shots: int) -> Result:
    """Compare both on new SQLite catalogues."""
    synthetic = Synthetic(shots)
    with tempfile.TemporaryDirectory() as place:
        paths = [Path(place) / name for name in ("ours.sqlite", "peer.sqlite")]
        for path in paths:
            _new_catalogue(f"sqlite:///{path}", synthetic)
        peer = RawSqlite(paths[1])
        with closing(peer):
            return _compared(
                f"sqlite-{shots}", f"sqlite:///{paths[0]}", peer, bulk_shots(synthetic)
            )


def bulk_into_large(shots: int, present: int) -> Result:
    """Compare both on copies of a large SQLite catalogue: its indexes do not fit into a cache."""
    source = cached_catalogue(Synthetic(present))
    added = (replace(shot, attempt=2) for shot in bulk_shots(Synthetic(shots, seed=2)))
    with tempfile.TemporaryDirectory() as place:
        paths = [Path(place) / name for name in ("ours.sqlite", "peer.sqlite")]
        for path in paths:
            shutil.copy(source, path)
        peer = RawSqlite(paths[1])
        with closing(peer):
            return _compared(f"sqlite-into-{present}", f"sqlite:///{paths[0]}", peer, added)


def bulk_postgresql(shots: int, server: URL) -> Result:
    """Compare both on new databases of one PostgreSQL server."""
    synthetic = Synthetic(shots)
    ours, theirs = new_database(server), new_database(server)
    for url in (ours, theirs):
        _new_catalogue(url, synthetic)
    peer = RawPostgresql(theirs)
    with closing(peer):
        return _compared(f"postgresql-{shots}", ours, peer, bulk_shots(synthetic))


def _new_catalogue(url: str, synthetic: Synthetic) -> None:
    runner.create(url)
    with open_catalogue(url, Path(tempfile.gettempdir())) as catalogue:
        add_surroundings(catalogue, synthetic)


def _compared(
    name: str, url: str, peer: RawSqlite | RawPostgresql, shots: Iterator[BulkShot]
) -> Result:
    """Write the same shots on both sides, a batch each in turn, and compare the pace."""
    ours_s = peer_s = 0.0
    written = batches = 0
    with open_catalogue(url, Path(tempfile.gettempdir())) as catalogue:
        while batch := list(islice(shots, BATCH)):
            first_shot, first_asset = (peer.newest(table) + 1 for table in ("shot", "asset"))
            rows = ready_rows(batch, first_shot, first_asset, as_text=peer.as_text)
            start = time.perf_counter()
            peer.write(rows)
            between = time.perf_counter()
            report = write_shots(catalogue, batch, clock=HostClock())
            ours_s += time.perf_counter() - between
            peer_s += between - start
            written += report.written
            batches += 1
    return Result(
        name=f"import-bulk-{name}",
        ours=written / ours_s,
        peer=written / peer_s,
        peer_name=peer.name,
        unit="shots/s",
        ratio=peer_s / ours_s,
        goal=0.5,
        limit=0.3,
        repeats=batches,
        machine=machine(),
    )
