"""How strong the trace of a random population of defects is, all together; pure.

An ideal observer who knows the places adds up a score of each defect: the squares of their d' where
every frame shows all of them, another score where frames see now this part of the sensor and now
that. Their number is a Poisson number, so the sum is a compound Poisson one, which Panjer's
recursion gives without simulation.
"""

from __future__ import annotations

from math import exp

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf, ndtri

from training.power.errors import PlanError

Floats = NDArray[np.float64]

_CELLS = 1024
_LARGEST_MEAN = 200.0


def scores_of(d_primes: Floats, seen_share: float) -> Floats:
    """Return what each defect adds to the evidence of a frame.

    Its d'^2 where every frame shows it. Where each frame shows it with probability q by itself,
    ``-ln(1 - q h)`` with ``h = 2 Phi(d'/2) - 1`` (ours): ``1 - h`` is ``erfc(sqrt(d'^2 / 8))``, a
    completely monotone function of d'^2, so the product of the factors is never above what is left
    to chance with all defects together. The accuracy that follows is therefore never too low, and
    exact for one defect and for strong ones.

    Parameters
    ----------
    d_primes
        Of the defects, any shape.
    seen_share
        q; 1 where every frame shows all of them.
    """
    if seen_share >= 1:
        return np.asarray(d_primes**2, np.float64)
    return np.asarray(-np.log1p(-seen_share * erf(d_primes / np.sqrt(8))), np.float64)


def d_primes_of_scores(sums: Floats, seen_share: float) -> Floats:
    """Return the d' of a frame that sees so much evidence, the inverse of :func:`scores_of`."""
    if seen_share >= 1:
        return np.sqrt(sums)
    return np.asarray(-2 * ndtri(0.5 * np.exp(-sums)), np.float64)


def largest_score(d_prime: float, seen_share: float) -> float:
    """Return the sum of scores from which on frames lie at least d' apart."""
    if seen_share >= 1:
        return d_prime**2
    return float(-np.log1p(-erf(d_prime / np.sqrt(8))))


def summed_scores(
    mean: float, scores: Floats, shares: Floats, largest: float
) -> tuple[Floats, Floats]:
    """Return the distribution of the sum of scores over a Poisson number of defects.

    Panjer 1981, on a lattice; each score is shared between its two neighbours in the lattice, so
    the mean is kept. The chance of no defect at all stays exact.

    Parameters
    ----------
    mean
        Expected number of defects.
    scores, shares
        Of the defects, shape (kinds,); the shares add up to 1.
    largest
        Sums from here on are one: what they prove is proved.

    Returns
    -------
    values, chances
        float64, shape (cells,): the sums, from 0 to `largest`, and their probabilities.
    """
    if mean < 0 or largest <= 0:
        raise PlanError(f"{mean} defects up to a sum of {largest}: impossible")
    step = largest / (_CELLS - 1)
    place = np.minimum(scores / step, _CELLS - 1)
    below = np.floor(place).astype(np.int64)
    above = np.minimum(below + 1, _CELLS - 1)
    one = np.zeros(_CELLS)
    np.add.at(one, below, shares * (1 - (place - below)))
    np.add.at(one, above, shares * (place - below))

    halvings = 0
    while mean / 2**halvings > _LARGEST_MEAN:
        halvings += 1
    part = mean / 2**halvings
    # sums beyond the lattice go to its last cell, which therefore takes no part in the recursion
    weights = np.arange(_CELLS) * one
    weights[-1] = 0.0
    chances: Floats = np.zeros(_CELLS)
    chances[0] = exp(-part * (1 - one[0]))
    for cell in range(1, _CELLS - 1):
        chances[cell] = part / cell * (weights[1 : cell + 1] @ chances[cell - 1 :: -1][:cell])
    for _ in range(halvings):
        chances = np.asarray(np.convolve(chances, chances)[:_CELLS], np.float64)
        chances[-1] = 0.0
    chances[-1] = max(0.0, 1.0 - float(chances.sum()))
    return np.linspace(0.0, largest, _CELLS, dtype=np.float64), chances
