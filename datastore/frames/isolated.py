"""Decoding of untrusted files in a process of its own; knows no catalogue."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from datastore.frames.errors import DecodingStoppedError
from datastore.frames.frame import Frame, read_frame
from datastore.frames.integrity import Examination, ExpectedFile, Finding, examine_file
from datastore.frames.process import Answer, IsolatedProcess


class DecodingWorker(IsolatedProcess):
    """One process that decodes file after file; a context manager.

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
        super().__init__(_decode, deadline_s=deadline_s, memory_bytes=memory_bytes)

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
            answer, _ = self.ask(request)
        except DecodingStoppedError as error:
            reason = str(error).removeprefix(f"{path} ")
            return Examination("raw", [Finding("decoder-stopped", {}, f"The file {reason}.")])
        return Examination.from_fields(answer)

    def read_frame(self, path: Path, *, cfa: str | None = None) -> Frame:
        """Read a frame as `datastore.frames.read_frame` does.

        Raises
        ------
        DecodingStoppedError
            If the decoder crashed, ran past the deadline or past the memory limit.
        FrameError
            As `datastore.frames.read_frame`.
        """
        answer, pixels = self.ask({"task": "read", "path": str(path), "cfa": cfa})
        mosaic = np.frombuffer(pixels, dtype=np.uint16).reshape(answer["shape"]).copy()
        black = answer["black_level"]
        return Frame(
            mosaic,
            answer["cfa"],
            answer["white_level"],
            None if black is None else tuple(black),
            tuple(answer["visible"]),
        )


def _decode(request: dict[str, Any]) -> Answer:
    path = Path(request["path"])
    if request["task"] == "examine":
        return asdict(examine_file(path, ExpectedFile(**request["expected"]))), None
    frame = read_frame(path, cfa=request["cfa"])
    answer = {
        "shape": frame.mosaic.shape,
        "cfa": frame.cfa,
        "white_level": frame.white_level,
        "black_level": frame.black_level,
        "visible": frame.visible,
    }
    return answer, np.ascontiguousarray(frame.mosaic).data.cast("B")
