"""Comparisons keep their level where the truth is known, and refuse what cannot be compared."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from training.experiments.comparison import (
    compare_experiments,
    holm,
    paired_rows,
)
from training.experiments.errors import ExperimentError
from training.experiments.run_results import RunResult, runs_interval
from training.experiments.sign_flips import sign_flip_test
from training.statistics import JudgedFrames, nadeau_bengio, runs_permutation_test

Floats = NDArray[np.float64]


def _runs(
    accuracies: list[float], *, splits: int = 1, images: int = 1000, data: str = "set"
) -> list[RunResult]:
    return [
        RunResult(
            number=number,
            accuracy=accuracy,
            images=images,
            learned_from=f"{data} {number % splits}",
            judged_on=f"frames {number % splits}",
            train_sessions=12,
            session_shares={f"session {one}": accuracy / 4 for one in range(4)},
        )
        for number, accuracy in enumerate(accuracies)
    ]


def test_the_interval_of_runs_on_one_split_counts_runs_and_says_so() -> None:
    accuracies = [0.9, 0.8, 0.85, 0.95]
    found = runs_interval(_runs(accuracies))
    by_hand = nadeau_bengio(accuracies, 12, 4).interval
    assert (found.low, found.high) == pytest.approx((by_hand.low, min(1, by_hand.high)))
    assert found.mean == pytest.approx(0.875)
    assert found.standard_deviation == pytest.approx(np.std(accuracies, ddof=1))
    assert (found.runs, found.splits) == (4, 1)
    assert "differ by seed alone" in found.meaning
    assert "12 training and 4 judged sessions" in found.meaning


def test_the_interval_of_runs_on_folds_counts_folds() -> None:
    accuracies = [0.9, 0.7, 0.86, 0.74, 0.88, 0.72]
    found = runs_interval(_runs(accuracies, splits=2))
    by_hand = nadeau_bengio([0.88, 0.72], 12, 4).interval
    assert (found.low, found.high) == pytest.approx((max(0, by_hand.low), min(1, by_hand.high)))
    assert (found.runs, found.splits) == (6, 2)
    assert "2 splits" in found.meaning


def test_equal_accuracies_are_certain_to_one_image_only() -> None:
    perfect = runs_interval(_runs([1.0] * 10, images=8))
    assert perfect.high == 1 and perfect.low is not None
    assert 1 - 1 / 8 < perfect.low < 1 - 1 / 100
    single = runs_interval(_runs([0.5]))
    assert (single.low, single.high, single.standard_deviation) == (None, None, None)
    assert "no interval" in single.meaning
    with pytest.raises(ExperimentError, match="no runs"):
        runs_interval([])


def test_pairs_are_tested_by_hand() -> None:
    first, second = [0.9, 0.85, 0.95, 0.9], [0.8, 0.8, 0.9, 0.7]
    (found,) = compare_experiments(
        {"a": {"clean": _runs(first)}, "b": {"clean": _runs(second)[::-1]}}
    )
    by_hand = nadeau_bengio(np.subtract(first, second), 12, 4)
    assert found.difference == pytest.approx(0.1)
    assert found.p_value == found.adjusted_p == pytest.approx(by_hand.p_value)
    assert (found.low, found.high) == pytest.approx((by_hand.interval.low, by_hand.interval.high))
    assert found.verdict == "no-difference-shown"
    assert found.same_training and "one split" in found.meaning
    # all four sessions lean to the first: 2 of 16 ways to flip them are as far from none
    assert found.sessions_p == found.smallest_sessions_p == pytest.approx(2 / 16)
    assert found.to_json()["verdict"] == "no-difference-shown"
    assert paired_rows([found])[0]["difference"] == "+0.100"


def test_all_pairs_and_blocks_are_corrected_together() -> None:
    generator = np.random.default_rng(0)
    experiments = {
        name: {
            block: _runs((mean + 0.02 * generator.random(10)).tolist(), splits=5)
            for block in ("new-scene", "clean")
        }
        for name, mean in (("a", 0.9), ("b", 0.5), ("c", 0.5))
    }
    found = compare_experiments(experiments)
    assert [(one.block, one.first, one.second) for one in found] == [
        (block, *pair) for block in ("new-scene", "clean") for pair in combinations("abc", 2)
    ]
    assert [one.adjusted_p for one in found] == pytest.approx(holm([o.p_value for o in found]))
    verdicts = {(one.first, one.second): one.verdict for one in found}
    assert verdicts == {
        ("a", "b"): "first-better", ("a", "c"): "first-better", ("b", "c"): "no-difference-shown",
    }  # fmt: skip
    assert all(one.splits == 5 for one in found)
    alone = compare_experiments(experiments, ["clean"])
    assert [one.block for one in alone] == ["clean"] * 3
    assert alone[0].adjusted_p < found[3].adjusted_p
    backwards = compare_experiments({"b": experiments["b"], "a": experiments["a"]}, ["clean"])
    assert backwards[0].verdict == "second-better"


def test_a_constant_difference_of_few_images_shows_nothing() -> None:
    few = {
        name: {"clean": _runs([accuracy] * 2, images=4)}
        for name, accuracy in (("a", 0.75), ("b", 0.5))
    }
    assert compare_experiments(few)[0].p_value > 0.1
    many = {
        name: {"clean": _runs([acc] * 10, images=400)} for name, acc in (("a", 1.0), ("b", 0.5))
    }
    assert compare_experiments(many)[0].verdict == "first-better"


def test_what_is_not_paired_is_refused() -> None:
    ten, five = _runs([0.5] * 10), _runs([0.5] * 5)
    with pytest.raises(ExperimentError, match=r"a and b on clean: runs .* cannot be paired"):
        compare_experiments({"a": {"clean": ten}, "b": {"clean": five}})
    with pytest.raises(ExperimentError, match="runs 1 judged different images"):
        compare_experiments({"a": {"clean": ten}, "b": {"clean": _runs([0.5] * 10, splits=2)}})
    with pytest.raises(ExperimentError, match="at least two runs"):
        compare_experiments({"a": {"clean": ten[:1]}, "b": {"clean": five[:1]}})
    with pytest.raises(ExperimentError, match="two experiments"):
        compare_experiments({"a": {"clean": ten}})
    with pytest.raises(ExperimentError, match="experiment b was not judged on swapped"):
        compare_experiments({"a": {"swapped": ten}, "b": {"clean": ten}}, ["swapped"])
    with pytest.raises(ExperimentError, match="no evaluation in common"):
        compare_experiments({"a": {"swapped": ten}, "b": {"clean": ten}})
    other = _runs([0.5] * 10, data="another set")
    (found,) = compare_experiments({"a": {"clean": ten}, "b": {"clean": other}})
    assert not found.same_training and "different frames" in found.meaning


def test_holm_is_the_closure_of_bonferroni() -> None:
    """Independent truth: the largest Bonferroni p of all sets of hypotheses that hold this one."""
    generator = np.random.default_rng(1)
    for _ in range(50):
        p_values = generator.random(6) ** 3
        sets = [s for size in range(1, 7) for s in combinations(range(6), size)]
        closed = [
            min(1, max(len(s) * p_values[list(s)].min() for s in sets if one in s))
            for one in range(6)
        ]
        np.testing.assert_allclose(holm(p_values), closed)
    # R's p.adjust(c(0.01, 0.02, 0.03, 0.04), "holm")
    assert holm([0.01, 0.04, 0.03, 0.02]).tolist() == pytest.approx([0.04, 0.06, 0.06, 0.06])


def test_sign_flips_are_those_of_scipy() -> None:
    """Independent truth: scipy's permutation test of paired samples."""
    generator = np.random.default_rng(5)
    for sessions in (4, 7, 10):
        values = generator.normal(0.4, 1, sessions).round(1)
        expected = stats.permutation_test(
            (values,), np.sum, permutation_type="samples", alternative="two-sided"
        ).pvalue
        found = sign_flip_test(values)
        assert found.p_value == pytest.approx(expected)
        assert found.smallest_p == pytest.approx(2 / 2**sessions)
        assert sign_flip_test(np.abs(values) + 0.1).p_value == found.smallest_p
    many = generator.normal(0.2, 1, 40)
    assert sign_flip_test(many) == sign_flip_test(many)
    by_scipy = stats.permutation_test(
        (many,), np.sum, permutation_type="samples", n_resamples=9999, rng=generator
    ).pvalue
    assert sign_flip_test(many).p_value == pytest.approx(by_scipy, abs=0.03)
    assert sign_flip_test(np.ones(40)).p_value == sign_flip_test(many).smallest_p == 1 / 10000
    with pytest.raises(ExperimentError, match="at least one"):
        sign_flip_test([])


def _session_runs(
    generator: np.random.Generator,
    tests: list[NDArray[np.int64]],
    qualities: Floats,
    seed_sd: float,
) -> list[RunResult]:
    """Runs of one model whose quality is a matter of the sessions that it learns and judges."""
    sessions = qualities.shape[1]
    runs = []
    for number, judged in enumerate(tests):
        learned = np.setdiff1d(np.arange(sessions), judged)
        shared = qualities[1, learned].mean() + seed_sd * generator.normal()
        shares = (0.7 + 0.02 * (qualities[0, judged] + shared)) / len(judged)
        runs.append(
            RunResult(
                number=number,
                accuracy=float(shares.sum()),
                images=10_000,
                learned_from=str(learned.tolist()),
                judged_on=str(judged.tolist()),
                train_sessions=len(learned),
                session_shares=dict(zip(map(str, judged), shares.tolist(), strict=True)),
            )
        )
    return runs


def _resplits(generator: np.random.Generator, sessions: int) -> list[NDArray[np.int64]]:
    return [generator.choice(sessions, sessions // 4, replace=False) for _ in range(10)]


def _folds(count: int) -> Callable[[np.random.Generator, int], list[NDArray[np.int64]]]:
    def draw(generator: np.random.Generator, sessions: int) -> list[NDArray[np.int64]]:
        parts = np.array_split(generator.permutation(sessions), count)
        return [np.sort(parts[run % count]) for run in range(10)]

    return draw


@pytest.mark.prove
@pytest.mark.parametrize(
    ("name", "draw", "most"),
    [
        ("10 resplits", _resplits, 0.065),
        ("2 folds, 5 seeds each", _folds(2), 0.05),
        ("5 folds, 2 seeds each", _folds(5), 0.05),
        ("10 folds", _folds(10), 0.065),
    ],
)
def test_paired_tests_of_equal_models_keep_their_level(
    name: str,
    draw: Callable[[np.random.Generator, int], list[NDArray[np.int64]]],
    most: float,
    record_property: Callable[[str, object], None],
) -> None:
    """Two models that are equally good over all sessions seldom differ; a plain t-test errs."""
    generator = np.random.default_rng(2)
    worlds, alarms, plain_alarms = 2000, 0, 0
    for _ in range(worlds):
        tests = draw(generator, 24)
        both = {
            model: {"clean": _session_runs(generator, tests, generator.normal(size=(2, 24)), 0.3)}
            for model in ("a", "b")
        }
        alarms += compare_experiments(both)[0].verdict != "no-difference-shown"
        differences = [
            run.accuracy - other.accuracy
            for run, other in zip(both["a"]["clean"], both["b"]["clean"], strict=True)
        ]
        plain_alarms += int(stats.ttest_1samp(differences, 0).pvalue <= 0.05)
    record_property(
        "figure",
        f"false alarms at 5 %, {name}: corrected {alarms / worlds:.1%},"
        f" paired t {plain_alarms / worlds:.1%}",
    )
    assert alarms / worlds <= most
    assert plain_alarms / worlds > 0.1


@pytest.mark.prove
def test_on_one_split_sessions_tell_what_runs_cannot(
    record_property: Callable[[str, object], None],
) -> None:
    """Equally good networks differ on the sessions judged, however many runs there are."""
    generator = np.random.default_rng(6)
    worlds, by_runs, by_sessions = 1000, 0, 0
    for _ in range(worlds):
        judged = generator.choice(32, 8, replace=False)
        both = {}
        for model in ("a", "b"):
            qualities = np.stack([generator.normal(size=32), np.zeros(32)])
            both[model] = {"clean": _session_runs(generator, [judged] * 10, qualities, 0.3)}
        (found,) = compare_experiments(both)
        by_runs += found.verdict != "no-difference-shown"
        by_sessions += found.sessions_p <= 0.05
    record_property(
        "figure",
        f"false alarms at 5 % about other sessions, one split: runs counted {by_runs / worlds:.1%},"
        f" sessions' signs flipped {by_sessions / worlds:.1%}",
    )
    assert by_sessions / worlds <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / worlds)
    assert by_runs / worlds > 0.15


@pytest.mark.prove
def test_comparisons_of_many_equal_models_seldom_alarm_at_all(
    record_property: Callable[[str, object], None],
) -> None:
    """Five equal models on two blocks are twenty tests: hardly ever does any of them alarm."""
    generator = np.random.default_rng(3)
    worlds, families, uncorrected = 300, 0, 0
    for _ in range(worlds):
        tests = _folds(5)(generator, 20)
        experiments = {
            str(model): {
                block: _session_runs(generator, tests, generator.normal(size=(2, 20)), 0.3)
                for block in ("new-scene", "clean")
            }
            for model in range(5)
        }
        found = compare_experiments(experiments)
        families += any(one.verdict != "no-difference-shown" for one in found)
        uncorrected += any(one.p_value <= 0.05 for one in found)
    record_property(
        "figure",
        f"a false alarm among 20 tests: Holm {families / worlds:.1%},"
        f" uncorrected {uncorrected / worlds:.1%}",
    )
    assert families / worlds <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / worlds)
    assert uncorrected / worlds > 0.15


def _nearest_mean_runs(
    generator: np.random.Generator, *, folds: int, runs: int, sessions: int = 12, frames: int = 6
) -> list[JudgedFrames]:
    """Train nearest-mean classifiers on frames that show their session and nothing of the class."""
    labels = np.arange(sessions) % 2
    light = generator.normal(size=(sessions, 3))
    features = light[:, None] + 0.7 * generator.normal(size=(sessions, frames, 3))
    # folds hold as many sessions of either class
    order = [generator.permutation(np.flatnonzero(labels == label)) for label in (0, 1)]
    parts = [np.concatenate([one[fold :: max(folds, 2)] for one in order]) for fold in range(folds)]
    judged = []
    for run in range(runs):
        tested = parts[run % folds]
        learned = np.setdiff1d(np.arange(sessions), tested)
        # runs differ by seed: each sees a draw of the training frames
        draw = generator.integers(0, frames, frames)
        means = [
            features[learned[labels[learned] == label]][:, draw].mean((0, 1)) for label in (0, 1)
        ]
        distances = [((features[tested] - mean) ** 2).sum(axis=-1) for mean in means]
        answers = (distances[1] < distances[0]).astype(np.int64)
        judged.append(
            JudgedFrames(
                np.repeat(labels[tested], frames), answers.ravel(), np.repeat(tested, frames)
            )
        )
    return judged


@pytest.mark.prove
@pytest.mark.parametrize(("folds", "most"), [(1, 0.073), (2, 0.1), (3, 0.1)])
def test_permuted_sessions_keep_their_level_for_trained_runs(
    folds: int, most: float, record_property: Callable[[str, object], None]
) -> None:
    """Runs without a trace seldom seem to have found one; on folds the level holds nearly."""
    generator = np.random.default_rng(4)
    worlds, alarms, by_images = 800, 0, 0
    for _ in range(worlds):
        runs = _nearest_mean_runs(generator, folds=folds, runs=6)
        test = runs_permutation_test(runs)
        alarms += test.verdict == "above-chance"
        images = sum(len(np.asarray(run.labels)) for run in runs[:folds])
        correct = round(test.accuracy * images)
        by_images += int(stats.binomtest(correct, images, alternative="greater").pvalue <= 0.05)
    record_property(
        "figure",
        f"false alarms at 5 %, splits: {folds}; sessions permuted {alarms / worlds:.1%},"
        f" images counted {by_images / worlds:.1%}",
    )
    assert alarms / worlds <= most
    assert by_images / worlds > 0.1
