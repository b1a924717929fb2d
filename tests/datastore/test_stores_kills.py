"""What is killed while it looks after the stores loses nothing, and the next run goes on."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import func, select
from sqlalchemy.dialects.sqlite.base import SQLiteDialect

from datastore import audit
from datastore.catalogue import Catalogue, open_catalogue
from datastore.clocks import FixedClock, HostClock
from datastore.store import LocalStore
from datastore.stores.collection import collect_garbage
from datastore.stores.reconciliation import reconcile
from datastore.stores.repair import repair
from datastore.stores.verification import verify
from datastore.tables import Asset, AuditEntry
from tests.support.catalogues import sqlite_url
from tests.support.stored_files import add_replica, flip_a_bit, problems, store_files

FILES = 60
KILLS = 40
DAY = timedelta(days=1)

UPKEEP = """
import sys
from datetime import timedelta
from pathlib import Path
from datastore.catalogue import open_catalogue
from datastore.clocks import HostClock
from datastore.store import LocalStore
from datastore.stores.collection import collect_garbage
from datastore.stores.repair import repair
from datastore.stores.verification import verify

clock = HostClock()
with open_catalogue(sys.argv[1], Path(sys.argv[2])) as catalogue:
    stores = {"local": catalogue.store, "replica": LocalStore(Path(sys.argv[3]), "replica")}
    print("ready", flush=True)
    while True:
        for store in stores.values():
            verify(catalogue, store, clock=clock)
        repair(catalogue, stores, clock=clock)
        old = timedelta(seconds=2)
        collect_garbage(catalogue, catalogue.store, clock=clock, older_than=old, at_most=10_000)
"""

CAPTURE = """
import sys, time
from pathlib import Path
from datastore.assets import register_asset
from datastore.catalogue import open_catalogue
from datastore.clocks import HostClock

clock = HostClock()
abandoned = []
number = 0
with open_catalogue(sys.argv[1], Path(sys.argv[2])) as catalogue:
    print("ready", flush=True)
    while not Path(sys.argv[3]).exists():
        number += 1
        data = b"captured %d " % number * 100
        if number % 3 == 0:
            # what a process that died leaves without a row; somebody brings some of it again
            catalogue.store.put_bytes(data)
            abandoned.append(data)
            time.sleep(0.01)
            if number % 2 or len(abandoned) < 40:
                continue
            data = abandoned.pop(0)
        stored = catalogue.store.put_bytes(data)
        with catalogue.writing() as session:
            register_asset(session, stored, "raw", clock.now())
        print(stored.sha256, flush=True)
        time.sleep(0.05)
"""


@pytest.mark.prove
@pytest.mark.timeout(600)
def test_killed_upkeep_beside_a_capture_loses_nothing(
    catalogue: Catalogue, url: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Verify, repair and gc are killed at random moments while disks flip bits and frames come."""
    generator = np.random.default_rng(11)
    hashes = store_files(catalogue, FILES, size=20_000)
    replica = add_replica(catalogue, tmp_path / "replica")
    own = catalogue.store
    damaged: Counter[str] = Counter()
    with capturing(url, own.root, tmp_path / "stop") as captured:
        for _ in range(KILLS):
            damaged += damage_some(own, replica, hashes, generator)
            run_and_kill(url, own, replica, float(generator.uniform(0.0, 1.2)))
    for store in (own, replica):
        verify(catalogue, store, clock=HostClock())
    stores = {store.name: store for store in (own, replica)}
    assert repair(catalogue, stores, clock=HostClock()).failed == 0
    registered = [*hashes, *captured]
    for sha256 in registered:
        own.verify(sha256)
    for store in (own, replica):
        report = verify(catalogue, store, clock=HostClock())
        assert report.findings == []
    assert verify(catalogue, own, clock=HostClock()).verified == len(set(registered))
    # nothing that was damaged is gone, and nothing that nobody named
    quarantines = [path for store in (own, replica) for path in quarantine(store)]
    kept = Counter(hashlib.sha256(path.read_bytes()).hexdigest() for path in quarantines)
    assert damaged <= kept
    matched = reconcile(catalogue, own, clock=HostClock())
    assert matched.findings == []
    with catalogue.reading() as session:
        assert audit.verify(session) == []
        assets = session.scalar(select(func.count()).select_from(Asset))
        actions = Counter(session.scalars(select(AuditEntry.action)))
    assert assets == len(set(registered))
    assert actions["store.gc"] > 0 and actions["asset.repair"] > 0
    record_property("kills", KILLS)
    record_property("bits flipped", damaged.total())
    record_property("repaired copies", actions["asset.repair"])
    record_property("frames registered meanwhile", len(captured))
    record_property("unnamed files set aside", len(quarantines) - damaged.total())


@pytest.mark.prove
@pytest.mark.timeout(600)
def test_upkeep_killed_at_every_step_goes_on(
    sqlite_template: Path, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Verify, repair and gc are killed before and after every change of a disk or the catalogue."""
    steps = 0
    while True:
        steps += 1
        folder = tmp_path / str(steps)
        folder.mkdir()
        expected = prepare_faults(sqlite_template, folder)
        was_killed = look_after(folder, killed_at=steps)
        nothing_is_lost(folder, expected)
        assert not look_after(folder, killed_at=None)
        everything_is_sound(folder, expected)
        shutil.rmtree(folder)
        if not was_killed:
            break
    assert steps > 40
    record_property("steps, each with a kill", steps - 1)


@dataclass(frozen=True)
class Faults:
    """What a laboratory had before anything was killed, by hash."""

    sound: frozenset[str]
    damaged: frozenset[str]
    garbage: str


def prepare_faults(template: Path, folder: Path) -> Faults:
    """Make a catalogue with two stores, and let disks do what they do to them."""
    shutil.copy(template, folder / "catalogue.sqlite")
    with open_laboratory(folder) as (catalogue, own, replica):
        hashes = store_files(catalogue, 5)
        add_replica(catalogue, replica.root)
        garbage = own.put_bytes(b"garbage").sha256
        (own.root / "unfinished" / "partial").write_bytes(b"par")
        flipped = [flip_a_bit(own.path(hashes[0])), flip_a_bit(replica.path(hashes[1]))]
        own.path(hashes[2]).unlink()
        own.path(hashes[3]).unlink()
        own.path(hashes[3]).mkdir()
    damaged = frozenset(hashlib.sha256(data).hexdigest() for data in flipped)
    return Faults(frozenset(hashes), damaged, garbage)


@contextmanager
def open_laboratory(folder: Path) -> Iterator[tuple[Catalogue, LocalStore, LocalStore]]:
    with open_catalogue(sqlite_url(folder), folder / "store") as catalogue:
        yield catalogue, catalogue.store, LocalStore(folder / "replica", "replica")


def look_after(folder: Path, *, killed_at: int | None) -> bool:
    """Verify, repair and collect in a process that dies at a step; returns whether it did."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            die_at_step(killed_at)
            with open_laboratory(folder) as (catalogue, own, replica):
                stores = {store.name: store for store in (own, replica)}
                for store in stores.values():
                    verify(catalogue, store, clock=HostClock())
                repair(catalogue, stores, clock=HostClock())
                # the clock tells of next week
                clock, old = FixedClock(datetime.now(UTC) + 7 * DAY), timedelta(0)
                collect_garbage(catalogue, own, clock=clock, older_than=old, at_most=5)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    _, ended = os.waitpid(child, 0)
    if killed_at is not None and os.WIFSIGNALED(ended):
        assert os.WTERMSIG(ended) == signal.SIGKILL
        return True
    assert os.waitstatus_to_exitcode(ended) == 0
    return False


def die_at_step(wanted: int | None) -> None:
    """Kill this process before or after the change of that number."""
    passed = 0

    def step() -> None:
        nonlocal passed
        passed += 1
        if passed == wanted:
            os.kill(os.getpid(), signal.SIGKILL)

    def counted(change: Callable[..., Any]) -> Callable[..., Any]:
        def changed(*arguments: Any, **named: Any) -> Any:
            step()
            result = change(*arguments, **named)
            step()
            return result

        return changed

    for name in ("link", "rename", "unlink", "fsync", "mkdir"):
        setattr(os, name, counted(getattr(os, name)))
    SQLiteDialect.do_commit = counted(SQLiteDialect.do_commit)  # type: ignore[method-assign]


def nothing_is_lost(folder: Path, expected: Faults) -> None:
    held = Counter(
        hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and "unfinished" not in path.parts
    )
    assert expected.sound | expected.damaged | {expected.garbage} <= held.keys()


def everything_is_sound(folder: Path, expected: Faults) -> None:
    nothing_is_lost(folder, expected)
    with open_laboratory(folder) as (catalogue, own, replica):
        for store in (own, replica):
            assert {name.sha256 for name in store.names()} == expected.sound
            report = verify(catalogue, store, clock=HostClock())
            assert (report.verified, report.findings) == (5, [])
            assert problems(catalogue, store.name) == {}
        assert list((own.root / "unfinished").iterdir()) == []
        with catalogue.reading() as session:
            assert audit.verify(session) == []


@contextmanager
def capturing(url: str, root: Path, stop: Path) -> Iterator[list[str]]:
    """Have another process store and register files; yields what it registered, at the end."""
    registered: list[str] = []
    with (stop.parent / "registered").open("wb") as output:
        child = subprocess.Popen(
            [sys.executable, "-c", CAPTURE, url, str(root), str(stop)], stdout=output
        )
    try:
        yield registered
        assert child.poll() is None
        stop.touch()
        assert child.wait(60) == 0
        lines = (stop.parent / "registered").read_text().splitlines()
        registered += [line for line in lines if line != "ready"]
    finally:
        child.kill()
        child.wait()


def damage_some(
    own: LocalStore, replica: LocalStore, hashes: list[str], generator: np.random.Generator
) -> Counter[str]:
    """Flip bits of some files, never in both copies of one; returns what they hold now."""
    damaged: Counter[str] = Counter()
    for index in generator.choice(len(hashes), size=4, replace=False):
        sha256 = hashes[index]
        if all(store.contains(sha256) and is_sound(store, sha256) for store in (own, replica)):
            store = own if generator.random() < 0.7 else replica
            at = int(generator.integers(1000))
            damaged[hashlib.sha256(flip_a_bit(store.path(sha256), at)).hexdigest()] += 1
    return damaged


def is_sound(store: LocalStore, sha256: str) -> bool:
    return hashlib.sha256(store.path(sha256).read_bytes()).hexdigest() == sha256


def quarantine(store: LocalStore) -> list[Path]:
    folder = store.root / "quarantine"
    return list(folder.iterdir()) if folder.is_dir() else []


def run_and_kill(url: str, own: LocalStore, replica: LocalStore, after_s: float) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", UPKEEP, url, str(own.root), str(replica.root)],
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        time.sleep(after_s)
        assert child.poll() is None
        child.send_signal(signal.SIGKILL)
