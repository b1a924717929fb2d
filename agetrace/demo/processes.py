"""Runs commands of agetrace as processes beside each other, as many as there are processors."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from typing import IO

from agetrace.errors import AgetraceError

_POLL_S = 0.5


class CommandFailedError(AgetraceError):
    """A command that was run as a process failed; the message is its own."""

    exit_code = 1


def run_side_by_side(
    commands: Sequence[Sequence[str]], watch: Callable[[], None], *, lanes: int | None = None
) -> None:
    """Run `agetrace` commands, the first ones first, and wait until all are done.

    Parameters
    ----------
    commands
        Arguments of each, without the program's name.
    watch
        Called twice a second while they run, and once at the end.
    lanes
        How many run at a time; one per processor otherwise.

    Raises
    ------
    CommandFailedError
        If one fails; the others are ended first.
    """
    waiting = list(commands)
    running: list[tuple[Sequence[str], subprocess.Popen[bytes], IO[bytes]]] = []
    width = lanes or len(os.sched_getaffinity(0))
    try:
        while waiting or running:
            while waiting and len(running) < width:
                running.append(_start(waiting.pop(0)))
            with contextlib.suppress(subprocess.TimeoutExpired):
                running[0][1].wait(_POLL_S)
            for entry in [one for one in running if one[1].poll() is not None]:
                running.remove(entry)
                _require_success(*entry)
            watch()
    finally:
        for _, process, messages in running:
            process.terminate()
            process.wait()
            messages.close()


def _start(arguments: Sequence[str]) -> tuple[Sequence[str], subprocess.Popen[bytes], IO[bytes]]:
    messages = tempfile.TemporaryFile()  # noqa: SIM115 - closed with its process
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "agetrace", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=messages,
        stderr=messages,
    )
    return arguments, process, messages


def _require_success(
    arguments: Sequence[str], process: subprocess.Popen[bytes], messages: IO[bytes]
) -> None:
    with messages:
        if process.returncode == 0:
            return
        messages.seek(0)
        said = messages.read().decode(errors="replace").strip()
    raise CommandFailedError(
        f"`agetrace {' '.join(arguments)}` ended with {process.returncode}: {said[-2000:]}"
    )
