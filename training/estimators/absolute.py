"""Absolute age from a count of defects, a prior of the device and its own growth together; pure.

`training.defects.absolute_age` counts back by measured growth or by the prior, each alone. A camera
that was watched for a short time has few new defects, which leave its age open above; the prior of
its pitch and ISO alone leaves a factor of three. Here the watch sharpens the prior: the posterior
of the rate is log-normal prior times Poisson likelihood of what arose, and the count is a Poisson
number of the age times a rate of that posterior (reconstructed).
"""

from __future__ import annotations

from math import inf, log

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from training.defects.absolute_age import Age
from training.estimators.errors import EstimatorError
from training.power.growth import GrowthRate

_NODES = 2001
_REACH = 8.0
"""Of the prior's rates that count, in its standard deviations."""


def age_from_prior_and_watch(
    count: int,
    prior: GrowthRate,
    *,
    arisen: int = 0,
    watched_years: float = 0.0,
    visibility: float = 1.0,
    watch_visibility: float = 1.0,
    confidence: float = 0.95,
) -> Age:
    """Return the age at which a sensor has so many defects.

    Limits are the ages at which a count at least, or at most, as large has the probability
    (1 - confidence) / 2, the rate averaged over its posterior. Coverage holds on the average over
    sensors whose rates are spread as the prior says.

    Parameters
    ----------
    count
        Defects whose age is asked for, none of which is among ``arisen``; of the newest epoch
        alone where pixels were mapped out.
    prior
        95 % between its limits, such as `training.power.growth.prior_growth` gives.
    arisen, watched_years
        New defects of the camera's ledger, and how long it was watched; 0 and 0.0 for the prior
        alone.
    visibility, watch_visibility
        Defects that the conditions (ISO, temperature) of the count, and of the watch, show for one
        that the prior's show; see `training.defects.absolute_age.visibility_ratio`.
    confidence
        Of the interval.

    Raises
    ------
    EstimatorError
        If a count or the watch is negative, defects arose in no time, or rates, visibilities or
        the confidence are not above 0.
    """
    _require(count, prior, arisen, watched_years, visibility, watch_visibility, confidence)
    rates, weights = _posterior(prior, arisen, watched_years * watch_visibility)
    seen = rates * visibility
    tail = (1 - confidence) / 2

    def at_least(years: float) -> float:
        return float(weights @ stats.poisson.sf(count - 1, seen * years))

    def at_most(years: float) -> float:
        return float(weights @ stats.poisson.cdf(count, seen * years))

    slowest = float(seen[weights > 0].min())
    longest = float(stats.gamma.ppf(1 - tail / 10, count + 1)) / slowest
    low = 0.0
    if count > 0:
        low = float(optimize.brentq(lambda years: at_least(years) - tail, 0.0, longest))
    high = float(optimize.brentq(lambda years: at_most(years) - tail, 0.0, longest))
    middle = float(np.exp(weights @ np.log(seen)))
    watched = f", and {arisen} new defects in {watched_years:.2f} years" if watched_years else ""
    return Age(
        count / middle, low, high, confidence, count, prior.source + watched,
        "an age without defects",
    )  # fmt: skip


def _posterior(
    prior: GrowthRate, arisen: int, exposure_years: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return rates and their weights after the watch, on a grid that holds both."""
    spread = log(prior.high_per_year / prior.low_per_year) / (2 * float(stats.norm.ppf(0.975)))
    middle = log(prior.high_per_year * prior.low_per_year) / 2
    low, high = middle - _REACH * spread, middle + _REACH * spread

    def log_density(logs: NDArray[np.float64]) -> NDArray[np.float64]:
        prior_part = -0.5 * ((logs - middle) / spread) ** 2
        return prior_part + arisen * logs - np.exp(logs) * exposure_years

    # many defects under watch make the posterior far narrower than the prior: look twice
    for _ in range(2):
        logs = np.linspace(low, high, _NODES)
        density = log_density(logs)
        kept = logs[density > density.max() - 0.5 * _REACH**2]
        step = float(logs[1] - logs[0])
        low, high = float(kept[0]) - step, float(kept[-1]) + step
    weights = np.exp(density - density.max())
    return np.exp(logs), weights / weights.sum()


def _require(
    count: int,
    prior: GrowthRate,
    arisen: int,
    watched_years: float,
    visibility: float,
    watch_visibility: float,
    confidence: float,
) -> None:
    if min(count, arisen) < 0 or watched_years < 0:
        raise EstimatorError(
            f"count {count}, arisen {arisen}, watched_years {watched_years}: none is negative"
        )
    if arisen > 0 and watched_years == 0:
        raise EstimatorError(f"{arisen} defects arose in no time: give the years of the watch")
    if not 0 < prior.low_per_year < prior.high_per_year < inf:
        raise EstimatorError(
            f"a prior from {prior.low_per_year} to {prior.high_per_year} a year: both must be above"
            " 0 and differ"
        )
    if min(visibility, watch_visibility) <= 0 or not 0 < confidence < 1:
        raise EstimatorError(
            f"visibility {visibility} and {watch_visibility} must be above 0, confidence"
            f" {confidence} a share between 0 and 1"
        )
