"""Verifying: what the disk changed is found, kept and named; what is broken off is gone on with."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import pytest
from sqlalchemy import select, update

from datastore import audit
from datastore.assets import register_asset
from datastore.catalogue import Catalogue
from datastore.clocks import FixedClock
from datastore.errors import StoreUnavailableError
from datastore.store import LocalStore
from datastore.stores.verification import verify
from datastore.tables import AssetLocation, AuditEntry
from tests.support.catalogue_rows import NOW, add_camera, add_session, add_shot
from tests.support.stored_files import (
    LATER,
    actions,
    add_replica,
    flip_a_bit,
    locations,
    problems,
    store_files,
    verified,
)


def test_a_sound_store_is_dated_anew(catalogue: Catalogue) -> None:
    hashes = store_files(catalogue, 5)
    told: list[tuple[int, int]] = []
    report = verify(
        catalogue,
        catalogue.store,
        clock=FixedClock(LATER),
        progress=lambda *pair: told.append(pair),
    )
    assert (report.verified, report.findings) == (5, [])
    assert report.verified_bytes == 5 * (1000 // 32 * 32)
    assert verified(catalogue) == dict.fromkeys(hashes, LATER)
    assert told == [(number, 5) for number in range(1, 6)]


def test_an_empty_store_is_sound(sqlite_catalogue: Catalogue) -> None:
    assert verify(sqlite_catalogue, sqlite_catalogue.store, clock=FixedClock(NOW)).to_json() == {
        "store": "local",
        "verified": 0,
        "verified_bytes": 0,
        "sound_again": 0,
        "damaged": 0,
        "unreadable": 0,
        "missing": 0,
        "findings": [],
    }


def test_a_flipped_bit_is_found_and_the_file_kept_in_quarantine(catalogue: Catalogue) -> None:
    first, *others = store_files(catalogue, 3)
    with catalogue.writing() as session:
        taken_in = add_session(session)
        shot = add_shot(session, taken_in, add_camera(session), 1)
        frame = catalogue.store.put_bytes(b"a frame of a camera")
        register_asset(session, frame, "raw", NOW, shot_id=shot.id, original_name="DSC_1.NEF")
        shot_uuid, session_uuid = shot.uuid, taken_in.uuid
    bad = flip_a_bit(catalogue.store.path(frame.sha256))
    report = verify(catalogue, catalogue.store, clock=FixedClock(LATER))
    assert report.verified == 3
    (finding,) = report.findings
    assert finding.problem == "damaged"
    location = finding.location
    assert (location.sha256, location.original_name) == (frame.sha256, "DSC_1.NEF")
    assert (location.shot_uuid, location.session_uuid) == (shot_uuid, session_uuid)
    assert hashlib.sha256(bad).hexdigest() in finding.detail
    assert not catalogue.store.contains(frame.sha256)
    (kept,) = (catalogue.store.root / "quarantine").iterdir()
    assert kept.read_bytes() == bad
    assert str(kept) in finding.detail
    assert verified(catalogue) == {
        **dict.fromkeys([first, *others], LATER),
        frame.sha256: NOW,
    }
    with catalogue.reading() as session:
        entry = session.scalars(select(AuditEntry)).one()
        assert (entry.action, entry.entry["sha256"]) == ("asset.quarantine", frame.sha256)
        assert audit.verify(session) == []


def test_a_quarantined_file_stays_missing_until_it_is_brought_again(
    sqlite_catalogue: Catalogue,
) -> None:
    (sha256,) = store_files(sqlite_catalogue, 1)
    sound = sqlite_catalogue.store.read_bytes(sha256)
    flip_a_bit(sqlite_catalogue.store.path(sha256))
    verify(sqlite_catalogue, sqlite_catalogue.store, clock=FixedClock(LATER))
    for _ in range(2):
        report = verify(sqlite_catalogue, sqlite_catalogue.store, clock=FixedClock(LATER), limit=1)
        (finding,) = report.findings
        assert finding.problem == "missing"
        assert "A damaged copy is kept at" in finding.detail
    sqlite_catalogue.store.put_bytes(sound)
    assert verify(sqlite_catalogue, sqlite_catalogue.store, clock=FixedClock(LATER)).findings == []


def test_missing_and_unreadable_files_are_named_and_left_alone(sqlite_catalogue: Catalogue) -> None:
    gone, blocked, sound = store_files(sqlite_catalogue, 3)
    sqlite_catalogue.store.path(gone).unlink()
    sqlite_catalogue.store.path(blocked).unlink()
    sqlite_catalogue.store.path(blocked).mkdir()
    report = verify(sqlite_catalogue, sqlite_catalogue.store, clock=FixedClock(LATER), limit=2)
    assert [(one.problem, one.location.sha256) for one in report.findings] == [
        ("missing", gone),
        ("unreadable", blocked),
    ]
    assert report.verified == 1
    assert verified(sqlite_catalogue)[sound] == LATER


def test_a_limited_verification_reads_the_longest_unread_and_the_next_goes_on(
    catalogue: Catalogue,
) -> None:
    hashes = store_files(catalogue, 5)
    assert verify(catalogue, catalogue.store, clock=FixedClock(LATER), limit=2).verified == 2
    assert [verified(catalogue)[sha256] == LATER for sha256 in hashes] == [
        *[True, True],
        *[False] * 3,
    ]
    again = LATER + timedelta(days=1)
    assert verify(catalogue, catalogue.store, clock=FixedClock(again), limit=3).verified == 3
    assert [verified(catalogue)[sha256] for sha256 in hashes] == [*[LATER] * 2, *[again] * 3]


def test_dates_of_the_future_say_nothing(sqlite_catalogue: Catalogue) -> None:
    hashes = store_files(sqlite_catalogue, 3)
    with sqlite_catalogue.writing() as session:
        session.execute(
            update(AssetLocation)
            .where(AssetLocation.asset_id == 2)
            .values(verified_at=LATER + timedelta(days=9999))
        )
    assert (
        verify(sqlite_catalogue, sqlite_catalogue.store, clock=FixedClock(LATER), limit=1).verified
        == 1
    )
    assert verified(sqlite_catalogue)[hashes[1]] == LATER
    assert verify(sqlite_catalogue, sqlite_catalogue.store, clock=FixedClock(LATER)).verified == 3


def test_a_store_of_many_pages_is_read_once_each(
    sqlite_catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("datastore.stores._locations.PAGE", 3)
    with sqlite_catalogue.writing() as session:
        for number in range(10):
            # all of the same date
            stored = sqlite_catalogue.store.put_bytes(b"%d" % number)
            register_asset(session, stored, "other", NOW)
    assert verify(sqlite_catalogue, sqlite_catalogue.store, clock=FixedClock(LATER)).verified == 10


def test_it_reads_no_faster_than_asked(sqlite_catalogue: Catalogue) -> None:
    store_files(sqlite_catalogue, 4, size=250_000)
    started = time.monotonic()
    verify(sqlite_catalogue, sqlite_catalogue.store, clock=FixedClock(LATER), bytes_per_s=1e6)
    assert time.monotonic() - started > 0.95


KILLED = """\
import os, sys
from pathlib import Path
import datastore.stores.verification as verification
from datastore.catalogue import open_catalogue
from datastore.clocks import HostClock

verification._COMMIT_FILES = 10
def die(done, total):
    if done == 25:
        os.kill(os.getpid(), 9)
folder = Path(sys.argv[1])
with open_catalogue(f"sqlite:///{folder / 'catalogue.sqlite'}", folder / "store") as catalogue:
    verification.verify(catalogue, catalogue.store, clock=HostClock(), progress=die)
"""


def test_a_killed_verification_is_gone_on_with(sqlite_catalogue: Catalogue, tmp_path: Path) -> None:
    hashes = store_files(sqlite_catalogue, 40)
    flip_a_bit(sqlite_catalogue.store.path(hashes[3]))
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    before = verified(sqlite_catalogue)
    done = [sha256 for sha256 in hashes if before[sha256] > NOW + timedelta(days=50)]
    assert done == [*hashes[:3], *hashes[4:21]]
    flip_a_bit(sqlite_catalogue.store.path(hashes[30]))
    after = FixedClock(datetime.now(tz=NOW.tzinfo) + timedelta(days=1))
    report = verify(sqlite_catalogue, sqlite_catalogue.store, clock=after, limit=19)
    assert report.verified == 18
    assert [(one.problem, one.location.sha256) for one in report.findings] == [
        ("missing", hashes[3]),
        ("damaged", hashes[30]),
    ]
    unread = {
        sha for sha, at in verified(sqlite_catalogue).items() if at < NOW + timedelta(days=50)
    }
    assert unread == {hashes[3], hashes[30]}


def test_what_was_verified_counts_when_it_is_interrupted(sqlite_catalogue: Catalogue) -> None:
    hashes = store_files(sqlite_catalogue, 5)

    def interrupt(done: int, _total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        verify(
            sqlite_catalogue, sqlite_catalogue.store, clock=FixedClock(LATER), progress=interrupt
        )
    dates = verified(sqlite_catalogue)
    assert [dates[sha256] == LATER for sha256 in hashes] == [True, True, True, False, False]


def test_rows_say_what_is_wrong_until_the_file_is_sound_again(catalogue: Catalogue) -> None:
    bad, gone, _ = store_files(catalogue, 3)
    store = catalogue.store
    sound = {sha256: store.read_bytes(sha256) for sha256 in (bad, gone)}
    flip_a_bit(store.path(bad))
    store.path(gone).unlink()
    verify(catalogue, store, clock=FixedClock(LATER))
    expected = {bad: "damaged", gone: "missing"}
    assert problems(catalogue) == expected
    assert {locations(catalogue)[sha256].problem_at for sha256 in expected} == {LATER}
    again = LATER + timedelta(days=1)
    # found anew, but known: nothing is noted a second time
    assert len(verify(catalogue, store, clock=FixedClock(again)).findings) == 2
    assert problems(catalogue) == expected
    assert {locations(catalogue)[sha256].problem_at for sha256 in expected} == {LATER}
    assert sorted(actions(catalogue)) == ["asset.problem", "asset.quarantine"]
    for data in sound.values():
        store.put_bytes(data)
    last = again + timedelta(days=1)
    report = verify(catalogue, store, clock=FixedClock(last))
    assert (report.sound_again, report.findings) == (2, [])
    assert problems(catalogue) == {}
    assert {verified(catalogue)[sha256] for sha256 in sound} == {last}
    assert actions(catalogue)[-1] == "asset.sound-again"


def test_known_problems_take_nothing_of_a_limit(catalogue: Catalogue) -> None:
    hashes = store_files(catalogue, 6)
    for sha256 in hashes[:3]:
        catalogue.store.path(sha256).unlink()
        catalogue.store.path(sha256).mkdir()
    assert verify(catalogue, catalogue.store, clock=FixedClock(LATER)).counts["unreadable"] == 3
    again = FixedClock(LATER + timedelta(days=1))
    report = verify(catalogue, catalogue.store, clock=again, limit=2)
    assert (report.verified, report.counts["unreadable"]) == (2, 3)


def test_a_store_that_is_not_mounted_says_nothing_of_its_files(
    sqlite_catalogue: Catalogue, tmp_path: Path
) -> None:
    store_files(sqlite_catalogue, 2)
    (tmp_path / "store").rename(tmp_path / "elsewhere")
    with pytest.raises(StoreUnavailableError, match="mount its disk"):
        verify(sqlite_catalogue, sqlite_catalogue.store, clock=FixedClock(LATER))
    assert problems(sqlite_catalogue) == {}
    # lost for good: the folder is made anew
    (tmp_path / "store" / "sha256").mkdir(parents=True)
    assert (
        verify(sqlite_catalogue, sqlite_catalogue.store, clock=FixedClock(LATER)).counts["missing"]
        == 2
    )


def test_another_store_has_rows_of_its_own(catalogue: Catalogue, tmp_path: Path) -> None:
    _, second = store_files(catalogue, 2)
    replica = add_replica(catalogue, tmp_path / "replica")
    flip_a_bit(replica.path(second))
    report = verify(catalogue, replica, clock=FixedClock(LATER))
    assert (report.store, report.verified, report.counts["damaged"]) == ("replica", 1, 1)
    assert verify(catalogue, catalogue.store, clock=FixedClock(LATER)).verified == 2


class Flaky(LocalStore):
    """A store whose first reading of every file comes with a bit that the cable flipped."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._read: set[str] = set()

    def open(self, sha256: str) -> BinaryIO:
        if sha256 in self._read:
            return super().open(sha256)
        self._read.add(sha256)
        with super().open(sha256) as file:
            return BytesIO(flip(file.read()))


def flip(data: bytes) -> bytes:
    return bytes([data[0] ^ 1]) + data[1:]


def test_what_the_way_changed_is_no_fault_of_the_file(sqlite_catalogue: Catalogue) -> None:
    hashes = store_files(sqlite_catalogue, 3)
    flaky = Flaky(sqlite_catalogue.store.root)
    report = verify(sqlite_catalogue, flaky, clock=FixedClock(LATER))
    assert (report.verified, report.findings) == (3, [])
    assert all(sqlite_catalogue.store.contains(sha256) for sha256 in hashes)


def test_a_damaged_file_that_cannot_be_moved_is_told_and_left(sqlite_catalogue: Catalogue) -> None:
    bad, _ = store_files(sqlite_catalogue, 2)
    store = sqlite_catalogue.store
    (store.root / "quarantine").write_text("no folder")
    flip_a_bit(store.path(bad))
    for _ in range(2):
        report = verify(sqlite_catalogue, store, clock=FixedClock(LATER))
        assert (report.verified, report.counts) == (1, {"damaged": 1})
        assert "could not be moved to the quarantine" in report.findings[0].detail
    assert problems(sqlite_catalogue) == {bad: "damaged"}
    assert store.contains(bad)
