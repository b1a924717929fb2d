"""Trainings in processes of their own that a test kills, all forked from one that has PyTorch."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from tests.support.trace_frames import frame_set
from training.experiments.runs import Fold, train_runs
from training.experiments.spec import ExperimentSpec

_LONGEST_S = 100.0


@dataclass(frozen=True)
class Training:
    """A training that may be begun, killed and begun again.

    Attributes
    ----------
    spec
        The experiment, of one run.
    folder
        Of its runs.
    new_defects
        How many photosites tell the classes apart.
    checkpoint_s
        Seconds between two writings of the state; 0 writes it after every step.
    """

    spec: ExperimentSpec
    folder: Path
    new_defects: int
    checkpoint_s: float

    def go_on(self, killed: Callable[[int], float | None] = lambda _: None) -> int | None:
        """Train in a process of its own; return how many steps it did, None where it was killed.

        Parameters
        ----------
        killed
            Says after how many seconds the process is killed, given the number of steps that it
            did so far; None lets it go on.
        """
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([__name__])
        receiving, sending = context.Pipe(duplex=False)
        process = context.Process(target=_train, args=(self, sending))
        process.start()
        sending.close()
        steps = 0
        with closing(receiving):
            while True:
                after_s = killed(steps)
                if after_s is not None:
                    process.join(after_s)
                    process.kill()
                    break
                try:
                    assert receiving.poll(_LONGEST_S), "the training stands still"
                    receiving.recv()
                except EOFError:
                    break
                steps += 1
        process.join()
        if process.exitcode == -9:
            return None
        assert process.exitcode == 0
        return steps


def _train(training: Training, steps_done: Connection) -> None:
    blocks = [
        frame_set(scenes, range(2), training.new_defects) for scenes in (range(4), range(9, 11))
    ]
    for _ in train_runs(
        training.spec,
        [Fold(*blocks)],
        2,
        training.folder,
        lambda _run, step, _loss: steps_done.send(step),
        checkpoint_s=training.checkpoint_s,
    ):
        pass
    steps_done.close()
