"""The loop finds a defect trace, finds none where there is none, and repeats itself bit for bit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tests.support.trace_frames import COLUMNS, ROWS, defects, frame_set, trace_spec
from training.experiments.errors import DivergedError, ExperimentError, RunFolderError
from training.experiments.evaluate import predict
from training.experiments.frame_set import FrameSet
from training.experiments.loop import train_network
from training.experiments.order import epoch_order, training_batches
from training.experiments.predictions import (
    Predictions,
    accuracy,
    balanced_accuracy,
    confusion,
)
from training.experiments.runs import Fold, evaluate_run, train_runs
from training.experiments.seeds import run_seed
from training.experiments.spec import read_spec
from training.interventions import mask_defects, random_mask
from training.patches.inputs import CachedFrame
from training.patches.places import grid_origins
from training.statistics import session_permutation_test
from training.threads import tune_allocator


def _image_accuracy(predictions: Predictions) -> float:
    counts = confusion(predictions.labels, predictions.image_classes(), predictions.classes)
    return accuracy(counts)


def test_a_trace_is_learned_is_recognised_on_new_scenes_and_goes_with_its_defects() -> None:
    spec = trace_spec()
    trained = train_network(spec, frame_set(range(8), range(4), 120), 2, seed=1)
    clean = frame_set(range(20, 26), range(4, 8), 120)
    predictions = predict(spec, trained.network, clean)
    assert trained.losses[-10:].mean() < 0.4 < trained.losses[:10].mean()
    assert _image_accuracy(predictions) >= 0.95

    def masked(places: NDArray[np.int64]) -> FrameSet:
        frames = [replace(one, pixels=mask_defects(one.pixels, places)) for one in clean.frames]
        return replace(clean, frames=tuple(frames))

    everywhere = np.stack(np.unravel_index(defects(120), (ROWS, COLUMNS)), axis=-1)
    new = everywhere[40:]
    elsewhere = random_mask((ROWS, COLUMNS), len(new), everywhere, seed=0)
    test = session_permutation_test(
        clean.labels, predict(spec, trained.network, masked(new)).image_classes(), clean.sessions
    )
    assert test.chance.contains(test.accuracy)
    assert 0.4 <= test.accuracy <= 0.6
    assert _image_accuracy(predict(spec, trained.network, masked(elsewhere))) >= 0.95


def test_without_a_trace_content_control_leaves_chance() -> None:
    spec = trace_spec()
    trained = train_network(spec, frame_set(range(8), range(4), 0), 2, seed=1)
    clean = frame_set(range(20, 26), range(4, 8), 0)
    assert 0.25 <= _image_accuracy(predict(spec, trained.network, clean)) <= 0.75


def test_reruns_are_bit_identical_and_seeds_differ() -> None:
    frames, spec = frame_set(range(4), range(2), 40), trace_spec(steps=10)
    first, again, other = (train_network(spec, frames, 2, seed) for seed in (5, 5, 6))
    for name, weights in first.network.state_dict().items():
        assert torch.equal(weights, again.network.state_dict()[name]), name
    np.testing.assert_array_equal(first.losses, again.losses)
    assert not np.array_equal(first.losses, other.losses)


def test_reduced_precision_follows_full_precision() -> None:
    frames = frame_set(range(4), range(2), 120)
    full, reduced = (
        train_network(trace_spec(steps=10, precision=precision), frames, 2, seed=5)
        for precision in ("float32", "bfloat16")
    )
    # Before the differences grow, as those of any rounding do.
    np.testing.assert_allclose(reduced.losses[:3], full.losses[:3], atol=0.005)
    assert not np.array_equal(reduced.losses, full.losses)


def test_training_leaves_the_callers_random_state_alone() -> None:
    before = torch.random.get_rng_state()
    train_network(trace_spec(steps=10), frame_set(range(2), range(2), 0), 2, seed=5)
    assert torch.equal(before, torch.random.get_rng_state())


def test_a_diverging_run_says_so() -> None:
    frames = frame_set(range(2), range(2), 0)
    spec = trace_spec(steps=10)
    broken = FrameSet.of(
        [
            CachedFrame(frame.key, frame.pixels, (float("nan"),) * 4, 16383, frame.visible)
            for frame in frames.frames
        ],
        frames.labels.tolist(),
        frames.sessions.tolist(),
        frames.scenes.tolist(),
        frames.cameras.tolist(),
    )
    with pytest.raises(DivergedError, match=r"'trace': the loss of step 1 is nan"):
        train_network(spec.model_copy(update={"transform": "linear"}), broken, 2, seed=0)


def test_every_class_needs_frames_to_learn_from() -> None:
    with pytest.raises(ExperimentError, match=r"of the classes \[0, 1\], expected all of 0 to 2"):
        train_network(trace_spec(), frame_set(range(2), range(2), 0), 3, seed=0)


def test_an_epoch_shows_every_frame_once_and_pairs_equal_content() -> None:
    frames = frame_set(range(5), range(6), 0)
    order = epoch_order(trace_spec(), frames, seed=3, epoch=0)
    assert sorted(order.indices) == list(range(len(frames.frames)))
    for first, second in zip(order.indices[::2], order.indices[1::2], strict=True):
        assert frames.scenes[first] == frames.scenes[second]
        assert frames.labels[first] != frames.labels[second]
    np.testing.assert_array_equal(order.origins[::2], order.origins[1::2])
    assert len(np.unique(order.origins, axis=0)) > 5
    later = epoch_order(trace_spec(), frames, seed=3, epoch=1)
    assert not np.array_equal(order.indices, later.indices)


def test_classes_without_common_scenes_are_shuffled_only() -> None:
    frames = frame_set(range(6), range(4), 0, content_by_class=True)
    order = epoch_order(trace_spec(), frames, seed=0, epoch=0)
    assert sorted(order.indices) == list(range(len(frames.frames)))
    assert len(np.unique(order.origins, axis=0)) > len(frames.frames) // 2


def test_batches_run_through_the_epochs() -> None:
    frames = frame_set(range(5), range(2), 0)
    spec = trace_spec(batch_size=4, steps=10)
    batches = list(training_batches(spec, frames, seed=1))
    seen = np.concatenate([batch.indices for batch in batches])
    epochs = [epoch_order(spec, frames, 1, epoch).indices for epoch in range(4)]
    np.testing.assert_array_equal(seen, np.concatenate(epochs))
    for start in range(10):
        for late, whole in zip(
            training_batches(spec, frames, seed=1, start=start), batches[start:], strict=True
        ):
            np.testing.assert_array_equal(late.indices, whole.indices)
            np.testing.assert_array_equal(late.origins, whole.origins)


def test_seeds_of_runs_are_distinct_and_fixed() -> None:
    seeds = [run_seed(seed, run) for seed in range(5) for run in range(20)]
    assert len(set(seeds)) == 100
    assert run_seed(0, 0) == run_seed(0, 0)
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_finished_runs_are_never_computed_again(tmp_path: Path) -> None:
    frames, spec = frame_set(range(2), range(2), 40), trace_spec(steps=10, runs=3)
    steps: list[tuple[int, int]] = []

    def interrupt_second_run(run: int, step: int, loss: float) -> None:
        steps.append((run, step))
        if (run, step) == (1, 4):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(train_runs(spec, [Fold(frames)], 2, tmp_path, interrupt_second_run))
    first_weights = (tmp_path / "run-00" / "weights.safetensors").read_bytes()

    steps.clear()
    runs = list(train_runs(spec, [Fold(frames)], 2, tmp_path, lambda *step: steps.append(step[:2])))
    assert steps[0] == (1, 5)
    assert [run for run, step in steps if step == 1] == [2]
    assert (tmp_path / "run-00" / "weights.safetensors").read_bytes() == first_weights
    assert [run.seed for run in runs] == [run_seed(0, number) for number in range(3)]

    uninterrupted = list(train_runs(spec, [Fold(frames)], 2, tmp_path / "again"))
    for resumed, whole in zip(runs, uninterrupted, strict=True):
        np.testing.assert_array_equal(resumed.losses, whole.losses)
        a, b = (run.folder / "weights.safetensors" for run in (resumed, whole))
        assert a.read_bytes() == b.read_bytes()


def test_a_folder_of_another_experiment_is_refused(tmp_path: Path) -> None:
    frames, spec = frame_set(range(2), range(2), 0), trace_spec(steps=10)
    list(train_runs(spec, [Fold(frames)], 2, tmp_path))
    renamed_and_longer = trace_spec(steps=10, name="other", runs=2)
    assert len(list(train_runs(renamed_and_longer, [Fold(frames)], 2, tmp_path))) == 2
    with pytest.raises(RunFolderError, match="run-00: holds a run of another spec"):
        list(train_runs(trace_spec(steps=11), [Fold(frames)], 2, tmp_path))


def test_stored_weights_and_predictions_say_what_the_trained_network_said(tmp_path: Path) -> None:
    frames, spec = frame_set(range(2), range(2), 40), trace_spec(steps=10)
    (run,) = train_runs(spec, [Fold(frames)], 2, tmp_path)
    trained = train_network(spec, frames, 2, run.seed)
    expected = predict(spec, trained.network, frames)
    stored = evaluate_run(spec, run, 2, {"own": frames})["own"]
    for name in Predictions.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(stored, name), getattr(expected, name))
    files = sorted(tmp_path.rglob("*.npz"))
    evaluate_run(spec, run, 2, {"again": frames})
    assert sorted(tmp_path.rglob("*.npz")) == files


def test_predictions_tile_each_frame_in_order() -> None:
    frames, spec = frame_set(range(2), range(2), 0), trace_spec(steps=10)
    trained = train_network(spec, frames, 2, 0)
    predictions = predict(spec, trained.network, frames)
    tiling = grid_origins((0, 0, ROWS, COLUMNS), 32)
    np.testing.assert_array_equal(predictions.crop_frames, np.repeat(np.arange(4), len(tiling)))
    np.testing.assert_array_equal(predictions.crop_origins, np.tile(tiling, (4, 1)))
    few = predict(spec.model_copy(update={"evaluation_crops": 3}), trained.network, frames)
    assert len(few.crop_frames) == 12


def _predictions(
    probabilities: list[list[float]], frames: list[int], labels: list[int]
) -> Predictions:
    names = np.array(["x"] * len(labels))
    return Predictions(
        crop_frames=np.array(frames),
        crop_origins=np.zeros((len(frames), 2), np.int64),
        crop_log_probabilities=np.log(np.array(probabilities, np.float32)),
        labels=np.array(labels),
        sessions=names,
        scenes=names,
        cameras=names,
    )


def test_image_level_answers_weigh_or_count_the_crops() -> None:
    # Two lukewarm crops for class 0 against one sure crop for class 1.
    one = [[0.6, 0.4], [0.6, 0.4], [0.01, 0.99]]
    # A tie of votes that the likelihood decides.
    two = [[0.7, 0.3], [0.4, 0.6]]
    predictions = _predictions(one + two, [0, 0, 0, 1, 1], [0, 0])
    np.testing.assert_array_equal(predictions.crop_classes(), [0, 0, 1, 0, 1])
    np.testing.assert_array_equal(predictions.image_classes(), [1, 0])
    np.testing.assert_array_equal(predictions.voted_classes(), [0, 0])
    expected = [np.log(0.6 * 0.6 * 0.01) / 3, np.log(0.4 * 0.4 * 0.99) / 3]
    np.testing.assert_allclose(predictions.image_log_probabilities()[0], expected, rtol=1e-6)


def test_measures_agree_with_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    generator = np.random.default_rng(0)
    labels, predicted = generator.integers(0, 3, (2, 50))
    counts = confusion(labels, predicted, 3)
    np.testing.assert_array_equal(counts, metrics.confusion_matrix(labels, predicted))
    assert accuracy(counts) == pytest.approx(metrics.accuracy_score(labels, predicted))
    expected = metrics.balanced_accuracy_score(labels, predicted)
    assert balanced_accuracy(counts) == pytest.approx(expected)


def test_a_spec_names_every_fault() -> None:
    spec = read_spec("name: a\ndataset: 0123\npatch_size: 32\n".replace("0123", "'0123'"))
    assert (spec.patch_size, spec.network, spec.input) == (32, "srnet-nano", "raw-mosaic")
    text = "name: a\ndataset: b\npatch_size: 31\nnetwrok: srnet\nnetwork: alexnte\n"
    with pytest.raises(ExperimentError) as caught:
        read_spec(text)
    for part in ("patch_size", "multiple of 2", "netwrok", "no such field", "network", "'srnet'"):
        assert part in str(caught.value)
    assert caught.value.exit_code == 2
    with pytest.raises(ExperimentError, match="not YAML"):
        read_spec("name: [")
    with pytest.raises(ExperimentError, match="spec: "):
        read_spec("just text")


def test_the_explanations_example_is_a_spec() -> None:
    page = Path(__file__).parents[2] / "docs" / "explanations" / "experiments.md"
    text = page.read_text(encoding="utf-8").split("```yaml\n")[1].split("```")[0]
    assert read_spec(text).name == "controlled"


def test_frame_sets_need_a_value_for_every_frame() -> None:
    with pytest.raises(ExperimentError, match="without frames"):
        FrameSet.of([], [], [], [], [])
    frame = CachedFrame("k", np.zeros((32, 32), np.uint16), (0.0,) * 4, 4095, (0, 0, 32, 32))
    with pytest.raises(ExperimentError, match="labels"):
        FrameSet.of([frame], [0, 1], ["a"], ["a"], ["a"])


def test_the_allocator_can_be_tuned_on_glibc() -> None:
    import platform

    assert tune_allocator() == (platform.libc_ver()[0] == "glibc")
