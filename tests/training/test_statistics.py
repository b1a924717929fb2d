"""Inference keeps its promises where the truth is known: by enumeration, by simulation."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from datastore.datasets.auditing.relabelling import relabelling_count
from training.statistics import (
    Interval,
    JudgedFrames,
    StatisticsError,
    bootstrap_interval,
    nadeau_bengio,
    runs_permutation_test,
    session_permutation_test,
)

Labels = NDArray[np.int64]


def _sessions(per_class: int, frames: int, classes: int = 2) -> tuple[Labels, Labels]:
    """Return class and session of each frame of a balanced design."""
    sessions = np.repeat(np.arange(per_class * classes), frames)
    return sessions % classes, sessions


def _no_trace(
    generator: np.random.Generator, labels: Labels, sessions: Labels, offset: float
) -> Labels:
    """Predictions of a model that hears the session (light, warmth) and nothing of the class."""
    heard = offset * generator.normal(size=sessions.max() + 1)[sessions]
    predicted: Labels = (heard + generator.normal(size=len(labels)) > 0).astype(np.int64)
    return predicted


def test_type_one_error_with_random_session_offsets() -> None:
    """Counting frames alarms far too often; permuting sessions keeps its level."""
    generator = np.random.default_rng(0)
    labels, sessions = _sessions(per_class=4, frames=12)
    worlds, session_alarms, frame_alarms, outside = 600, 0, 0, 0
    for _ in range(worlds):
        predicted = _no_trace(generator, labels, sessions, offset=1.5)
        test = session_permutation_test(labels, predicted, sessions)
        correct = int((predicted == labels).sum())
        binomial = stats.binomtest(correct, len(labels), 0.5, alternative="greater")
        session_alarms += test.verdict == "above-chance"
        frame_alarms += int(binomial.pvalue <= 0.05)
        outside += not test.chance.contains(test.accuracy)
    assert session_alarms / worlds <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / worlds)
    assert outside / worlds <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / worlds)
    assert frame_alarms / worlds > 0.15


def test_a_real_trace_is_found() -> None:
    generator = np.random.default_rng(1)
    labels, sessions = _sessions(per_class=4, frames=12)
    found = 0
    for _ in range(100):
        heard = 0.5 * generator.normal(size=8)[sessions] + 3 * (labels - 0.5)
        predicted = (heard + generator.normal(size=len(labels)) > 0).astype(np.int64)
        found += session_permutation_test(labels, predicted, sessions).verdict == "above-chance"
    assert found >= 95


@pytest.mark.parametrize(
    ("per_class", "relabellings", "verdict"),
    [
        (1, 2, "inconclusive"),
        (2, 6, "inconclusive"),
        (3, 20, "above-chance"),
        (4, 70, "above-chance"),
    ],
)
def test_perfect_recognition_gets_the_smallest_attainable_p(
    per_class: int, relabellings: int, verdict: str
) -> None:
    labels, sessions = _sessions(per_class, frames=5)
    test = session_permutation_test(labels, labels, sessions)
    assert test.exact
    assert test.accuracy == pytest.approx(1)
    assert test.relabellings == relabellings
    assert test.p_value == test.smallest_p == pytest.approx(1 / relabellings)
    assert test.verdict == verdict


def test_enumeration_equals_permuting_every_session() -> None:
    """Independent truth: all orders of the session labels, repeated ones included."""
    generator = np.random.default_rng(2)
    sessions = np.repeat(np.arange(6), [3, 5, 2, 4, 6, 3])
    session_labels = np.array([0, 0, 1, 1, 2, 2])
    labels = session_labels[sessions]
    predicted = generator.integers(0, 3, (4, len(sessions)))
    test = session_permutation_test(labels, predicted, sessions)
    everything = [
        (predicted == np.array(order)[sessions]).mean() for order in permutations(session_labels)
    ]
    accuracy = (predicted == labels).mean()
    assert test.accuracy == pytest.approx(accuracy)
    assert test.relabellings == 90
    assert test.p_value == pytest.approx(np.mean(np.array(everything) >= accuracy - 1e-9))


def test_labels_move_within_strata_only() -> None:
    # Four sessions of one pair of cameras, four of another.
    session_labels = np.array([0, 1, 0, 1, 0, 1, 0, 1])
    strata = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    sessions = np.repeat(np.arange(8), 3)
    assert relabelling_count(session_labels, strata) == 6 * 6
    labels = session_labels[sessions]
    test = session_permutation_test(labels, labels, sessions, strata=strata[sessions])
    assert test.relabellings == 36
    assert test.p_value == pytest.approx(1 / 36)


def test_many_sessions_are_sampled_validly_and_repeatably() -> None:
    labels, sessions = _sessions(per_class=12, frames=2)
    test = session_permutation_test(labels, labels, sessions, samples=499, seed=3)
    assert not test.exact
    assert test.relabellings == 500
    assert test.p_value == test.smallest_p == pytest.approx(1 / 500)
    assert test == session_permutation_test(labels, labels, sessions, samples=499, seed=3)


def test_sampling_agrees_with_enumeration() -> None:
    generator = np.random.default_rng(4)
    labels, sessions = _sessions(per_class=4, frames=6)
    predicted = _no_trace(generator, labels, sessions, offset=1.0)
    exact = session_permutation_test(labels, predicted, sessions)
    assert exact.relabellings == 70
    sampled = session_permutation_test(labels, predicted, sessions, samples=69)
    assert not sampled.exact
    assert sampled.p_value == pytest.approx(exact.p_value, abs=0.2)


def test_a_session_has_one_class() -> None:
    with pytest.raises(StatisticsError, match="session monday: more than one class"):
        session_permutation_test([0, 1], [0, 1], ["monday", "monday"])
    with pytest.raises(StatisticsError, match="one value per frame"):
        session_permutation_test([0, 1], [0, 1, 1], ["a", "b"])


def test_bootstrap_of_sessions_covers_where_counting_frames_does_not() -> None:
    generator = np.random.default_rng(5)
    sessions = np.repeat(np.arange(20), 30)
    worlds, covered, covered_by_frames = 200, 0, 0
    for _ in range(worlds):
        ability = np.clip(0.7 + 0.15 * generator.normal(size=20), 0, 1)
        correct = generator.random(600) < ability[sessions]
        covered += int(bootstrap_interval(correct, sessions, samples=400).contains(0.7))
        frames = stats.binomtest(int(correct.sum()), 600).proportion_ci()
        covered_by_frames += int(frames.low <= 0.7 <= frames.high)
    assert 0.88 <= covered / worlds <= 0.99
    assert covered_by_frames / worlds < 0.8


def test_bootstrap_of_scenes_widens_the_interval() -> None:
    generator = np.random.default_rng(6)
    sessions, scenes = (axis.ravel() for axis in np.mgrid[:10, :10])
    correct = generator.random(100) < np.clip(0.6 + 0.3 * generator.normal(size=10), 0, 1)[scenes]
    fixed = bootstrap_interval(correct, sessions)
    resampled = bootstrap_interval(correct, sessions, scenes)
    assert resampled.high - resampled.low > 2 * (fixed.high - fixed.low)
    labels = sessions % 2
    within = bootstrap_interval(labels, sessions, labels=labels)
    assert (within.low, within.high) == (0.5, 0.5)


def test_nadeau_bengio_keeps_its_level_on_resplits() -> None:
    """Two equal models compared over 10 resplits: the paired t-test alarms far too often."""
    generator = np.random.default_rng(7)
    worlds, corrected, paired = 1000, 0, 0
    for _ in range(worlds):
        # Difference in correctness of two equally good models on 100 items, split 70 : 30.
        items = generator.normal(size=100)
        differences = [items[generator.choice(100, 30, replace=False)].mean() for _ in range(10)]
        corrected += int(nadeau_bengio(differences, 70, 30).p_value <= 0.05)
        paired += int(stats.ttest_1samp(differences, 0).pvalue <= 0.05)
    assert corrected / worlds <= 0.08
    assert paired / worlds > 0.15


def test_nadeau_bengio_by_hand() -> None:
    comparison = nadeau_bengio([0.1, 0.3], 3, 1)
    error = np.sqrt((1 / 2 + 1 / 3) * 0.02)
    assert comparison.mean == pytest.approx(0.2)
    assert comparison.p_value == pytest.approx(2 * stats.t.sf(0.2 / error, 1))
    reach = stats.t.ppf(0.975, 1) * error
    assert comparison.interval.low == pytest.approx(0.2 - reach)
    assert nadeau_bengio([0, 0, 0], 3, 1).p_value == 1
    with pytest.raises(StatisticsError, match="at least two runs"):
        nadeau_bengio([0.1], 3, 1)


def test_intervals_include_their_ends() -> None:
    interval = Interval(0.25, 0.75, 0.95)
    assert interval.contains(0.25) and interval.contains(0.75)
    assert not interval.contains(0.76)


def test_runs_on_the_same_frames_are_tested_as_one_table() -> None:
    generator = np.random.default_rng(8)
    labels, sessions = _sessions(per_class=4, frames=6)
    predicted = np.stack([_no_trace(generator, labels, sessions, 1.0) for _ in range(5)])
    together = session_permutation_test(labels, predicted, sessions)
    apart = runs_permutation_test([JudgedFrames(labels, one, sessions) for one in predicted])
    assert apart.accuracy == pytest.approx(together.accuracy)
    assert apart.p_value == together.p_value
    assert apart.chance.low == pytest.approx(together.chance.low)
    assert apart.relabellings == together.relabellings == 70


def test_runs_on_other_frames_weigh_the_same() -> None:
    """Independent truth: every order of the labels of all sessions, the runs' accuracies meaned."""
    generator = np.random.default_rng(9)
    session_labels = np.array([0, 1, 0, 1, 0, 1])
    runs = []
    for judged in ([0, 1, 2, 3], [2, 3, 4, 5], [0, 5]):
        sessions = np.repeat(judged, generator.integers(2, 6, len(judged)))
        runs.append((sessions, generator.integers(0, 2, len(sessions))))
    test = runs_permutation_test(
        [JudgedFrames(session_labels[sessions], said, sessions) for sessions, said in runs]
    )

    def mean_accuracy(classes: Labels) -> float:
        return float(np.mean([(said == classes[sessions]).mean() for sessions, said in runs]))

    everything = [mean_accuracy(np.array(order)) for order in permutations(session_labels)]
    assert test.relabellings == 20
    assert test.accuracy == pytest.approx(mean_accuracy(session_labels))
    expected = np.mean(np.array(everything) >= mean_accuracy(session_labels) - 1e-9)
    assert test.p_value == pytest.approx(expected)


def test_runs_that_contradict_one_another_are_refused() -> None:
    first = JudgedFrames([0, 1], [0, 1], ["a", "b"])
    with pytest.raises(StatisticsError, match="session a: more than one class"):
        runs_permutation_test([first, JudgedFrames([1, 1], [0, 1], ["a", "b"])])
    with pytest.raises(StatisticsError, match="one value per frame"):
        runs_permutation_test([first, JudgedFrames([1], [0, 1], ["a", "b"])])
    with pytest.raises(StatisticsError, match="no runs"):
        runs_permutation_test([])
