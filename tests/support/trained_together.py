"""Trains under `torchrun` for a test: `FOLDER PATCHES STEPS`; writes the first process's weights.

The learning rate is so small that weights hardly move: what differs is the rounding of gradients.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.support.trace_frames import frame_set, trace_spec
from training.experiments.distributed import joined_processes
from training.experiments.runs import Fold, RunFolder


def main() -> None:
    """Train one run and say which process this was."""
    folder, changes = Path(sys.argv[1]), json.loads(sys.argv[2])
    with joined_processes() as processes:
        frames = frame_set(range(4), range(2), 60)
        runs = RunFolder(folder, trace_spec(**changes), [Fold(frames)], 2, processes=processes)
        for run in runs.train(checkpoint_s=0.0):
            sys.stdout.write(f"rank {processes.rank} of {processes.world}: run {run.number}\n")


main()
