"""The defect population against the statistics that it claims."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from scipy import stats

from fixtures.ageing import (
    KINDS,
    AgeingParameters,
    DefectPopulation,
    draw_population,
    prior_defects_per_year,
)
from fixtures.errors import DescriptionError, OutsideLifetimeError

MADE = datetime(2020, 1, 1, tzinfo=UTC)
YEAR = timedelta(days=365.25)


def population(seed: int = 1, **parameters: float) -> DefectPopulation:
    settings: dict[str, float] = {"defects_per_year": 20.0, "horizon_years": 10.0} | parameters
    settings["initial_defects"] = int(settings.get("initial_defects", 0))
    return draw_population(
        AgeingParameters(**settings),  # type: ignore[arg-type]
        width=640,
        height=480,
        pixel_pitch_um=5.0,
        full_well_e=50_000.0,
        manufactured_at=MADE,
        seed=seed,
    )


def test_counts_are_poisson_with_the_given_rate() -> None:
    counts = [population(seed).count_at(MADE + 3 * YEAR) for seed in range(300)]
    assert np.mean(counts) == pytest.approx(60.0, abs=4 * np.sqrt(60.0 / 300))
    assert np.var(counts) / np.mean(counts) == pytest.approx(1.0, abs=0.33)


def test_onsets_are_uniform_in_time_and_photosites_in_space() -> None:
    many = population(defects_per_year=250.0).defects
    years = [(defect.onset - MADE) / YEAR for defect in many if defect.onset is not None]
    assert len(years) == len(many)
    assert years == sorted(years)
    for values, scale in (
        (years, 10.0),
        ([defect.row for defect in many], 480.0),
        ([defect.column for defect in many], 640.0),
    ):
        assert stats.kstest(np.array(values) / scale, "uniform").pvalue > 0.001
    assert len({(defect.row, defect.column) for defect in many}) == len(many)


def test_years_and_parts_of_the_sensor_are_independent() -> None:
    """Counts by year and quarter are Poisson too: their dispersion is that of chi-squared."""
    cells = []
    for seed in range(60):
        defects = population(seed).defects
        years = [(defect.onset - MADE) / YEAR for defect in defects if defect.onset is not None]
        rows = [defect.row for defect in defects]
        columns = [defect.column for defect in defects]
        edges = ((0, 10), (0, 480), (0, 640))
        cells.append(np.histogramdd((years, rows, columns), bins=(10, 2, 2), range=edges)[0])
    dispersion = np.sum((np.array(cells) - 5.0) ** 2) / 5.0
    assert 0.001 < stats.chi2.cdf(dispersion, 60 * 40) < 0.999


def test_kinds_come_in_their_shares_and_act_as_named() -> None:
    many = population(
        defects_per_year=280.0, share_stuck=0.1, share_dead=0.1, share_blinking=0.1
    ).defects
    expected = {"hot": 0.3, "partially-stuck": 0.4, "stuck": 0.1, "dead": 0.1, "blinking": 0.1}
    assert set(expected) == set(KINDS)
    for kind, share in expected.items():
        count = sum(defect.kind == kind for defect in many)
        spread = np.sqrt(len(many) * share * (1 - share))
        assert count == pytest.approx(share * len(many), abs=4 * spread)
    for defect in many:
        assert (defect.dark_rate_e_per_s > 0) == (defect.kind not in ("stuck", "dead"))
        assert (defect.offset_e > 0) == (defect.kind in ("partially-stuck", "stuck"))
        assert (defect.response < 1) == (defect.kind == "dead")
        assert (defect.blinking is not None) == (defect.kind == "blinking")
        assert defect.kind != "stuck" or defect.offset_e == 50_000.0


def test_strengths_have_a_heavy_tail() -> None:
    rates = np.array(
        [
            defect.dark_rate_e_per_s
            for defect in population(defects_per_year=280.0).defects
            if defect.dark_rate_e_per_s
        ]
    )
    assert np.median(rates) == pytest.approx(60.0, rel=0.1)
    assert np.log(rates).std() == pytest.approx(1.0, rel=0.1)
    assert rates.max() > 8 * np.median(rates)


def test_acceleration_scales_counts_and_strengths() -> None:
    plain = population(initial_defects=30)
    stronger = population(initial_defects=30, acceleration_amplitude=8.0)
    for before, after in zip(plain.defects, stronger.defects, strict=True):
        assert (before.row, before.column, before.onset) == (after.row, after.column, after.onset)
        assert after.dark_rate_e_per_s == pytest.approx(8.0 * before.dark_rate_e_per_s)
        if before.kind == "partially-stuck":
            assert after.offset_e == pytest.approx(8.0 * before.offset_e)
    counts = [
        len(population(seed, defects_per_year=2.0, acceleration_count=10.0).defects)
        for seed in range(100)
    ]
    assert np.mean(counts) == pytest.approx(200.0, abs=4 * np.sqrt(200.0 / 100))


def test_acceleration_leaves_the_kinds_without_leak_and_the_initial_count() -> None:
    plain = population(initial_defects=9, share_stuck=0.2, share_dead=0.2)
    stronger = population(
        initial_defects=9, share_stuck=0.2, share_dead=0.2, acceleration_amplitude=8.0
    )
    for before, after in zip(plain.defects, stronger.defects, strict=True):
        if before.kind in ("stuck", "dead"):
            assert after == before
    assert population(initial_defects=9, acceleration_count=4.0).count_at(MADE) == 9


def test_defects_stay_and_arise_at_their_onset() -> None:
    drawn = population(initial_defects=5)
    assert drawn.count_at(MADE) == 5
    onset = drawn.defects[5].onset
    assert onset is not None
    assert drawn.count_at(onset - timedelta(seconds=1)) == 5
    assert drawn.count_at(onset) == 6
    counts = [drawn.count_at(MADE + year * YEAR) for year in range(11)]
    assert counts == sorted(counts)
    assert counts[-1] == len(drawn.defects)


def test_the_same_seed_gives_the_same_population() -> None:
    assert population(7) == population(7)
    assert population(7) != population(8)


@pytest.mark.parametrize("moment", [MADE - timedelta(seconds=1), MADE + 11 * YEAR])
def test_times_outside_the_life_are_refused(moment: datetime) -> None:
    with pytest.raises(OutsideLifetimeError, match="outside the life"):
        population().active_at(moment, 0)


def test_blinking_defects_follow_their_telegraph_signal() -> None:
    drawn = population(
        defects_per_year=6.0,
        share_blinking=1.0,
        share_partially_stuck=0.0,
        share_stuck=0.0,
        share_dead=0.0,
        horizon_years=2.0,
    )
    end = MADE + 2 * YEAR
    shots = range(400)
    rates = np.array([drawn.active_at(end, shot).dark_rate_e_per_s for shot in shots])
    assert np.array_equal(rates[123], drawn.active_at(end, 123).dark_rate_e_per_s)
    for defect, series in zip(drawn.defects, rates.T, strict=True):
        assert defect.blinking is not None
        high = series == defect.dark_rate_e_per_s
        low = np.isclose(series, defect.dark_rate_e_per_s * defect.blinking.low_level)
        assert np.all(high | low)
        # A chain that keeps its level with probability 1-p has an effective count of n p / (2-p).
        redraw, duty = defect.blinking.redraw_probability, defect.blinking.duty
        spread = np.sqrt(duty * (1 - duty) * (2 - redraw) / redraw / len(shots))
        assert high.mean() == pytest.approx(duty, abs=4 * spread)
        switches = np.mean(high[1:] != high[:-1])
        assert switches == pytest.approx(2 * redraw * duty * (1 - duty), abs=0.09)


def test_later_defects_do_not_change_how_earlier_ones_blink() -> None:
    drawn = population(share_blinking=0.5)
    early = MADE + 3 * YEAR
    for shot in range(6):
        then = drawn.active_at(early, shot).dark_rate_e_per_s
        later = drawn.active_at(MADE + 9 * YEAR, shot).dark_rate_e_per_s
        assert np.array_equal(later[: then.size], then)


def test_the_prior_is_the_published_power_law() -> None:
    # 10^-1.13 * 5^-3.05 * 100^0.505 = 0.00560 defects a year and mm^2; 5 mm by 4 mm here.
    assert prior_defects_per_year(5.0, 1000, 800) == pytest.approx(20 * 0.00560, rel=0.005)
    ratio = prior_defects_per_year(5.0, 1000, 800, 400.0) / prior_defects_per_year(5.0, 1000, 800)
    assert ratio == pytest.approx(2.014, abs=0.001)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("defects_per_year", -1.0),
        ("acceleration_count", -2.0),
        ("horizon_years", 0.0),
        ("share_stuck", 0.9),
    ],
)
def test_impossible_ageing_is_refused(field: str, value: float) -> None:
    with pytest.raises(DescriptionError, match=r"ageing"):
        population(**{field: value})


@pytest.mark.parametrize("acceleration", [1000.0, 1e300])
def test_a_sensor_of_defects_is_refused(acceleration: float) -> None:
    with pytest.raises(DescriptionError, match="lower acceleration_count"):
        population(acceleration_count=acceleration)


@pytest.mark.parametrize("horizon_years", [9000.0, 1e300])
def test_a_life_beyond_the_calendar_is_refused(horizon_years: float) -> None:
    with pytest.raises(DescriptionError, match=r"ageing.horizon_years: .* year 9999"):
        population(horizon_years=horizon_years)
