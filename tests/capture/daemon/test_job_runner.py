"""Jobs as processes: run, limited, retried, broken off, and never twice at a time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from capture.daemon.clock_watch import ClockWatch
from capture.daemon.job_claims import Attempt, ClaimedJob, claim_next, fail_abandoned
from capture.daemon.job_definitions import JobDefinition
from capture.daemon.job_errors import JobLogError
from capture.daemon.job_logs import BoundedLog, log_path, read_end
from capture.daemon.job_process import JOB_VARIABLE, kill_processes_of
from capture.daemon.job_runner import JobRunner
from capture.daemon.jobs import plan_jobs
from capture.errors import ClockError
from capture.leasing import lease_equipment, this_process
from datastore.catalogue import Catalogue
from datastore.clocks import FixedClock, database_now
from datastore.errors import LeaseLostError
from datastore.leases import acquire
from datastore.tables import Lease as LeaseRow
from datastore.timeslots import ExplicitScheme, Span, add_scheme
from tests.support.catalogue_rows import NOW
from tests.support.job_rows import ended_session, jobs_of
from tests.support.simulated_time import SimulatedTime

LATER = NOW + timedelta(hours=1)
PATIENCE_S = 20.0

# what the jobs of these tests run in agetrace's place
COMMAND = """\
import json, os, signal, subprocess, sys, time
from pathlib import Path

word, *rest = sys.argv[1:]
with open("runs.txt", "a") as runs:
    runs.write(f"{word} {os.getpid()}\\n")
if word == "tell":
    print(json.dumps({
        "nice": os.nice(0), "folder": os.getcwd(), "words": rest,
        "notify": os.environ.get("NOTIFY_SOCKET"), "leader": os.getsid(0) == os.getpid(),
        "ionice": subprocess.run(["ionice", "-p", str(os.getpid())], capture_output=True,
                                 text=True).stdout.strip(),
    }))
elif word == "fail":
    print("something is wrong\\x1b[2J", file=sys.stderr)
    sys.exit(int(rest[0]))
elif word == "second-time":
    sys.exit(len(Path("runs.txt").read_text().splitlines()) < 2)
elif word == "stay":
    # deaf, and with a child that left its group
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"],
                             start_new_session=True)
    print("staying", flush=True)
    with open("children.txt", "a") as children:
        children.write(f"{child.pid}\\n")
    time.sleep(300)
elif word == "kill-yourself":
    os.kill(os.getpid(), int(rest[0]))
"""


class Laboratory:
    """A folder with a command, and runners of jobs on a catalogue."""

    def __init__(self, catalogue: Catalogue, folder: Path) -> None:
        self.catalogue = catalogue
        self.folder = folder
        self.clock = FixedClock(LATER)
        (folder / "command.py").write_text(COMMAND)

    def runner(self, *words: str, clock: Any = None, **fields: Any) -> JobRunner:
        """Return a runner whose only job runs the command after every session."""
        options = {name: fields.pop(name) for name in ("renewed_every_s",) if name in fields}
        definition = JobDefinition(command=words, after="session", **{"retry_after_s": 0, **fields})
        return JobRunner(
            self.catalogue,
            {"job": definition},
            command=[sys.executable, str(self.folder / "command.py")],
            folder=self.folder,
            log_folder=self.folder / "logs",
            clock=clock or self.clock,
            grace_s=0.5,
            **options,
        )

    def runs(self) -> list[str]:
        """Return what the command was run with, and the numbers of its processes."""
        file = self.folder / "runs.txt"
        return file.read_text().splitlines() if file.exists() else []

    def log_of(self, job: dict[str, Any]) -> str:
        """Return the newest log of a job."""
        return (self.folder / "logs" / job["log"]).read_text()


@pytest.fixture
def laboratory(sqlite_catalogue: Catalogue, tmp_path: Path) -> Laboratory:
    return Laboratory(sqlite_catalogue, tmp_path)


@contextmanager
def running(runner: JobRunner, catalogue: Catalogue) -> Iterator[JobRunner]:
    """Define the job, let a session call for it, and close the runner at the end."""
    runner.tick(NOW)
    ended_session(catalogue)
    try:
        yield runner
    finally:
        runner.close()


def run_out(runner: JobRunner) -> None:
    """Tick until nothing is left to do."""
    for _ in range(10):
        runner.tick(LATER)
        if not runner.is_busy:
            return
        runner.wait(PATIENCE_S)
    raise AssertionError("there was always another job")


def wait_for(condition: Callable[[], object], patience_s: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_job_runs_out_of_the_way_and_leaves_a_log(
    laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", "/nowhere")
    with running(laboratory.runner("tell", "{session}", nice=7), laboratory.catalogue) as runner:
        run_out(runner)
    (job,) = jobs_of(laboratory.catalogue)
    assert (job["state"], job["exit_code"], job["attempts"]) == ("completed", 0, 1)
    assert job["events"] == ["pending", "running", "completed"]
    told = json.loads(laboratory.log_of(job))
    assert told["nice"] == os.nice(0) + 7
    assert told["ionice"] in ("idle", "")
    assert told["folder"] == str(laboratory.folder)
    assert told["words"] == [job["subject"].split()[1]]
    assert told["notify"] is None
    assert told["leader"]


def test_a_failed_job_is_tried_as_often_as_its_definition_says(laboratory: Laboratory) -> None:
    with running(laboratory.runner("fail", "1", attempts=3), laboratory.catalogue) as runner:
        run_out(runner)
    (job,) = jobs_of(laboratory.catalogue)
    assert (job["state"], job["reason"], job["exit_code"]) == ("failed", "exit-code", 1)
    assert job["detail"] == "It ended with exit code 1: something is wrong[2J"
    assert job["attempts"] == len(laboratory.runs()) == 3
    assert job["events"] == ["pending", *["running", "failed", "pending"] * 2, "running", "failed"]
    assert job["log"].endswith(".3.log")


def test_a_second_attempt_may_succeed(laboratory: Laboratory) -> None:
    with running(laboratory.runner("second-time", attempts=3), laboratory.catalogue) as runner:
        run_out(runner)
    (job,) = jobs_of(laboratory.catalogue)
    assert (job["state"], job["attempts"], job["reason"]) == ("completed", 2, None)


def test_a_further_attempt_waits(laboratory: Laboratory) -> None:
    slow = laboratory.runner("fail", "1", attempts=2, retry_after_s=600)
    with running(slow, laboratory.catalogue) as runner:
        run_out(runner)
        assert len(laboratory.runs()) == 1
        runner.tick(LATER + timedelta(seconds=601))
        runner.wait(PATIENCE_S)
    assert len(laboratory.runs()) == 2


@pytest.mark.parametrize(
    ("words", "reason", "exit_code"),
    [(("fail", "2"), "request-refused", 2), (("no-such-word",), None, 0)],
)
def test_a_refused_request_is_not_repeated(
    laboratory: Laboratory, words: tuple[str, ...], reason: str | None, exit_code: int
) -> None:
    with running(laboratory.runner(*words, attempts=3), laboratory.catalogue) as runner:
        run_out(runner)
    (job,) = jobs_of(laboratory.catalogue)
    assert (job["attempts"], job["reason"], job["exit_code"]) == (1, reason, exit_code)


@pytest.mark.parametrize(("number", "name"), [(11, "SIGSEGV"), (40, "signal 40")])
def test_a_crash_is_told_by_its_signal(laboratory: Laboratory, number: int, name: str) -> None:
    runner = laboratory.runner("kill-yourself", str(number))
    with running(runner, laboratory.catalogue):
        run_out(runner)
    (job,) = jobs_of(laboratory.catalogue)
    assert (job["state"], job["reason"], job["exit_code"]) == ("failed", "killed", None)
    assert job["detail"] == f"It was ended by {name}."


def test_a_fault_of_the_runner_leaves_no_job_running_for_ever(
    laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(log: BoundedLog, data: bytes) -> None:
        raise ZeroDivisionError("a fault")

    monkeypatch.setattr(BoundedLog, "write", broken)
    with running(laboratory.runner("tell", "done"), laboratory.catalogue) as runner:
        run_out(runner)
    (job,) = jobs_of(laboratory.catalogue)
    assert (job["state"], job["reason"]) == ("failed", "internal-error")
    assert job["detail"] == "ZeroDivisionError: a fault"


def test_a_command_that_cannot_be_started_fails(laboratory: Laboratory) -> None:
    runner = laboratory.runner("tell")
    runner._folder = laboratory.folder / "not-there"
    with running(runner, laboratory.catalogue):
        run_out(runner)
    (job,) = jobs_of(laboratory.catalogue)
    assert (job["state"], job["reason"]) == ("failed", "not-started")


def test_a_job_that_takes_too_long_is_killed_with_all_that_it_started(
    laboratory: Laboratory,
) -> None:
    with running(laboratory.runner("stay", limit_s=1.0), laboratory.catalogue) as runner:
        run_out(runner)
    (job,) = jobs_of(laboratory.catalogue)
    assert (job["state"], job["reason"]) == ("failed", "limit-exceeded")
    assert job["detail"] == "It took longer than its limit of 1 s."
    assert laboratory.log_of(job) == "staying\n"
    child = int((laboratory.folder / "children.txt").read_text())
    wait_for(lambda: not lives(child), 2.0)
    assert not lives(int(laboratory.runs()[0].split()[1]))


def test_a_stopped_daemon_leaves_its_job_to_the_next(laboratory: Laboratory) -> None:
    with running(laboratory.runner("stay"), laboratory.catalogue) as runner:
        runner.tick(LATER)
        wait_for(laboratory.runs)
    (job,) = jobs_of(laboratory.catalogue)
    assert (job["state"], job["reason"], job["attempts"]) == ("pending", "stopped", 0)
    assert not lives(int(laboratory.runs()[0].split()[1]))
    runner.tick(LATER)
    assert not runner.is_busy
    following = laboratory.runner("stay")
    following.tick(LATER)
    wait_for(lambda: len(laboratory.runs()) == 2)
    following.close()
    # what it said before it was broken off is kept
    assert laboratory.log_of(job).startswith("staying\n")


def test_a_clock_that_jumps_ahead_for_a_moment_closes_no_timeslot(laboratory: Laboratory) -> None:
    catalogue, civil = laboratory.catalogue, SimulatedTime(NOW)
    spans = (Span(start=NOW, end=NOW + timedelta(days=30)),)
    add_scheme(catalogue, ExplicitScheme(name="slots", division="explicit", timeslots=spans), NOW)
    closes = JobDefinition(command=["work"], when_timeslot_closes="slots")
    runner = JobRunner(
        catalogue,
        {"retrain": closes},
        command=["true"],
        folder=laboratory.folder,
        log_folder=laboratory.folder / "logs",
        clock=civil,
        watch=ClockWatch(civil.boot_s),
    )
    with runner:
        runner.tick(civil.now())
        civil.jump(timedelta(days=300))
        for _ in range(3):
            civil.advance(10)
            runner.tick(civil.now())
        assert jobs_of(catalogue) == []
        civil.jump(-timedelta(days=300))
        runner.tick(civil.now())
        civil.advance(30 * 86_400)
        runner.tick(civil.now())
        assert [job["due_at"] for job in jobs_of(catalogue)] == [NOW + timedelta(days=30)]


@pytest.mark.parametrize("resource", ["fixture:north", "occurrence:3f2a"])
def test_no_job_begins_while_a_session_runs_here(laboratory: Laboratory, resource: str) -> None:
    with running(laboratory.runner("tell"), laboratory.catalogue) as runner:
        session = lease_equipment(laboratory.catalogue, [resource])
        runner.tick(LATER)
        assert not runner.is_busy
        assert jobs_of(laboratory.catalogue)[0]["state"] == "pending"
        session.release()
        run_out(runner)
    assert jobs_of(laboratory.catalogue)[0]["state"] == "completed"


def test_sessions_of_other_hosts_and_of_dead_processes_hold_no_job_up(
    laboratory: Laboratory,
) -> None:
    holders = ("process 1 (start 1) on another-host", this_process().replace("start ", "start 1"))
    for number, holder in enumerate(holders):
        acquire(laboratory.catalogue, [f"fixture:{number}"], holder, 600)
    with running(laboratory.runner("tell"), laboratory.catalogue) as runner:
        run_out(runner)
    assert jobs_of(laboratory.catalogue)[0]["state"] == "completed"


def test_a_job_that_runs_when_a_session_begins_goes_on(laboratory: Laboratory) -> None:
    with running(laboratory.runner("stay", limit_s=1.5), laboratory.catalogue) as runner:
        runner.tick(LATER)
        wait_for(laboratory.runs)
        lease_equipment(laboratory.catalogue, ["fixture:north"])
        runner.tick(LATER)
        assert lives(int(laboratory.runs()[0].split()[1]))
        runner.wait(PATIENCE_S)


def test_two_daemons_of_a_host_run_one_job_at_a_time(laboratory: Laboratory) -> None:
    one, other = (laboratory.runner("stay", limit_s=0.5) for _ in range(2))
    with running(one, laboratory.catalogue):
        ended_session(laboratory.catalogue)
        one.tick(LATER)
        other.tick(LATER)
        assert (one.is_busy, other.is_busy) == (True, False)
        one.wait(PATIENCE_S)
        other.tick(LATER)
        assert other.is_busy
        other.wait(PATIENCE_S)
        other.close()
    assert [job["reason"] for job in jobs_of(laboratory.catalogue)] == ["limit-exceeded"] * 2


def claimed(catalogue: Catalogue, holder: str) -> ClaimedJob:
    definitions = {"job": JobDefinition(command=("shots",), after="session", attempts=2)}
    plan_jobs(catalogue, definitions, now=NOW)
    ended_session(catalogue)
    plan_jobs(catalogue, definitions, now=NOW)
    claim = claim_next(catalogue, definitions, now=LATER, holder=holder)
    assert claim is not None
    assert claim_next(catalogue, definitions, now=LATER, holder=holder) is None
    return claim


def test_a_claim_that_ran_out_in_a_suspended_machine_is_still_good(catalogue: Catalogue) -> None:
    claim = claimed(catalogue, this_process())
    for settle in (False, True):
        with catalogue.writing() as transaction:
            past = database_now(transaction) - timedelta(hours=1)
            transaction.execute(update(LeaseRow).values(expires_at=past))
        # its process lives, which another daemon of this host can see
        assert fail_abandoned(catalogue, {}, now=LATER, holder="another", kept=None) == []
        if settle:
            claim.settle(Attempt("completed", exit_code=0), LATER)
        else:
            claim.renew()
    (job,) = jobs_of(catalogue)
    assert job["state"] == "completed"


def test_what_a_daemon_writes_after_a_takeover_does_not_count(catalogue: Catalogue) -> None:
    claim = claimed(catalogue, "process 1 (start 1) on third-host")
    definitions = {
        "job": JobDefinition(command=("shots",), after="session", attempts=2, retry_after_s=0)
    }
    other = "process 1 (start 1) on another-host"
    assert fail_abandoned(catalogue, definitions, now=LATER, holder=other, kept=None) == []
    with catalogue.writing() as transaction:
        transaction.execute(update(LeaseRow).values(expires_at=database_now(transaction)))
    time.sleep(0.01)
    assert fail_abandoned(catalogue, definitions, now=LATER, holder=other, kept=None) == [
        claim.mark
    ]
    with pytest.raises(LeaseLostError, match="taken over"):
        claim.renew()
    with pytest.raises(LeaseLostError, match="taken over"):
        claim.settle(Attempt("completed", exit_code=0), LATER)
    again = claim_next(catalogue, definitions, now=LATER, holder=other)
    assert again is not None and again.attempt == 2
    with pytest.raises(LeaseLostError):
        claim.settle(Attempt("completed", exit_code=0), LATER)
    (job,) = jobs_of(catalogue)
    assert job["state"] == "running"
    assert job["events"] == ["pending", "running", "failed", "pending", "running"]


def test_a_job_that_was_taken_over_is_ended(laboratory: Laboratory) -> None:
    eager = laboratory.runner("stay", renewed_every_s=0.1)
    with running(eager, laboratory.catalogue) as runner:
        runner.tick(LATER)
        wait_for(laboratory.runs)
        with laboratory.catalogue.writing() as transaction:
            lease = transaction.scalars(select(LeaseRow)).one()
            lease.holder, lease.fencing_token = "process 1 (start 1) on another-host", 99
        runner.wait(PATIENCE_S)
    (job,) = jobs_of(laboratory.catalogue)
    assert job["state"] == "running"
    assert not lives(int(laboratory.runs()[0].split()[1]))


class ForgetfulClock:
    """A simulated clock whose endpoint is away for the first question."""

    source = "simulated"

    def __init__(self) -> None:
        self.asked = 0

    def now(self) -> datetime:
        self.asked += 1
        if self.asked == 1:
            raise ClockError("the simulated clock cannot be read")
        return LATER


def test_an_end_that_cannot_be_written_yet_is_written_later(laboratory: Laboratory) -> None:
    clock = ForgetfulClock()
    with running(laboratory.runner("tell", clock=clock), laboratory.catalogue) as runner:
        run_out(runner)
    assert clock.asked == 2
    assert jobs_of(laboratory.catalogue)[0]["state"] == "completed"


DAEMON = """\
import sys, time
from datetime import UTC, datetime
from pathlib import Path
from capture.daemon.job_definitions import JobDefinition
from capture.daemon.job_runner import JobRunner
from datastore.catalogue import open_catalogue
from datastore.clocks import HostClock

folder = Path(sys.argv[1])
definition = JobDefinition(command=("stay",), after="session", attempts=2, retry_after_s=0)
catalogue = open_catalogue(f"sqlite:///{folder / 'catalogue.sqlite'}", folder / "store")
runner = JobRunner(
    catalogue, {"job": definition}, command=[sys.executable, str(folder / "command.py")],
    folder=folder, log_folder=folder / "logs", clock=HostClock(),
)
while True:
    runner.tick(datetime.now(UTC))
    time.sleep(0.05)
"""


def test_a_killed_daemon_leaves_no_process_and_its_job_is_tried_again(
    laboratory: Laboratory,
) -> None:
    following = laboratory.runner("tell", attempts=2)
    following.tick(NOW)
    ended_session(laboratory.catalogue)
    daemon = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(DAEMON), str(laboratory.folder)],
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    )
    children = laboratory.folder / "children.txt"
    try:
        wait_for(lambda: children.exists() and children.read_text())
        command = int(laboratory.runs()[0].split()[1])
        assert lives(command)
    finally:
        os.kill(daemon.pid, signal.SIGKILL)
        daemon.wait()
    # the kernel ends the command; what left its group is ended by the next daemon
    wait_for(lambda: not lives(command), 5.0)
    grandchild = int(children.read_text())
    following.tick(LATER)
    wait_for(lambda: not lives(grandchild), 2.0)
    (job,) = jobs_of(laboratory.catalogue)
    assert job["events"][:4] == ["pending", "running", "failed", "pending"]
    with laboratory.catalogue.reading() as transaction:
        lease = transaction.scalars(select(LeaseRow)).one()
        assert lease.holder == this_process()
    following.close()
    assert len(laboratory.runs()) == 2


def test_only_the_processes_of_a_job_are_killed() -> None:
    sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
    mine, others = (
        subprocess.Popen(sleep, env={**os.environ, JOB_VARIABLE: name}) for name in ("a", "ab")
    )
    try:
        wait_for(lambda: kill_processes_of("a") == 1)
        assert mine.wait(5) == -signal.SIGKILL
        assert others.poll() is None
    finally:
        for process in (mine, others):
            process.kill()
            process.wait()


def test_a_log_never_takes_more_than_its_size_and_keeps_the_end(tmp_path: Path) -> None:
    log = BoundedLog(tmp_path / "deep" / "a.log", most_bytes=1000)
    for number in range(1000):
        log.write(f"{number:09}\n".encode())
    log.write(b"x" * 1200)
    log.close()
    size = sum(file.stat().st_size for file in (tmp_path / "deep").iterdir())
    assert 500 <= size <= 1000
    assert read_end(tmp_path / "deep" / "a.log", 600) == "x" * 600
    assert read_end(tmp_path / "deep" / "none.log", 600) == ""


def test_what_was_said_at_length_is_bounded_in_several_writes(tmp_path: Path) -> None:
    log = BoundedLog(tmp_path / "a.log", most_bytes=1000)
    writer = threading.Thread(target=lambda: [log.write(b"y" * 77) for _ in range(50)])
    writer.start()
    writer.join()
    log.close()
    assert set(read_end(tmp_path / "a.log", 5000)) == {"y"}


@pytest.mark.parametrize("name", ["../a.log", "/etc/passwd", "jobs/../../a.log", ".", ""])
def test_a_log_lies_in_the_folder_of_logs(tmp_path: Path, name: str) -> None:
    with pytest.raises(JobLogError):
        log_path(tmp_path, name)


def test_a_link_out_of_the_folder_of_logs_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "jobs").symlink_to(tmp_path)
    with pytest.raises(JobLogError):
        log_path(tmp_path / "logs", "jobs/a.log")
