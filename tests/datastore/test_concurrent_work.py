"""Eight processes that write and read at once make no error, and none loses what another did."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import func, select

from datastore import audit
from datastore.catalogue import Catalogue
from datastore.tables import (
    Asset,
    AuditEntry,
    Base,
    SavedSelection,
    Shot,
    ShotEvent,
    ShotStatus,
    TimeslotScheme,
    Verdict,
)
from tests.support.catalogue_rows import add_camera, add_session

SCRIPT = Path(__file__).with_name("working_process.py")
WRITERS = 5
READERS = 3
STEPS = ["planned", "triggered", "downloaded", "verified", "registered"]


def test_eight_processes_at_once(catalogue: Catalogue, url: str, tmp_path: Path) -> None:
    done = work_at_once(catalogue, url, tmp_path, seconds=4)
    assert done["shots"] > WRITERS


@pytest.mark.prove
@pytest.mark.timeout(300)
def test_eight_processes_write_and_read_for_a_minute(
    catalogue: Catalogue,
    url: str,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    """Eight processes write and read for a minute without an error or a lost update."""
    done = work_at_once(catalogue, url, tmp_path, seconds=60)
    record_property("writers", WRITERS)
    record_property("readers", READERS)
    for name in sorted(done):
        record_property(name, done[name])


def work_at_once(catalogue: Catalogue, url: str, folder: Path, seconds: float) -> Counter[str]:
    """Let all work, and compare what they say they did with what the catalogue holds.

    Returns
    -------
    Counter
        What was done, by its name, over all processes.
    """
    with catalogue.writing() as transaction:
        camera_id = add_camera(transaction).id
        session_id = add_session(transaction).id
    duties = ["write"] * WRITERS + ["read"] * READERS
    processes = [
        subprocess.Popen(
            [
                *(sys.executable, str(SCRIPT), url, str(folder), duty),
                *map(str, (number, seconds, camera_id, session_id)),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number, duty in enumerate(duties, 1)
    ]
    done: Counter[str] = Counter()
    for process in processes:
        out, err = process.communicate(timeout=seconds + 100)
        assert process.returncode == 0, err
        done.update(json.loads(out))
    assert_nothing_is_lost(catalogue, done)
    # one after the other, each under a larger token, and each saw what all before it wrote
    tokens = [int(token) for token in (folder / "diary").read_text().split()]
    assert len(tokens) == done["leases"]
    assert tokens == sorted(set(tokens))
    return done


def assert_nothing_is_lost(catalogue: Catalogue, done: Counter[str]) -> None:
    with catalogue.reading() as transaction:

        def count(table: type[Base]) -> int:
            return transaction.scalar(select(func.count()).select_from(table)) or 0

        assert count(Shot) == count(Asset) == count(ShotStatus) == done["shots"]
        assert count(Verdict) == done["verdicts"]
        assert count(SavedSelection) == done["selections"]
        assert count(TimeslotScheme) == done["schemes"]
        assert audit.verify(transaction) == []
        actions = Counter(transaction.scalars(select(AuditEntry.action)))
        assert actions == {
            "shots.plan": done["shots"],
            "shots.settle": done["shots"],
            "verdict.add": done["verdicts"],
            "timeslot-scheme.add": done["schemes"],
            "selection.save": done["selections"],
        }
        for shot in transaction.scalars(select(Shot)):
            assert [event.name for event in shot.events] == STEPS
            status = transaction.get_one(ShotStatus, shot.id)
            assert (status.state, status.state_event_id) == ("registered", shot.events[-1].id)
            newest = shot.verdicts[-1] if shot.verdicts else None
            assert status.verdict_id == (None if newest is None else newest.id)
            assert status.verdict == (None if newest is None else newest.verdict)
        per_shot = select(func.count()).select_from(ShotEvent)
        assert transaction.scalar(per_shot) == done["shots"] * len(STEPS)
        for asset in transaction.scalars(select(Asset)):
            assert catalogue.store.verify(asset.sha256).bytes == asset.bytes
