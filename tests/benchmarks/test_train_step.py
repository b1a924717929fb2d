"""The benchmark of training steps: both sides train the same, and every comparison is told."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks._training_side import (
    accuracy_spec,
    aged_frames,
    crops_of_training,
    plain_training,
)
from benchmarks.train_step import Sizes, accuracy_result, step_results
from training.experiments.loop import train_network

SMALL = Sizes(networks=(), steps=1, turns=1, runs=0, run_steps=0, patch_size=32)


def test_both_sides_train_the_same_where_their_settings_are_equal() -> None:
    spec = accuracy_spec(
        "srnet-nano", 32, 10, precision="float32", channels_last=False, threads=1, learning_rate=0.1
    )
    frames = aged_frames(range(2), 1)
    ours = train_network(spec, frames, 2, 5).losses
    plain: list[float] = []
    plain_training(
        spec, crops_of_training(spec, frames, 5), 5, lambda _step, loss: plain.append(loss)
    )
    # the rates agree to nine digits: that is all that may differ
    np.testing.assert_allclose(ours, plain, rtol=1e-5)
    assert np.ptp(plain) > 0.05


def test_frames_show_equal_scenes_and_more_defects_later() -> None:
    frames = aged_frames(range(3), 2)
    early, late = (frames.labels == label for label in (0, 1))
    assert sorted(frames.scenes[early]) == sorted(frames.scenes[late])
    bright = [
        sum(int((frames.frames[place].pixels > 8000).sum()) for place in half.nonzero()[0])
        for half in (early, late)
    ]
    assert bright[1] > 1.3 * bright[0]


def test_steps_and_waiting_are_told() -> None:
    step, waiting = step_results("srnet-nano", SMALL, goal=1.0)
    assert (step.name, step.unit) == ("train-step-srnet-nano", "images/s")
    assert step.ratio == pytest.approx(step.ours / step.peer)
    assert (waiting.name, waiting.peer) == ("train-step-srnet-nano-waiting", 0.05)
    assert 0 <= waiting.ours < 1


def test_accuracies_are_told_with_their_spread() -> None:
    result = accuracy_result({"ours": [0.8, 0.9, 1.0], "peer": [0.7, 0.8, 0.9]})
    assert result.ratio == pytest.approx(0.9 / 0.8)
    # the error of the difference is sqrt(2 / 3) * 0.1, that of the ratio over 0.8
    assert result.goal == pytest.approx(1 - 2 * 0.08165 / 0.8, abs=1e-3)
    assert "from run to run +- 0.100, ours +- 0.100" in result.peer_name
