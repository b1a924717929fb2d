"""Work in processes of its own that a test kills, all forked from one that has PyTorch."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Protocol

from datastore.catalogue import open_catalogue
from datastore.clocks import HostClock
from tests.support.catalogues import sqlite_url
from tests.support.trace_frames import frame_set
from training.experiments.runner import run_experiment
from training.experiments.runs import Fold, train_runs
from training.experiments.spec import ExperimentSpec

_LONGEST_S = 100.0


class Work(Protocol):
    """Something that may be begun, killed and begun again; it tells of every step that it did."""

    def do(self, tell: Callable[[], None]) -> None:
        """Do what is left of it."""


@dataclass(frozen=True)
class Training:
    """A training on frames in memory.

    Attributes
    ----------
    spec
        The experiment, of one run.
    folder
        Of its runs.
    checkpoint_s
        Seconds between two writings of the state; 0 writes it after every step.
    """

    spec: ExperimentSpec
    folder: Path
    checkpoint_s: float

    def do(self, tell: Callable[[], None]) -> None:
        """Train; the classes differ in nothing."""
        train, validation = (frame_set(scenes, range(2), 0) for scenes in (range(4), range(9, 11)))
        for _ in train_runs(
            self.spec,
            [Fold(train, validation)],
            2,
            self.folder,
            lambda _run, _step, _loss: tell(),
            checkpoint_s=self.checkpoint_s,
        ):
            pass


@dataclass(frozen=True)
class Experimenting:
    """An experiment on the catalogue in a folder."""

    spec: ExperimentSpec
    folder: Path
    checkpoint_s: float

    def do(self, tell: Callable[[], None]) -> None:
        """Train, judge and record."""
        with open_catalogue(sqlite_url(self.folder), self.folder / "store") as catalogue:
            run_experiment(
                catalogue,
                self.spec,
                work_folder=self.folder / "work",
                clock=HostClock(),
                progress=lambda _done, _total: tell(),
                checkpoint_s=self.checkpoint_s,
            )


def go_on(work: Work, killed: Callable[[int], float | None] = lambda _: None) -> bool:
    """Do what is left in a process of its own; tell whether it ended before it was killed.

    Parameters
    ----------
    work
        What is to be done.
    killed
        Says after how many seconds the process is killed, given the number of steps that it did
        so far; None lets it go on.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=_do, args=(work, sending))
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
                assert receiving.poll(_LONGEST_S), "the process stands still"
                receiving.recv()
            except EOFError:
                break
            steps += 1
    process.join()
    assert process.exitcode in (0, -9)
    return process.exitcode == 0


def _do(work: Work, steps: Connection) -> None:
    work.do(lambda: steps.send(None))
    steps.close()
