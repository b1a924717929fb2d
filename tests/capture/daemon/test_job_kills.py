"""Daemons that are killed again and again: every job is done, none twice at a time."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from capture.daemon.job_definitions import JobDefinition
from capture.daemon.jobs import plan_jobs
from datastore.catalogue import Catalogue
from tests.support.catalogue_rows import NOW
from tests.support.job_rows import ended_session, jobs_of

JOBS = 40
PATIENCE_S = 200.0

# holds a lock as long as it lives: whoever finds it held runs at the same time as another
COMMAND = """\
import fcntl, os, sys, time
job = sys.argv[1]
def say(word):
    with open("said.txt", "a") as said:
        said.write(f"{word} {job}\\n")
lock = open("lock", "w")
try:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    say("overlaps")
say("begins")
time.sleep(0.15)
say("ends")
"""

DAEMON = """\
import sys, time
from datetime import UTC, datetime
from pathlib import Path
from capture.daemon.job_definitions import JobDefinition
from capture.daemon.job_runner import JobRunner
from datastore.catalogue import open_catalogue
from datastore.clocks import HostClock

folder = Path(sys.argv[1])
definition = JobDefinition(
    command=("{session}",), after="session", attempts=100, retry_after_s=0
)
catalogue = open_catalogue(f"sqlite:///{folder / 'catalogue.sqlite'}", folder / "store")
runner = JobRunner(
    catalogue, {"job": definition}, command=[sys.executable, str(folder / "command.py")],
    folder=folder, log_folder=folder / "logs", clock=HostClock(),
)
while True:
    runner.tick(datetime.now(UTC))
    time.sleep(0.02)
"""


def start(folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", DAEMON, str(folder)],
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    )


@pytest.mark.prove
@pytest.mark.timeout(240)
def test_jobs_of_killed_daemons_are_all_done_and_never_two_at_a_time(
    sqlite_catalogue: Catalogue, tmp_path: Path
) -> None:
    generator = random.Random(4)
    (tmp_path / "command.py").write_text(COMMAND)
    definition = JobDefinition(command=("{session}",), after="session", attempts=100)
    plan_jobs(sqlite_catalogue, {"job": definition}, now=NOW)
    sessions = [ended_session(sqlite_catalogue) for _ in range(JOBS)]
    daemons = [start(tmp_path), start(tmp_path)]
    kills = 0
    end = time.monotonic() + PATIENCE_S
    try:
        while True:
            time.sleep(generator.uniform(0.3, 2.5))
            states = [job["state"] for job in jobs_of(sqlite_catalogue)]
            if len(states) == JOBS and set(states) == {"completed"}:
                break
            assert time.monotonic() < end, states
            victim = generator.randrange(2)
            daemons[victim].send_signal(signal.SIGKILL)
            daemons[victim].wait()
            daemons[victim] = start(tmp_path)
            kills += 1
    finally:
        for daemon in daemons:
            daemon.kill()
            daemon.wait()
    said = [line.split() for line in (tmp_path / "said.txt").read_text().splitlines()]
    assert [job for word, job in said if word == "overlaps"] == []
    jobs = jobs_of(sqlite_catalogue)
    assert sorted(job["command"][0] for job in jobs) == sorted(sessions)
    for job in jobs:
        begun = sum(entry == ["begins", job["command"][0]] for entry in said)
        ended = sum(entry == ["ends", job["command"][0]] for entry in said)
        failed = job["events"].count("failed")
        # a daemon may die after the command ended and before that was written down
        assert 1 <= ended <= begun <= job["attempts"] == failed + 1
        attempts = ["running", "failed", "pending"] * failed
        assert job["events"] == ["pending", *attempts, "running", "completed"]
    assert kills >= 3
