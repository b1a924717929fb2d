"""The common factor of many defects' signals, some of which misbehave; pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.defects.fit import Floats

FEWEST_DEFECTS = 5
"""Fewer defects do not make a common factor."""
MAD_TO_SIGMA = 1.4826
"""Standard deviation over median absolute deviation of a normal distribution."""
BISQUARE = 4.685
"""Residuals beyond so many spreads count nothing (Beaton and Tukey 1974)."""

_ROUNDS = 20
_TOLERANCE = 1e-5
_BRIGHT_SIGMAS = 5.0
_COUNTING_WEIGHT = 0.1


@dataclass(frozen=True)
class ScaleFit:
    """A common factor.

    Attributes
    ----------
    scale, error
        The factor and its standard error; 1 and NaN where too few defects tell.
    defects
        How many count; zero where too few do.
    weights
        float64 of shape (defects,), the bisquare weight of each; 1 where it was not measured.
    """

    scale: float
    error: float
    defects: int
    weights: Floats


def fit_scale(signal: Floats, expected: Floats, sigma: Floats) -> ScaleFit:
    """Fit ``signal = scale expected`` by bisquare weights.

    Residuals are judged against the noise and a share of the signal that is estimated from the
    bright ones, as defects differ in more than noise. The error is that of the sandwich estimator
    (Huber 1967), at least what the noise gives.

    Parameters
    ----------
    signal, expected
        Shape (defects,); NaN, and expectations that are not positive, do not count.
    sigma
        Standard error of each signal, positive.
    """
    weights = np.ones(len(signal))
    usable = np.isfinite(expected) & np.isfinite(signal) & (np.nan_to_num(expected) > 0)
    if np.count_nonzero(usable) < FEWEST_DEFECTS:
        return ScaleFit(1.0, np.nan, 0, weights)
    y, x, noise = signal[usable], expected[usable], sigma[usable]
    scale = _weighted_median(y / x, x / noise)
    for _ in range(_ROUNDS):
        deviation = np.hypot(noise, _own_share(y, x, noise, scale) * max(scale, 0.0) * x)
        residual = (y - scale * x) / deviation
        spread = max(MAD_TO_SIGMA * float(np.median(np.abs(residual))), 1.0)
        weight = np.maximum(1 - (residual / (BISQUARE * spread)) ** 2, 0.0) ** 2
        information = float(np.sum(weight * (x / deviation) ** 2))
        if information <= 0:
            break
        previous, scale = scale, float(np.sum(weight * x * y / deviation**2) / information)
        if abs(scale - previous) <= _TOLERANCE * abs(scale):
            break
    weights[usable] = weight
    count = int(np.count_nonzero(weight > _COUNTING_WEIGHT))
    if count < FEWEST_DEFECTS:
        return ScaleFit(1.0, np.nan, 0, weights)
    residual = (y - scale * x) / deviation
    empirical = float(np.sum((weight * residual * x / deviation) ** 2)) * count / (count - 1)
    formal = float(np.sum((weight * x / deviation) ** 2))
    return ScaleFit(scale, float(np.sqrt(max(empirical, formal))) / information, count, weights)


def _own_share(y: Floats, x: Floats, noise: Floats, scale: float) -> float:
    """Return the scatter of bright defects beyond their noise, as a share of their signal."""
    bright = scale * x > _BRIGHT_SIGMAS * noise
    if scale <= 0 or np.count_nonzero(bright) < FEWEST_DEFECTS:
        return 0.0
    relative = (y - scale * x)[bright] / (scale * x[bright])
    scatter = MAD_TO_SIGMA * float(np.median(np.abs(relative)))
    own = float(np.median(noise[bright] / (scale * x[bright])))
    return float(np.sqrt(max(scatter**2 - own**2, 0.0)))


def _weighted_median(values: Floats, weights: Floats) -> float:
    order = np.argsort(values)
    cumulative = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(cumulative, cumulative[-1] / 2)])
