"""Rates of growth over windows and epochs, against the prior, and the ages that follow."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tests.support.simulated_onsets import Onset, at, seen_through
from training.defects.absolute_age import (
    Age,
    age_from_measured_rate,
    age_from_prior_rate,
    age_of,
    visibility_ratio,
)
from training.defects.errors import LedgerError
from training.defects.growth import (
    growth_between,
    growth_by_epoch,
    growth_by_kind,
    growth_of,
    growth_rate,
    poisson_interval,
    pooled_growth,
)
from training.defects.growth_prior import compare_with_prior
from training.defects.watch import Watch
from training.power.growth import GrowthRate, prior_growth

YEARLY = Watch(tuple(at(year) for year in range(5)))


@pytest.mark.parametrize(
    ("count", "confidence", "low", "high"),
    [
        # as published with QuickCalcs' description of Garwood's method
        (25, 0.90, 17.38, 34.92),
        (25, 0.95, 16.18, 36.90),
        (25, 0.99, 14.00, 41.00),
        # epitools' pois.exact
        (0, 0.95, 0.0, 3.689),
    ],
)
def test_poisson_intervals_are_the_published_ones(
    count: int, confidence: float, low: float, high: float
) -> None:
    assert poisson_interval(count, confidence) == pytest.approx((low, high), abs=0.006)


def test_rates_of_kinds_sum_to_the_rate() -> None:
    ledger = [Onset(at(1), at(2), "hot")] * 6 + [Onset(at(0), at(1), "stuck")] * 2
    ledger.append(Onset(None, at(0), "blinking"))
    by_kind = growth_by_kind(ledger, YEARLY.sessions)
    assert {kind: one.count for kind, one in by_kind.items()} == {
        "blinking": 0, "hot": 6, "stuck": 2,
    }  # fmt: skip
    total = growth_of(ledger, YEARLY.sessions)
    assert sum(one.rate_per_year for one in by_kind.values()) == pytest.approx(total.rate_per_year)
    assert by_kind["hot"] == growth_rate(6, by_kind["hot"].years)


def test_window_that_cuts_intervals_is_less_certain() -> None:
    ledger = [Onset(at(0), at(1)), Onset(at(1), at(2)), Onset(at(1), at(3)), Onset(None, at(0))]
    whole = growth_between(ledger, YEARLY)
    assert (whole.surely, whole.possibly) == (3, 3)
    assert whole.expected == pytest.approx(3)
    exact = growth_rate(3, 4.0)
    assert whole.rate_per_year == pytest.approx(exact.rate_per_year)
    assert whole.low_per_year == pytest.approx(exact.low_per_year)
    assert whole.high_per_year == pytest.approx(exact.high_per_year)
    # from the middle of the second year to the end of the third
    cut = growth_between(ledger, YEARLY, at(1.5), at(3))
    assert (cut.surely, cut.possibly) == (0, 2)
    assert cut.expected == pytest.approx(0.5 + 0.75)
    assert cut.years == pytest.approx(1.5)
    assert cut.low_per_year == 0
    assert cut.high_per_year == pytest.approx(poisson_interval(2)[1] / 1.5)
    # beyond the sessions nothing was watched
    assert growth_between(ledger, YEARLY, at(-9), at(9)) == whole
    nothing = growth_between(ledger, YEARLY, at(2), at(2))
    assert nothing.rate_per_year is None and nothing.years == 0
    with pytest.raises(LedgerError, match="holds no watched time"):
        growth_between(ledger, YEARLY, at(3), at(2))


def test_exposure_counts_what_could_be_seen() -> None:
    watch = Watch(YEARLY.sessions, detectable_shares=(1.0, 1.0, 0.5, 0.25))
    assert watch.exposure_years() == pytest.approx(2.75)
    assert watch.exposure_years(at(2.5), at(3.5)) == pytest.approx(0.25 + 0.125)
    # within an interval an onset is rather where it could be seen
    assert watch.share_within((at(1), at(3)), at(1), at(2)) == pytest.approx(2 / 3)


@given(
    gaps=st.lists(st.floats(0.01, 3.0), min_size=1, max_size=8),
    shares=st.lists(st.floats(0.05, 1.0), min_size=8, max_size=8),
    mapped=st.sets(st.integers(1, 8)),
    interval=st.tuples(st.integers(0, 8), st.integers(0, 8)),
    cut=st.floats(0.0, 1.0),
)
def test_windows_side_by_side_add_up(
    gaps: list[float],
    shares: list[float],
    mapped: set[int],
    interval: tuple[int, int],
    cut: float,
) -> None:
    sessions = tuple(at(year) for year in np.concatenate([[0.0], np.cumsum(gaps)]))
    starts = tuple(sessions[number] for number in sorted(mapped) if number < len(sessions))
    watch = Watch(sessions, tuple(shares[: len(gaps)]), starts)
    first, last = sorted(min(number, len(gaps)) for number in interval)
    first = min(first, len(gaps) - 1)
    ledger = [Onset(sessions[first], sessions[max(last, first + 1)])]
    between = sessions[0] + cut * (sessions[-1] - sessions[0])
    whole = growth_between(ledger, watch)
    parts = [growth_between(ledger, watch, None, between), growth_between(ledger, watch, between)]
    assert sum(one.years for one in parts) == pytest.approx(whole.years, abs=1e-6)
    assert sum(one.expected for one in parts) == pytest.approx(whole.expected, abs=1e-6)
    assert 0 <= whole.expected <= 1 + 1e-9
    assert whole.surely <= whole.expected + 1e-6 and whole.expected <= whole.possibly + 1e-6


def test_growth_is_unbiased_where_newest_sessions_see_less() -> None:
    generator = np.random.default_rng(1)
    watch = Watch(YEARLY.sessions, detectable_shares=(1.0, 1.0, 1.0, 0.4))
    held, expected = 0, []
    for _ in range(300):
        onsets = generator.uniform(0, 4, generator.poisson(80))
        seen = onsets[(onsets < 3) | (generator.random(len(onsets)) < 0.4)]
        window = growth_between(seen_through(seen, range(5), generator, 0.3), watch)
        assert window.rate_per_year is not None
        assert window.low_per_year is not None and window.high_per_year is not None
        expected.append(window.rate_per_year)
        held += window.low_per_year <= 20 <= window.high_per_year
    assert np.mean(expected) == pytest.approx(20, abs=0.5)
    assert held >= stats.binom.ppf(0.001, 300, 0.95)


def mapped_out(generator: np.random.Generator, rate: float, mapped_at: float) -> list[Onset]:
    """Let defects arise for six years, with a session each, and map out what there is at a time.

    What is mapped out before a session saw it is in no ledger.
    """
    onsets = generator.uniform(0, 6, generator.poisson(6 * rate))
    seen = (onsets > mapped_at) | (np.ceil(onsets) < mapped_at)
    return seen_through(onsets[seen], range(7), generator, 0.2)


def test_mapping_starts_an_epoch_and_its_gap_is_not_watched() -> None:
    generator = np.random.default_rng(2)
    watch = Watch(tuple(at(year) for year in range(7)), epoch_starts=(at(4),))
    assert [(one.begins_at, one.ends_at, one.sessions) for one in watch.epochs()] == [
        (at(0), at(3), 4), (at(4), at(6), 3),
    ]  # fmt: skip
    rates, naive, held = [], [], 0
    for _ in range(200):
        ledger = mapped_out(generator, 15.0, 3.9)
        epochs = growth_by_epoch(ledger, watch)
        assert [one.years for one in epochs] == pytest.approx([3, 2])
        pooled = pooled_growth(epochs)
        assert pooled.years == pytest.approx(5)
        assert pooled.rate_per_year is not None
        assert pooled.low_per_year is not None and pooled.high_per_year is not None
        rates.append(pooled.rate_per_year)
        held += pooled.low_per_year <= 15 <= pooled.high_per_year
        naive.append(growth_of(ledger, watch.sessions).rate_per_year)
    assert np.mean(rates) == pytest.approx(15, abs=0.6)
    assert held >= stats.binom.ppf(0.001, 200, 0.95)
    # the gap's own losses would have passed for slower growth
    assert np.mean(naive) < 13.5


def test_watch_refuses_what_is_none() -> None:
    with pytest.raises(LedgerError, match="two times"):
        Watch.of([at(1), at(1)])
    with pytest.raises(LedgerError, match="in order"):
        Watch((at(1), at(0)))
    with pytest.raises(LedgerError, match="3 for 4 gaps"):
        Watch(YEARLY.sessions, (1.0, 1.0, 1.0))
    with pytest.raises(LedgerError, match="above 0"):
        Watch(YEARLY.sessions, (1.0, 0.0, 1.0, 1.0))
    with pytest.raises(LedgerError, match="no dark session after the first"):
        Watch(YEARLY.sessions, epoch_starts=(at(0),))
    with pytest.raises(LedgerError, match="no window"):
        pooled_growth([])


@pytest.mark.parametrize(
    ("years", "iso", "ratio", "verdict"),
    [(1.4, 6400, 3.16, "undecided"), (3.2, 3200, 1.96, "within")],
)
def test_published_example_against_the_prior(
    years: float, iso: float, ratio: float, verdict: str
) -> None:
    """128 hot pixels in 20 megapixels of 4 um (Chapman and others, DFT 2022)."""
    comparison = compare_with_prior(
        growth_rate(128, years), sensor_type="CMOS", pixel_pitch_um=4.0,
        width=5472, height=3648, iso=iso,
    )  # fmt: skip
    assert comparison.ratio == pytest.approx(ratio, rel=0.02)
    assert comparison.verdict == verdict
    assert "recalled prior" in comparison.sentence


@pytest.mark.parametrize(
    ("times", "verdict"), [(1.0, "within"), (5.0, "above"), (0.2, "below"), (3.0, "undecided")]
)
def test_verdict_on_the_prior_needs_the_whole_interval(times: float, verdict: str) -> None:
    prior = prior_growth("CCD", 2.0, 4000, 3000, 400)
    years = 1000 / prior.per_year
    comparison = compare_with_prior(
        growth_rate(round(1000 * times), years), sensor_type="CCD", pixel_pitch_um=2.0,
        width=4000, height=3000, iso=400,
    )  # fmt: skip
    assert comparison.verdict == verdict
    assert comparison.ratio == pytest.approx(times)
    assert comparison.low is not None and comparison.high is not None
    assert comparison.low < times < comparison.high


def test_unknown_pitch_gives_no_verdict_and_says_why() -> None:
    comparison = compare_with_prior(
        growth_rate(5, 1.0), sensor_type="CMOS", pixel_pitch_um=None,
        width=4000, height=3000, iso=None,
    )  # fmt: skip
    assert comparison.verdict is None and comparison.ratio is None and comparison.prior is None
    assert "pixel pitch and ISO setting unknown" in comparison.sentence
    unwatched = growth_between([], YEARLY, at(1), at(1))
    comparison = compare_with_prior(
        unwatched, sensor_type="CMOS", pixel_pitch_um=2.0, width=4000, height=3000, iso=100
    )
    assert comparison.verdict is None and "no time was watched" in comparison.sentence


def test_age_is_the_exact_comparison_of_two_counts() -> None:
    age = age_from_measured_rate(30, 12, 2.0)
    assert age.years == pytest.approx(5.0)
    assert age.high_years is not None
    # at either end of the interval the split of 42 defects is just improbable
    shares = [years / (years + 2) for years in (age.low_years, age.high_years)]
    assert stats.binom.sf(29, 42, shares[0]) == pytest.approx(0.025)
    assert stats.binom.cdf(30, 42, shares[1]) == pytest.approx(0.025)
    doubled = age_from_measured_rate(30, 12, 2.0, visibility=2.0)
    assert doubled.years == pytest.approx(2.5)
    assert age_from_measured_rate(0, 12, 2.0).low_years == 0
    unknown = age_from_measured_rate(30, 0, 2.0)
    assert unknown.years is None and unknown.high_years is None and unknown.low_years > 0
    with pytest.raises(LedgerError, match="none is negative"):
        age_from_measured_rate(-1, 3, 2.0)
    with pytest.raises(LedgerError, match="above 0"):
        age_from_measured_rate(1, 3, 0.0)


def coverage_by_measured_rate(
    generator: np.random.Generator, age: float, rate: float, watched: float, sensors: int
) -> float:
    intervals = cache(lambda old, new: age_from_measured_rate(old, new, watched))
    counts = generator.poisson((age * rate, watched * rate), (sensors, 2))
    return float(np.mean([_holds(intervals(int(old), int(new)), age) for old, new in counts]))


def coverage_by_prior(
    generator: np.random.Generator, age: float, per_year: float, factor: float, sensors: int
) -> float:
    prior = GrowthRate(per_year, per_year / factor, per_year * factor, "simulated")
    # limits rise with the count, so those that hold the age are a run of counts
    counts = range(int(50 + 100 * per_year * age * factor))
    fewest = bisect_left(
        counts, age, key=lambda n: age_from_prior_rate(n, prior).high_years or np.inf
    )
    most = bisect_right(counts, age, key=lambda n: age_from_prior_rate(n, prior).low_years) - 1
    spread = np.log(factor) / stats.norm.ppf(0.975)
    drawn = generator.poisson(age * per_year * np.exp(spread * generator.normal(size=sensors)))
    return float(np.mean((fewest <= drawn) & (drawn <= most)))


def _holds(age: Age, truth: float) -> bool:
    return age.low_years <= truth and (age.high_years is None or truth <= age.high_years)


@pytest.mark.parametrize("age", [1.0, 8.0])
@pytest.mark.parametrize("rate", [3.0, 30.0])
def test_ages_hold_the_truth(age: float, rate: float) -> None:
    generator = np.random.default_rng(5)
    assert coverage_by_measured_rate(generator, age, rate, 2.0, 2000) >= 0.94
    assert 0.94 <= coverage_by_prior(generator, age, rate, 3.0, 10_000) <= 0.99


@pytest.mark.prove
@pytest.mark.parametrize("age", [0.5, 2.0, 8.0])
@pytest.mark.parametrize("rate", [1.0, 10.0, 100.0])
@pytest.mark.parametrize("watched", [1.0, 4.0])
def test_coverage_of_absolute_ages(
    age: float, rate: float, watched: float, record_property: Callable[[str, object], None]
) -> None:
    """95 % intervals of a sensor's age hold it in 95 % of sensors, in more if defects are few."""
    generator = np.random.default_rng([int(10 * age), int(rate), int(watched)])
    measured = coverage_by_measured_rate(generator, age, rate, watched, 20_000)
    prior = coverage_by_prior(generator, age, rate, 3.0, 20_000)
    record_property("coverage by measured rate", measured)
    record_property("coverage by prior", prior)
    for coverage in (measured, prior):
        assert coverage >= 0.945
    if rate * min(age, watched) >= 50:
        assert measured <= 0.97 and prior <= 0.97


def test_prior_age_without_spread_is_a_poisson_interval() -> None:
    rate = GrowthRate(10.0, 10.0 / 1.0001, 10.0 * 1.0001, "known")
    for count in (0, 7, 4000):
        age = age_from_prior_rate(count, rate)
        low, high = poisson_interval(count)
        assert age.years == pytest.approx(count / 10)
        assert (age.low_years, age.high_years) == pytest.approx((low / 10, high / 10), rel=1e-3)
    # a factor of three in the rate is nearly one in the age, however many defects there are
    wide = age_from_prior_rate(4000, GrowthRate(10.0, 10 / 3, 30.0, "prior"))
    assert wide.high_years is not None
    assert wide.high_years / wide.low_years == pytest.approx(9.0, rel=0.01)
    with pytest.raises(LedgerError, match="above 0"):
        age_from_prior_rate(3, GrowthRate(1.0, 0.0, 2.0, "no lower limit"))


def test_age_of_a_ledger_counts_back_from_its_first_session() -> None:
    ledger = [Onset(None, at(0))] * 12 + [Onset(at(1), at(2))] * 16
    age = age_of(ledger, YEARLY, at(4))
    backwards = age_from_measured_rate(12, 16, 4.0)
    assert age.years == pytest.approx(3 + 4)
    assert backwards.high_years is not None
    assert age.low_years == pytest.approx(backwards.low_years + 4)
    assert age.high_years == pytest.approx(backwards.high_years + 4)
    first = age_of(ledger, YEARLY, at(0)).years
    assert first == pytest.approx(3)
    assert age.since.startswith("manufacture")
    with pytest.raises(LedgerError, match="no dark session"):
        age_of(ledger, YEARLY, at(1.5))


def test_age_of_a_ledger_holds_the_truth() -> None:
    generator = np.random.default_rng(8)
    held = 0
    for _ in range(200):
        onsets = generator.uniform(-6, 4, generator.poisson(10 * 12))
        age = age_of(seen_through(onsets, range(5), generator, 0.3), YEARLY, at(4))
        held += _holds(age, 10.0)
    assert held >= stats.binom.ppf(0.001, 200, 0.95)


def test_after_a_mapping_only_its_epoch_counts() -> None:
    generator = np.random.default_rng(9)
    watch = Watch(tuple(at(year) for year in range(7)), epoch_starts=(at(4),))
    held = 0
    for _ in range(150):
        mapped_at = generator.uniform(3, 4)
        age = age_of(mapped_out(generator, 40.0, mapped_at), watch, at(6))
        # no older than the last session that the old map was seen in
        assert age.high_years is not None and age.high_years <= 3 + 1e-9
        held += _holds(age, 6 - mapped_at)
        assert "mapping of pixels after 2022-12-31" in age.since
    assert held >= stats.binom.ppf(0.001, 150, 0.95)
    with pytest.raises(LedgerError, match="newest epoch"):
        age_of([], watch, at(3))


def test_more_gain_or_warmth_shows_more_defects() -> None:
    # four times the ISO setting in Chapman's exponents
    assert visibility_ratio("CMOS", 1600, 400) == pytest.approx(4**0.505)
    assert visibility_ratio("CCD", 1600, 400) == pytest.approx(4**0.687)
    # two doublings of dark current are two of gain
    warm = visibility_ratio("CMOS", 400, 400, temperature_c=36.0, reference_temperature_c=20.0)
    assert warm == pytest.approx(4**0.505)
    assert visibility_ratio("CMOS", 400, 400, temperature_c=36.0) == 1
