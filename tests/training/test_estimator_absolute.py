"""Absolute ages by prior and watch together: their limits, and how often these hold the truth."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import integrate, stats

from training.defects.absolute_age import age_from_measured_rate, age_from_prior_rate
from training.estimators.absolute import age_from_prior_and_watch
from training.estimators.errors import EstimatorError
from training.power.growth import GrowthRate

PRIOR = GrowthRate(6.0, 2.0, 18.0, "prior")
SPREAD = np.log(3) / stats.norm.ppf(0.975)


def test_without_a_watch_it_is_the_age_by_the_prior() -> None:
    alone = age_from_prior_rate(12, PRIOR)
    both = age_from_prior_and_watch(12, PRIOR)
    assert (both.low_years, both.high_years) == pytest.approx(
        (alone.low_years, alone.high_years), rel=1e-3
    )
    assert both.years == pytest.approx(alone.years, rel=1e-6)


def test_after_a_long_watch_the_prior_counts_for_nothing() -> None:
    measured = age_from_measured_rate(400, 1000, 50.0)
    both = age_from_prior_and_watch(400, PRIOR, arisen=1000, watched_years=50.0)
    assert both.years == pytest.approx(measured.years, rel=0.01)
    assert both.low_years == pytest.approx(measured.low_years, rel=0.01)
    assert measured.high_years is not None
    assert both.high_years == pytest.approx(measured.high_years, rel=0.01)


def test_limits_are_where_the_count_becomes_improbable() -> None:
    age = age_from_prior_and_watch(9, PRIOR, arisen=2, watched_years=0.5)

    def weight(deviate: float) -> float:
        rate = 6.0 * np.exp(SPREAD * deviate)
        return float(stats.norm.pdf(deviate) * stats.poisson.pmf(2, rate * 0.5))

    total = integrate.quad(weight, -8, 8)[0]
    for years, share in (
        (age.low_years, lambda mean: stats.poisson.sf(8, mean)),
        (age.high_years, lambda mean: stats.poisson.cdf(9, mean)),
    ):
        found = integrate.quad(
            lambda z, t=years, s=share: weight(z) * s(6.0 * np.exp(SPREAD * z) * t), -8, 8
        )
        assert found[0] / total == pytest.approx(0.025, rel=1e-3)


def test_more_gain_shows_more_defects_of_the_same_age() -> None:
    plain = age_from_prior_and_watch(9, PRIOR, arisen=2, watched_years=0.5)
    gained = age_from_prior_and_watch(
        18, PRIOR, arisen=4, watched_years=0.5, visibility=2.0, watch_visibility=2.0
    )
    assert gained.years == pytest.approx(plain.years, rel=0.15)
    # the same numbers under twice the visibility are half as old
    half = age_from_prior_and_watch(9, PRIOR, visibility=2.0)
    whole = age_from_prior_and_watch(9, PRIOR)
    assert half.low_years == pytest.approx(whole.low_years / 2, rel=1e-6)
    assert half.high_years == pytest.approx(whole.high_years / 2, rel=1e-6)


@pytest.mark.parametrize("watched_years", [0.0, 0.5, 3.0])
def test_intervals_hold_the_true_age_as_often_as_they_say(
    watched_years: float, record_property: Callable[[str, object], None]
) -> None:
    generator = np.random.default_rng(3)
    hits, widths = [], []
    for _ in range(200):
        rate = 6.0 * np.exp(SPREAD * generator.normal())
        true_age = generator.uniform(0.5, 6.0)
        age = age_from_prior_and_watch(
            int(generator.poisson(rate * true_age)),
            PRIOR,
            arisen=int(generator.poisson(rate * watched_years)),
            watched_years=watched_years,
        )
        assert age.high_years is not None
        hits.append(age.low_years <= true_age <= age.high_years)
        widths.append(age.high_years - age.low_years)
    record_property("coverage", float(np.mean(hits)))
    record_property("median width in years", round(float(np.median(widths)), 2))
    # nominally 95 %, more where counts are small whole numbers; 3 standard errors below
    assert np.mean(hits) >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / 200)


def test_the_longer_the_watch_the_narrower_the_age() -> None:
    widths = []
    for watched_years in (0.0, 1.0, 4.0, 16.0):
        arisen = int(6 * watched_years)
        age = age_from_prior_and_watch(24, PRIOR, arisen=arisen, watched_years=watched_years)
        assert age.high_years is not None and age.low_years < 4.0 < age.high_years
        widths.append(age.high_years - age.low_years)
    assert (np.diff(widths) < 0).all()
    assert widths[-1] < 0.4 * widths[0]


def test_requests_that_mean_nothing_are_refused() -> None:
    for wrong in (
        {"arisen": 3},
        {"arisen": -1, "watched_years": 1.0},
        {"visibility": 0.0},
        {"confidence": 1.0},
    ):
        with pytest.raises(EstimatorError):
            age_from_prior_and_watch(3, PRIOR, **wrong)
    with pytest.raises(EstimatorError, match="above"):
        age_from_prior_and_watch(3, GrowthRate(1.0, 0.0, 2.0, "no lower limit"))
