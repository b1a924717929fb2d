"""Decoding of untrusted files in a worker process, under a deadline and a memory limit.

Owns the process. Answers come back as JSON and plain bytes, never as pickles: the worker has read
hostile input. It knows no catalogue.
"""

from __future__ import annotations

import json
import multiprocessing
import resource
import threading
from dataclasses import asdict
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from datastore.frames.errors import DecodingStoppedError, FrameError, UnsupportedFrameError
from datastore.frames.frame import Frame, read_frame
from datastore.frames.integrity import Examination, ExpectedFile, Finding, examine_file

_ERRORS = {kind.__name__: kind for kind in (FrameError, UnsupportedFrameError)}
_START_DEADLINE_S = 60.0


class DecodingWorker:
    """One worker process that decodes file after file; a context manager.

    A file that crashes the decoder, or takes too long or too much memory, ends the process; the
    next file gets a fresh one.

    Parameters
    ----------
    deadline_s
        Longest time for one file, in seconds.
    memory_bytes
        Address space of the process.
    """

    def __init__(self, *, deadline_s: float = 60.0, memory_bytes: int = 6 << 30) -> None:
        self._deadline_s = deadline_s
        self._memory_bytes = memory_bytes
        self._process: multiprocessing.process.BaseProcess | None = None
        self._connection: Connection | None = None

    def __enter__(self) -> Self:
        """Return the worker; its process starts with the first file."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the process."""
        self.close()

    def close(self) -> None:
        """End the process, if one runs."""
        if self._connection is not None:
            self._connection.close()
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process.close()
        self._connection = self._process = None

    def examine_file(self, path: Path, expected: ExpectedFile | None = None) -> Examination:
        """Examine a file as `datastore.frames.examine_file` does.

        A decoder that had to be stopped is a finding named ``decoder-stopped``.

        Raises
        ------
        FrameError
            If there is no such file or it cannot be opened.
        """
        request = {
            "task": "examine",
            "path": str(path),
            "expected": asdict(expected or ExpectedFile()),
        }
        try:
            answer, _ = self._ask(request)
        except DecodingStoppedError as error:
            return Examination(None, [Finding("decoder-stopped", {}, f"{error}.")])
        findings = [Finding(**finding) for finding in answer.pop("findings")]
        return Examination(findings=findings, **answer)

    def read_frame(self, path: Path, *, cfa: str | None = None) -> Frame:
        """Read a frame as `datastore.frames.read_frame` does.

        Raises
        ------
        DecodingStoppedError
            If the decoder crashed, ran past the deadline or past the memory limit.
        FrameError
            As `datastore.frames.read_frame`.
        """
        answer, pixels = self._ask({"task": "read", "path": str(path), "cfa": cfa})
        mosaic = np.frombuffer(pixels, dtype=np.uint16).reshape(answer["shape"]).copy()
        black = answer["black_level"]
        return Frame(
            mosaic,
            answer["cfa"],
            answer["white_level"],
            None if black is None else tuple(black),
            tuple(answer["visible"]),
        )

    def _ask(self, request: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
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
            pixels = connection.recv_bytes() if answer.get("has_pixels") else b""
        except (EOFError, OSError, ValueError) as error:
            timer.cancel()
            process.join()
            exit_code = process.exitcode
            self.close()
            reason = (
                f"did not end within {self._deadline_s:g} s" if late.is_set()
                else f"ended with status {exit_code}"
            )  # fmt: skip
            message = f"Decoding {request['path']} was stopped: the decoder {reason}"
            raise DecodingStoppedError(message) from error
        finally:
            timer.cancel()
        if "error" in answer:
            if answer["error"] == MemoryError.__name__:
                raise DecodingStoppedError(
                    f"Decoding {request['path']} was stopped: it needs more than"
                    f" {self._memory_bytes} bytes of memory"
                )
            raise _ERRORS.get(answer["error"], FrameError)(answer["message"])
        answer.pop("has_pixels", None)
        return answer, pixels

    def _running(self) -> tuple[multiprocessing.process.BaseProcess, Connection]:
        if self._process is None or self._connection is None or not self._process.is_alive():
            self.close()
            context = multiprocessing.get_context("spawn")
            self._connection, theirs = context.Pipe()
            self._process = context.Process(
                target=_serve, args=(theirs, self._memory_bytes), daemon=True
            )
            self._process.start()
            theirs.close()
            # starting is not the file's fault: it has a deadline of its own
            if not self._connection.poll(_START_DEADLINE_S):
                self.close()
                raise DecodingStoppedError("The process that decodes files did not start")
            self._connection.recv_bytes()
        return self._process, self._connection


def _serve(connection: Connection, memory_bytes: int) -> None:
    """Answer requests until the other side is gone; runs in the worker process."""
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    connection.send_bytes(b"ready")
    while True:
        try:
            request = json.loads(connection.recv_bytes())
        except EOFError:
            return
        answer, pixels = _answer(request)
        connection.send_bytes(json.dumps(answer).encode())
        if pixels is not None:
            connection.send_bytes(pixels)


def _answer(request: dict[str, Any]) -> tuple[dict[str, Any], memoryview | None]:
    path = Path(request["path"])
    try:
        if request["task"] == "examine":
            return asdict(examine_file(path, ExpectedFile(**request["expected"]))), None
        frame = read_frame(path, cfa=request["cfa"])
    except FrameError as error:
        return {"error": type(error).__name__, "message": str(error)}, None
    except MemoryError:
        return {"error": MemoryError.__name__}, None
    except Exception as error:  # a decoder may fail in any way on hostile input
        message = f"{path} cannot be decoded: {type(error).__name__}: {error}"
        return {"error": FrameError.__name__, "message": message}, None
    answer = {
        "has_pixels": True,
        "shape": frame.mosaic.shape,
        "cfa": frame.cfa,
        "white_level": frame.white_level,
        "black_level": frame.black_level,
        "visible": frame.visible,
    }
    return answer, np.ascontiguousarray(frame.mosaic).data.cast("B")
