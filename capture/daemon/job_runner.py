"""Runs due jobs, one at a time on this host, as processes of their own beside the captures.

No job begins while a session runs on this host. One that runs already when a session begins is
let be: it is niced and idle at the disk. Stopping it with SIGSTOP instead could leave SQLite's one
write lock in the hands of a process that stands still, and the session would wait in vain.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from capture.daemon.clock_watch import ClockWatch
from capture.daemon.job_claims import (
    LEASE_S,
    Attempt,
    ClaimedJob,
    claim_next,
    fail_abandoned,
    is_session_running_here,
)
from capture.daemon.job_definitions import JobDefinition
from capture.daemon.job_logs import BoundedLog, log_path, read_end
from capture.daemon.job_process import JobProcess, kill_processes_of
from capture.daemon.jobs import plan_jobs
from capture.errors import ClockError
from capture.leasing import this_process
from capture.logs import get_logger
from datastore.catalogue import Catalogue
from datastore.clocks import CivilClock, Deadline
from datastore.errors import DatastoreError, LeaseLostError

RENEWED_EVERY_S: Final = LEASE_S / 4
"""How often a claim is renewed while its command runs."""

_WRITTEN_AGAIN_AFTER_S: Final = 2.0
_REFUSED: Final = 2
_LAST_LINE_BYTES: Final = 2000
_LAST_LINE_LENGTH: Final = 300
_OUTAGES: Final = (DatastoreError, ClockError)

_LOG = get_logger(__name__)


class JobRunner:
    """Plans the jobs of a home and runs those that are due; a hook of the daemon.

    Parameters
    ----------
    catalogue
        Where the jobs are.
    definitions
        What the home's settings say, by name.
    command
        What the arguments of a job are appended to: the interpreter, agetrace, the home.
    folder
        Folder that the commands work in: the home.
    log_folder
        The home's folder of logs.
    clock
        Tells the civil time of what happens to a job.
    watch
        Judges the civil clock, for this alone: while it cannot be believed no job is planned, since
        a timeslot that seems to close calls for its job only once. None where it is simulated.
    grace_s
        How long a command may take to end after SIGTERM, in seconds.
    renewed_every_s
        How often the claim is renewed.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        definitions: Mapping[str, JobDefinition],
        *,
        command: Sequence[str],
        folder: Path,
        log_folder: Path,
        clock: CivilClock,
        watch: ClockWatch | None = None,
        grace_s: float = 10.0,
        renewed_every_s: float = RENEWED_EVERY_S,
    ) -> None:
        self._catalogue = catalogue
        self._definitions = dict(definitions)
        self._command = list(command)
        self._folder = folder
        self._log_folder = log_folder
        self._clock = clock
        self._clock_watch = watch
        self._grace_s = grace_s
        self._renewed_every_s = renewed_every_s
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._running: str | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a job runs, or how it ended is not written down yet."""
        return self._thread is not None and self._thread.is_alive()

    def tick(self, now: datetime) -> None:
        """Plan what calls for a job, settle what a dead daemon left, begin the next job.

        Returns at once; a job that begins is watched by a thread of its own.

        Parameters
        ----------
        now
            Civil time.

        Raises
        ------
        datastore.errors.DatastoreError
            If the catalogue is locked or away: nothing is lost, the next tick does it.
        """
        if self._stop.is_set():
            return
        if self._can_believe(now):
            plan_jobs(self._catalogue, self._definitions, now=now)
        self._settle_abandoned(now)
        if self.is_busy or is_session_running_here(self._catalogue):
            return
        claim = claim_next(self._catalogue, self._definitions, now=now, holder=this_process())
        if claim is not None:
            self._running = claim.uuid
            self._thread = threading.Thread(
                target=self._work, args=(claim,), name=f"job {claim.uuid}"
            )
            self._thread.start()

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait until the job in hand has ended, for some seconds at most."""
        if self._thread is not None:
            self._thread.join(timeout_s)

    def close(self) -> None:
        """Break off the job in hand, which goes back to wait for the next daemon, and end.

        Takes little more than the grace. The attempt does not count.
        """
        self._stop.set()
        self.wait()

    def __enter__(self) -> JobRunner:
        """Return the runner itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Break off the job in hand, as `close` does."""
        self.close()

    def _can_believe(self, now: datetime) -> bool:
        if self._clock_watch is None:
            return True
        self._clock_watch.look(now)
        return self._clock_watch.is_steady

    def _settle_abandoned(self, now: datetime) -> None:
        kept = self._running if self.is_busy else None
        for mark in fail_abandoned(
            self._catalogue, self._definitions, now=now, holder=this_process(), kept=kept
        ):
            killed = kill_processes_of(mark)
            _LOG.warning("job-abandoned", attempt=mark, processes_killed=killed)

    def _work(self, claim: ClaimedJob) -> None:
        log = _LOG.bind(job=claim.uuid, job_name=claim.name)
        log.info("job-begins", attempt=claim.attempt, subject=claim.subject)
        try:
            attempt = self._execute(claim)
        except LeaseLostError as error:
            log.warning("job-taken-over", error=str(error))
            return
        except Exception as error:
            # under a daemon that lives it would seem to run for ever
            log.exception("job-broken-off")
            attempt = Attempt("failed", "internal-error", f"{type(error).__name__}: {error}")
        log.info("job-ended", state=attempt.state, reason=attempt.reason, detail=attempt.detail)
        self._settle(claim, attempt)

    def _execute(self, claim: ClaimedJob) -> Attempt:
        path = log_path(self._log_folder, claim.log)
        try:
            log = BoundedLog(path)
        except OSError as error:
            problem = f"Its log {path} could not be made: {error.strerror}."
            return Attempt("failed", "not-started", problem)
        try:
            process = JobProcess(
                [*self._command, *claim.command],
                mark=claim.mark,
                folder=self._folder,
                log=log,
                nice=claim.nice,
            )
        except OSError as error:
            log.close()
            problem = f"It could not be started: {error.strerror}."
            return Attempt("failed", "not-started", problem)
        try:
            attempt = self._watch(claim, process, path)
        finally:
            log.close()
        return attempt

    def _watch(self, claim: ClaimedJob, process: JobProcess, log: Path) -> Attempt:
        limit = Deadline.after(claim.limit_s)
        renewal = Deadline.after(self._renewed_every_s)
        try:
            while process.is_running:
                process.look()
                if self._stop.is_set():
                    process.end(self._grace_s)
                    return Attempt(None, "stopped", "The daemon was stopped; it is begun anew.")
                if limit.expired:
                    process.end(self._grace_s)
                    detail = f"It took longer than its limit of {claim.limit_s:g} s."
                    return Attempt("failed", "limit-exceeded", detail)
                if renewal.expired:
                    self._renew(claim)
                    renewal = Deadline.after(self._renewed_every_s)
        except BaseException:
            process.reap()
            raise
        return _attempt_of(process.reap(), log, process.log_problem)

    def _renew(self, claim: ClaimedJob) -> None:
        try:
            claim.renew()
        except LeaseLostError:
            raise
        except _OUTAGES as error:
            _LOG.warning("job-not-renewed", job=claim.uuid, error=str(error))

    def _settle(self, claim: ClaimedJob, attempt: Attempt) -> None:
        """Write down how an attempt ended, again and again while the catalogue is away."""
        while True:
            try:
                claim.settle(attempt, self._clock.now())
            except LeaseLostError as error:
                _LOG.warning("job-taken-over", job=claim.uuid, error=str(error))
            except _OUTAGES as error:
                _LOG.warning("job-end-kept", job=claim.uuid, error=str(error))
                if not self._stop.wait(_WRITTEN_AGAIN_AFTER_S):
                    continue
                # the next daemon finds it running under a dead one
                _LOG.error("job-end-lost", job=claim.uuid, state=attempt.state)
            return


def _attempt_of(status: int, log: Path, log_problem: str | None) -> Attempt:
    """Return what a command's status says of its attempt."""
    unlogged = f" {log_problem[0].upper()}{log_problem[1:]}." if log_problem else ""
    if status == 0:
        return Attempt("completed", detail=unlogged.strip() or None, exit_code=0)
    if status < 0:
        return Attempt("failed", "killed", f"It was ended by {_signal_name(-status)}.{unlogged}")
    said = _last_line(log)
    detail = f"It ended with exit code {status}{f': {said}' if said else '.'}{unlogged}"
    if status == _REFUSED:
        # the same request would be refused again
        return Attempt("failed", "request-refused", detail, status, may_be_repeated=False)
    return Attempt("failed", "exit-code", detail, status)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        # most of the real-time ones have no name
        return f"signal {number}"


def _last_line(log: Path) -> str:
    lines = [line.strip() for line in read_end(log, _LAST_LINE_BYTES).splitlines() if line.strip()]
    return "".join(c for c in lines[-1] if c.isprintable())[:_LAST_LINE_LENGTH] if lines else ""
