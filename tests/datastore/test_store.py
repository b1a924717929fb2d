"""The asset store: whole files under the hash of their bytes, whatever is killed or full."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from datastore.errors import (
    AssetCorruptError,
    AssetMissingError,
    InvalidHashError,
    StoreFullError,
)
from datastore.store import LocalStore, StoredFile


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "store")


def random_bytes(size: int, seed: int = 1) -> bytes:
    return np.random.default_rng(seed).bytes(size)


def files_under(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("size", [0, 1, 1 << 20, (1 << 20) + 1, 3_000_001])
def test_what_was_put_is_read_back_under_its_hash(store: LocalStore, size: int) -> None:
    data = random_bytes(size)
    sha256 = hashlib.sha256(data).hexdigest()

    stored = store.put_bytes(data)

    assert (stored.sha256, stored.bytes) == (sha256, size)
    assert store.path(sha256) == store.root / "sha256" / sha256[:2] / sha256[2:4] / sha256
    assert store.contains(sha256)
    assert store.read_bytes(sha256) == data
    assert store.verify(sha256) == stored
    with store.open(sha256) as file:
        assert file.read() == data


@pytest.mark.parametrize("keep_source", [True, False])
def test_putting_again_changes_nothing(
    store: LocalStore, tmp_path: Path, keep_source: bool
) -> None:
    source = tmp_path / "frame.dng"
    source.write_bytes(random_bytes(5000))
    first = store.put_file(source, keep_source=keep_source)
    before = store.path(first.sha256).stat()

    second = store.put_file(source, keep_source=keep_source)

    assert second == first
    assert store.path(first.sha256).stat().st_ino == before.st_ino
    assert files_under(store.root) == [store.path(first.sha256)]


def test_a_source_that_is_kept_is_copied(store: LocalStore, tmp_path: Path) -> None:
    source = tmp_path / "frame.dng"
    source.write_bytes(b"first")
    stored = store.put_file(source)

    source.write_bytes(b"other")

    assert store.read_bytes(stored.sha256) == b"first"


def test_a_source_that_is_given_up_is_linked_and_keeps_its_name(
    store: LocalStore, tmp_path: Path
) -> None:
    source = tmp_path / "frame.dng"
    source.write_bytes(random_bytes(5000))

    stored = store.put_file(source, keep_source=False)

    assert store.path(stored.sha256).stat().st_ino == source.stat().st_ino
    source.unlink()
    assert store.verify(stored.sha256) == stored


def test_a_source_on_another_file_system_is_copied(store: LocalStore, tmp_path: Path) -> None:
    elsewhere = Path("/dev/shm")
    if not elsewhere.is_dir() or elsewhere.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system")
    source = elsewhere / f"agetrace-{os.getpid()}"
    source.write_bytes(random_bytes(5000))
    try:
        stored = store.put_file(source, keep_source=False)
    finally:
        source.unlink()
    assert store.verify(stored.sha256) == stored


@pytest.mark.parametrize("keep_source", [True, False])
def test_a_file_with_another_hash_is_refused(
    store: LocalStore, tmp_path: Path, keep_source: bool
) -> None:
    source = tmp_path / "frame.dng"
    source.write_bytes(b"what came over the wire")
    expected = hashlib.sha256(b"what was sent").hexdigest()

    with pytest.raises(AssetCorruptError, match=r"frame\.dng has the sha256 .* expected"):
        store.put_file(source, sha256=expected, keep_source=keep_source)

    assert source.read_bytes() == b"what came over the wire"
    assert files_under(store.root) == []


@pytest.mark.parametrize(
    "text",
    ["", "../../../etc/passwd", "a" * 63, "A" * 64, "g" * 64, "a" * 64 + "\n", "/" + "a" * 63],
)
def test_only_a_hash_reaches_a_path(store: LocalStore, text: str) -> None:
    for act in (store.path, store.contains, store.open, store.verify, store.read_bytes):
        with pytest.raises(InvalidHashError):
            act(text)


def test_what_is_not_there_is_missing(store: LocalStore) -> None:
    assert not store.contains("a" * 64)
    with pytest.raises(AssetMissingError, match="a" * 64):
        store.verify("a" * 64)


def test_a_flipped_bit_is_found_and_healed_by_putting_again(
    store: LocalStore, tmp_path: Path
) -> None:
    data = random_bytes(5000)
    stored = store.put_bytes(data)
    damaged = bytearray(data)
    damaged[1234] ^= 1
    path = store.path(stored.sha256)
    path.chmod(0o644)
    path.write_bytes(damaged)

    with pytest.raises(AssetCorruptError):
        store.verify(stored.sha256)
    with pytest.raises(AssetCorruptError):
        store.read_bytes(stored.sha256)

    assert store.put_bytes(data) == stored
    assert store.read_bytes(stored.sha256) == data
    (kept,) = files_under(store.root / "quarantine")
    assert kept.read_bytes() == damaged


def test_the_file_is_flushed_before_it_is_named_and_its_folder_after(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[tuple[str, int]] = []
    real_fsync, real_link = os.fsync, os.link

    def fsync(descriptor: int) -> None:
        real_fsync(descriptor)
        steps.append(("flushed", os.fstat(descriptor).st_ino))

    def link(source: Path, target: Path) -> None:
        real_link(source, target)
        steps.append(("named", target.stat().st_ino))

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "link", link)
    path = store.path(store.put_bytes(b"frame").sha256)

    named = steps.index(("named", path.stat().st_ino))
    assert ("flushed", path.stat().st_ino) in steps[:named]
    assert steps[-1] == ("flushed", path.parent.stat().st_ino)
    for folder in (path.parent.parent, path.parent.parent.parent, store.root, store.root.parent):
        assert ("flushed", folder.stat().st_ino) in steps


FILL = """
import resource, signal, sys
from pathlib import Path
from datastore.errors import StoreFullError
from datastore.store import LocalStore

resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
store = LocalStore(Path(sys.argv[1]))
small = store.put_bytes(b"small")
try:
    store.put_file(Path(sys.argv[2]))
except StoreFullError as error:
    print(error)
    assert store.verify(small.sha256) == small
    sys.exit(error.exit_code)
sys.exit("it fitted")
"""


def test_a_full_disk_is_reported_and_leaves_nothing_behind(
    store: LocalStore, tmp_path: Path
) -> None:
    source = tmp_path / "frame.dng"
    source.write_bytes(random_bytes(2_500_000))

    child = subprocess.run(
        [sys.executable, "-c", FILL, store.root, source], capture_output=True, text=True
    )

    assert child.returncode == StoreFullError.exit_code, child.stderr
    assert "is full" in child.stdout
    assert "free some space" in child.stdout
    assert [path.read_bytes() for path in files_under(store.root)] == [b"small"]


PUT_FOR_EVER = """
import sys
from pathlib import Path
import numpy as np
from datastore.store import LocalStore

store = LocalStore(Path(sys.argv[1]))
generator = np.random.default_rng(int(sys.argv[2]))
print("started", flush=True)
while True:
    store.put_bytes(generator.bytes(4_000_000))
"""


def test_what_kill_leaves_under_a_final_name_is_whole(store: LocalStore) -> None:
    delays_s = np.random.default_rng(7).uniform(0.05, 0.3, size=5)
    for seed, delay_s in enumerate(delays_s):
        with subprocess.Popen(
            [sys.executable, "-c", PUT_FOR_EVER, store.root, str(seed)],
            stdout=subprocess.PIPE,
            text=True,
        ) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == "started\n"
            time.sleep(delay_s)
            child.send_signal(signal.SIGKILL)

    whole = files_under(store.root / "sha256")
    assert whole
    for path in whole:
        assert store.verify(path.name).bytes == 4_000_000
    assert store.discard_unfinished(older_than_s=3600) == 0
    unfinished = files_under(store.root / "unfinished")
    assert store.discard_unfinished(older_than_s=0) == len(unfinished)
    assert files_under(store.root / "unfinished") == []


def test_an_unused_file_is_set_aside_only_while_nobody_puts_it_again(store: LocalStore) -> None:
    stored = store.put_bytes(b"frame")
    before = datetime.now(UTC) - timedelta(seconds=5)
    assert store.set_aside_unused(stored.sha256, before) is None
    time.sleep(0.05)
    later = datetime.now(UTC)
    time.sleep(0.05)
    # it was there already, but somebody wants it from now on
    store.put_bytes(b"frame")
    assert store.set_aside_unused(stored.sha256, later) is None
    kept = store.set_aside_unused(stored.sha256, datetime.now(UTC) + timedelta(seconds=1))
    assert kept is not None
    assert Path(kept).read_bytes() == b"frame"
    assert not store.contains(stored.sha256)
    assert store.set_aside_unused(stored.sha256, datetime.now(UTC)) is None
    assert store.put_bytes(b"frame") == stored
    assert store.contains(stored.sha256)


def test_an_old_file_that_was_linked_only_now_is_as_good_as_new(
    store: LocalStore, tmp_path: Path
) -> None:
    spooled = tmp_path / "frame.dng"
    spooled.write_bytes(b"frame")
    os.utime(spooled, (1e9, 1e9))
    stored = store.put_file(spooled, keep_source=False)
    assert store.set_aside_unused(stored.sha256, datetime.now(UTC) - timedelta(hours=1)) is None
    (store.root / "unfinished" / "partial").hardlink_to(spooled)
    assert store.discard_unfinished(older_than_s=3600) == 0
    assert store.discard_unfinished(older_than_s=0) == 1


PUT_AGAIN = """
import random, sys, time
from pathlib import Path
from datastore.store import LocalStore

store = LocalStore(Path(sys.argv[1]))
generator = random.Random(3)
for count in range(40):
    time.sleep(generator.uniform(0.0, 0.1))
    started_s = time.monotonic()
    stored = store.put_bytes(b"frame")
    is_there = store.contains(stored.sha256)
    # a processor that was busy elsewhere lets any time pass in between
    if not is_there and time.monotonic() - started_s < 0.04:
        sys.exit(f"it was gone after put {count}")
"""


def test_whoever_puts_a_file_while_it_is_set_aside_has_it(store: LocalStore) -> None:
    sha256 = store.put_bytes(b"frame").sha256
    count = 0
    with subprocess.Popen(
        [sys.executable, "-c", PUT_AGAIN, store.root], stderr=subprocess.PIPE, text=True
    ) as child:
        while child.poll() is None:
            unused_since = datetime.now(UTC) - timedelta(seconds=0.05)
            count += store.set_aside_unused(sha256, unused_since) is not None
        assert child.stderr is not None
        assert child.returncode == 0, child.stderr.read()
    assert count > 3


def test_free_space_is_what_the_disk_says_even_before_the_first_put(store: LocalStore) -> None:
    disk = os.statvfs(store.root.parent)
    assert store.free_bytes() == pytest.approx(disk.f_bavail * disk.f_frsize, rel=0.05)
    assert not store.root.exists()


def test_a_stream_is_put_under_the_hash_that_it_was_said_to_have(store: LocalStore) -> None:
    data = random_bytes(2_000_000)
    sha256 = hashlib.sha256(data).hexdigest()

    assert store.put_stream(BytesIO(data), sha256=sha256) == StoredFile(sha256, len(data))
    assert store.read_bytes(sha256) == data
    with pytest.raises(AssetCorruptError, match="expected"):
        store.put_stream(BytesIO(data[:-1]), sha256=sha256)
    with pytest.raises(InvalidHashError):
        store.put_stream(BytesIO(data), sha256="../x")
    assert files_under(store.root) == [store.path(sha256)]


def test_names_come_in_the_order_of_their_hashes_from_any_place_on(store: LocalStore) -> None:
    sizes = {store.put_bytes(random_bytes(seed, seed)).sha256: seed for seed in range(1, 300)}

    listed = list(store.names())

    assert [name.sha256 for name in listed] == sorted(sizes)
    assert {name.sha256: name.bytes for name in listed} == sizes
    now = datetime.now(UTC)
    assert all(0 <= (now - name.modified_at).total_seconds() < 60 for name in listed)
    for after in ("0" * 64, listed[0].sha256, listed[150].sha256, "7" * 64, "f" * 64):
        behind = [name for name in listed if name.sha256 > after]
        assert list(store.names(after)) == behind


def test_foreign_files_are_not_listed(store: LocalStore, tmp_path: Path) -> None:
    own = store.put_bytes(b"frame").sha256
    folder = store.path(own).parent
    for path in (
        folder / "notes.txt",
        folder / ("0" * 64),
        folder / f"{own}.part",
        folder / own[:4].ljust(64, "A"),
        store.root / "sha256" / "README",
        store.root / "sha256" / "zz" / "aa" / ("f" * 64),
        store.root / "quarantine" / f"{own}.1",
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"foreign")
    outside = tmp_path / "outside"
    outside.mkdir()
    (folder / own[:4].ljust(64, "0")).symlink_to(store.path(own))
    (folder / own[:4].ljust(64, "1")).mkdir()
    (store.root / "sha256" / own[:2] / "00").symlink_to(outside)

    assert [name.sha256 for name in store.names()] == [own]
    assert list(LocalStore(tmp_path / "nothing").names()) == []
    with pytest.raises(InvalidHashError):
        store.names("../x")


def test_what_is_set_aside_leaves_its_place_and_keeps_its_bytes(store: LocalStore) -> None:
    stored = store.put_bytes(b"frame")

    kept = store.set_aside(stored.sha256)

    assert Path(kept).read_bytes() == b"frame"
    assert not store.contains(stored.sha256)
    with pytest.raises(AssetMissingError):
        store.set_aside(stored.sha256)
