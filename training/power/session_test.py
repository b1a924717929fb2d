"""What sessions can prove: relabellings, the smallest p, and the power of the test; pure.

The session is the unit of inference: `training.statistics.session_permutation_test` hands labels
out anew to whole sessions. Here is what to expect of it before there is data.
"""

from __future__ import annotations

from math import ceil, factorial

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from datastore.datasets.auditing.relabelling import relabel_sessions
from training.power.errors import PlanError

Floats = NDArray[np.float64]

MOST_SESSIONS = 40
_DRAWS = 2000
_RELABELLINGS = 999
_RELABELLINGS_BELOW_ALPHA = 10
_SEED = 20_221


def relabellings(test_sessions: int, classes: int = 2) -> int:
    """Return in how many ways labels can be handed out to classes of so many sessions each."""
    if test_sessions < 1 or classes < 2:
        raise PlanError(f"{classes} classes of {test_sessions} test sessions: too few for a test")
    return factorial(classes * test_sessions) // factorial(test_sessions) ** classes


def smallest_p(test_sessions: int, classes: int = 2) -> float:
    """Return the p-value that perfect recognition would get."""
    return 1 / relabellings(test_sessions, classes)


def sessions_needed(alpha: float, classes: int = 2) -> int:
    """Return the fewest test sessions a class with which some p lies below alpha.

    Raises
    ------
    PlanError
        If alpha is not between 0 and 1.
    """
    if not 0 < alpha < 1:
        raise PlanError(f"alpha {alpha}: must lie between 0 and 1")
    sessions = 1
    while smallest_p(sessions, classes) >= alpha:
        sessions += 1
    return sessions


def accuracy_of(d_prime: ArrayLike, session_offset_sd: float = 0.0) -> Floats:
    """Return the mean share of frames recognised where two classes lie d' apart.

    ``Phi(d'/2 / sqrt(1 + s^2))``: the answer is the side of the middle on which the frame's
    evidence lies, and each session moves all its frames by a normal offset of deviation s.
    """
    return np.asarray(ndtr(np.asarray(d_prime, np.float64) / 2 / np.sqrt(1 + session_offset_sd**2)))


def d_prime_of_accuracy(accuracy: float, session_offset_sd: float = 0.0) -> float:
    """Return the d' of a frame with which frames are recognised at a given accuracy."""
    if not 0.5 <= accuracy < 1:
        raise PlanError(f"accuracy {accuracy}: must lie from 0.5 to below 1")
    return float(2 * ndtri(accuracy) * np.sqrt(1 + session_offset_sd**2))


def permutation_power(
    d_prime: ArrayLike,
    test_sessions: int,
    frames: int,
    alpha: float,
    *,
    session_offset_sd: float = 0.0,
) -> Floats:
    """Return how often the permutation test of two classes gets a p below alpha.

    The test itself is played on sessions drawn with a fixed seed, for no closed form holds where so
    few sessions tie so often: accurate to about 0.01. The same draws serve every d', so the power
    never falls as d' grows.

    Parameters
    ----------
    d_prime
        Between the two classes' frames, in deviations of a frame's noise, shape (n,) or a number.
    test_sessions
        Sessions a class in the test block.
    frames
        Independent frames of a session.
    alpha
        Level.
    session_offset_sd
        Deviation of the offset that a session gives all its frames, trace or not, in the same unit.

    Returns
    -------
    ndarray
        float64 of d_prime's shape.
    """
    halves = np.atleast_1d(np.asarray(d_prime, np.float64)) / 2
    if frames < 1:
        raise PlanError(f"frames {frames}: a session needs one at least")
    if smallest_p(test_sessions) >= alpha:
        return np.zeros(np.shape(d_prime))
    generator = np.random.default_rng(_SEED)
    later = np.repeat([0, 1], test_sessions)
    scores = np.empty((len(halves), _DRAWS, 2 * test_sessions), np.float32)
    for session, side in enumerate(np.where(later == 1, 1.0, -1.0)):
        offset = session_offset_sd * generator.standard_normal((_DRAWS, 1))
        dice = generator.random((_DRAWS, frames))
        for place, half in enumerate(halves):
            scores[place, :, session] = (dice < ndtr(side * half + offset)).sum(axis=1)
    samples = max(_RELABELLINGS, ceil(_RELABELLINGS_BELOW_ALPHA / alpha))
    ways = relabel_sessions(later, samples=samples, seed=_SEED).codes.astype(np.float32)
    power = np.empty(len(halves))
    for place, answers in enumerate(scores):
        # counts are whole numbers, so ties are exact
        sums = answers @ ways.T
        p_values = (sums >= sums[:, :1]).mean(axis=1)
        power[place] = (p_values < alpha).mean()
    return power.reshape(np.shape(d_prime))


def sessions_for_power(
    d_prime: float, frames: int, alpha: float, wanted: float, *, session_offset_sd: float = 0.0
) -> int | None:
    """Return the fewest test sessions a class that reach a power; None if 40 do not."""

    def reached(sessions: int) -> bool:
        power = permutation_power(
            d_prime, sessions, frames, alpha, session_offset_sd=session_offset_sd
        )
        return float(power) >= wanted

    low = sessions_needed(alpha)
    if reached(low):
        return low
    if not reached(MOST_SESSIONS):
        return None
    high = MOST_SESSIONS
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high
