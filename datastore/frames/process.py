"""A process that answers requests about untrusted files, under a deadline and a memory limit.

Owns the process from outside, its start, its deadlines and its end; what it does inside is
`datastore.frames._serving`'s. Answers come back as JSON and plain bytes, never as pickles: the
process has read hostile input. It knows nothing of what is asked.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from datastore.frames.errors import DecodingStoppedError, FrameError, UnsupportedFrameError

Answer = tuple[dict[str, Any], memoryview | None]

_ERRORS = {
    kind.__name__: kind for kind in (FrameError, UnsupportedFrameError, DecodingStoppedError)
}
_START_DEADLINE_S = 60.0
_PACKAGE_ROOT: Final = Path(__file__).resolve().parents[2]


class IsolatedProcess:
    """One process that answers request after request; a context manager that ends it.

    It starts when it is first asked, or before. A request that crashes it, or takes too long or too
    much memory, ends the process; the next request gets a fresh one.

    Parameters
    ----------
    handler
        Function of a module, called in the process with a request; returns a dictionary for JSON
        and, if need be, a block of bytes. Its `FrameError`s are raised again for the caller.
    deadline_s
        Longest time for one request, in seconds.
    memory_bytes
        Address space of the process.
    warm_up
        Function of a module, called in the process before its first request: loads what the
        handler needs. It has the time that starting has.
    """

    def __init__(
        self,
        handler: Callable[[dict[str, Any]], Answer],
        *,
        deadline_s: float,
        memory_bytes: int,
        warm_up: Callable[[], None] | None = None,
    ) -> None:
        self._functions = [_place_of(function) for function in (handler, warm_up) if function]
        self._deadline_s = deadline_s
        self._memory_bytes = memory_bytes
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None
        self._is_ready = False

    def __enter__(self) -> Self:
        """Return it, not started yet."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the process."""
        self.close()

    def start(self) -> None:
        """Start the process, if none runs, without waiting until it is ready."""
        if self._process is None or self._process.poll() is not None:
            self.close()
            self._spawn()

    def close(self) -> None:
        """End the process, if one runs."""
        if self._connection is not None:
            self._connection.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._connection = self._process = None
        self._is_ready = False

    def ask(self, request: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        """Return the answer to a request about the file `request["path"]`.

        Raises
        ------
        DecodingStoppedError
            If the process crashed, the handler failed, or either ran past the deadline or the
            memory limit.
        FrameError
            As the handler raised it.
        """
        process, connection = self._running()
        late = threading.Event()

        def stop() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(self._deadline_s, stop)
        timer.start()
        try:
            connection.send_bytes(json.dumps(request).encode())
            answer = json.loads(connection.recv_bytes())
            block = connection.recv_bytes() if answer.pop("has_block") else b""
        except (EOFError, OSError, ValueError) as error:
            how = f"status {process.wait()}"
            if late.is_set():
                how = f"its deadline of {self._deadline_s:g} s"
            self.close()
            message = f"{request['path']} could not be decoded: the decoder ended with {how}"
            raise DecodingStoppedError(message) from error
        finally:
            timer.cancel()
            timer.join()
        if answer.get("error") == MemoryError.__name__:
            raise DecodingStoppedError(
                f"{request['path']} could not be decoded: it needs more than"
                f" {self._memory_bytes} bytes of memory"
            )
        if "error" in answer:
            raise _ERRORS.get(answer["error"], FrameError)(answer["message"])
        return answer, block

    def _running(self) -> tuple[subprocess.Popen[bytes], Connection]:
        self.start()
        assert self._process is not None and self._connection is not None
        if not self._is_ready:
            # starting is not the file's fault: it has a deadline of its own
            self._await_start(self._connection)
        return self._process, self._connection

    def _spawn(self) -> None:
        self._connection, theirs = Pipe()
        with theirs:
            # the program that asks is not imported there, as `multiprocessing` would
            self._process = subprocess.Popen(  # noqa: S603 (our own module)
                [
                    *(sys.executable, "-P", "-m", "datastore.frames._serving"),
                    *(str(theirs.fileno()), str(self._memory_bytes), *self._functions),
                ],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env={**os.environ, "PYTHONPATH": os.pathsep.join(_import_paths())},
                # an interrupt at the terminal is for this process, which ends the other
                start_new_session=True,
            )

    def _await_start(self, connection: Connection) -> None:
        try:
            if not connection.poll(_START_DEADLINE_S):
                raise DecodingStoppedError("the process that decodes files did not start")
            connection.recv_bytes()
        except (EOFError, OSError, DecodingStoppedError) as error:
            self.close()
            if isinstance(error, DecodingStoppedError):
                raise
            raise DecodingStoppedError(
                "the process that decodes files ended while it started: its message says why"
            ) from error
        self._is_ready = True


def _place_of(function: Callable[..., Any]) -> str:
    return f"{function.__module__}:{function.__qualname__}"


def _import_paths() -> list[str]:
    """Return where the process finds what this one imported."""
    return [str(_PACKAGE_ROOT), *(path for path in sys.path if path)]
