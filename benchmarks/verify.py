"""Verifying a store against what bounds it, and against the sha256sum command.

Nothing that reads every byte from the disk and hashes it once can be faster than reading alone or
hashing alone; both are measured on the same files in the same minutes. Before each measurement the
operating system is told to forget the files. Several cores hash several files at once, so that
verifying may be faster than one core hashes.
"""

import hashlib
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks._result import Result, machine
from datastore.assets import register_asset
from datastore.catalogue import Catalogue, open_catalogue
from datastore.clocks import HostClock
from datastore.stores.verification import verify
from migrations import runner

_CHUNK_BYTES = 1 << 20

NOTES = """
Verify: the limit is the smaller of two rates of one thread: reading the files from the disk, and
hashing as many bytes that lie in memory. With a second core, ours hashes one file while another is
read. The command `sha256sum` hashes without the processor's own instructions for it.
"""


@dataclass(frozen=True)
class Size:
    """Files of one size, and how many of them."""

    megabytes: int
    few: int
    many: int


SIZES = (Size(megabytes=1, few=300, many=4000), Size(megabytes=25, few=16, many=160))
FEW_REPEATS, MANY_REPEATS = 5, 9


def run(full: bool) -> list[Result]:
    repeats = MANY_REPEATS if full else FEW_REPEATS
    return [
        result
        for size in SIZES
        for result in compare(size, size.many if full else size.few, repeats)
    ]


def compare(size: Size, files: int, repeats: int) -> list[Result]:
    """Time the verification, its two bounds and the command in turn, each anew from the disk."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'catalogue.sqlite'}"
        runner.create(url)
        with open_catalogue(url, Path(folder) / "store") as catalogue:
            paths = fill(catalogue, files, size.megabytes * 1_000_000)
            megabytes = sum(path.stat().st_size for path in paths) / 1e6
            actions: dict[str, Callable[[], object]] = {
                "ours": lambda: verify_all(catalogue, files),
                "disk": lambda: read_all(paths),
                "hash": lambda: hash_in_memory(round(megabytes * 1e6)),
            }
            command = shutil.which("sha256sum")
            if command is not None:
                arguments = [command, *map(str, paths)]
                actions["command"] = lambda: subprocess.run(
                    arguments, check=True, stdout=subprocess.DEVNULL
                )
            rates = {
                name: megabytes / seconds
                for name, seconds in medians(actions, paths, repeats).items()
            }
    bound = min(("disk", "hash"), key=rates.__getitem__)
    words = {"disk": "reading the files from the disk", "hash": "hashing the bytes in memory"}
    peers = [("limit", bound, f"the smaller limit: {words[bound]}, one thread", 0.8, 0.3)]
    if command is not None:
        peers.append(("command", "command", "sha256sum", 1.0, 0.3))
    return [
        Result(
            name=f"verify-{size.megabytes}MB-{name}",
            ours=rates["ours"],
            peer=rates[peer],
            peer_name=peer_name,
            unit="MB/s",
            ratio=rates["ours"] / rates[peer],
            goal=goal,
            limit=limit,
            repeats=repeats,
            machine=machine(),
        )
        for name, peer, peer_name, goal, limit in peers
    ]


def fill(catalogue: Catalogue, files: int, size: int) -> list[Path]:
    """Put random files into the store, with their rows."""
    generator = np.random.default_rng(1)
    clock = HostClock()
    paths = []
    for _ in range(files):
        stored = catalogue.store.put_bytes(generator.bytes(size))
        with catalogue.writing() as session:
            register_asset(session, stored, "raw", clock.now())
        paths.append(catalogue.store.path(stored.sha256))
    return paths


def verify_all(catalogue: Catalogue, files: int) -> None:
    report = verify(catalogue, catalogue.store, clock=HostClock())
    if (report.verified, report.findings) != (files, []):
        raise RuntimeError(f"the store is not sound: {report.to_json()}")


def read_all(paths: list[Path]) -> None:
    """Read files as `dd` does."""
    buffer = bytearray(_CHUNK_BYTES)
    for path in paths:
        with path.open("rb", buffering=0) as file:
            while file.readinto(buffer):
                pass


def hash_in_memory(size: int) -> str:
    """Hash so many bytes, of a mebibyte that lies in memory."""
    digest = hashlib.sha256()
    data = np.random.default_rng(1).bytes(_CHUNK_BYTES)
    for _ in range(size // _CHUNK_BYTES):
        digest.update(data)
    digest.update(data[: size % _CHUNK_BYTES])
    return digest.hexdigest()


def forget(paths: list[Path]) -> None:
    """Have the operating system drop its copies of files that are on the disk."""
    for path in paths:
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def medians(
    actions: dict[str, Callable[[], object]], paths: list[Path], repeats: int
) -> dict[str, float]:
    """Return the median durations of actions in turn, whose files are on the disk alone."""
    seconds: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(repeats):
        for name, action in actions.items():
            forget(paths)
            start = time.perf_counter()
            action()
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(found) for name, found in seconds.items()}
