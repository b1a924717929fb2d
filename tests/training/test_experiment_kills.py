"""Kill -9 at any moment of a training: it goes on, and ends with the bits of an undisturbed one."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.killed_training import Training
from tests.support.trace_frames import trace_spec

DROPOUT_AND_EARLY_END = {
    "network": "googlenet",
    "patch_size": 32,
    "batch_size": 8,
    "validation_every": 2,
    "evaluation_crops": 1,
    "patience": 3,
}
"""GoogLeNet draws its dropout anew in every step; without a trace the looks soon get worse."""


def end_state(folder: Path) -> dict[str, Any]:
    """Return what a finished run left, all but how long it took."""
    (run,) = folder.glob("run-*")
    record = json.loads((run / "run.json").read_text())
    return {
        "files": sorted(path.name for path in run.iterdir()),
        "weights": (run / "weights.safetensors").read_bytes(),
        "record": {k: v for k, v in record.items() if k not in ("seconds", "waiting_share")},
    }


def train_through_kills(
    folder: Path, kills: int, seed: int, **changes: object
) -> tuple[int, list[int]]:
    """Compare a training that is killed with an undisturbed one.

    Returns
    -------
    tuple
        Steps of the undisturbed one, and at which of its own steps each process was killed.
    """
    generator = np.random.default_rng(seed)
    spec = trace_spec(steps=40, **{**DROPOUT_AND_EARLY_END, **changes})
    calm = Training(spec, folder / "calm", new_defects=0, checkpoint_s=1e9)
    told_at: list[float] = []
    assert calm.go_on(lambda _: told_at.append(time.monotonic())) is not None
    steps = len(told_at) - 1
    step_s = (told_at[-1] - told_at[1]) / (steps - 1)
    expected = end_state(calm.folder)

    killed_at: list[int] = []
    while len(killed_at) < kills:
        last = int(generator.integers(1, max(2, 2 * steps // (kills + 1))))
        within_s = float(generator.uniform(0, 1.5 * step_s))
        every_s = float(generator.choice([0.0, 2 * step_s]))
        training = Training(spec, folder / "killed", new_defects=0, checkpoint_s=every_s)

        def kill(done: int, last: int = last, within_s: float = within_s) -> float | None:
            return within_s if done == last else None

        if training.go_on(kill) is not None:
            break
        killed_at.append(last)
    assert Training(spec, folder / "killed", new_defects=0, checkpoint_s=0.0).go_on() is not None
    assert end_state(folder / "killed") == expected
    return steps, killed_at


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_training_that_is_killed_ends_with_the_same_bits(precision: str, tmp_path: Path) -> None:
    steps, killed_at = train_through_kills(tmp_path, kills=2, seed=1, precision=precision)
    assert len(killed_at) == 2
    assert 4 < steps < 40


@pytest.mark.prove
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_training_that_is_killed_again_and_again_ends_with_the_same_bits(
    precision: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Kill -9 at random moments of trainings with dropout and early end: the same weights."""
    killed_at: list[int] = []
    trainings = 0
    while len(killed_at) < 25:
        trainings += 1
        assert trainings <= 25, "hardly any process is killed before it ends"
        killed_at += train_through_kills(
            tmp_path / str(trainings), kills=8, seed=trainings, precision=precision
        )[1]
    record_property("kills", len(killed_at))
    record_property("trainings", trainings)
