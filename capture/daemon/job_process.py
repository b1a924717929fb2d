"""The process of a job: started out of the way of captures, watched, ended with all it started.

Knows commands and logs, no rows.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from capture.daemon.job_logs import BoundedLog
from datastore.clocks import Deadline

JOB_VARIABLE: Final = "AGETRACE_JOB"
"""Environment variable by which every process that an attempt started can be told."""

_OF_THE_DAEMON_ALONE: Final = frozenset({"NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC"})
_CHUNK_BYTES: Final = 1 << 16
_LOOK_S: Final = 0.2
_LAST_WORDS_S: Final = 1.0


class JobProcess:
    """A running command; what it says goes to a log.

    It must be started in a thread that lives as long as the process: the kernel kills it with that
    thread, so that it never outlives a daemon that was killed.

    Parameters
    ----------
    arguments
        The whole command.
    mark
        Tells its processes from all others: the attempt of a job.
    folder
        Folder that it works in.
    log
        Where its output goes.
    nice
        How far it gives way to other processes.

    Raises
    ------
    OSError
        If it cannot be started.
    """

    def __init__(
        self, arguments: Sequence[str], *, mark: str, folder: Path, log: BoundedLog, nice: int
    ) -> None:
        kept = {
            name: value for name, value in os.environ.items() if name not in _OF_THE_DAEMON_ALONE
        }
        self._mark = mark
        self._log = log
        self.log_problem: str | None = None
        self._process = subprocess.Popen(  # noqa: S603 (an argument list of the home's settings)
            [*_out_of_the_way(nice), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={**kept, JOB_VARIABLE: mark, "PYTHONUNBUFFERED": "1"},
            start_new_session=True,
            bufsize=0,
        )
        assert self._process.stdout is not None
        self._output = self._process.stdout
        os.set_blocking(self._output.fileno(), False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._output, selectors.EVENT_READ)
        self._is_silent = False

    @property
    def is_running(self) -> bool:
        """Whether the command itself still runs; it is not reaped by asking."""
        if self._process.returncode is not None:
            return False
        options = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self._process.pid, options) is None

    def look(self, seconds: float = _LOOK_S) -> None:
        """Take what it says, for some seconds at most; returns early where it says something."""
        if self._is_silent:
            time.sleep(seconds)
        elif self._selector.select(seconds):
            self._take()

    def end(self, grace_s: float) -> int:
        """Have it end, by force after a grace, with all that it started; return its status.

        The status is negative for a signal.
        """
        self._signal_group(signal.SIGTERM)
        grace = Deadline.after(grace_s)
        while self.is_running and not grace.expired:
            self.look(min(_LOOK_S, grace.remaining()))
        return self.reap()

    def reap(self) -> int:
        """Kill whatever is left of it, take the last words, and return the status as `end` does."""
        # until it is reaped its number cannot be anybody else's
        self._signal_group(signal.SIGKILL)
        status = self._process.wait()
        kill_processes_of(self._mark)
        last = Deadline.after(_LAST_WORDS_S)
        while not self._is_silent and not last.expired:
            self.look(last.remaining())
        self._selector.close()
        self._output.close()
        return status

    def _take(self) -> None:
        try:
            data = os.read(self._output.fileno(), _CHUNK_BYTES)
        except BlockingIOError:
            return
        if not data:
            self._is_silent = True
            return
        if self.log_problem is not None:
            return
        try:
            self._log.write(data)
        except OSError as error:
            # a full disk must not end the work; what it says is lost from here on
            self.log_problem = f"its log could not be written: {error.strerror}"

    def _signal_group(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)


def kill_processes_of(mark: str) -> int:
    """Kill every process of this host that an attempt of a job started; return how many.

    They are told by their environment, which they inherit, so that neither a session of its own nor
    a number that was given again leads astray.
    """
    wanted = f"{JOB_VARIABLE}={mark}".encode()
    killed = 0
    for folder in Path("/proc").glob("[0-9]*"):
        pid = int(folder.name)
        # processes end meanwhile, and those of other users are not ours to read
        with contextlib.suppress(OSError):
            descriptor = os.pidfd_open(pid)
            try:
                if pid != os.getpid() and wanted in (folder / "environ").read_bytes().split(b"\0"):
                    signal.pidfd_send_signal(descriptor, signal.SIGKILL)
                    killed += 1
            finally:
                os.close(descriptor)
    return killed


def _out_of_the_way(nice: int) -> list[str]:
    """Return how to start a command that dies with its daemon and gives way to captures."""
    prefixes = (
        ("setpriv", "--pdeathsig", "KILL", "--"),
        ("nice", "-n", str(nice)),
        ("ionice", "-c", "3"),
    )
    return [word for prefix in prefixes if shutil.which(prefix[0]) for word in prefix]
