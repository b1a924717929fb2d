"""Measures of runs agree with scikit-learn, and with what can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics
from sklearn.calibration import calibration_curve

from tests.support.answers import answers_of
from training.experiments.calibration import (
    class_reliability,
    confidence_reliability,
    reliability,
)
from training.experiments.errors import ExperimentError
from training.experiments.measures import (
    Recognition,
    brier_score,
    cohen_kappa,
    image_probabilities,
    log_loss,
    measure,
    recognition,
)


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_recognition_is_that_of_scikit_learn(classes: int) -> None:
    generator = np.random.default_rng(classes)
    labels = generator.choice(classes, 400, p=np.arange(1, classes + 1) / sum(range(classes + 1)))
    predicted = np.where(generator.random(400) < 0.5, labels, generator.integers(0, classes, 400))
    found = recognition(labels, predicted, classes)
    assert found.answers == 400
    assert found.accuracy == pytest.approx(metrics.accuracy_score(labels, predicted))
    assert found.balanced_accuracy == pytest.approx(
        metrics.balanced_accuracy_score(labels, predicted)
    )
    assert found.kappa == pytest.approx(metrics.cohen_kappa_score(labels, predicted))
    np.testing.assert_array_equal(found.confusion, metrics.confusion_matrix(labels, predicted))


def test_kappa_where_only_one_class_is_there() -> None:
    assert cohen_kappa(np.array([[7, 0], [0, 0]])) is None
    # all of one class, half of it recognised: no better than always saying so by chance
    assert cohen_kappa(np.array([[3, 3], [0, 0]])) == 0


@pytest.mark.parametrize("classes", [2, 4])
def test_a_run_is_measured_at_every_level(classes: int) -> None:
    run = answers_of(np.random.default_rng(1), classes=classes, sessions=12)
    found = measure(run)
    crop_labels = run.labels[run.crop_frames]
    said = run.crop_log_probabilities.argmax(axis=1)
    assert found.crops.accuracy == pytest.approx(metrics.accuracy_score(crop_labels, said))
    assert found.crops.answers == len(said) == 12 * 5 * 6 - 2
    # Independent of how the sums are made: frame by frame.
    named, voted = [], []
    for frame in range(len(run.labels)):
        mine = run.crop_log_probabilities[run.crop_frames == frame].astype(np.float64)
        named.append(mine.sum(axis=0).argmax())
        votes = np.bincount(mine.argmax(axis=1), minlength=classes)
        best = np.flatnonzero(votes == votes.max())
        voted.append(max(best, key=lambda one: mine[:, one].sum()))
    assert found.images.accuracy == pytest.approx(metrics.accuracy_score(run.labels, named))
    assert found.images.kappa == pytest.approx(metrics.cohen_kappa_score(run.labels, named))
    assert found.voted.balanced_accuracy == pytest.approx(
        metrics.balanced_accuracy_score(run.labels, voted)
    )
    assert set(found.cameras) == {"7100001", "7100002"}
    for serial, one in found.cameras.items():
        chosen = run.cameras == serial
        assert one.accuracy == pytest.approx(
            metrics.accuracy_score(run.labels[chosen], np.array(named)[chosen])
        )
    assert sum(one.answers for one in found.cameras.values()) == found.images.answers == 60


@pytest.mark.parametrize("classes", [2, 3])
def test_losses_are_those_of_scikit_learn(classes: int) -> None:
    run = answers_of(np.random.default_rng(2), classes=classes, sessions=12)
    probabilities = image_probabilities(run)
    found = measure(run)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert found.log_loss == pytest.approx(
        metrics.log_loss(run.labels, probabilities, labels=range(classes))
    )
    if classes == 2:
        assert found.brier_score == pytest.approx(
            2 * metrics.brier_score_loss(run.labels, probabilities[:, 1])
        )
    by_hand = [
        sum((row[one] - (one == label)) ** 2 for one in range(classes))
        for row, label in zip(probabilities, run.labels, strict=True)
    ]
    assert found.brier_score == pytest.approx(np.mean(by_hand))


def test_losses_at_their_ends() -> None:
    labels = np.array([0, 1])
    certain = np.eye(2)
    assert (log_loss(labels, certain), brier_score(labels, certain)) == (0, 0)
    assert brier_score(labels, certain[::-1]) == 2
    assert brier_score(labels, np.full((2, 2), 0.5)) == 0.5
    assert log_loss(labels, np.full((2, 2), 0.5)) == pytest.approx(np.log(2))
    assert np.isfinite(log_loss(labels, certain[::-1]))


def test_the_sum_over_crops_names_the_same_class_and_claims_more() -> None:
    """Crops that share their error: their sum is sure of itself, and wrong as often."""
    run = answers_of(np.random.default_rng(3), sessions=200, crops=20, trace=0.3, session_noise=0.7)
    mean, total = image_probabilities(run), image_probabilities(run, "sum")
    np.testing.assert_array_equal(mean.argmax(axis=1), total.argmax(axis=1))
    assert (total.max(axis=1) >= mean.max(axis=1)).all()
    errors = [confidence_reliability(run.labels, one).expected_error for one in (mean, total)]
    assert errors[1] > 0.3 > 2 * errors[0]
    first = run.crop_log_probabilities[run.crop_frames == 0].astype(np.float64)
    powers = np.exp(first.sum(axis=0))
    np.testing.assert_allclose(total[0], powers / powers.sum())


@pytest.mark.parametrize("bins", [5, 10, 17])
def test_reliability_is_that_of_scikit_learn(bins: int) -> None:
    generator = np.random.default_rng(bins)
    claimed = np.r_[generator.random(500), 0, 0.2, 0.4, 1]
    came_true = generator.random(len(claimed)) < claimed**2
    found = reliability(came_true, claimed, bins)
    shares, means = calibration_curve(came_true, claimed, n_bins=bins)
    assert [one for one in found.shares if one is not None] == pytest.approx(shares)
    assert [one for one in found.probabilities if one is not None] == pytest.approx(means)
    assert sum(found.counts) == len(claimed)


def test_calibration_errors_by_hand() -> None:
    # four events at 0.9 of which three came true, two at 0.55 of which none did
    found = reliability([1, 1, 1, 0, 0, 0], [0.9, 0.9, 0.9, 0.9, 0.55, 0.55])
    assert found.counts == (0, 0, 0, 0, 0, 2, 0, 0, 4, 0)
    assert found.shares[8] == pytest.approx(0.75) and found.shares[5] == 0
    assert found.shares[0] is None and found.probabilities[0] is None
    assert found.expected_error == pytest.approx((4 * 0.15 + 2 * 0.55) / 6)
    assert found.largest_error == pytest.approx(0.55)


def test_calibrated_probabilities_have_a_small_error_and_exaggerated_ones_a_large_one() -> None:
    generator = np.random.default_rng(4)
    probabilities = generator.dirichlet((1, 1, 1), 20000)
    labels = (generator.random((20000, 1)) > probabilities.cumsum(axis=1)).sum(axis=1)
    exaggerated = probabilities**3 / (probabilities**3).sum(axis=1, keepdims=True)
    assert confidence_reliability(labels, probabilities).expected_error < 0.02
    assert confidence_reliability(labels, exaggerated).expected_error > 0.1
    curves = class_reliability(labels, probabilities)
    assert len(curves) == 3
    assert all(curve.largest_error < 0.06 for curve in curves)
    for label, curve in enumerate(curves):
        shares, _ = calibration_curve(labels == label, probabilities[:, label], n_bins=10)
        assert curve.shares == pytest.approx(shares)


def test_what_is_no_probability_is_refused() -> None:
    with pytest.raises(ExperimentError, match="not between 0 and 1"):
        reliability([True], [1.5])
    with pytest.raises(ExperimentError, match="not between 0 and 1"):
        reliability([True], [float("nan")])
    with pytest.raises(ExperimentError, match=r"\(0,\) events"):
        reliability([], [])


def test_recognition_holds_plain_numbers() -> None:
    found = recognition(np.array([0, 1, 1]), np.array([0, 1, 0]), 2)
    assert found == Recognition(3, ((1, 0), (1, 1)), 2 / 3, 0.75, pytest.approx(0.4))
    assert type(found.confusion[0][0]) is int
