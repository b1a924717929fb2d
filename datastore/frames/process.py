"""A process that answers requests about untrusted files, under a deadline and a memory limit.

Owns the process and its limits. Answers come back as JSON and plain bytes, never as pickles: the
worker has read hostile input. It knows nothing of what is asked.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import signal
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from datastore.frames.errors import DecodingStoppedError, FrameError, UnsupportedFrameError

Answer = tuple[dict[str, Any], memoryview | None]

_ERRORS = {
    kind.__name__: kind for kind in (FrameError, UnsupportedFrameError, DecodingStoppedError)
}
_START_DEADLINE_S = 60.0


class IsolatedProcess:
    """One process that answers request after request; started when first asked.

    A request that crashes it, or takes too long or too much memory, ends the process; the next
    request gets a fresh one.

    Parameters
    ----------
    handler
        Function of a module, called in the process with a request; returns a dictionary for JSON
        and, if need be, a block of bytes. Its `FrameError`s are raised again for the caller.
    deadline_s
        Longest time for one request, in seconds.
    memory_bytes
        Address space of the process.
    """

    def __init__(
        self, handler: Callable[[dict[str, Any]], Answer], *, deadline_s: float, memory_bytes: int
    ) -> None:
        self._handler = handler
        self._deadline_s = deadline_s
        self._memory_bytes = memory_bytes
        self._process: multiprocessing.process.BaseProcess | None = None
        self._connection: Connection | None = None

    def close(self) -> None:
        """End the process, if one runs."""
        if self._connection is not None:
            self._connection.close()
        # a process whose start failed has no number yet
        if self._process is not None and self._process.pid is not None:
            self._process.kill()
            self._process.join()
            self._process.close()
        self._connection = self._process = None

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
            process.join()
            how = f"status {process.exitcode}"
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

    def _running(self) -> tuple[multiprocessing.process.BaseProcess, Connection]:
        if self._process is None or self._connection is None or not self._process.is_alive():
            self.close()
            context = multiprocessing.get_context("spawn")
            self._connection, theirs = context.Pipe()
            self._process = context.Process(
                target=_serve, args=(theirs, self._handler, self._memory_bytes), daemon=True
            )
            self._process.start()
            theirs.close()
            # starting is not the file's fault: it has a deadline of its own
            if not self._connection.poll(_START_DEADLINE_S):
                self.close()
                raise DecodingStoppedError("the process that decodes files did not start")
            try:
                self._connection.recv_bytes()
            except EOFError:
                self.close()
                raise DecodingStoppedError(
                    "the process that decodes files ended while it started: a script that imports"
                    ' or captures needs `if __name__ == "__main__":` around its work'
                ) from None
        return self._process, self._connection


def _serve(
    connection: Connection, handler: Callable[[dict[str, Any]], Answer], memory_bytes: int
) -> None:
    """Answer requests until the other side is gone; runs in the worker process."""
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the other side ends this process
    # decoders write about damaged data, which the answers tell better
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123 - a device
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    connection.send_bytes(b"ready")
    while True:
        try:
            request = json.loads(connection.recv_bytes())
        except (EOFError, OSError):
            return
        answer, block = _answer(handler, request)
        connection.send_bytes(json.dumps({**answer, "has_block": block is not None}).encode())
        if block is not None:
            connection.send_bytes(block)


def _answer(handler: Callable[[dict[str, Any]], Answer], request: dict[str, Any]) -> Answer:
    try:
        return handler(request)
    except FrameError as error:
        return {"error": type(error).__name__, "message": str(error)}, None
    except MemoryError:
        return {"error": MemoryError.__name__}, None
    except Exception as error:  # a decoder may fail in any way on hostile input
        message = f"{request['path']} could not be decoded: {type(error).__name__}: {error}"
        return {"error": DecodingStoppedError.__name__, "message": message}, None
