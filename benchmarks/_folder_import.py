"""Importing a folder of files against a plain loop that hashes, copies, flushes and names them."""

import hashlib
import os
import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import simplejpeg
import tifffile

from benchmarks._result import Result, machine
from datastore.catalogue import open_catalogue
from datastore.clocks import HostClock
from datastore.importing import import_folder, read_options
from migrations import runner


def folder(files: int) -> Result:
    """Compare the import of a folder with a loop that hashes, copies and names the files."""
    with tempfile.TemporaryDirectory() as place:
        source, home = Path(place) / "source", Path(place) / "home"
        source.mkdir()
        home.mkdir()
        _write_files(source, files)
        start = time.perf_counter()
        _plain_import(source, Path(place) / "plain")
        peer_s = time.perf_counter() - start
        url = f"sqlite:///{home / 'catalogue.sqlite'}"
        runner.create(url)
        with open_catalogue(url, home / "store") as catalogue:
            start = time.perf_counter()
            report = import_folder(
                catalogue, source, read_options(alias="benchmark"), clock=HostClock()
            )
            ours_s = time.perf_counter() - start
    taken = report.count("accepted") + report.count("quarantined")
    if taken != files:
        raise RuntimeError(f"of {files} files {taken} were imported")
    return Result(
        name="import-folder",
        ours=files / ours_s,
        peer=files / peer_s,
        peer_name="hash, copy, fsync and a row of sqlite3 a file",
        unit="files/s",
        ratio=peer_s / ours_s,
        goal=0.1,
        limit=0.01,
        repeats=files,
        machine=machine(),
    )


def _write_files(place: Path, files: int) -> None:
    generator = np.random.default_rng(1)
    for number in range(files):
        if number % 3:
            pixels = generator.integers(0, 255, (480, 640, 3), dtype=np.uint8)
            data = simplejpeg.encode_jpeg(pixels, quality=90)
            (place / f"{number:05}.jpg").write_bytes(data)
        else:
            mosaic = generator.normal(512, 6, (480, 640)).astype(np.uint16)
            tifffile.imwrite(place / f"{number:05}.tif", mosaic)


def _plain_import(source: Path, target: Path) -> None:
    target.mkdir()
    with closing(sqlite3.connect(target / "files.sqlite", isolation_level=None)) as connection:
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = full")
        connection.execute("create table file (sha256 text primary key, name text, bytes integer)")
        for path in sorted(source.iterdir()):
            data = path.read_bytes()
            sha256 = hashlib.sha256(data).hexdigest()
            with (target / sha256).open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            connection.execute("insert into file values (?, ?, ?)", (sha256, path.name, len(data)))
