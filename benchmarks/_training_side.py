"""One side of the benchmark of training steps, in a process of its own.

``python -m benchmarks._training_side SIDE NETWORK`` reads lines of JSON from its standard input,
and answers each with one. Allocator and threads are settled before torch is imported, so that
neither side lives with what the other one chose.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import islice, repeat
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from training.experiments.frame_set import FrameSet
    from training.experiments.spec import ExperimentSpec
    from training.patches.inputs import CachedFrame, InputName

SIDES = ("ours", "peer")
CHANNELS = {"srnet": 1, "srnet-nano": 1, "alexnet": 3, "googlenet": 3}
SIDE, BATCH = 256, 16
_SEED, _STEPS = 1, 1000
"""Seed of weights and crops, and length of the schedule, where speed alone is measured."""

EARLY = datetime(2020, 1, 8, tzinfo=UTC)
GAP = timedelta(days=3 * 365)
_ROWS, _COLUMNS, _CROP = 192, 256, 64


@dataclass(frozen=True)
class Step:
    """What one training step took: all of it, and the waiting for its crops, in seconds."""

    seconds: float
    waited: float


def ours_spec(network: str, **changes: Any) -> ExperimentSpec:
    """Return an experiment with the project's settings for a processor with bfloat16."""
    from training.experiments.spec import ExperimentSpec

    values: dict[str, Any] = {
        "name": "benchmark",
        "dataset": "benchmark",
        "network": network,
        "precision": "bfloat16",
        "channels_last": True,
        "threads": os.cpu_count() or 1,
        "patch_size": SIDE,
        "batch_size": BATCH,
        "learning_rate": 0.001,
    }
    return ExperimentSpec.model_validate(values | changes)


def batches(
    spec: ExperimentSpec, frames: FrameSet, input_name: InputName, seed: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield crops and classes as the training loop does: cut by one thread, a step ahead."""
    import torch

    from training.experiments.order import CropPlaces, training_batches
    from training.patches.batches import cut_batch
    from training.patches.prefetch import prefetched

    labels = torch.from_numpy(frames.labels)

    def load(places: CropPlaces) -> tuple[Tensor, Tensor]:
        of_crops = [frames.frames[index] for index in places.indices]
        values = cut_batch(
            of_crops,
            places.origins,
            spec.patch_size,
            input_name=input_name,
            transform=spec.transform,
        )
        crops = torch.from_numpy(values)
        if spec.channels_last:
            crops = crops.contiguous(memory_format=torch.channels_last)
        return crops, labels[places.indices]

    places = training_batches(frames, spec.patch_size, spec.batch_size, spec.steps, seed)
    return prefetched(places, load)


def our_steps(
    spec: ExperimentSpec, network: nn.Module, crops: Iterator[tuple[Tensor, Tensor]]
) -> Iterator[Step]:
    """Train as the project does; yield after each step."""
    import torch
    from torch.nn import functional

    from training.experiments.loop import class_scores

    optimiser, schedule = _optimiser(network, spec.learning_rate, spec.steps)
    while True:
        began = time.perf_counter()
        batch = next(crops, None)
        if batch is None:
            return
        pixels, labels = batch
        loaded = time.perf_counter()
        loss = functional.cross_entropy(class_scores(spec, network, pixels), labels)
        if not torch.isfinite(loss).item():
            raise RuntimeError("the loss is not a number")
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        yield Step(time.perf_counter() - began, loaded - began)


def plain_steps(
    network: nn.Module, crops: Iterator[tuple[Tensor, Tensor]], learning_rate: float, steps: int
) -> Iterator[Step]:
    """Train as any tutorial does, float32 and contiguous; yield after each step."""
    from torch.nn import functional

    optimiser, schedule = _optimiser(network, learning_rate, steps)
    for pixels, labels in crops:
        began = time.perf_counter()
        loss = functional.cross_entropy(network(pixels), labels)
        loss.item()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        yield Step(time.perf_counter() - began, 0.0)


def _optimiser(
    network: nn.Module, learning_rate: float, steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.OneCycleLR]:
    import torch

    optimiser = torch.optim.Adamax(network.parameters(), lr=learning_rate)
    return optimiser, torch.optim.lr_scheduler.OneCycleLR(
        optimiser, learning_rate, total_steps=steps
    )


def new_network(name: str, channels: int, seed: int, *, channels_last: bool) -> nn.Module:
    import torch

    from training.networks.registry import build_network

    torch.manual_seed(seed)
    network = build_network(name, channels, 2).train()
    if channels_last:
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def timed_steps(side: str, network_name: str) -> Iterator[Step]:
    """Yield the steps of a side; the peer waits for no data, its only batch is there already."""
    channels = CHANNELS[network_name]
    input_name: InputName = "raw-mosaic" if channels == 1 else "jpeg-rgb"
    spec = ours_spec(network_name, steps=_STEPS)
    frames = _noise_frames(channels)
    if side == "ours":
        from training.threads import set_threads

        set_threads(spec.threads)
        network = new_network(network_name, channels, _SEED, channels_last=True)
        return our_steps(spec, network, batches(spec, frames, input_name, _SEED))
    network = new_network(network_name, channels, _SEED, channels_last=False)
    plain = spec.model_copy(update={"channels_last": False, "steps": 1})
    (batch,) = batches(plain, frames, input_name, _SEED)
    return plain_steps(network, repeat(batch, _STEPS), spec.learning_rate, _STEPS)


def _noise_frames(channels: int, count: int = 8) -> FrameSet:
    """Return frames of noise: what a step costs does not depend on what they show."""
    generator = np.random.default_rng(_SEED)
    shape, white = ((800, 1200), 4095) if channels == 1 else ((800, 1200, channels), 255)
    kind = np.uint16 if channels == 1 else np.uint8
    pictures = [generator.integers(0, white + 1, shape, kind) for _ in range(count)]
    return _frame_set(
        [_cached(f"noise {number}", one, 0, white) for number, one in enumerate(pictures)],
        [number % 2 for number in range(count)],
        ["scene"] * count,
    )


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


def aged_frames(scenes: range, sessions: int) -> FrameSet:
    """Return frames of a virtual camera, young and three years older, of equal scenes."""
    from fixtures.ageing import AgeingParameters
    from fixtures.body import BodyDescription, ExposureSettings, Surroundings, VirtualBody
    from fixtures.scenes import scene_named, scene_names

    ageing = AgeingParameters(
        defects_per_year=40.0,
        acceleration_count=1.0,
        acceleration_amplitude=8.0,
        initial_defects=50,
        horizon_years=4.0,
    )
    description = BodyDescription(
        serial="1", manufactured_at=EARLY, seed=7, width=_COLUMNS, height=_ROWS, ageing=ageing
    )
    settings = ExposureSettings(Fraction(1, 4), iso=800)
    names = scene_names()[1:]
    frames, labels, shown = [], [], []
    with TemporaryDirectory() as folder:
        body = VirtualBody(description, Path(folder))
        for label, session in np.ndindex(2, sessions):
            at = EARLY + timedelta(days=1 + session) + GAP * label
            for scene in scenes:
                name = names[scene * 7 % len(names)]
                shot = (scene * sessions + session) * 2 + label
                surroundings = Surroundings(at, scene=scene_named(name), lamp_level=0.05)
                mosaic = body.render(settings, surroundings, shot)
                sensor = description.sensor
                levels = sensor.black_level_dn, sensor.white_level_dn
                frames.append(_cached(f"shot {shot}", mosaic, *levels))
                labels.append(label)
                shown.append(name)
        body.close()
    return _frame_set(frames, labels, shown)


def crop_accuracy(side: str, network_name: str, steps: int, seed: int) -> float:
    """Train a network on the aged frames and return its accuracy on crops of new scenes."""
    from training.experiments.evaluate import predict

    settings = {} if side == "ours" else {"precision": "float32", "channels_last": False}
    spec = ours_spec("srnet-nano", steps=steps, patch_size=_CROP, learning_rate=0.01, **settings)
    train, unseen = aged_frames(range(8), 3), aged_frames(range(8, 14), 3)
    network = new_network(network_name, 1, seed, channels_last=spec.channels_last)
    crops = batches(spec, train, "raw-mosaic", seed)
    if side == "ours":
        steps_done = our_steps(spec, network, crops)
    else:
        steps_done = plain_steps(network, crops, spec.learning_rate, steps)
    for _ in steps_done:
        pass
    found = predict(spec, network, unseen)
    return float(np.mean(found.crop_classes() == found.labels[found.crop_frames]))


def main(arguments: Sequence[str]) -> int:
    """Answer ``{"steps": n}`` by what n steps took, ``{"accuracy": n, "seed": s}`` by one."""
    side, network = arguments
    if side == "ours":
        from training.threads import prepare_process

        prepare_process()
    steps: Iterator[Step] | None = None
    for line in sys.stdin:
        asked: dict[str, int] = json.loads(line)
        answer: object
        if "steps" in asked:
            steps = steps or timed_steps(side, network)
            answer = [[one.seconds, one.waited] for one in islice(steps, asked["steps"])]
        else:
            answer = crop_accuracy(side, network, asked["accuracy"], asked["seed"])
        print(json.dumps(answer), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
