"""Whether a difference between two experiments holds for other sessions than those judged; pure.

Had neither an advantage, each session would lean to the one as often as to the other: the sign of
its difference is a coin's. The networks are taken as they were trained.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import ArrayLike

from training.experiments.errors import ExperimentError


@dataclass(frozen=True)
class SignFlipTest:
    """A difference against what it would be, were the signs of its sessions left to chance.

    Attributes
    ----------
    p_value
        Two-sided.
    smallest_p
        What it would be, did all sessions lean one way.
    sessions
        How many there are.
    """

    p_value: float
    smallest_p: float
    sessions: int


def sign_flip_test(differences: ArrayLike, *, samples: int = 9999, seed: int = 0) -> SignFlipTest:
    """Test the sum of the sessions' differences by flipping their signs.

    All ways to flip them are enumerated when there are at most ``samples``; otherwise as many are
    drawn and the true one is added, which keeps the test valid (Phipson and Smyth 2010).

    Parameters
    ----------
    differences
        What each session adds to the difference, shape (sessions,), at least one.
    samples
        Most ways to compare.
    seed
        Seed of the drawing.

    Raises
    ------
    ExperimentError
        If there are no sessions.
    """
    values = np.asarray(differences, np.float64)
    if values.ndim != 1 or not len(values):
        raise ExperimentError(f"sign flips: {values.shape} sessions, expected at least one")
    if 2 ** len(values) <= samples:
        signs = np.array(list(product((1.0, -1.0), repeat=len(values))))
        # all to one side, and all to the other
        smallest = 2 / len(signs)
    else:
        drawn = np.random.default_rng(seed).choice((1.0, -1.0), (samples, len(values)))
        signs = np.concatenate([np.ones((1, len(values))), drawn])
        smallest = 1 / len(signs)
    sums = np.abs(signs @ values)
    # Equal sums may differ in the last bits.
    p_value = float(np.mean(sums >= sums[0] - 1e-9))
    return SignFlipTest(p_value, smallest, len(values))
