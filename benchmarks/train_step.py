"""The training step of the field's networks on the processor, against a plain loop of PyTorch.

Both sides train the same networks on crops of the same size, each in a process of its own that
settles allocator, threads, precision and memory layout before PyTorch is imported: ours as the
project does, the peer not at all. They take their steps in turn.
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
from benchmarks._training_side import BATCH, SIDE, SIDES
from training.networks.names import NETWORK_NAMES

GOALS = {"srnet": 4.0, "googlenet": 2.5, "alexnet": 2.0}
"""The first is the benchmark's own ratio, the others stand beside it."""

LARGEST_WAIT = 0.05
ROOT = Path(__file__).parents[1]

NOTES = f"""
Training step: {BATCH} crops of {SIDE} x {SIDE}, two classes, Adamax; one channel for SRNet, three
for AlexNet and GoogLeNet. Ours has glibc keep freed memory, computes convolutions in bfloat16 with
channels last, and cuts its crops while it trains; the peer is float32 with PyTorch's and glibc's
defaults, and its only batch lies in memory. Where a processor has no bfloat16 arithmetic, ours
loses: the figures are of the machine below. `waiting` compares the share of ours that was spent
waiting for crops with one twentieth. `accuracy` is that of the small SRNet on crops of scenes that
it has not seen, frames of a virtual camera whose defects were multiplied, after a training too
short to reach its best; its goal is 1 less twice the standard error of the ratio, so that equal
sides reach it nineteen times in twenty.
"""


@dataclass(frozen=True)
class Sizes:
    """How much is trained.

    Attributes
    ----------
    networks
        Those whose steps are timed.
    steps
        Steps of ours that are timed in each turn; the peer takes one.
    turns
        Timed turns of each side, after one to warm up.
    runs
        Trainings of each side whose accuracies are compared.
    run_steps
        Steps of each of them.
    """

    networks: tuple[str, ...]
    steps: int
    turns: int
    runs: int
    run_steps: int


QUICK = Sizes(networks=("srnet",), steps=2, turns=1, runs=2, run_steps=40)
FULL = Sizes(networks=tuple(GOALS), steps=4, turns=5, runs=8, run_steps=120)


def run(full: bool) -> list[Result]:
    return compare(FULL if full else QUICK)


def compare(sizes: Sizes) -> list[Result]:
    """Time the steps of every network that there is, then compare accuracies."""
    results = []
    for network in sizes.networks:
        if network in NETWORK_NAMES:
            results += step_results(network, sizes, GOALS[network])
    return [*results, accuracy_result(accuracies(sizes))]


def step_results(network: str, sizes: Sizes, goal: float) -> list[Result]:
    """Return the comparison of a network's steps, and that of the time spent waiting."""
    seconds: dict[str, list[float]] = {side: [] for side in SIDES}
    took, waited = 0.0, 0.0
    with side("ours", network) as ours, side("peer", network) as peer:
        for turn in range(sizes.turns + 1):
            of_ours = ours.ask(steps=sizes.steps)
            of_peer = peer.ask(steps=1)
            if turn == 0:
                continue
            seconds["ours"].append(statistics.mean(step for step, _ in of_ours))
            seconds["peer"].append(of_peer[0][0])
            took += sum(step for step, _ in of_ours)
            waited += sum(wait for _, wait in of_ours)
    rates = {name: BATCH / statistics.median(found) for name, found in seconds.items()}
    ratio, share = rates["ours"] / rates["peer"], waited / took
    plain = "plain float32 loop, defaults of PyTorch and glibc"
    return [
        _result(
            f"train-step-{network}", rates["ours"], rates["peer"], plain, "images/s",
            ratio=ratio, goal=goal, limit=1.2, repeats=sizes.turns,
        ),
        _result(
            f"train-step-{network}-waiting", share, LARGEST_WAIT, "the goal", "share of the step",
            ratio=LARGEST_WAIT / max(share, 1e-6), goal=1.0, limit=0.2, repeats=sizes.turns,
        ),
    ]  # fmt: skip


def accuracies(sizes: Sizes) -> dict[str, list[float]]:
    """Return the accuracy of each training of a side, run by run with the same seed and crops."""
    found: dict[str, list[float]] = {}
    for name in SIDES:
        with side(name, "srnet-nano") as asked:
            found[name] = [
                asked.ask(accuracy=sizes.run_steps, seed=seed) for seed in range(sizes.runs)
            ]
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
    """A side's process, asked for steps and for accuracies."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def ask(self, **question: int) -> Any:
        """Return the answer to a question."""
        assert self._process.stdin is not None and self._process.stdout is not None
        print(json.dumps(question), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the training process ended with {self._process.wait()}")
        return json.loads(line)


@contextmanager
def side(name: str, network: str) -> Iterator[Side]:
    """Run a side's process for the length of the block, with no settings of the surroundings."""
    settled = ("MALLOC_", "OMP_", "MKL_", "KMP_", "LD_PRELOAD", "GLIBC_TUNABLES")
    surroundings = {key: value for key, value in os.environ.items() if not key.startswith(settled)}
    command = [sys.executable, "-m", "benchmarks._training_side", name, network]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=surroundings,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Side(process)
        assert process.stdin is not None
        process.stdin.close()


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
