"""How long a training step takes by some means, measured on the spot with made-up crops."""

from __future__ import annotations

import time

import torch
from torch.nn import functional

from training.experiments.computing import (
    class_scores,
    explained_memory,
    new_network,
    on_device,
    prepare_computing,
    set_training,
)
from training.experiments.distributed import Processes
from training.experiments.execution import Execution, choose_execution
from training.experiments.optimisers import new_optimiser
from training.experiments.spec import ExperimentSpec
from training.patches.inputs import batch_shape

_STEPS = 3
_LONGEST_S = 4.0


def measured_execution(spec: ExperimentSpec, classes: int, processes: int = 1) -> Execution:
    """Choose what a spec leaves open by measuring a few training steps of it.

    Raises
    ------
    ExperimentError
        When the spec wants an accelerator and there is none.
    OutOfMemoryError
        When a step needs more memory than there is.
    """
    return choose_execution(
        spec, processes, lambda settled: seconds_per_step(settled, classes, processes)
    )


def seconds_per_step(spec: ExperimentSpec, classes: int, processes: int = 1) -> float:
    """Return the seconds of a training step, the best of a few after one that warms up."""
    prepare_computing(spec)
    share = Processes(0, processes).share(spec.batch_size)
    crops_per_process = len(range(spec.batch_size)[share])
    with torch.random.fork_rng(devices=[]), explained_memory(spec):
        torch.manual_seed(0)
        network = new_network(spec, classes)
        set_training(spec, network)
        optimiser = new_optimiser(spec, network)
        crops = torch.rand(batch_shape(spec.input, crops_per_process, spec.patch_size))
        targets = torch.arange(crops_per_process) % classes
        best, begun = float("inf"), time.monotonic()
        for number in range(_STEPS + 1):
            started = time.monotonic()
            scores = class_scores(spec, network, on_device(spec, crops))
            loss = functional.cross_entropy(scores, targets.to(scores.device))
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            if scores.device.type == "cuda":
                torch.cuda.synchronize()
            if number:
                best = min(best, time.monotonic() - started)
                if time.monotonic() - begun > _LONGEST_S:
                    break
    return best
