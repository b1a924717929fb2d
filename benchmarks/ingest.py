"""Ingesting files, bytes durable in the store first and rows after, against a plain copy.

Ours hashes each file while it copies it, flushes file and folders, and commits the file's rows with
the shot's events. The plain loop copies, flushes the file and commits one row about it; `durable`
also hashes what it copied, and names it in one step in a folder that it flushes.
"""

import hashlib
import os
import shutil
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks._result import Result, machine
from datastore.assets import register_asset
from datastore.catalogue import Catalogue, open_catalogue
from datastore.clocks import HostClock
from datastore.tables import Camera, Session, Shot, ShotEvent
from migrations import runner

NOTES = """
Ingest: a small file costs its flushes, not its bytes. Ours flushes the file, the folder that names
it, and in a new store the two folders above it, which after some ten thousand files all exist; and
it commits five rows (asset, location, three events, which also move the shot's status) through the
tables' models, where the plain loop commits one.
"""


@dataclass(frozen=True)
class Size:
    """Files of one size."""

    megabytes: int
    few: int
    many: int


SIZES = (Size(megabytes=1, few=40, many=400), Size(megabytes=25, few=12, many=100))


def run(full: bool) -> list[Result]:
    return [result for size in SIZES for result in compare(size, size.many if full else size.few)]


def compare(size: Size, files: int) -> list[Result]:
    """Time the three ways file by file, in turn."""
    generator = np.random.default_rng(1)
    seconds: dict[str, list[float]] = {"ours": [], "bare": [], "durable": []}
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        url = f"sqlite:///{place / 'catalogue.sqlite'}"
        runner.create(url)
        with open_catalogue(url, place / "store") as catalogue:
            ours = _Ours(catalogue, [f"{number}.raw" for number in range(files)])
            peers = {
                "bare": _Plain(place / "bare", durable=False),
                "durable": _Plain(place / "durable", durable=True),
            }
            for number in range(files):
                source = place / f"{number}.raw"
                source.write_bytes(generator.bytes(size.megabytes * 1_000_000))
                seconds["ours"].append(_timed(ours, source, number))
                for name, peer in peers.items():
                    seconds[name].append(_timed(peer, source, number))
                    peer.remove(number)
                ours.forget(source)
            for peer in peers.values():
                peer.close()
    ours_s = statistics.median(seconds.pop("ours"))
    return [
        Result(
            name=f"ingest-{size.megabytes}MB-{name}",
            ours=size.megabytes / ours_s,
            peer=size.megabytes / peer_s,
            peer_name=words,
            unit="MB/s",
            ratio=peer_s / ours_s,
            goal=goal,
            limit=0.1,
            repeats=files,
            machine=machine(),
        )
        for name, words, goal in (
            ("bare", "copy, fsync, a row of sqlite3", 0.5),
            ("durable", "copy, sha256, fsync, rename, fsync of the folder, a row of sqlite3", 0.8),
        )
        for peer_s in [statistics.median(seconds[name])]
    ]


def _timed(way: "_Ours | _Plain", source: Path, number: int) -> float:
    start = time.perf_counter()
    way.take(source, number)
    return time.perf_counter() - start


class _Ours:
    """Files of shots that were triggered before."""

    def __init__(self, catalogue: Catalogue, names: Sequence[str]) -> None:
        self._catalogue = catalogue
        self._clock = HostClock()
        now = self._clock.now()
        with catalogue.writing() as transaction:
            session = Session(kind="capture", clock_source="host", started_at=now)
            camera = Camera(
                serial="7100001",
                identity_source="serial",
                make="Synthetic",
                model="S1",
                simulated=True,
                registered_at=now,
            )
            transaction.add_all([session, camera])
            transaction.flush()
            shots = [
                Shot(
                    session_id=session.id,
                    camera_id=camera.id,
                    sequence=sequence,
                    kind="dark-field",
                    triggered_at=now,
                )
                for sequence, _ in enumerate(names)
            ]
            transaction.add_all(shots)
            transaction.flush()
            self._shots = [shot.id for shot in shots]

    def take(self, source: Path, number: int) -> None:
        """Store a file, then commit its rows and the events of its shot."""
        stored = self._catalogue.store.put_file(source)
        now, shot_id = self._clock.now(), self._shots[number]
        with self._catalogue.writing() as transaction:
            register_asset(
                transaction, stored, "raw", now, shot_id=shot_id, original_name=source.name
            )
            for name in ("downloaded", "verified", "registered"):
                transaction.add(ShotEvent(shot_id=shot_id, name=name, at=now))

    def forget(self, source: Path) -> None:
        """Free the disk of a file's copies."""
        sha256 = hashlib.sha256(source.read_bytes()).hexdigest()
        self._catalogue.store.path(sha256).unlink()
        source.unlink()


class _Plain:
    """What a script of twenty lines would do."""

    def __init__(self, folder: Path, *, durable: bool) -> None:
        self._folder = folder
        self._durable = durable
        folder.mkdir()
        self._connection = sqlite3.connect(folder / "files.sqlite", isolation_level=None)
        self._connection.execute("pragma journal_mode = wal")
        self._connection.execute("pragma synchronous = full")
        self._connection.execute("create table file (name text primary key, sha256 text)")

    def take(self, source: Path, number: int) -> None:
        """Copy a file, flush it, and commit a row."""
        target = self._folder / "unfinished" if self._durable else self._path(number)
        shutil.copyfile(source, target)
        sha256 = None
        with target.open("rb") as file:
            if self._durable:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            os.fsync(file.fileno())
        if self._durable:
            target.rename(self._path(number))
            self._flush_folder()
        self._connection.execute("insert into file values (?, ?)", (source.name, sha256))

    def remove(self, number: int) -> None:
        """Free the disk of a file's copy."""
        self._path(number).unlink()

    def close(self) -> None:
        """Close the table."""
        self._connection.close()

    def _flush_folder(self) -> None:
        descriptor = os.open(self._folder, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)

    def _path(self, number: int) -> Path:
        return self._folder / f"{number}.copy"
