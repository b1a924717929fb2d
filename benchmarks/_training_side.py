"""One side of the benchmark of training steps, in a process of its own.

``python -m benchmarks._training_side SIDE steps NETWORK STEPS TURNS PATCH_SIZE`` waits for a line
before each turn and answers it with what the turn's steps took; ``... SIDE accuracy NETWORK STEPS
RUNS PATCH_SIZE`` tells accuracies. Allocator and threads are settled before torch is imported, so
that neither side lives with what the other one chose.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import repeat
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor, nn

    from training.experiments.frame_set import FrameSet
    from training.experiments.spec import ExperimentSpec
    from training.patches.inputs import CachedFrame

BATCH = 16
_COLOURED = ("alexnet", "googlenet")
_SEED = 1

_MANUFACTURED_AT = datetime(2020, 1, 1, tzinfo=UTC)
_GAP = timedelta(days=3 * 365)

Crops = tuple["Tensor", "Tensor"]
OnStep = Callable[[int, float], None]


def main(arguments: Sequence[str]) -> int:
    """Do what the command line asks for and write JSON lines."""
    side, what, network = arguments[:3]
    steps, times, patch_size = map(int, arguments[3:])
    if side == "ours":
        from training.threads import prepare_process

        prepare_process()
    if what == "steps":
        told = _our_turns if side == "ours" else _plain_turns
        _tell(told(network, patch_size, Turns(steps, times)))
    else:
        accuracy = our_accuracy if side == "ours" else plain_accuracy
        _tell([accuracy(network, patch_size, steps, seed) for seed in range(times)])
    return 0


def _tell(answer: object) -> None:
    print(json.dumps(answer), flush=True)


class Turns:
    """Turns of so many steps, each begun by a line and answered with the seconds of a step.

    Before the first one this side says that it is ready, so that the other one prepares itself
    neither while this one measures what to choose nor while it takes its turn.
    """

    def __init__(self, steps: int, turns: int) -> None:
        self.all_steps = steps * turns
        self._steps = steps

    def begin_first(self) -> None:
        """Say that this side is ready, and wait until its first turn has come."""
        _tell("ready")
        self._begin()

    def _begin(self) -> None:
        sys.stdin.readline()
        self._began = time.perf_counter()

    def step_done(self, step: int, _loss: float) -> None:
        """Tell what a turn took that has ended with this step, from 1."""
        if step % self._steps:
            return
        _tell((time.perf_counter() - self._began) / self._steps)
        if step < self.all_steps:
            self._begin()


def _our_turns(network: str, patch_size: int, turns: Turns) -> dict[str, Any]:
    """Train as the project does; return what it chose, and the share of time that crops took."""
    from training.experiments.loop import train_network
    from training.experiments.measuring import measured_execution

    frames, spec = noise_frames(network), step_spec(network, patch_size, turns.all_steps)
    execution = measured_execution(spec, classes=2)
    settled = execution.applied(spec)
    _first_crops(settled, frames)
    turns.begin_first()
    trained = train_network(settled, frames, 2, _SEED, turns.step_done)
    return {
        "precision": execution.precision,
        "channels_last": execution.channels_last,
        "waiting": trained.waiting_share,
    }


def _plain_turns(network: str, patch_size: int, turns: Turns) -> dict[str, Any]:
    """Train without any settings, and without waiting: the only batch lies in memory."""
    spec = step_spec(network, patch_size, turns.all_steps)
    crops = repeat(_first_crops(spec, noise_frames(network)), turns.all_steps)
    turns.begin_first()
    plain_training(spec, crops, _SEED, turns.step_done)
    return {}


def plain_training(
    spec: ExperimentSpec, batches: Iterator[Crops], seed: int, on_step: OnStep
) -> nn.Module:
    """Train as tutorials do: float32, PyTorch's layout and memory."""
    import torch
    from torch.nn import functional

    from training.networks.registry import build_network
    from training.patches.inputs import batch_shape

    torch.manual_seed(seed)
    network = build_network(spec.network, batch_shape(spec.input, 1, spec.patch_size)[1], 2)
    optimiser = torch.optim.Adamax(network.parameters(), lr=spec.learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, spec.learning_rate, total_steps=spec.steps
    )
    network.train()
    for step, (crops, labels) in enumerate(batches, start=1):
        loss = functional.cross_entropy(network(crops), labels)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        if step < spec.steps:
            schedule.step()
        on_step(step, loss.item())
    return network


def step_spec(network: str, patch_size: int, steps: int) -> ExperimentSpec:
    """Return an experiment that leaves to the project what it chooses by itself."""
    from training.experiments.spec import ExperimentSpec

    spec = ExperimentSpec(
        name="benchmark",
        dataset="benchmark",
        network=network,
        input="jpeg-rgb" if network in _COLOURED else "raw-mosaic",
        patch_size=patch_size,
        batch_size=BATCH,
        learning_rate=0.001,
        device="cpu",
    )
    # an experiment has ten steps at least, a turn may have fewer
    return spec.model_copy(update={"steps": steps})


def noise_frames(network: str, count: int = 8) -> FrameSet:
    """Return frames of noise: what a step costs does not depend on what they show."""
    generator = np.random.default_rng(_SEED)
    coloured = network in _COLOURED
    shape, white = ((800, 1200, 3), 255) if coloured else ((800, 1200), 4095)
    kind = np.uint8 if coloured else np.uint16
    return _frame_set(
        [
            _cached(f"noise {number}", generator.integers(0, white + 1, shape, kind), 0, white)
            for number in range(count)
        ],
        [number % 2 for number in range(count)],
        ["scene"] * count,
    )


def crops_of_training(spec: ExperimentSpec, frames: FrameSet, seed: int) -> Iterator[Crops]:
    """Yield the crops and classes of each step, cut when they are asked for."""
    import torch

    from training.experiments.computing import load_crops
    from training.experiments.order import training_batches

    labels = torch.from_numpy(frames.labels)
    for places in training_batches(spec, frames, seed, 0):
        yield load_crops(spec, frames, places), labels[places.indices]


def _first_crops(spec: ExperimentSpec, frames: FrameSet) -> Crops:
    return next(crops_of_training(spec, frames, _SEED))


def our_accuracy(network: str, patch_size: int, steps: int, seed: int) -> float:
    """Return the accuracy on crops of new scenes after a training with all settings."""
    from training.experiments.evaluate import predict
    from training.experiments.loop import train_network

    spec = accuracy_spec(network, patch_size, steps, precision="bfloat16", channels_last=True)
    trained = train_network(spec, aged_frames(range(8)), 2, seed)
    found = predict(spec, trained.network, aged_frames(range(8, 14)))
    return float(np.mean(found.crop_classes() == found.labels[found.crop_frames]))


def plain_accuracy(network: str, patch_size: int, steps: int, seed: int) -> float:
    """Return the accuracy after a plain training on the same crops."""
    from training.experiments.evaluate import predict

    spec = accuracy_spec(network, patch_size, steps, precision="float32", channels_last=False)
    batches = crops_of_training(spec, aged_frames(range(8)), seed)
    trained = plain_training(spec, batches, seed, lambda _step, _loss: None)
    found = predict(spec, trained, aged_frames(range(8, 14)))
    return float(np.mean(found.crop_classes() == found.labels[found.crop_frames]))


def accuracy_spec(network: str, patch_size: int, steps: int, **settings: Any) -> ExperimentSpec:
    """Return an experiment on small crops."""
    from training.experiments.spec import ExperimentSpec

    values = {
        "name": "benchmark",
        "dataset": "benchmark",
        "network": network,
        "patch_size": patch_size,
        "steps": steps,
        "batch_size": BATCH,
        "device": "cpu",
        "threads": 1,
    }
    return ExperimentSpec.model_validate(values | settings)


def aged_frames(scenes: range, sessions: int = 3) -> FrameSet:
    """Return frames of a virtual camera, young and three years older, of equal scenes."""
    from fixtures.ageing import AgeingParameters
    from fixtures.body import BodyDescription, ExposureSettings, Surroundings, VirtualBody
    from fixtures.scenes import scene_named, scene_names

    description = BodyDescription(
        serial="1",
        manufactured_at=_MANUFACTURED_AT,
        seed=7,
        width=256,
        height=192,
        ageing=AgeingParameters(
            defects_per_year=40.0,
            acceleration_amplitude=8.0,
            initial_defects=50,
            horizon_years=4.0,
        ),
    )
    sensor, settings = description.sensor, ExposureSettings(Fraction(1, 4), iso=800)
    names = scene_names()[1:]
    frames, labels, shown = [], [], []
    with TemporaryDirectory() as folder:
        body = VirtualBody(description, Path(folder))
        for label, session in np.ndindex(2, sessions):
            at = _MANUFACTURED_AT + timedelta(days=1 + session) + _GAP * label
            for scene in scenes:
                name = names[scene * 7 % len(names)]
                around = Surroundings(at, scene=scene_named(name), lamp_level=0.05)
                shot = (scene * sessions + session) * 2 + label
                mosaic = body.render(settings, around, shot)
                levels = sensor.black_level_dn, sensor.white_level_dn
                frames.append(_cached(f"shot {shot}", mosaic, *levels))
                labels.append(label)
                shown.append(name)
        body.close()
    return _frame_set(frames, labels, shown)


def _cached(key: str, pixels: Any, black: int, white: int) -> CachedFrame:
    from training.patches.inputs import CachedFrame

    rows, columns = pixels.shape[:2]
    return CachedFrame(key, pixels, (black,) * 4, white, (0, 0, rows, columns))


def _frame_set(
    frames: Sequence[CachedFrame], labels: Sequence[int], scenes: Sequence[str]
) -> FrameSet:
    from training.experiments.frame_set import FrameSet

    sessions = [f"session {label}" for label in labels]
    return FrameSet.of(frames, labels, sessions, scenes, ["camera"] * len(frames))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
