"""Leases exclude others, run out by the database's clock, and fence off who comes back late."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from datastore import leases
from datastore.catalogue import Catalogue
from datastore.errors import LeaseHeldError, LeaseLostError


def test_a_lease_excludes_others_and_says_who_and_until_when(catalogue: Catalogue) -> None:
    lease = leases.acquire(catalogue, ["camera:1", "fixture:north"], "session 7 on host a", 60)
    lease.check()
    for resources in (["camera:1"], ["camera:2", "fixture:north"]):
        with pytest.raises(LeaseHeldError, match=r"session 7 on host a until \d{4}-\d\d-\d\d "):
            leases.acquire(catalogue, resources, "another", 60)
    leases.acquire(catalogue, ["camera:2"], "another", 60).check()


def test_a_lease_is_of_all_or_none(catalogue: Catalogue) -> None:
    leases.acquire(catalogue, ["camera:2"], "somebody", 60)
    with pytest.raises(LeaseHeldError, match="camera:2"):
        leases.acquire(catalogue, ["camera:1", "camera:2"], "another", 60)
    leases.acquire(catalogue, ["camera:1"], "another", 60).check()


def test_a_released_lease_is_free_and_its_holder_fenced_off(catalogue: Catalogue) -> None:
    with leases.acquire(catalogue, ["camera:1"], "first", 60) as first:
        first.check()
    with pytest.raises(LeaseLostError):
        first.check()
    second = leases.acquire(catalogue, ["camera:1"], "second", 60)
    assert second.fencing_token > first.fencing_token
    first.release()
    second.check()


def test_a_lease_that_ran_out_is_lost_to_who_held_it(catalogue: Catalogue) -> None:
    late = leases.acquire(catalogue, ["camera:1"], "late", 0.2)
    time.sleep(0.3)
    with pytest.raises(LeaseLostError, match="ran out"):
        late.check()
    with pytest.raises(LeaseLostError, match="ran out"):
        late.renew(60)
    next_holder = leases.acquire(catalogue, ["camera:1"], "next", 60)
    assert next_holder.fencing_token > late.fencing_token
    for act in (late.check, lambda: late.renew(60)):
        with pytest.raises(LeaseLostError, match="went from late to next"):
            act()


def test_a_renewed_lease_holds_on(catalogue: Catalogue) -> None:
    lease = leases.acquire(catalogue, ["camera:1"], "first", 0.5)
    lease.renew(60)
    time.sleep(0.6)
    lease.check()


ACQUIRE = """
import sys
from pathlib import Path
from datastore import leases
from datastore.catalogue import open_catalogue
from datastore.errors import LeaseHeldError

with open_catalogue(sys.argv[1], Path(sys.argv[2])) as catalogue:
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        leases.acquire(catalogue, ["camera:1", "camera:2"], "racer", 60)
    except LeaseHeldError:
        print("held")
    else:
        print("acquired")
"""


def test_of_four_processes_that_race_one_wins(url: str, tmp_path: Path) -> None:
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", ACQUIRE, url, tmp_path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    answers = []
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    for racer in racers:
        out, _ = racer.communicate(timeout=60)
        answers.append(out.strip())
    assert sorted(answers) == ["acquired", "held", "held", "held"]
