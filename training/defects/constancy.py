"""Whether defects arose at a constant rate, tested on onsets known to intervals only; pure.

Under a constant rate and a given number of defects, onsets fall into the gaps between dark
sessions with probabilities in proportion to the years watched: a multinomial draw, from which
p-values come by Monte Carlo. An onset interval that spans several gaps spreads its defect over them
with these probabilities (the expectation step of an EM algorithm, under the hypothesis). Such
expected counts vary less than counts. By how much is known if sessions overlook defects whatever
their onset: the covariance of counts less that within the intervals (Louis, JRSS B 44, 1982). The
draws are shrunk to that covariance. So the tests are exact where every interval is one gap, and
else right for large counts, whatever made the intervals wide (reconstructed).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special, stats

from training.defects.errors import LedgerError
from training.defects.growth import Dated
from training.defects.watch import Watch

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Verdict = Literal["constant", "not constant", "inconclusive"]

_LARGEST_CHANGE = 1e12


@dataclass(frozen=True)
class Constancy:
    """What the onsets say of a constant rate.

    Attributes
    ----------
    count
        Defects whose onset lies in watched gaps.
    expected_counts, constant_counts
        Defects of each gap: from the onset intervals, and those of a constant rate.
    trend_p, scatter_p
        Monte-Carlo p-values: of a rate that rises or falls, and of gaps that hold more or fewer
        defects than chance allows.
    p_value
        Twice the smaller of both, at most 1 (Bonferroni).
    smallest_p
        The smallest `p_value` that so many defects in such gaps could have given.
    change, change_low, change_high
        Rate at the end of the watch over that at its beginning, log-linear in exposure, by
        maximum likelihood on the onset intervals, and its profile-likelihood interval (an
        approximation for large counts). The change is None where the likelihood has no maximum
        (all onsets in the last gap, say), the upper limit where every larger change is possible.
    alpha
        Level of the test; the interval has confidence 1 - alpha.
    tolerance
        Factor by which the rate may change and still be called constant.
    verdict
        Not constant: p below alpha. Constant: p is not, and the interval of the change lies
        within the tolerance either way. Else inconclusive: the data cannot tell.
    """

    count: int
    expected_counts: tuple[float, ...]
    constant_counts: tuple[float, ...]
    trend_p: float
    scatter_p: float
    p_value: float
    smallest_p: float
    change: float | None
    change_low: float
    change_high: float | None
    alpha: float
    tolerance: float
    verdict: Verdict


def constancy_of(
    defects: Sequence[Dated],
    watch: Watch,
    *,
    seed: int,
    simulations: int = 1999,
    alpha: float = 0.05,
    tolerance: float = 2.0,
) -> Constancy:
    """Test whether the rate was constant over the watch.

    Parameters
    ----------
    defects
        Of a ledger; pre-existing ones do not count, nor those whose interval holds no watched
        time.
    watch
        The dark sessions. Gaps that were not watched have no exposure and take no defect.
    seed
        Of the Monte-Carlo draws.
    simulations
        How many ledgers are drawn; p-values are (1 + as extreme ones) / (1 + simulations).
    alpha, tolerance
        As in :class:`Constancy`.

    Raises
    ------
    LedgerError
        If an onset interval does not begin and end with dark sessions of the watch, or no gap
        was watched.
    """
    years = watch.exposure_years()
    if years <= 0:
        raise LedgerError("no gap was watched: every dark session begins an epoch")
    probabilities = watch.gap_exposure_years / years
    intervals = _gap_intervals(defects, watch)
    edges = np.concatenate([[0.0], np.cumsum(probabilities)])
    intervals = intervals[edges[intervals[:, 1]] > edges[intervals[:, 0]]]
    count = len(intervals)
    expected = np.zeros(len(probabilities))
    trend_p = scatter_p = smallest = 1.0
    change: float | None = None
    change_low, change_high = 0.0, None
    if count:
        watched = probabilities > 0
        memberships = _memberships(intervals, probabilities)
        expected = memberships.sum(axis=0)
        trend_p, scatter_p, smallest = _tests(
            memberships[:, watched],
            probabilities[watched],
            simulations,
            np.random.default_rng(seed),
        )
        change, change_low, change_high = _change(edges[intervals], alpha)
    p_value = min(1.0, 2 * min(trend_p, scatter_p))
    verdict: Verdict = "inconclusive"
    if p_value < alpha:
        verdict = "not constant"
    elif change_high is not None and 1 / tolerance <= change_low and change_high <= tolerance:
        verdict = "constant"
    return Constancy(
        count=count,
        expected_counts=tuple(float(one) for one in expected),
        constant_counts=tuple(float(one) for one in count * probabilities),
        trend_p=trend_p,
        scatter_p=scatter_p,
        p_value=p_value,
        smallest_p=smallest,
        change=change,
        change_low=change_low,
        change_high=change_high,
        alpha=alpha,
        tolerance=tolerance,
        verdict=verdict,
    )


def _gap_intervals(defects: Sequence[Dated], watch: Watch) -> Counts:
    """Return first gap and gap after the last one of each onset interval, shape (defects, 2)."""
    places = {session: place for place, session in enumerate(watch.sessions)}
    intervals = []
    for one in defects:
        if one.onset_after is None:
            continue
        if one.onset_after not in places or one.onset_before not in places:
            raise LedgerError(
                f"the onset between {one.onset_after} and {one.onset_before} does not begin and"
                " end with dark sessions of the watch: give the sessions of the ledger"
            )
        intervals.append((places[one.onset_after], places[one.onset_before]))
    return np.array(intervals, np.int64).reshape(-1, 2)


def _memberships(intervals: Counts, probabilities: Floats) -> Floats:
    """Return the share that each gap takes of each defect, shape (defects, gaps)."""
    gaps = np.arange(len(probabilities))
    within = (intervals[:, :1] <= gaps) & (gaps < intervals[:, 1:])
    weights = within * probabilities
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def _tests(
    memberships: Floats, probabilities: Floats, simulations: int, generator: np.random.Generator
) -> tuple[float, float, float]:
    """Return p of the trend, p of the scatter and the smallest p that both together can give."""
    count = len(memberships)
    constant = count * probabilities
    shrink = _shrinkage(memberships, probabilities)

    def shrunk(counts: Floats | Counts) -> Floats:
        # a count cannot fall below 0; without wide intervals this changes nothing
        return np.asarray(np.maximum(constant + (counts - constant) @ shrink, 0.0))

    drawn = shrunk(generator.multinomial(count, probabilities, size=simulations))
    # both statistics are convex: nothing is more extreme than all defects in one gap
    extreme = shrunk(count * np.eye(len(probabilities)))
    ps, smallest = [], []
    for statistic in (_trend, _scatter):
        observed = statistic(memberships.sum(axis=0), probabilities)
        ps.append(_monte_carlo_p(float(observed), statistic(drawn, probabilities)))
        extremes = statistic(extreme, probabilities)
        most = np.isclose(extremes, extremes.max(), rtol=1e-9)
        smallest.append(max(float((probabilities[most] ** count).sum()), 1 / (1 + simulations)))
    return ps[0], ps[1], min(1.0, 2 * min(smallest))


def _shrinkage(memberships: Floats, probabilities: Floats) -> Floats:
    """Return the matrix that gives multinomial deviations the covariance of expected counts.

    In deviations over the root of their expectation, counts have the covariance I - q q', q the
    roots of the probabilities, and the covariance within the intervals is taken from it.
    """
    roots = np.sqrt(probabilities)
    within = np.diag(memberships.sum(axis=0)) - memberships.T @ memberships
    covariance = (
        np.eye(len(roots))
        - np.outer(roots, roots)
        - within / np.outer(roots, roots) / len(memberships)
    )
    values, vectors = np.linalg.eigh(covariance)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    return np.asarray(root * roots / roots[:, None])


def _trend(counts: Floats, probabilities: Floats) -> Floats:
    """Return how far the mean onset is off the middle of the exposure.

    The score of a log-linear trend at a constant rate, which for exact onsets is Laplace's
    statistic (Cox and Lewis, The Statistical Analysis of Series of Events, 1966).
    """
    middles = np.cumsum(probabilities) - probabilities / 2
    return np.asarray(np.abs(counts @ (middles - 0.5)))


def _scatter(counts: Floats, probabilities: Floats) -> Floats:
    """Return the likelihood-ratio statistic of counts against those of a constant rate."""
    expected = counts.sum(axis=-1, keepdims=True) * probabilities
    return np.asarray(2 * special.rel_entr(counts, expected).sum(axis=-1))


def _monte_carlo_p(observed: float, drawn: Floats) -> float:
    # ledgers alike in counts must tie however their sums are rounded
    as_extreme = drawn >= observed - 1e-9 * max(1.0, abs(observed))
    return float((1 + np.count_nonzero(as_extreme)) / (1 + len(drawn)))


def _change(intervals: Floats, alpha: float) -> tuple[float | None, float, float | None]:
    """Return the change of the rate over the watch and its profile-likelihood interval.

    Parameters
    ----------
    intervals
        Begin and end of each onset in shares of the exposure, shape (defects, 2).
    alpha
        One minus the confidence.
    """
    limit = log(_LARGEST_CHANGE)
    after, before = intervals.T

    def fall(slope: float) -> float:
        """Return minus the log-likelihood of a rate in proportion to exp(slope * exposure)."""
        if abs(slope) < 1e-8:
            return -float(np.log(before - after).sum())
        # written so that no exponential overflows
        top = before if slope > 0 else after
        whole = log(-np.expm1(-abs(slope)))
        parts = np.log(-np.expm1(-abs(slope) * (before - after)))
        lead = slope * top - max(slope, 0.0)
        return -float((lead + parts - whole).sum())

    best = optimize.minimize_scalar(fall, bounds=(-limit, limit), method="bounded")
    slope, least = float(best.x), float(best.fun)
    allowed = least + float(stats.chi2.ppf(1 - alpha, 1)) / 2
    low, high = 0.0, None
    if fall(-limit) > allowed:
        low = exp(optimize.brentq(lambda one: fall(one) - allowed, -limit, slope))
    if fall(limit) > allowed:
        high = exp(optimize.brentq(lambda one: fall(one) - allowed, slope, limit))
    # where the likelihood rises to the very end, or not at all, it has no maximum
    bounded = min(fall(-limit), fall(limit)) > least + 1e-6
    return exp(slope) if bounded else None, low, high
