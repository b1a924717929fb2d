"""Scrubbing: what the disk changed is found, kept and named; a broken-off scrub is gone on with."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from datastore import audit
from datastore.assets import register_asset
from datastore.catalogue import Catalogue
from datastore.clocks import FixedClock
from datastore.scrub import scrub
from datastore.tables import Asset, AssetLocation, AuditEntry
from tests.support.catalogue_rows import NOW, add_camera, add_session, add_shot

LATER = NOW + timedelta(days=100)


def store_files(catalogue: Catalogue, count: int, size: int = 1000) -> list[str]:
    """Put files that were verified a day apart, the first one longest ago."""
    hashes = []
    with catalogue.writing() as session:
        for number in range(count):
            stored = catalogue.store.put_bytes(
                hashlib.sha256(b"%d" % number).digest() * (size // 32)
            )
            register_asset(session, stored, "other", NOW + timedelta(days=number))
            hashes.append(stored.sha256)
    return hashes


def verified(catalogue: Catalogue) -> dict[str, datetime]:
    with catalogue.reading() as session:
        rows = session.execute(
            select(Asset.sha256, AssetLocation.verified_at).join(
                AssetLocation, AssetLocation.asset_id == Asset.id
            )
        )
        return {row.sha256: row.verified_at for row in rows}


def flip_a_bit(path: Path, at: int = 17) -> bytes:
    data = bytearray(path.read_bytes())
    data[at] ^= 4
    path.chmod(0o644)
    path.write_bytes(data)
    return bytes(data)


def test_a_sound_store_is_dated_anew(catalogue: Catalogue) -> None:
    hashes = store_files(catalogue, 5)
    told: list[tuple[int, int]] = []
    report = scrub(catalogue, clock=FixedClock(LATER), progress=lambda *pair: told.append(pair))
    assert (report.verified, report.findings) == (5, [])
    assert report.verified_bytes == 5 * (1000 // 32 * 32)
    assert verified(catalogue) == dict.fromkeys(hashes, LATER)
    assert told == [(number, 5) for number in range(1, 6)]


def test_an_empty_store_is_sound(catalogue: Catalogue) -> None:
    assert scrub(catalogue, clock=FixedClock(NOW)).to_json() == {
        "verified": 0,
        "verified_bytes": 0,
        "damaged": 0,
        "unreadable": 0,
        "missing": 0,
        "findings": [],
    }


def test_a_flipped_bit_is_found_and_the_file_kept_in_quarantine(catalogue: Catalogue) -> None:
    first, *others = store_files(catalogue, 3)
    with catalogue.writing() as session:
        shot = add_shot(session, add_session(session), add_camera(session), 1)
        frame = catalogue.store.put_bytes(b"a frame of a camera")
        register_asset(session, frame, "raw", NOW, shot_id=shot.id, original_name="DSC_1.NEF")
        shot_uuid = shot.uuid
    bad = flip_a_bit(catalogue.store.path(frame.sha256))
    report = scrub(catalogue, clock=FixedClock(LATER))
    assert report.verified == 3
    (finding,) = report.findings
    assert (finding.problem, finding.sha256) == ("damaged", frame.sha256)
    assert (finding.original_name, finding.shot_uuid) == ("DSC_1.NEF", shot_uuid)
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


def test_a_quarantined_file_stays_missing_until_it_is_brought_again(catalogue: Catalogue) -> None:
    (sha256,) = store_files(catalogue, 1)
    sound = catalogue.store.read_bytes(sha256)
    flip_a_bit(catalogue.store.path(sha256))
    scrub(catalogue, clock=FixedClock(LATER))
    for _ in range(2):
        report = scrub(catalogue, clock=FixedClock(LATER), limit=1)
        (finding,) = report.findings
        assert finding.problem == "missing"
        assert "A damaged copy is kept at" in finding.detail
    catalogue.store.put_bytes(sound)
    assert scrub(catalogue, clock=FixedClock(LATER)).findings == []


def test_missing_and_unreadable_files_are_named_and_left_alone(catalogue: Catalogue) -> None:
    gone, blocked, sound = store_files(catalogue, 3)
    catalogue.store.path(gone).unlink()
    catalogue.store.path(blocked).unlink()
    catalogue.store.path(blocked).mkdir()
    report = scrub(catalogue, clock=FixedClock(LATER), limit=2)
    assert [(one.problem, one.sha256) for one in report.findings] == [
        ("missing", gone),
        ("unreadable", blocked),
    ]
    assert report.verified == 1
    assert verified(catalogue)[sound] == LATER


def test_a_limited_scrub_reads_the_longest_unread_and_the_next_goes_on(
    catalogue: Catalogue,
) -> None:
    hashes = store_files(catalogue, 5)
    assert scrub(catalogue, clock=FixedClock(LATER), limit=2).verified == 2
    assert [verified(catalogue)[sha256] == LATER for sha256 in hashes] == [
        *[True, True],
        *[False] * 3,
    ]
    again = LATER + timedelta(days=1)
    assert scrub(catalogue, clock=FixedClock(again), limit=3).verified == 3
    assert [verified(catalogue)[sha256] for sha256 in hashes] == [*[LATER] * 2, *[again] * 3]


def test_dates_of_the_future_say_nothing(catalogue: Catalogue) -> None:
    hashes = store_files(catalogue, 3)
    with catalogue.writing() as session:
        session.execute(
            update(AssetLocation)
            .where(AssetLocation.asset_id == 2)
            .values(verified_at=LATER + timedelta(days=9999))
        )
    assert scrub(catalogue, clock=FixedClock(LATER), limit=1).verified == 1
    assert verified(catalogue)[hashes[1]] == LATER
    assert scrub(catalogue, clock=FixedClock(LATER)).verified == 3


def test_a_store_of_many_pages_is_read_once_each(
    sqlite_catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("datastore.scrub._PAGE", 3)
    with sqlite_catalogue.writing() as session:
        for number in range(10):
            # all of the same date
            stored = sqlite_catalogue.store.put_bytes(b"%d" % number)
            register_asset(session, stored, "other", NOW)
    assert scrub(sqlite_catalogue, clock=FixedClock(LATER)).verified == 10


def test_it_reads_no_faster_than_asked(sqlite_catalogue: Catalogue) -> None:
    store_files(sqlite_catalogue, 4, size=250_000)
    started = time.monotonic()
    scrub(sqlite_catalogue, clock=FixedClock(LATER), bytes_per_s=1e6)
    assert time.monotonic() - started > 0.95


KILLED = """\
import os, sys
from pathlib import Path
import datastore.scrub as scrubbing
from datastore.catalogue import open_catalogue
from datastore.clocks import HostClock

scrubbing._COMMIT_FILES = 10
def die(done, total):
    if done == 25:
        os.kill(os.getpid(), 9)
folder = Path(sys.argv[1])
with open_catalogue(f"sqlite:///{folder / 'catalogue.sqlite'}", folder / "store") as catalogue:
    scrubbing.scrub(catalogue, clock=HostClock(), progress=die)
"""


def test_a_killed_scrub_is_gone_on_with(sqlite_catalogue: Catalogue, tmp_path: Path) -> None:
    hashes = store_files(sqlite_catalogue, 40)
    flip_a_bit(sqlite_catalogue.store.path(hashes[3]))
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    before = verified(sqlite_catalogue)
    done = [sha256 for sha256 in hashes if before[sha256] > NOW + timedelta(days=50)]
    assert done == [*hashes[:3], *hashes[4:21]]
    flip_a_bit(sqlite_catalogue.store.path(hashes[30]))
    after = FixedClock(datetime.now(tz=NOW.tzinfo) + timedelta(days=1))
    report = scrub(sqlite_catalogue, clock=after, limit=19)
    assert report.verified == 18
    assert [(one.problem, one.sha256) for one in report.findings] == [
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
        scrub(sqlite_catalogue, clock=FixedClock(LATER), progress=interrupt)
    dates = verified(sqlite_catalogue)
    assert [dates[sha256] == LATER for sha256 in hashes] == [True, True, True, False, False]
