"""Works on a catalogue beside others for some seconds, and says what it did; started by tests.

Usage: python working_process.py URL FOLDER write|read NUMBER SECONDS CAMERA_ID SESSION_ID. Prints
one JSON document: how often each thing was done, by its name. A reader also judges what it sees and
fails where two looks contradict each other.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from sqlalchemy import func, select

from datastore import audit
from datastore.assets import register_asset
from datastore.catalogue import Catalogue, open_catalogue
from datastore.clocks import HostClock
from datastore.errors import LeaseHeldError, TimeslotSchemeError
from datastore.leases import acquire
from datastore.selections import save
from datastore.tables import Asset, Shot, ShotEvent, ShotStatus, Verdict
from datastore.timeslots import EveryDaysScheme, add_scheme
from datastore.verdicts import add_verdict

STEPS = ("triggered", "downloaded", "verified", "registered")
SHARED_LEASE = "camera:shared"
LEASE_S = 60.0
LARGEST_FILE_BYTES = 1 << 14


class Writer:
    """Plans, registers and judges shots, and competes for leases and names."""

    def __init__(self, catalogue: Catalogue, folder: Path, number: int, place: list[int]) -> None:
        self._catalogue = catalogue
        self._diary = folder / "diary"
        self._number = number
        self._camera_id, self._session_id = place
        self._generator = np.random.default_rng(number)
        self._clock = HostClock()
        self._own: list[int] = []
        self._schemes = 0
        self.done: Counter[str] = Counter()

    def work(self) -> None:
        """Do everything once."""
        for _ in range(3):
            self.shoot()
        self.judge()
        self.use_the_lease()
        self.name_a_scheme()
        self.save_a_selection()

    def shoot(self) -> None:
        """Plan a shot, put its file, and register it."""
        now = self._clock.now()
        with self._catalogue.writing() as transaction:
            shot = Shot(
                session_id=self._session_id,
                camera_id=self._camera_id,
                sequence=self._number * 1_000_000 + len(self._own),
                kind="dark-field",
                triggered_at=now,
            )
            transaction.add(shot)
            transaction.flush()
            transaction.add(ShotEvent(shot_id=shot.id, name="planned", at=now))
            audit.append(transaction, "shots.plan", {"shot": shot.uuid}, now)
        size = int(self._generator.integers(16, LARGEST_FILE_BYTES))
        stored = self._catalogue.store.put_bytes(self._generator.bytes(size))
        with self._catalogue.writing() as transaction:
            register_asset(transaction, stored, "raw", now, shot_id=shot.id)
            for step in STEPS:
                transaction.add(ShotEvent(shot_id=shot.id, name=step, at=self._clock.now()))
                transaction.flush()
            audit.append(transaction, "shots.settle", {"shot": shot.uuid}, now)
        self._own.append(shot.id)
        self.done["shots"] += 1

    def judge(self) -> None:
        """Judge a shot of one's own, and the one that all judge."""
        for shot_id in (self._own[-1], 1):
            verdict = str(self._generator.choice(["accepted", "quarantined"]))
            author = f"worker-{self._number}"
            at = self._clock.now()
            add_verdict(self._catalogue, shot_id, verdict, "seen", None, author, at)
            self.done["verdicts"] += 1

    def use_the_lease(self) -> None:
        """Count on in a diary that nothing but the lease protects."""
        holder = f"worker-{self._number}"
        try:
            lease = acquire(self._catalogue, [SHARED_LEASE], holder, LEASE_S)
        except LeaseHeldError:
            self.done["leases refused"] += 1
            return
        with lease:
            entries = self._diary.read_text().split() if self._diary.exists() else []
            lease.check()
            self._diary.write_text("\n".join([*entries, str(lease.fencing_token)]))
        self.done["leases"] += 1

    def name_a_scheme(self) -> None:
        """Add a scheme under a name that all want."""
        self._schemes += 1
        scheme = EveryDaysScheme(
            division="every-days",
            name=f"scheme-{self._schemes}",
            days=30,
            start=datetime(2026, 1, 1, tzinfo=UTC),
            end=datetime(2026, 3, 1, tzinfo=UTC),
        )
        try:
            add_scheme(self._catalogue, scheme, self._clock.now())
        except TimeslotSchemeError:
            self.done["schemes refused"] += 1
        else:
            self.done["schemes"] += 1

    def save_a_selection(self) -> None:
        """Save a selection under a name that all use."""
        selection = self._catalogue.shots.where(kind="dark-field")
        save(selection, "shared", operator=f"worker-{self._number}", at=self._clock.now())
        self.done["selections"] += 1


class Reader:
    """Looks at everything again and again."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._head = audit.GENESIS_SHA256
        self._count = 0
        self._known: set[str] = set()
        self.done: Counter[str] = Counter()

    def work(self) -> None:
        """Take one look at each thing."""
        self.page()
        self.count()
        self.verify_the_audit()
        self.compare_the_status()

    def page(self) -> None:
        """Read every shot, page by page, while others add to them."""
        seen: set[str] = set()
        newest = None
        for records in self._catalogue.shots.pages(100):
            for record in records:
                assert record.id not in seen, f"{record.id} came twice"
                assert record.triggered_at is not None
                assert newest is None or newest <= record.triggered_at, "out of order"
                assert len(record.assets) == int(record.state == "registered"), record
                newest = record.triggered_at
                seen.add(record.id)
            self.done["pages"] += 1
        assert self._known <= seen, f"{self._known - seen} are gone"
        self._known = seen

    def count(self) -> None:
        """Count the shots; none ever leaves."""
        count = self._catalogue.shots.where(kind="dark-field").count()
        assert count >= max(self._count, len(self._known))
        self._count = count
        self.done["counts"] += 1

    def verify_the_audit(self) -> None:
        """Recompute the chain, which must contain the head that was seen before."""
        with self._catalogue.reading() as transaction:
            assert audit.verify(transaction, known_head=self._head) == []
            self._head = audit.head(transaction)
        self.done["audits verified"] += 1

    def compare_the_status(self) -> None:
        """Compare the derived status of all shots with what it is derived from, in one snapshot."""
        newest_event = select(func.max(ShotEvent.id)).where(ShotEvent.shot_id == Shot.id)
        newest_verdict = select(func.max(Verdict.id)).where(Verdict.shot_id == Shot.id)
        files = select(func.count()).select_from(Asset).where(Asset.shot_id == Shot.id)
        statement = select(
            Shot.id,
            ShotStatus.state,
            ShotStatus.state_event_id,
            ShotStatus.verdict_id,
            newest_event.scalar_subquery().label("event_id"),
            newest_verdict.scalar_subquery().label("judged_id"),
            files.scalar_subquery().label("files"),
        ).join(ShotStatus, ShotStatus.shot_id == Shot.id, isouter=True)
        with self._catalogue.reading() as transaction:
            for row in transaction.execute(statement):
                assert row.state_event_id == row.event_id, row
                assert row.verdict_id == row.judged_id, row
                assert row.files == int(row.state == "registered"), row
        self.done["statuses compared"] += 1


def main() -> None:
    """Work until the time is over, and say what was done."""
    url, folder, duty = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    number, seconds = int(sys.argv[4]), float(sys.argv[5])
    place = [int(argument) for argument in sys.argv[6:8]]
    with open_catalogue(url, folder / "store", read_only=duty == "read") as catalogue:
        worker = Writer(catalogue, folder, number, place) if duty == "write" else Reader(catalogue)
        work: Callable[[], None] = worker.work
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            work()
    print(json.dumps(worker.done))


if __name__ == "__main__":
    main()
