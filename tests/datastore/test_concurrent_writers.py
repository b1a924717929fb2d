"""Writers that are killed at random moments break neither the audit nor each other's work."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from datastore import audit
from datastore.catalogue import Catalogue
from datastore.tables import AuditEntry, Shot
from tests.support.catalogue_rows import add_camera, add_session

SCRIPT = Path(__file__).with_name("writing_process.py")
WRITERS = 6
KILLS = 20
LONGEST_WAIT_S = 0.8


class Writer:
    """A writing process, and what it said was committed."""

    def __init__(self, *arguments: object) -> None:
        self.committed: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, str(SCRIPT), *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            # a killed writer's last line may be half of one
            self.committed += [line.strip() for line in lines if line.endswith("\n")]

    def end(self) -> int:
        """Wait until it has ended and all that it said was heard."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        status = self.process.wait(60)
        self._listener.join()
        return status


@pytest.mark.prove
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_killed_writers_leave_whole_shots_and_an_unbroken_audit(
    catalogue: Catalogue,
    url: str,
    tmp_path: Path,
    seed: int,
    record_property: Callable[[str, object], None],
) -> None:
    generator = np.random.default_rng(seed)
    with catalogue.writing() as transaction:
        camera_id = add_camera(transaction).id
        session_id = add_session(transaction).id
    numbers = iter(range(1, 1000))

    def start() -> Writer:
        return Writer(url, tmp_path / "store", camera_id, session_id, next(numbers))

    writers = [start() for _ in range(WRITERS)]
    killed: list[Writer] = []
    heads: list[str] = []
    time.sleep(3)
    for _ in range(KILLS):
        time.sleep(generator.uniform(0, LONGEST_WAIT_S))
        victim = int(generator.integers(WRITERS))
        writers[victim].process.kill()
        killed.append(writers[victim])
        writers[victim] = start()
        with catalogue.reading() as transaction:
            heads.append(audit.head(transaction))
    assert [writer.end() for writer in writers] == [0] * WRITERS
    assert {writer.end() for writer in killed} == {-9}

    committed = {uuid for writer in [*writers, *killed] for uuid in writer.committed}
    with catalogue.reading() as transaction:
        for head in heads:
            assert audit.verify(transaction, known_head=head) == []
        links = transaction.scalars(select(AuditEntry)).all()
        planned = [link.entry["shot"] for link in links if link.action == "shots.plan"]
        settled = [link.entry["shot"] for link in links if link.action == "shots.settle"]
        shots = transaction.scalars(select(Shot)).all()
        registered = set()
        for shot in shots:
            is_registered = shot.events[-1].name == "registered"
            assert len(shot.assets) == int(is_registered)
            for asset in shot.assets:
                assert catalogue.store.verify(asset.sha256).bytes == asset.bytes
                registered.add(shot.uuid)
    # every change has its link and every link its change; what was acknowledged is there
    assert sorted(planned) == sorted(shot.uuid for shot in shots)
    assert len(settled) == len(registered) and set(settled) == registered
    assert committed <= registered
    assert len(committed) > WRITERS

    record_property("writers", WRITERS)
    record_property("kills", len(killed))
    record_property("shots registered", len(registered))
    record_property("shots left open by kills", len(shots) - len(registered))
    record_property("audit entries", len(links))
