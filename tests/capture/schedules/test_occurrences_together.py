"""Several daemons share one catalogue: nothing is written, claimed or settled twice."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from capture.schedules.occurrences import claim_next, materialise, sweep
from datastore.catalogue import Catalogue, open_catalogue
from tests.support.independent_schedules import due_times
from tests.support.occurrence_diary import HOUR, MINUTE, START, Diary, require_legal

DAEMONS = 4
Answer = TypeVar("Answer")


@contextmanager
def daemons(url: str, folder: Path) -> Iterator[list[Catalogue]]:
    """Open a catalogue several times, with connections of their own."""
    with ExitStack() as stack:
        yield [stack.enter_context(open_catalogue(url, folder / "store")) for _ in range(DAEMONS)]


def at_once(catalogues: list[Catalogue], act: Callable[[Catalogue, str], Answer]) -> list[Answer]:
    """Have every daemon act at the same moment."""
    barrier = threading.Barrier(DAEMONS)

    def run(number: int) -> Answer:
        barrier.wait()
        return act(catalogues[number], f"daemon {number}")

    with ThreadPoolExecutor(DAEMONS) as threads:
        return list(threads.map(run, range(DAEMONS)))


def expander(now: datetime) -> Callable[[Catalogue, str], int]:
    return lambda catalogue, _: materialise(catalogue, now=now, horizon=HOUR)


def test_daemons_that_expand_together_leave_no_gap_and_no_duplicate(
    diary: Diary, url: str, tmp_path: Path
) -> None:
    diary.add("often", "*/15 * * * *", window_s=60)
    diary.add("daily", "30 7 * * *")
    with daemons(url, tmp_path) as catalogues:
        written = sum(
            sum(at_once(catalogues, expander(START + step * timedelta(days=3))))
            for step in range(1, 6)
        )
    end = START + timedelta(days=15) + HOUR
    assert written == len(diary.rows())
    for name, expression in [("often", "*/15 * * * *"), ("daily", "30 7 * * *")]:
        rule = {"kind": "cron", "expression": expression}
        expected = due_times(rule, "Europe/Berlin", START, end)
        assert [row.due_at for row in diary.rows() if row.schedule == name] == expected


def test_daemons_that_claim_together_share_the_work(diary: Diary, url: str, tmp_path: Path) -> None:
    for number in range(30):
        diary.add(f"schedule-{number}", f"{number} * * * *", attempts=2)
    diary.expand(START + HOUR)
    now = START + 29 * MINUTE

    def work(catalogue: Catalogue, holder: str) -> list[str]:
        done: list[str] = []
        while (claim := claim_next(catalogue, now=now, holder=holder)) is not None:
            if claim.attempt == 1 and len(done) % 3 == 0:
                claim.retry("camera-lost", "It went away.", not_before=None, at=now)
            else:
                claim.renew()
                claim.settle("completed", "completed", None, at=now)
            done.append(f"{claim.uuid} {claim.attempt}")
        return done

    with daemons(url, tmp_path) as catalogues:
        done = [one for each in at_once(catalogues, work) for one in each]
    assert max(Counter(done).values()) == 1
    rows = diary.rows()
    assert {row.state for row in rows} == {"completed"}
    assert len(rows) == 30
    assert sum(row.attempts for row in rows) == len(done)
    for row in rows:
        require_legal(diary.history(row.id), row.state)


def test_daemons_that_sweep_and_claim_together_settle_each_occurrence_once(
    diary: Diary, url: str, tmp_path: Path
) -> None:
    for number in range(20):
        diary.add(f"schedule-{number}", window_s=600 if number % 2 else 1200)
    diary.expand(START + HOUR)

    def work(catalogue: Catalogue, holder: str) -> int:
        settled = 0
        for minute in range(0, 25, 5):
            now = START + minute * MINUTE
            settled += len(sweep(catalogue, now=now, by=holder))
            claim = claim_next(catalogue, now=now, holder=holder)
            if claim is not None:
                claim.settle("failed", "camera-lost", "It went away.", at=now)
                settled += 1
        return settled

    with daemons(url, tmp_path) as catalogues:
        assert sum(at_once(catalogues, work)) == 20
    for row in diary.rows():
        require_legal(diary.history(row.id), row.state)


CLAIM = """
import sys
from datetime import datetime
from pathlib import Path
from capture.leasing import this_process
from capture.schedules.occurrences import claim_next
from datastore.catalogue import open_catalogue

with open_catalogue(sys.argv[1], Path(sys.argv[2])) as catalogue:
    now = datetime.fromisoformat(sys.argv[3])
    print("ready", flush=True)
    sys.stdin.readline()
    while (claim := claim_next(catalogue, now=now, holder=this_process())) is not None:
        print(claim.uuid, flush=True)
    print("nothing left", flush=True)
    sys.stdin.readline()
"""


def test_of_a_killed_daemon_another_takes_over_and_of_a_living_one_nothing(
    diary: Diary, url: str, tmp_path: Path
) -> None:
    for number in range(8):
        diary.add(f"schedule-{number}")
    diary.expand(START + HOUR)
    arguments = [sys.executable, "-c", CLAIM, url, str(tmp_path / "store"), START.isoformat()]
    processes = [
        subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    claimed: list[list[str]] = [[], []]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        # each process holds its claims until it is killed; one that still looked for more would
        # be an heir itself
        for process, mine in zip(processes, claimed, strict=True):
            _read_claims(process, mine)
        assert diary.claims_nothing(START)
        processes[0].kill()
        processes[0].wait()
        taken = set()
        while (claim := claim_next(diary.catalogue, now=START, holder="heir")) is not None:
            assert claim.is_taken_over
            taken.add(claim.uuid)
        assert taken == set(claimed[0])
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    assert sorted(claimed[0] + claimed[1]) == sorted(row.id for row in diary.rows())


def _read_claims(process: subprocess.Popen[str], claims: list[str]) -> None:
    assert process.stdout is not None
    while (line := process.stdout.readline().strip()) != "nothing left":
        assert line, "the process ended before it found nothing left"
        claims.append(line)
