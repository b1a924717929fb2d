"""A process that looks at untrusted files and gives back their grids, nothing larger."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from datastore.frames import FrameError, read_frame, read_jpeg_rgb
from datastore.frames.process import Answer, IsolatedProcess
from training.baselines.features import Grid, grids_of_frame, grids_of_jpeg


class GridReader(IsolatedProcess):
    """One process that reads the grids of file after file; a context manager.

    Parameters
    ----------
    deadline_s
        Longest time for one file, in seconds.
    memory_bytes
        Address space of the process.
    """

    def __init__(self, *, deadline_s: float = 60.0, memory_bytes: int = 6 << 30) -> None:
        super().__init__(_look, deadline_s=deadline_s, memory_bytes=memory_bytes)

    def read(self, path: Path, role: str) -> Grid:
        """Return a file's planes on a grid, as `grids_of_frame` and `grids_of_jpeg` do.

        Raises
        ------
        DecodingStoppedError
            If the decoder crashed, ran past the deadline or past the memory limit.
        FrameError
            If the file is missing, damaged, or smaller than a grid.
        """
        answer, block = self.ask({"path": str(path), "role": role})
        return np.frombuffer(block, np.float64).reshape(answer["shape"])


def _look(request: dict[str, Any]) -> Answer:
    path = Path(request["path"])
    if request["role"] == "jpeg":
        grids = grids_of_jpeg(read_jpeg_rgb(path))
    else:
        grids = grids_of_frame(read_frame(path))
    if grids is None:
        raise FrameError(f"{path} has too few photosites for a grid")
    return {"shape": grids.shape}, np.ascontiguousarray(grids).data.cast("B")
