"""What is due on a fixture that somebody else uses waits, and is told of once."""

from __future__ import annotations

import socket

from capture.leasing import fixture_resource
from datastore.catalogue import Catalogue
from datastore.leases import acquire
from tests.support.occurrence_diary import MINUTE, START, Diary

ELSEWHERE = "process 1 (start 1) on another-host"


def test_a_session_of_anybody_else_is_waited_for(diary: Diary, catalogue: Catalogue) -> None:
    diary.add()
    diary.expand(START + MINUTE)
    lease = acquire(catalogue, [fixture_resource("north"), "camera:7100001"], ELSEWHERE, 60)
    for minute in range(5):
        assert diary.claims_nothing(START + minute * MINUTE)
    assert diary.events() == ["pending", "waiting"]
    assert diary.row().reason == "equipment-busy"
    lease.release()
    assert diary.claim(START + 5 * MINUTE).attempt == 1
    assert diary.events() == ["pending", "waiting", "claimed"]


def test_another_fixture_in_use_keeps_nothing_back(diary: Diary, catalogue: Catalogue) -> None:
    diary.add()
    diary.expand(START + MINUTE)
    acquire(catalogue, [fixture_resource("south")], ELSEWHERE, 60)
    assert diary.claim(START).fixture == "north"


def test_a_dead_process_of_this_host_is_not_waited_for(diary: Diary, catalogue: Catalogue) -> None:
    diary.add()
    diary.expand(START + MINUTE)
    # process 1 runs, but began at another moment
    dead = f"process 1 (start 999999999) on {socket.gethostname()}"
    acquire(catalogue, [fixture_resource("north")], dead, 60)
    assert diary.claim(START).fixture == "north"
