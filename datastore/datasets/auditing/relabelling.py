"""Labels handed out anew to whole sessions: what chance could have done; pure functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from math import factorial, prod

import numpy as np
from numpy.typing import ArrayLike, NDArray

Codes = NDArray[np.int64]


@dataclass(frozen=True)
class Relabellings:
    """Ways to hand the sessions' labels out, the true one first.

    Attributes
    ----------
    codes
        Class code of every session, int64, shape (relabellings, sessions).
    exact
        Whether these are all there are.
    alike
        How many of all relabellings only exchange the names of classes of the same size: a
        statistic that does not know the names cannot tell them from the true one.
    """

    codes: Codes
    exact: bool
    alike: int

    @property
    def smallest_p(self) -> float:
        """The p-value that perfect recognition would get."""
        return 1 / len(self.codes)

    @property
    def smallest_p_of_association(self) -> float:
        """The p-value that perfect association would get, whichever way round."""
        return (self.alike if self.exact else 1) / len(self.codes)


def relabel_sessions(
    session_labels: ArrayLike,
    session_strata: ArrayLike | None = None,
    *,
    samples: int = 1999,
    seed: int = 0,
) -> Relabellings:
    """Return all ways to hand labels out anew within strata, or a sample of them.

    Parameters
    ----------
    session_labels
        Class code of each session, shape (sessions,).
    session_strata
        Group of each session within which labels may be exchanged, such as the set of cameras that
        took part; one group by default.
    samples
        Most relabellings to enumerate. Where there are more, as many are drawn and the true one is
        added, which keeps tests valid (Phipson and Smyth 2010).
    seed
        Seed of the drawing.
    """
    codes = np.asarray(session_labels, np.int64)
    strata = np.zeros(len(codes), int) if session_strata is None else np.asarray(session_strata)
    exact = relabelling_count(codes, strata) <= samples
    ways = (
        _all_relabellings(codes, strata)
        if exact
        else _drawn_relabellings(codes, strata, samples, seed)
    )
    table = np.array(list(ways))
    first = int(np.flatnonzero((table == codes).all(axis=1))[0])
    table[[0, first]] = table[[first, 0]]
    return Relabellings(table, exact, _alike(codes, strata))


def relabelling_count(session_labels: ArrayLike, session_strata: ArrayLike | None = None) -> int:
    """Return how many ways there are to hand the sessions' labels out anew within their strata.

    Parameters
    ----------
    session_labels
        Class of each session, shape (sessions,).
    session_strata
        Stratum of each session; one for all by default.
    """
    labels = np.asarray(session_labels)
    strata = np.zeros(len(labels), int) if session_strata is None else np.asarray(session_strata)
    total = 1
    for stratum in np.unique(strata):
        counts = np.unique(labels[strata == stratum], return_counts=True)[1].tolist()
        total *= factorial(sum(counts)) // prod(factorial(count) for count in counts)
    return total


def _alike(codes: Codes, strata: NDArray[np.generic]) -> int:
    sizes = Counter(
        tuple(int(((codes == label) & (strata == stratum)).sum()) for stratum in np.unique(strata))
        for label in np.unique(codes)
    )
    return prod(factorial(times) for times in sizes.values())


def _arrangements(codes: Codes) -> Iterator[Codes]:
    """Yield the distinct orders of a multiset of class codes."""
    present = np.unique(codes)
    if len(present) == 1:
        yield codes.copy()
        return
    label, places = present[0], np.arange(len(codes))
    others = codes[codes != label]
    for chosen in combinations(range(len(codes)), int((codes == label).sum())):
        rest = np.setdiff1d(places, chosen)
        for arrangement in _arrangements(others):
            order = np.full(len(codes), label)
            order[rest] = arrangement
            yield order


def _all_relabellings(codes: Codes, strata: NDArray[np.generic]) -> Iterator[Codes]:
    stratum, remaining = strata == strata[0], strata != strata[0]
    for arrangement in _arrangements(codes[stratum]):
        order = np.empty_like(codes)
        order[stratum] = arrangement
        if not remaining.any():
            yield order
            continue
        for rest in _all_relabellings(codes[remaining], strata[remaining]):
            order = order.copy()
            order[remaining] = rest
            yield order


def _drawn_relabellings(
    codes: Codes, strata: NDArray[np.generic], samples: int, seed: int
) -> Iterator[Codes]:
    generator = np.random.default_rng(seed)
    members = [np.flatnonzero(strata == stratum) for stratum in np.unique(strata)]
    yield codes
    for _ in range(samples):
        order = codes.copy()
        for places in members:
            order[places] = generator.permutation(codes[places])
        yield order
