"""The test of a constant rate: against enumeration, known processes, and sessions that miss."""

from __future__ import annotations

from collections.abc import Callable
from math import exp

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from tests.support.simulated_onsets import Onset, at, seen_through
from training.defects.constancy import Constancy, constancy_of
from training.defects.errors import LedgerError
from training.defects.watch import Watch

# weeks at both ends and long gaps between, as in a study that pauses
UNEVEN = np.concatenate([np.arange(6) * 0.02, np.linspace(0.5, 2.7, 5), 2.9 + np.arange(6) * 0.02])
EVEN = np.linspace(0.0, 3.0, 9)


def watch_of(session_years: NDArray[np.float64]) -> Watch:
    return Watch(tuple(at(year) for year in session_years))


def in_gaps(counts: list[int], watch: Watch) -> list[Onset]:
    return [
        Onset(watch.sessions[gap], watch.sessions[gap + 1])
        for gap, count in enumerate(counts)
        for _ in range(count)
    ]


def alarms(
    session_years: NDArray[np.float64],
    blindness: str,
    defects: int,
    ledgers: int,
    alpha: float = 0.05,
) -> dict[str, int]:
    """Count rejections of ledgers whose rate is constant."""
    generator = np.random.default_rng([defects, len(session_years), len(blindness)])
    watch = watch_of(session_years)
    found = {"trend": 0, "scatter": 0, "both": 0}
    for number in range(ledgers):
        missed: NDArray[np.float64] | float = 0.0
        if blindness == "weak defects":
            # half of the defects are hardly ever seen, half nearly always
            missed = generator.beta(0.3, 0.7, (defects, 1))
        elif blindness == "blind sessions":
            missed = (np.arange(len(session_years)) % 2).astype(np.float64)
        elif blindness == "all alike":
            missed = 0.3
        onsets = generator.uniform(0, session_years[-1], defects)
        ledger = seen_through(onsets, list(session_years), generator, missed)
        outcome = constancy_of(ledger, watch, seed=number, simulations=399)
        found["trend"] += outcome.trend_p <= alpha
        found["scatter"] += outcome.scatter_p <= alpha
        found["both"] += outcome.p_value <= alpha
    return found


@pytest.mark.parametrize("count", [4, 9])
def test_two_gaps_are_a_binomial_test(count: int) -> None:
    watch = watch_of(np.array([0.0, 1.0, 2.0]))
    outcome = constancy_of(in_gaps([count, 1], watch), watch, seed=1, simulations=19_999)
    truth = stats.binomtest(count, count + 1, 0.5).pvalue
    assert outcome.trend_p == pytest.approx(truth, abs=0.01)
    assert outcome.scatter_p == pytest.approx(truth, abs=0.01)
    # one defect in either gap or all in one: the extremes of count + 1 tosses
    assert outcome.smallest_p == pytest.approx(min(1.0, 2 * 2 * 0.5 ** (count + 1)), rel=1e-6)


def test_scatter_is_the_exact_multinomial_test() -> None:
    watch = watch_of(np.array([0.0, 0.2, 1.0, 2.0]))
    counts = [3, 1, 4]
    outcome = constancy_of(in_gaps(counts, watch), watch, seed=2, simulations=19_999)
    expected = 8 * np.array([0.1, 0.4, 0.5])
    assert outcome.constant_counts == pytest.approx(expected)
    assert outcome.expected_counts == pytest.approx(counts)

    def deviance(some: list[int]) -> float:
        with np.errstate(divide="ignore", invalid="ignore"):
            return float(2 * np.nansum(np.array(some) * np.log(np.array(some) / expected)))

    law = stats.multinomial(8, [0.1, 0.4, 0.5])
    truth = sum(
        law.pmf(some)
        for some in ([i, j, 8 - i - j] for i in range(9) for j in range(9 - i))
        if deviance(some) >= deviance(counts) - 1e-9
    )
    assert outcome.scatter_p == pytest.approx(truth, abs=0.012)


@pytest.mark.parametrize("blindness", ["none", "all alike", "weak defects", "blind sessions"])
def test_constant_rates_are_let_pass(blindness: str) -> None:
    ledgers = 150
    allowed = stats.binom.ppf(0.9999, ledgers, 0.05)
    for session_years in (UNEVEN, EVEN):
        found = alarms(session_years, blindness, 25, ledgers)
        assert max(found.values()) <= allowed


@pytest.mark.prove
@pytest.mark.parametrize("blindness", ["none", "all alike", "weak defects", "blind sessions"])
@pytest.mark.parametrize("defects", [5, 30, 200])
def test_false_alarms_of_the_test_of_constancy(
    blindness: str, defects: int, record_property: Callable[[str, object], None]
) -> None:
    """A constant rate is called changing in 5 % of ledgers at most, whatever sessions miss."""
    ledgers = 2000
    found = alarms(UNEVEN, blindness, defects, ledgers)
    for name, count in found.items():
        record_property(f"false alarms, {name}", count / ledgers)
    assert max(found.values()) <= stats.binom.ppf(0.999, ledgers, 0.06)
    if blindness == "none":
        assert found["trend"] >= stats.binom.ppf(0.001, ledgers, 0.035)


def growing(generator: np.random.Generator, defects: int, change: float) -> NDArray[np.float64]:
    """Draw onsets whose rate changes by a factor over three years, log-linearly."""
    slope = np.log(change)
    return np.asarray(3.0 * np.log1p(generator.random(defects) * (change - 1)) / slope)


def test_planted_changes_are_found() -> None:
    generator = np.random.default_rng(7)
    watch = watch_of(EVEN)
    trends = bursts = 0
    for number in range(40):
        onsets = growing(generator, 80, 4.0)
        ledger = seen_through(onsets, list(EVEN), generator, 0.2)
        outcome = constancy_of(ledger, watch, seed=number, simulations=399)
        trends += outcome.verdict == "not constant"
        # a flight or a laboratory: a third of the defects in one gap in the middle
        burst = np.concatenate([generator.uniform(0, 3, 40), generator.uniform(1.51, 1.87, 20)])
        ledger = seen_through(burst, list(EVEN), generator, 0.2)
        outcome = constancy_of(ledger, watch, seed=number, simulations=399)
        bursts += outcome.scatter_p < 0.05
    assert trends >= 36
    assert bursts >= 36


@pytest.mark.parametrize("change", [0.3, 1.0001, 3.0])
def test_interval_of_the_change_holds_the_truth(change: float) -> None:
    generator = np.random.default_rng(11)
    watch = watch_of(EVEN)
    held = 0
    for number in range(150):
        onsets = growing(generator, 60, change)
        ledger = seen_through(onsets, list(EVEN), generator, generator.beta(0.5, 1.0, (60, 1)))
        outcome = constancy_of(ledger, watch, seed=number, simulations=1)
        assert outcome.change_high is not None
        held += outcome.change_low <= change <= outcome.change_high
    assert held >= stats.binom.ppf(0.001, 150, 0.94)


def verdict_of(defects: int, tolerance: float = 2.0) -> Constancy:
    generator = np.random.default_rng(3)
    onsets = 3 * (np.arange(defects) + 0.5) / defects
    ledger = seen_through(onsets, list(EVEN), generator)
    return constancy_of(ledger, watch_of(EVEN), seed=0, tolerance=tolerance)


def test_verdict_needs_enough_defects() -> None:
    assert verdict_of(400).verdict == "constant"
    few = verdict_of(20)
    assert few.verdict == "inconclusive" and few.p_value > 0.05
    assert few.change_high is not None and few.change_high > 2
    assert verdict_of(20, tolerance=100.0).verdict == "constant"


def test_no_or_useless_onsets_are_inconclusive() -> None:
    watch = watch_of(EVEN)
    for ledger in ([], [Onset(watch.sessions[0], watch.sessions[-1])] * 9):
        outcome = constancy_of(ledger, watch, seed=0)
        assert outcome.p_value == 1 and outcome.verdict == "inconclusive"
        assert outcome.change is None and outcome.change_high is None
    # a single defect in the shortest gap cannot be more than an extreme of one
    assert constancy_of(in_gaps([1], watch), watch, seed=0).smallest_p == pytest.approx(0.5)


def test_gap_with_a_mapping_takes_no_defect() -> None:
    watch = Watch(tuple(at(year) for year in (0, 1, 2, 3)), epoch_starts=(at(2),))
    ledger = [*in_gaps([4, 9, 4], watch), Onset(at(1), at(3)), Onset(None, at(0))]
    outcome = constancy_of(ledger, watch, seed=0)
    # the interval over the unwatched gap belongs to the year after it
    assert outcome.expected_counts == pytest.approx((4, 0, 5))
    assert outcome.constant_counts == pytest.approx((4.5, 0, 4.5))
    assert outcome.p_value == 1


def test_onsets_in_the_last_gap_alone_have_no_finite_change() -> None:
    watch = watch_of(np.array([0.0, 1.0, 2.0]))
    outcome = constancy_of(in_gaps([0, 12], watch), watch, seed=0)
    assert outcome.change is None and outcome.change_high is None
    # the share of the second year that gives twelve of twelve the likelihood at the limit
    share = exp(-stats.chi2.ppf(0.95, 1) / 2 / 12)
    assert outcome.change_low == pytest.approx((share / (1 - share)) ** 2, rel=1e-3)
    assert outcome.verdict == "not constant"


def test_onsets_must_be_those_of_the_sessions() -> None:
    with pytest.raises(LedgerError, match="give the sessions of the ledger"):
        constancy_of([Onset(at(0.1), at(1))], watch_of(EVEN), seed=0)
    with pytest.raises(LedgerError, match="no gap was watched"):
        constancy_of([], Watch((at(0), at(1)), epoch_starts=(at(1),)), seed=0)
