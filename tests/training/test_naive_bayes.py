"""Naive Bayes against scikit-learn and scipy, and on simulated cameras."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from sklearn.naive_bayes import GaussianNB

from tests.support.estimator_worlds import make_world
from training.estimators.errors import EstimatorError
from training.estimators.known_defects import KnownDefect
from training.estimators.naive_bayes import KernelNaiveBayes, NaiveBayes, log_likelihood

Floats = NDArray[np.float64]


def _features() -> tuple[Floats, NDArray[np.int64], Floats]:
    generator = np.random.default_rng(1)
    numbers = np.repeat(np.arange(3), 20)
    learned = generator.normal(size=(60, 4)) * (1 + numbers[:, None]) + 2 * numbers[:, None]
    return learned, numbers.astype(np.int64), generator.normal(size=(10, 4)) * 4


def test_gaussian_densities_are_those_of_scikit_learn() -> None:
    learned, numbers, asked = _features()
    ours = log_likelihood(asked, learned, numbers, 3, "gaussian", prior_samples=0.0)
    peer = GaussianNB(priors=[1 / 3] * 3, var_smoothing=0.0).fit(learned, numbers)
    expected = peer.predict_joint_log_proba(asked) + np.log(3)
    np.testing.assert_allclose(ours, expected, rtol=1e-9)


def test_kernel_densities_are_those_of_scipy() -> None:
    learned, numbers, asked = _features()
    ours = log_likelihood(asked, learned, numbers, 3, "kernel", least_bandwidth=0.0)
    for number in range(3):
        own = learned[numbers == number]
        expected = sum(
            stats.gaussian_kde(own[:, pixel], "silverman").logpdf(asked[:, pixel])
            for pixel in range(4)
        )
        np.testing.assert_allclose(ours[:, number], expected, rtol=1e-9)


@pytest.mark.parametrize("density", ["gaussian", "kernel"])
def test_missing_samples_say_nothing(density: str) -> None:
    learned, numbers, asked = _features()
    asked[:, 2] = np.nan
    holes = learned.copy()
    holes[::7, 0] = np.nan
    without = np.delete(asked, 2, axis=1), np.delete(holes, 2, axis=1)
    np.testing.assert_allclose(
        log_likelihood(asked, holes, numbers, 3, density),  # type: ignore[arg-type]
        log_likelihood(*without, numbers, 3, density),  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("density", ["gaussian", "kernel"])
def test_a_class_that_never_shows_a_photosite_gains_nothing_by_it(density: str) -> None:
    learned, numbers, asked = _features()
    never = learned.copy()
    never[numbers == 1, 3] = np.nan
    np.testing.assert_allclose(
        log_likelihood(asked, never, numbers, 3, density),  # type: ignore[arg-type]
        log_likelihood(asked[:, :3], learned[:, :3], numbers, 3, density),  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("kind", [NaiveBayes, KernelNaiveBayes])
def test_a_ledger_alone_is_enough(kind: type[NaiveBayes]) -> None:
    world = make_world(d_prime=8.0, timeslots=4, images_per_timeslot=16, seed=31)
    known = [KnownDefect(int(row), int(column)) for row, column in world.places]
    fitted = kind(known, searches=False, seed=1).fit(world.trusted, world.timeslots)
    np.testing.assert_array_equal(np.sort(fitted.places_, axis=0), np.sort(world.places, axis=0))
    predicted = fitted.predict(world.questioned)
    right = (predicted.data == world.questioned_timeslots) & ~np.ma.getmaskarray(predicted)
    assert right.mean() >= 0.7
    chosen = {(one["row"], one["column"]): one["by_exposure"] for one in fitted.facts()["defects"]}
    # most photosites are read in the way in which their defect grows
    agree = [chosen[row, column] == dark for (row, column), dark in zip(
        world.places.tolist(), world.is_dark.tolist(), strict=True)]  # fmt: skip
    assert np.mean(agree) >= 0.7


def test_defects_from_before_the_first_session_tell_no_age() -> None:
    world = make_world(d_prime=8.0, timeslots=3, images_per_timeslot=12, seed=32)
    known = [
        KnownDefect(int(row), int(column), pre_existing=place > 0)
        for place, (row, column) in enumerate(world.places)
    ]
    fitted = NaiveBayes(known, searches=False).fit(world.trusted, world.timeslots)
    np.testing.assert_array_equal(fitted.places_, world.places[:1])
    # nor does a search bring them back
    searched = NaiveBayes(known, seed=1).fit(world.trusted, world.timeslots).places_
    old = {tuple(place) for place in world.places[1:].tolist()}
    assert not old & {tuple(place) for place in searched.tolist()}


def test_without_anything_to_use_it_is_refused() -> None:
    with pytest.raises(EstimatorError, match="no ledger and no search"):
        NaiveBayes(searches=False)
