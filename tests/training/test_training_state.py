"""Interrupted, resumed, dealt out or stopped early: the weights are those that they should be."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from tests.support.trace_frames import frame_set, trace_spec
from training.experiments.augmentation import augmented, drawn_changes
from training.experiments.checkpoints import CheckpointFile
from training.experiments.computing import explained_memory
from training.experiments.crop_places import CropPlaces, evaluation_places
from training.experiments.distributed import Processes
from training.experiments.errors import (
    DivergedError,
    ExperimentError,
    OutOfMemoryError,
    RunFolderError,
)
from training.experiments.execution import Execution, choose_execution
from training.experiments.loop import TrainedNetwork, train_network
from training.experiments.optimisers import new_optimiser, set_rates
from training.experiments.order import epoch_order
from training.experiments.runs import Fold, train_runs
from training.experiments.schedules import step_rates
from training.experiments.spec import Augmentation, ExperimentSpec, read_spec

ROOT = Path(__file__).parents[2]


class _StopError(Exception):
    """Stands for a kill: nothing after it is done."""


def _assert_same(first: TrainedNetwork, second: TrainedNetwork) -> None:
    others = second.network.state_dict()
    for name, weights in first.network.state_dict().items():
        assert torch.equal(weights, others[name]), name
    np.testing.assert_array_equal(first.losses, second.losses)
    assert (first.selected_step, first.looks) == (second.selected_step, second.looks)


@pytest.mark.parametrize(
    "changes",
    [
        {"optimiser": "adamax"},
        {"optimiser": "adamw", "precision": "bfloat16", "front": "constrained"},
        {"optimiser": "sgd", "schedule": "cosine", "augmentation": {"gain": 0.1}},
        {"validation_every": 3, "schedule": "drop", "patches": "grid"},
    ],
    ids=lambda changes: next(iter(changes.values())),
)
def test_a_run_that_stopped_at_any_step_ends_with_the_same_bits(
    changes: dict[str, object], tmp_path: Path
) -> None:
    spec = trace_spec(steps=10, **changes)
    frames, validation = frame_set(range(3), range(2), 40), frame_set(range(9, 11), range(2), 40)
    whole = train_network(spec, frames, 2, seed=3, validation=validation)
    for every_s, stops in ((0.0, (1, 4, 9)), (1e9, (5,))):
        path = tmp_path / f"{stops[0]}.safetensors"
        for stop in stops:

            def kill(step: int, _loss: float, stop: int = stop) -> None:
                if step == stop:
                    raise _StopError

            with pytest.raises(_StopError):
                train_network(
                    spec,
                    frames,
                    2,
                    3,
                    kill,
                    validation=validation,
                    checkpoint=CheckpointFile(path, "this run", every_s),
                )
        again = train_network(
            spec, frames, 2, 3, validation=validation, checkpoint=CheckpointFile(path, "this run")
        )
        _assert_same(whole, again)


def test_a_finished_state_is_taken_as_it_is(tmp_path: Path) -> None:
    spec, frames = trace_spec(steps=10), frame_set(range(2), range(2), 40)
    checkpoint = CheckpointFile(tmp_path / "state", "run", 0.0)
    whole = train_network(spec, frames, 2, 3, checkpoint=checkpoint)
    steps: list[int] = []
    again = train_network(
        spec, frames, 2, 3, lambda step, _loss: steps.append(step), checkpoint=checkpoint
    )
    _assert_same(whole, again)
    assert steps == []


def test_a_state_of_another_run_and_a_damaged_one_are_refused(tmp_path: Path) -> None:
    spec, frames = trace_spec(steps=10), frame_set(range(2), range(2), 40)
    path = tmp_path / "state"
    train_network(spec, frames, 2, 3, checkpoint=CheckpointFile(path, "run", 0.0))
    with pytest.raises(RunFolderError, match="another spec, other frames"):
        train_network(spec, frames, 2, 3, checkpoint=CheckpointFile(path, "other", 0.0))
    content = bytearray(path.read_bytes())
    for damaged in (content[:100], b"", content[: len(content) // 2]):
        path.write_bytes(damaged)
        with pytest.raises(RunFolderError, match=r"damaged .* the run begins anew"):
            CheckpointFile(path, "run").read()


def test_a_run_that_diverges_leaves_its_last_state(tmp_path: Path) -> None:
    spec = trace_spec(steps=40, optimiser="sgd", learning_rate=0.99, schedule="constant")
    frames = frame_set(range(2), range(2), 40)
    checkpoint = CheckpointFile(tmp_path / "state", "run", 0.0)

    def poison(step: int, _loss: float) -> None:
        if step == 5:
            state = checkpoint.read()
            assert state is not None
            state.network["classifier.bias"][:] = float("nan")
            checkpoint.write(state)
            raise _StopError

    with pytest.raises(_StopError):
        train_network(spec, frames, 2, 3, poison, checkpoint=checkpoint)
    with pytest.raises(DivergedError, match="loss of step 6 is nan; lower the learning rate"):
        train_network(spec, frames, 2, 3, checkpoint=checkpoint)
    assert checkpoint.read() is not None


def test_the_weights_of_the_best_look_are_kept_and_patience_ends_a_run() -> None:
    frames, validation = frame_set(range(6), range(4), 120), frame_set(range(9, 12), range(2), 120)
    spec = trace_spec(steps=60, validation_every=5)
    trained = train_network(spec, frames, 2, seed=1, validation=validation)
    losses = {step: loss for step, loss, _ in trained.looks}
    assert list(losses) == list(range(5, 61, 5))
    assert losses[trained.selected_step] == min(losses.values())
    # the more is learned of one class, the worse become answers about the other
    swapped = replace(validation, labels=1 - validation.labels)
    constant = {"schedule": "constant", "learning_rate": 0.02}
    looked = trace_spec(steps=60, validation_every=10, **constant)
    long_run = train_network(looked, frames, 2, seed=1, validation=swapped)
    assert 10 <= long_run.selected_step < 60
    to_there = trace_spec(steps=long_run.selected_step, **constant)
    for name, weights in train_network(to_there, frames, 2, seed=1).network.state_dict().items():
        assert torch.equal(weights, long_run.network.state_dict()[name]), name
    # nothing to learn: the loss goes up and down, and two looks without a better one come soon
    patient = trace_spec(steps=200, validation_every=2, patience=2)
    blank, judged = frame_set(range(6), range(4), 0), frame_set(range(9, 12), range(2), 0)
    stopped = train_network(patient, blank, 2, seed=1, validation=judged)
    assert len(stopped.losses) < 200
    assert len(stopped.losses) == stopped.selected_step + 2 * 2
    with pytest.raises(ExperimentError, match="no validation block"):
        train_network(spec, frames, 2, seed=1)


@pytest.mark.parametrize("steps", [10, 37, 200])
def test_one_cycle_is_that_of_pytorch(steps: int) -> None:
    parameter = nn.Parameter(torch.zeros(1))
    optimiser = torch.optim.Adamax([parameter], lr=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 0.01, total_steps=steps)
    for step in range(steps):
        rates = step_rates("one-cycle", 0.01, step, steps)
        group = optimiser.param_groups[0]
        assert rates.learning_rate == pytest.approx(group["lr"], rel=1e-9)
        assert rates.momentum == pytest.approx(group["betas"][0], rel=1e-9)
        optimiser.step()
        if step + 1 < steps:
            schedule.step()


def test_the_other_schedules_are_what_they_say() -> None:
    assert [step_rates("drop", 0.1, step, 10).learning_rate for step in (0, 7, 8, 9)] == (
        pytest.approx([0.1, 0.1, 0.01, 0.01])
    )
    assert step_rates("cosine", 0.1, 5, 10).learning_rate == pytest.approx(0.05)
    assert step_rates("constant", 0.1, 9, 10).learning_rate == 0.1


def test_only_convolutions_are_decayed_and_rates_reach_every_group() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 2))
    for name in ("adamax", "adamw", "sgd"):
        optimiser = new_optimiser(trace_spec(optimiser=name, weight_decay=0.01), network)
        decayed = [
            parameter
            for group in optimiser.param_groups
            if group["weight_decay"]
            for parameter in group["params"]
        ]
        assert [parameter.shape for parameter in decayed] == [(2, 1, 3, 3)]
        set_rates(optimiser, step_rates("one-cycle", 0.01, 3, 10))
        assert len({group["lr"] for group in optimiser.param_groups}) == 1


def test_augmentation_is_a_function_of_seed_and_step() -> None:
    crops = np.random.default_rng(0).random((8, 2, 6, 6), np.float32)
    changes = Augmentation(flip=True, rotate=True, gain=0.2)
    draws = drawn_changes(changes, 8, seed=1, step=7)
    changed = augmented(crops, changes, draws)
    np.testing.assert_array_equal(changed, augmented(crops, changes, draws))
    later = augmented(crops, changes, drawn_changes(changes, 8, seed=1, step=8))
    assert not np.array_equal(changed, later)
    for one, other, gain in zip(crops, changed, draws.gains, strict=True):
        np.testing.assert_allclose(np.sort(one.ravel()) * gain, np.sort(other.ravel()), rtol=1e-6)
        assert 0.8 <= gain <= 1.2
    # each process changes its own crops as one alone would
    for rank in range(2):
        part = slice(rank, None, 2)
        np.testing.assert_array_equal(
            augmented(crops[part], changes, draws.part(part)), changed[part]
        )
    np.testing.assert_array_equal(augmented(crops, Augmentation(), draws), crops)
    turned = augmented(crops, Augmentation(rotate=True), draws)
    for one, other, turns in zip(crops, turned, draws.turns, strict=True):
        np.testing.assert_array_equal(np.rot90(one, turns, axes=(1, 2)), other)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("patches: defect-centred\naugmentation: {flip: true}", "destroy the sensor coordinates"),
        ("augmentation: {rotate: true}", "move the colours of a mosaic"),
        ("patience: 3", "give validation_every"),
        ("patches_per_frame: 3", "random patches are one of each frame"),
        ("input: jpeg-rgb\nmask: {by: ledger}", "only raw inputs are masked"),
        ("augmentation: {flop: true}", "augmentation.flop: no such field"),
        ("front: median-4", "front"),
    ],
)
def test_specs_that_contradict_themselves_are_refused(text: str, told: str) -> None:
    with pytest.raises(ExperimentError, match=told) as caught:
        read_spec(f"name: a\ndataset: b\n{text}\n")
    assert caught.value.exit_code == 2
    forced = "patches: defect-centred\naugmentation: {flip: true, forced: as a control}"
    assert read_spec(f"name: a\ndataset: b\n{forced}\n").augmentation is not None


def test_fields_that_do_not_train_leave_finished_runs_as_they_are() -> None:
    spec = trace_spec()
    for changes in ({"name": "b"}, {"runs": 3}, {"evaluation_crops": 2}, {"folds": True}):
        assert trace_spec(**changes).training_sha256() == spec.training_sha256()
    for changes in ({"steps": 91}, {"front": "median-3"}, {"schedule": "drop"}, {"threads": 2}):
        assert trace_spec(**changes).training_sha256() != spec.training_sha256()


def _times(of: dict[tuple[str, bool], float]) -> Execution:
    open_spec = trace_spec(precision="auto", channels_last="auto")

    def seconds(spec: ExperimentSpec) -> float:
        assert spec.channels_last in (True, False)
        return of[str(spec.precision), bool(spec.channels_last)]

    return choose_execution(open_spec, 1, seconds)


def test_the_fastest_means_are_chosen_where_they_are_clearly_faster() -> None:
    slow = {("float32", True): 1.0, ("float32", False): 1.2, ("bfloat16", False): 0.9}
    assert _times({**slow, ("bfloat16", True): 0.5}).precision == "bfloat16"
    assert _times({**slow, ("bfloat16", True): 0.9}).precision == "float32"
    assert _times({**slow, ("bfloat16", True): 7.0}).precision == "float32"
    plain = _times({**slow, ("float32", False): 0.5, ("bfloat16", True): 0.7})
    assert (plain.precision, plain.channels_last) == ("float32", False)

    def never(_spec: ExperimentSpec) -> float:
        raise AssertionError("nothing is open, so nothing is measured")

    chosen = choose_execution(trace_spec(), 2, never)
    assert (chosen.device, chosen.threads, chosen.processes) == ("cpu", 1, 2)
    assert Execution.from_json(json.loads(json.dumps(chosen.to_json()))) == chosen
    with pytest.raises(ExperimentError, match="not an execution"):
        Execution.from_json({"device": "cpu"})


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is an accelerator")
def test_an_accelerator_that_is_not_there_is_told() -> None:
    with pytest.raises(ExperimentError, match="device cuda, and PyTorch finds none"):
        train_network(trace_spec(device="cuda"), frame_set(range(2), range(2), 0), 2, 0)


def test_the_choice_is_kept_with_the_runs_and_used_again(tmp_path: Path) -> None:
    spec = trace_spec(steps=10, precision="auto", channels_last="auto")
    fold = Fold(frame_set(range(2), range(2), 40))
    (run,) = train_runs(spec, [fold], 2, tmp_path)
    path = tmp_path / "execution.json"
    assert json.loads(path.read_text()) == run.execution.to_json()
    other = "float32" if run.execution.precision == "bfloat16" else "bfloat16"
    path.write_text(json.dumps({**run.execution.to_json(), "precision": other}))
    second = list(train_runs(spec.model_copy(update={"runs": 2}), [fold], 2, tmp_path))[1]
    assert second.execution.precision == other


def test_used_up_memory_is_told_with_what_to_do() -> None:
    spec = trace_spec()
    told = pytest.raises(OutOfMemoryError, match="smaller batch_size or patch_size")
    with told as caught, explained_memory(spec):
        torch.empty(2**60)
    assert caught.value.exit_code == 1
    with pytest.raises(RuntimeError, match="shape"), explained_memory(spec):
        torch.zeros(2, 3) @ torch.zeros(2, 3)


def _rows(places: CropPlaces) -> set[tuple[int, ...]]:
    return set(map(tuple, np.column_stack([places.indices, places.origins]).tolist()))


def test_fixed_patches_come_once_in_an_epoch_and_are_judged_where_they_were_learned() -> None:
    frames = frame_set(range(3), range(4), 0)
    for patches, count in (("grid", 12), ("five-crop", 5), ("tiles", 12)):
        spec = trace_spec(patches=patches)
        order = epoch_order(spec, frames, seed=1, epoch=0)
        rows = _rows(order)
        assert len(order.indices) == len(rows) == count * len(frames.frames)
        judged = evaluation_places(spec, frames)
        assert _rows(judged) == rows
        # equal content side by side: one of each class, at the same place
        np.testing.assert_array_equal(order.origins[::2], order.origins[1::2])
        assert (frames.labels[order.indices[::2]] != frames.labels[order.indices[1::2]]).all()
        few = epoch_order(trace_spec(patches=patches, patches_per_frame=2), frames, 1, 0)
        assert len(few.indices) == 2 * len(frames.frames)


def test_batches_that_cannot_be_dealt_out_are_refused() -> None:
    assert list(range(16))[Processes(1, 4).share(16)] == [1, 5, 9, 13]
    with pytest.raises(ExperimentError, match="16 crops cannot be dealt out evenly to 3"):
        Processes(0, 3).share(16)


def _torchrun(folder: Path, changes: dict[str, object], processes: int) -> str:
    command = [
        *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
        *("--nproc-per-node", str(processes), "-m", "tests.support.trained_together"),
        *(str(folder), json.dumps(changes)),
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=110, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_two_processes_train_the_network_of_one(tmp_path: Path) -> None:
    # with the statistics of batch norms kept, a batch's gradient is the mean of its parts' ones
    changes: dict[str, object] = {
        "steps": 10, "frozen_batch_norm": True, "optimiser": "sgd", "learning_rate": 0.01,
    }  # fmt: skip
    frames = frame_set(range(4), range(2), 60)
    spec = trace_spec(**changes)
    (alone,) = train_runs(spec, [Fold(frames)], 2, tmp_path / "alone")
    said = _torchrun(tmp_path / "two", changes, 2)
    assert sorted(said.splitlines()) == ["rank 0 of 2: run 0", "rank 1 of 2: run 0"]
    together = json.loads((tmp_path / "two" / "run-00" / "run.json").read_text())
    np.testing.assert_allclose(together["losses"], alone.losses, atol=2e-5)
    assert together["execution"]["processes"] == 2
    ours = load_file(alone.folder / "weights.safetensors")
    theirs = load_file(tmp_path / "two" / "run-00" / "weights.safetensors")
    before = train_network(trace_spec(**{**changes, "learning_rate": 1e-12}), frames, 2, alone.seed)
    start = before.network.state_dict()
    for name, weights in ours.items():
        if not weights.is_floating_point() or torch.equal(weights, start[name]):
            continue
        moved = (weights - start[name]).norm()
        assert (theirs[name] - weights).norm() < 1e-3 * moved, name
    with pytest.raises(RunFolderError, match="torchrun --nproc-per-node 2"):
        list(train_runs(spec, [Fold(frames)], 2, tmp_path / "two"))


@pytest.mark.prove
def test_two_processes_repeat_themselves(tmp_path: Path) -> None:
    changes: dict[str, object] = {"steps": 12, "augmentation": {"gain": 0.1}}
    for name in ("first", "again"):
        _torchrun(tmp_path / name, changes, 2)
    first, again = (
        (tmp_path / name / "run-00" / "weights.safetensors").read_bytes()
        for name in ("first", "again")
    )
    assert first == again
