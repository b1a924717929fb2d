"""By which means a run computes: device, precision, memory layout, threads, processes.

What a spec leaves open is chosen by measuring a few training steps. The choice is a record that
runs keep: it decides their bits, and a resumed run has to go on with it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch

from training.experiments.errors import ExperimentError
from training.experiments.spec import ExperimentSpec, Precision

_WORTHWHILE = 1.15
"""Another choice has to be so much faster than the first; less may be chance."""


@dataclass(frozen=True)
class Execution:
    """By which means a run computes.

    Attributes
    ----------
    device
        `cpu` or `cuda`.
    device_name
        The accelerator's own name; None for processors.
    precision
        Of convolutions and products of matrices.
    channels_last
        Memory layout of the maps.
    threads
        Threads of each process.
    processes
        Processes among which each batch is dealt out.
    """

    device: Literal["cpu", "cuda"]
    device_name: str | None
    precision: Precision
    channels_last: bool
    threads: int
    processes: int

    def to_json(self) -> dict[str, Any]:
        """Return it as one JSON document."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Execution:
        """Read what `to_json` returned.

        Raises
        ------
        ExperimentError
            When it is something else.
        """
        try:
            return cls(**document)
        except TypeError as error:
            raise ExperimentError(f"not an execution: {error}") from None

    def applied(self, spec: ExperimentSpec) -> ExperimentSpec:
        """Return a spec that leaves nothing open."""
        return spec.model_copy(
            update={
                "device": self.device,
                "precision": self.precision,
                "channels_last": self.channels_last,
                "threads": self.threads,
            }
        )


def device_of(spec: ExperimentSpec) -> torch.device:
    """Return the device that a spec computes on.

    Raises
    ------
    ExperimentError
        When the spec wants an accelerator and there is none.
    """
    if spec.device == "cpu":
        return torch.device("cpu")
    if torch.cuda.is_available():
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    if spec.device == "cuda":
        raise ExperimentError(
            f"experiment {spec.name!r}: device cuda, and PyTorch finds none; choose cpu or auto"
        )
    return torch.device("cpu")


def thread_count(spec: ExperimentSpec) -> int:
    """Return how many threads a spec computes with."""
    return len(os.sched_getaffinity(0)) if spec.threads == "auto" else spec.threads


def choose_execution(
    spec: ExperimentSpec,
    processes: int,
    seconds_per_step: Callable[[ExperimentSpec], float],
) -> Execution:
    """Choose what a spec leaves open.

    Parameters
    ----------
    spec
        The experiment.
    processes
        Processes among which each batch is dealt out.
    seconds_per_step
        Measures a training step of a spec that leaves nothing open.

    Raises
    ------
    ExperimentError
        When the spec wants an accelerator and there is none.
    """
    device = device_of(spec)
    first = Execution(
        device="cuda" if device.type == "cuda" else "cpu",
        device_name=torch.cuda.get_device_name(device) if device.type == "cuda" else None,
        precision="float32" if spec.precision == "auto" else spec.precision,
        channels_last=spec.channels_last is not False,
        threads=thread_count(spec),
        processes=processes,
    )
    candidates = [first]
    if spec.precision == "auto":
        candidates.append(_with(first, precision="bfloat16"))
    if spec.channels_last == "auto":
        candidates += [_with(one, channels_last=False) for one in candidates[:]]
    if len(candidates) == 1:
        return first
    seconds = [seconds_per_step(one.applied(spec)) for one in candidates]
    fastest = min(range(len(candidates)), key=seconds.__getitem__)
    return candidates[fastest] if seconds[0] > _WORTHWHILE * seconds[fastest] else first


def _with(execution: Execution, **changes: Any) -> Execution:
    return Execution(**{**asdict(execution), **changes})
