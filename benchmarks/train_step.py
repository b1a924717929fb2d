"""The training step of the field's networks on the processor, against a plain loop of PyTorch.

Both sides train the same networks on crops of the same size, each in a process of its own: ours by
the project's training loop, with the settings that it chooses by itself and the crops that it cuts
meanwhile; the peer by a loop as tutorials have it, on a batch that lies in memory. They take their
steps in turn.
"""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from typing import Any

from benchmarks._result import Result, machine
from benchmarks._training_side import BATCH

GOALS = {"srnet": 4.0, "googlenet": 2.5, "alexnet": 2.0}
"""The first is the benchmark's own ratio, the others stand beside it."""

SIDES = ("ours", "peer")
LARGEST_WAIT = 0.05
ROOT = Path(__file__).parents[1]

NOTES = f"""
Training step: {BATCH} crops of 256 x 256, two classes, Adamax; one channel for SRNet, three
for AlexNet and GoogLeNet. The peer is float32 with the defaults of PyTorch and glibc, and waits for
no data. `waiting` compares the share of ours that was spent waiting for crops with one twentieth.
`accuracy` is that of the small SRNet on crops of scenes that it has not seen, frames of a virtual
camera with accelerated defects, after a short training in bfloat16 with channels last and a plain
one; its goal is 1 less twice the standard error of the ratio, so that equal sides reach it
nineteen times in twenty. What bfloat16 gains depends on the processor: those without instructions
for it lose, and ours then chooses float32.
"""


@dataclass(frozen=True)
class Sizes:
    """How much is trained.

    Attributes
    ----------
    networks
        Those whose steps are timed.
    steps
        Steps of ours in each turn; the peer takes one.
    turns
        Timed turns of each side, after one to warm up.
    runs
        Trainings of each side whose accuracies are compared.
    run_steps
        Steps of each of them.
    patch_size, run_patch_size
        Side of the crops of timed steps, and of those trainings.
    """

    networks: tuple[str, ...]
    steps: int
    turns: int
    runs: int
    run_steps: int
    patch_size: int = 256
    run_patch_size: int = 64


QUICK = Sizes(networks=("srnet",), steps=2, turns=1, runs=2, run_steps=30)
FULL = Sizes(networks=tuple(GOALS), steps=4, turns=5, runs=8, run_steps=150)


def run(full: bool) -> list[Result]:
    return compare(FULL if full else QUICK)


def compare(sizes: Sizes) -> list[Result]:
    """Time the steps of every network, then compare accuracies."""
    results = []
    for network in sizes.networks:
        results += step_results(network, sizes, GOALS[network])
    return [*results, accuracy_result(accuracies(sizes))]


def step_results(network: str, sizes: Sizes, goal: float) -> list[Result]:
    """Return the comparison of a network's steps, and that of the time spent waiting."""
    seconds: dict[str, list[float]] = {side: [] for side in SIDES}
    turns = sizes.turns + 1
    with (
        ready_side("ours", network, sizes.steps, turns, sizes.patch_size) as ours,
        ready_side("peer", network, 1, turns, sizes.patch_size) as peer,
    ):
        for turn in range(turns):
            took = ours.take_turn(), peer.take_turn()
            if turn:
                for name, step_s in zip(SIDES, took, strict=True):
                    seconds[name].append(step_s)
        found, _ = ours.answer(), peer.answer()
    rates = {name: BATCH / statistics.median(of_side) for name, of_side in seconds.items()}
    chosen = f"{found['precision']}{', channels last' if found['channels_last'] else ''}"
    waiting = found["waiting"]
    return [
        _result(
            f"train-step-{network}",
            rates["ours"],
            rates["peer"],
            f"plain float32 loop, defaults of PyTorch and glibc; ours chose {chosen}",
            "images/s",
            ratio=rates["ours"] / rates["peer"],
            goal=goal,
            limit=1.2,
            repeats=sizes.turns,
        ),
        _result(
            f"train-step-{network}-waiting",
            waiting,
            LARGEST_WAIT,
            "the goal",
            "share of the time",
            ratio=LARGEST_WAIT / max(waiting, 1e-4),
            goal=1.0,
            limit=0.2,
            repeats=sizes.turns,
        ),
    ]


def accuracies(sizes: Sizes) -> dict[str, list[float]]:
    """Return the accuracy of each training of a side, run by run with the same seed and crops."""
    found = {}
    for name in SIDES:
        amounts = sizes.run_steps, sizes.runs, sizes.run_patch_size
        with side(name, "accuracy", "srnet-nano", *amounts) as asked:
            found[name] = asked.answer()
    return found


def accuracy_result(found: Mapping[str, Sequence[float]]) -> Result:
    """Return the comparison of accuracies; the goal says what noise alone could do."""
    runs = len(found["ours"])
    means = {name: statistics.mean(values) for name, values in found.items()}
    spreads = {name: statistics.stdev(values) for name, values in found.items()}
    # not that of the differences: runs of one seed part after some steps, as any rounding has them
    error = sqrt(sum(spread**2 for spread in spreads.values()) / runs) / means["peer"]
    return _result(
        "train-step-accuracy",
        means["ours"],
        means["peer"],
        f"plain float32 loop; from run to run +- {spreads['peer']:.3f},"
        f" ours +- {spreads['ours']:.3f}",
        "share of crops right",
        ratio=means["ours"] / means["peer"],
        goal=round(1 - 2 * error, 3),
        limit=0.8,
        repeats=runs,
    )


class Side:
    """A side's process."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def take_turn(self) -> float:
        """Have it take its turn; return the seconds of a step."""
        assert self._process.stdin is not None
        print(file=self._process.stdin, flush=True)
        return float(self.answer())

    def answer(self) -> Any:
        """Return the next thing that it says."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the training process ended with {self._process.wait()}")
        return json.loads(line)


@contextmanager
def side(name: str, what: str, network: str, *amounts: int) -> Iterator[Side]:
    """Run a side's process for the length of the block, with no settings of the surroundings."""
    settled = ("MALLOC_", "OMP_", "MKL_", "KMP_", "LD_PRELOAD", "GLIBC_TUNABLES")
    surroundings = {key: value for key, value in os.environ.items() if not key.startswith(settled)}
    with subprocess.Popen(
        [
            *(sys.executable, "-m", "benchmarks._training_side"),
            *(name, what, network, *map(str, amounts)),
        ],
        cwd=ROOT,
        env=surroundings,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Side(process)
        except BaseException:
            process.kill()
            raise


@contextmanager
def ready_side(name: str, network: str, *amounts: int) -> Iterator[Side]:
    """Run a side's process, whose first turn may come."""
    with side(name, "steps", network, *amounts) as started:
        assert started.answer() == "ready"
        yield started


def _result(
    name: str,
    ours: float,
    peer: float,
    peer_name: str,
    unit: str,
    *,
    ratio: float,
    goal: float,
    limit: float,
    repeats: int,
) -> Result:
    return Result(
        name=name,
        ours=ours,
        peer=peer,
        peer_name=peer_name,
        unit=unit,
        ratio=ratio,
        goal=goal,
        limit=limit,
        repeats=repeats,
        machine=machine(),
    )
