"""When a photosite went bad: likelihoods of every onset in a time-ordered series; pure.

Fridrich and Goljan (2011) estimate a defect's parameters, its onset among them, from images in the
order of time, by maximum likelihood. The equations are reconstructed. With the residual W_k of
image k and the covariates ``x_k = (I_k, tau_k, 1)``, both over the noise expected in that sample,

    before the onset:   W_k ~ N(0, s0^2),
    from the onset on:  W_k ~ N(x_k . beta, s1^2),   beta = (K, D, c), K >= -1.

All sums that an onset needs are differences of cumulative sums, so that every onset of every
photosite costs the same few operations. Missing samples are NaN and drop out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

Floats = NDArray[np.float64]

COVARIATES = 3
PRIOR_SAMPLES = 4.0
"""How many samples of the expected noise the variances start from; none could then be zero."""

_LOWEST_RESPONSE = -1.0


@dataclass(frozen=True)
class BetaPrior:
    """Normal prior of beta = (K, D, c), in units of the noise's standard deviation s1.

    Attributes
    ----------
    mean, spread
        float64 of shape (pixels, 3); the spread as a standard deviation.
    """

    mean: Floats
    spread: Floats


@dataclass(frozen=True)
class SplitSums:
    """Sums over the samples before and from each onset on.

    Onset j of 0 ... n means: image j is the first with the defect; 0 in all, n in none.

    Attributes
    ----------
    before, after
        Numbers of samples, shape (n + 1, pixels).
    square_before, square_after
        Sums of W^2.
    cross
        Sums of x W from the onset on, shape (n + 1, pixels, 3).
    gram
        Sums of x x' from the onset on, shape (n + 1, pixels, 3, 3).
    """

    before: Floats
    after: Floats
    square_before: Floats
    square_after: Floats
    cross: Floats
    gram: Floats


@dataclass(frozen=True)
class Posterior:
    """Normal-inverse-gamma posterior of beta and s1^2 for each onset.

    Attributes
    ----------
    mean
        Of beta, shape (n + 1, pixels, 3).
    covariance
        Of beta over s1^2, shape (n + 1, pixels, 3, 3).
    samples
        Twice the shape of the inverse gamma, shape (n + 1, pixels).
    variance
        Its scale: the posterior's estimate of s1^2, shape (n + 1, pixels).
    """

    mean: Floats
    covariance: Floats
    samples: Floats
    variance: Floats


def split_sums(residuals: Floats, light: Floats, factors: Floats, noise: Floats) -> SplitSums:
    """Return the sums that every likelihood needs, for every onset.

    Parameters
    ----------
    residuals, light, noise
        W, I and the expected standard deviation of W, float64 of shape (images, pixels) in the
        order of time; a NaN in W is a missing sample.
    factors
        Exposure factors tau, float64 of shape (images,).
    """
    valid = ~np.isnan(residuals)
    weight = np.where(valid, 1.0 / np.where(valid, noise, 1.0), 0.0)
    outcome = np.where(valid, residuals, 0.0) * weight
    covariates = np.stack(
        [np.where(valid, light, 0.0) * weight, factors[:, None] * weight, weight], axis=-1
    )
    square_before, square_after = _both_sides(outcome**2)
    before, after = _both_sides(valid.astype(np.float64))
    return SplitSums(
        before,
        after,
        square_before,
        square_after,
        _from_onset_on(covariates * outcome[..., None]),
        _from_onset_on(covariates[..., :, None] * covariates[..., None, :]),
    )


def profile_log_likelihood(sums: SplitSums, prior: BetaPrior) -> Floats:
    """Return the log-likelihood of each onset, its parameters put at their best values.

    ``l(j) = -((n0 + v) ln s0^2 + (n1 + v) ln s1^2) / 2`` with ``s^2 = (S + v) / (n + v)`` over
    the n samples of a side, S their squared deviations and v = `PRIOR_SAMPLES`. A weak prior on
    beta keeps covariates apart that the images do not tell apart.

    Returns
    -------
    numpy.ndarray
        float64 of shape (n + 1, pixels); the same constant is left out of all.
    """
    deviations = _constrained(sums, prior)[1]
    return -0.5 * (
        _log_variance_term(sums.before, sums.square_before)
        + _log_variance_term(sums.after, deviations)
    )


def integrated_log_likelihood(sums: SplitSums, prior: BetaPrior) -> Floats:
    """Return the log-likelihood of each onset, its parameters integrated out.

    With the normal prior of beta and inverse gamma priors of both variances (conjugate, as in
    O'Hagan and Forster, Kendall's Advanced Theory of Statistics 2B, 2004, chapter 11); what an
    onset's posterior is made of. The lower limit of K is left out of the integral.

    Returns
    -------
    numpy.ndarray
        As of `profile_log_likelihood`.
    """
    posterior = posterior_of(sums, prior)
    deviations = posterior.variance * posterior.samples - PRIOR_SAMPLES
    _, log_determinant = np.linalg.slogdet(posterior.covariance)
    log_prior_determinant = 2 * np.log(prior.spread).sum(axis=-1)
    return (
        _integrated_variance(sums.before, sums.square_before)
        + _integrated_variance(sums.after, deviations)
        + 0.5 * (log_determinant - log_prior_determinant)
    )


def posterior_of(sums: SplitSums, prior: BetaPrior) -> Posterior:
    """Return what the samples from each onset on tell of beta and s1^2; K at least -1."""
    precision = _precision(sums, prior)
    mean, deviations = _constrained(sums, prior)
    samples = sums.after + PRIOR_SAMPLES
    covariance: Floats = np.linalg.inv(precision).astype(np.float64, copy=False)
    return Posterior(mean, covariance, samples, (deviations + PRIOR_SAMPLES) / samples)


def best_beta(sums: SplitSums, prior: BetaPrior, onsets: NDArray[np.int64]) -> Floats:
    """Return the best beta of each pixel for one onset each, shape (pixels, 3); K at least -1."""
    every = np.arange(len(onsets))

    def chosen(values: Floats) -> Floats:
        return values[onsets, every][None]

    at_onset = SplitSums(
        chosen(sums.before),
        chosen(sums.after),
        chosen(sums.square_before),
        chosen(sums.square_after),
        chosen(sums.cross),
        chosen(sums.gram),
    )
    return _constrained(at_onset, prior)[0][0]


def _constrained(sums: SplitSums, prior: BetaPrior) -> tuple[Floats, Floats]:
    """Return the best beta with K >= -1, and the squared deviations from it and the prior."""
    precision = _precision(sums, prior)
    own = prior.spread**-2
    target = sums.cross + own * prior.mean
    constant = sums.square_after + (own * prior.mean**2).sum(axis=-1)
    beta: Floats = np.linalg.solve(precision, target[..., None])[..., 0].astype(
        np.float64, copy=False
    )
    below = beta[..., 0] < _LOWEST_RESPONSE
    if below.any():
        # K stays at its limit, the other two are solved for what is left
        left = target[below][:, 1:] - _LOWEST_RESPONSE * precision[below][:, 1:, 0]
        others = np.linalg.solve(precision[below][:, 1:, 1:], left[..., None])[..., 0]
        beta[below] = np.concatenate([np.full((len(left), 1), _LOWEST_RESPONSE), others], axis=1)
    fitted = np.einsum("...a,...ab,...b->...", beta, precision, beta)
    deviations = constant - 2 * (beta * target).sum(axis=-1) + fitted
    return beta, np.maximum(deviations, 0.0)


def _precision(sums: SplitSums, prior: BetaPrior) -> Floats:
    return sums.gram + np.eye(COVARIATES) * (prior.spread**-2)[:, None, :]


def _log_variance_term(count: Floats, squares: Floats) -> Floats:
    samples = count + PRIOR_SAMPLES
    return samples * np.log((squares + PRIOR_SAMPLES) / samples)


def _integrated_variance(count: Floats, squares: Floats) -> Floats:
    half = (count + PRIOR_SAMPLES) / 2
    return gammaln(half) - half * np.log((squares + PRIOR_SAMPLES) / 2)


def _both_sides(values: Floats) -> tuple[Floats, Floats]:
    """Return sums before and from each onset on, shape (n + 1, ...)."""
    before = np.concatenate([np.zeros_like(values[:1]), np.cumsum(values, axis=0)])
    return before, _from_onset_on(values)


def _from_onset_on(values: Floats) -> Floats:
    # summed from the end: differences of large sums would lose the digits of short ends
    after = np.cumsum(values[::-1], axis=0)[::-1]
    return np.concatenate([after, np.zeros_like(values[:1])])
