"""The sensor model against EMVA 1288's relations and the distributions it claims."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from fixtures.ageing import ActiveDefects
from fixtures.errors import DescriptionError
from fixtures.sensor import Exposed, SensorParameters, expose, normal_tables

SHAPE = (300, 400)
QUIET = SensorParameters(read_noise_e=0.0, dsnu_e=0.0, dark_current_e_per_s=0.0)
# One digital number per electron, so that frames are counts.
COUNTING = replace(QUIET, gain_e_per_dn_at_iso100=1.0, white_level_dn=65_535, full_well_e=1e9)


def defects(
    dark_rate: float = 0.0, offset: float = 0.0, response: float = 1.0, count: int = 0
) -> ActiveDefects:
    places = np.arange(count, dtype=np.int64)
    return ActiveDefects(
        rows=places // SHAPE[1],
        columns=places % SHAPE[1],
        dark_rate_e_per_s=np.full(count, dark_rate),
        offset_e=np.full(count, offset),
        response=np.full(count, response),
    )


def frame(
    parameters: SensorParameters,
    *,
    electrons_per_s: float | None = None,
    exposure_s: float = 1.0,
    iso: int = 100,
    temperature_c: float = 20.0,
    seed: int = 1,
    faulty: ActiveDefects | None = None,
) -> NDArray[np.float64]:
    """Return a frame in digital numbers above black."""
    rate = None if electrons_per_s is None else np.full(SHAPE, electrons_per_s, dtype=np.float32)
    numbers = expose(
        parameters,
        np.zeros(SHAPE, dtype=np.float32),
        Exposed(rate, 1.0, exposure_s, iso, temperature_c),
        faulty or defects(),
        tables=normal_tables(),
        seed=seed,
    )
    return numbers.astype(np.float64) - parameters.black_level_dn


@pytest.mark.parametrize("iso", [100, 800])
def test_the_photon_transfer_curve_has_the_slope_of_the_gain(iso: int) -> None:
    parameters = SensorParameters(gain_e_per_dn_at_iso100=2.5, read_noise_e=5.0, dsnu_e=0.0)
    electrons = np.array([200.0, 500.0, 1000.0, 2000.0, 4000.0])
    means, variances = [], []
    for number, level in enumerate(electrons):
        first = frame(parameters, electrons_per_s=level, iso=iso, seed=2 * number)
        second = frame(parameters, electrons_per_s=level, iso=iso, seed=2 * number + 1)
        means.append((first.mean() + second.mean()) / 2)
        variances.append(np.var(first - second) / 2)
    slope, intercept = np.polyfit(means, variances, 1)
    dn_per_electron = iso / 100 / 2.5
    assert slope == pytest.approx(dn_per_electron, rel=0.02)
    read_variance = (5.0 * dn_per_electron) ** 2 + 1 / 12
    assert intercept == pytest.approx(read_variance, abs=0.04 * float(max(variances)))
    assert means == pytest.approx((electrons + 1.0) * dn_per_electron, rel=0.002)


@pytest.mark.parametrize("iso", [100, 800, 6400])
def test_dark_pairs_show_the_read_noise(iso: int) -> None:
    parameters = replace(QUIET, read_noise_e=4.0)
    first, second = (frame(parameters, exposure_s=0.001, iso=iso, seed=seed) for seed in (1, 2))
    rounding_variance = 1 / 12
    read_noise_dn = np.sqrt(np.var(first - second) / 2 - rounding_variance)
    assert read_noise_dn * 300 / iso == pytest.approx(4.0, rel=0.02)


@pytest.mark.parametrize("mean", [0.05, 0.7, 6.0, 23.9, 24.1, 60.0, 900.0])
def test_counts_are_poisson(mean: float) -> None:
    counts = frame(COUNTING, electrons_per_s=mean)
    values = np.arange(int(mean + 12 * np.sqrt(mean) + 10))
    expected = stats.poisson(mean).cdf(values)
    found = np.searchsorted(np.sort(counts.ravel()), values, side="right") / counts.size
    assert np.max(np.abs(found - expected)) < 1.95 / np.sqrt(counts.size)  # KS at 0.1 %
    assert stats.skew(counts.ravel()) == pytest.approx(1 / np.sqrt(mean), abs=0.03 + 0.02 / mean)


@pytest.mark.parametrize("mean", [0.0, 0.3, 4.0, 23.9, 24.1, 1e6])
def test_dark_electrons_are_those_of_as_much_light(mean: float) -> None:
    """Light and dark take different ways to the same counts."""
    dark = replace(COUNTING, dark_current_e_per_s=mean)
    assert np.array_equal(frame(dark), frame(dark, electrons_per_s=0.0))


def test_read_noise_is_normal() -> None:
    fine = replace(
        QUIET,
        gain_e_per_dn_at_iso100=0.001,
        read_noise_e=4.0,
        black_level_dn=32_768,
        white_level_dn=65_535,
    )
    noise = frame(fine).ravel() / 4000.0
    assert stats.kstest(noise, "norm").pvalue > 0.001
    assert stats.kurtosis(noise) == pytest.approx(0.0, abs=0.06)
    beyond = np.count_nonzero(np.abs(noise) > 3.6)  # drawn from the tail beyond the ziggurat
    assert beyond == pytest.approx(noise.size * 2 * stats.norm.sf(3.6), abs=30)


def test_dark_current_doubles_every_eight_kelvins() -> None:
    parameters = replace(COUNTING, dark_current_e_per_s=50.0, dark_doubling_c=8.0)
    at = {
        temperature: frame(parameters, exposure_s=4.0, temperature_c=temperature).mean()
        for temperature in (12.0, 20.0, 28.0, 36.0)
    }
    assert at[20.0] == pytest.approx(200.0, rel=0.002)
    assert at[12.0] == pytest.approx(100.0, rel=0.002)
    assert at[28.0] == pytest.approx(400.0, rel=0.002)
    assert at[36.0] == pytest.approx(800.0, rel=0.002)


@pytest.mark.parametrize("iso", [100, 1600])
@pytest.mark.parametrize("exposure_s", [0.25, 4.0])
@pytest.mark.parametrize("temperature_c", [20.0, 28.0])
def test_defects_add_rate_times_tau_plus_offset(
    iso: int, exposure_s: float, temperature_c: float
) -> None:
    count = SHAPE[0] * SHAPE[1]
    faulty = defects(dark_rate=30.0, offset=120.0, count=count)
    parameters = replace(QUIET, read_noise_e=4.0)
    found = frame(
        parameters, exposure_s=exposure_s, iso=iso, temperature_c=temperature_c, faulty=faulty
    )
    factor = 2.0 ** ((temperature_c - 20.0) / 8.0)
    expected = (iso / 100) / 3.0 * (30.0 * exposure_s * factor + 120.0)
    assert found.mean() == pytest.approx(expected, rel=0.003)


@pytest.mark.parametrize("full_well_e", [50_000.0, 20_000.0])
@pytest.mark.parametrize("electrons_per_s", [None, 9000.0])
def test_a_stuck_photosite_is_full_with_and_without_light(
    full_well_e: float, electrons_per_s: float | None
) -> None:
    parameters = SensorParameters(full_well_e=full_well_e)
    stuck = defects(offset=full_well_e, count=SHAPE[1])
    found = frame(parameters, electrons_per_s=electrons_per_s, exposure_s=0.1, faulty=stuck)
    full = min(16_383 - 512, full_well_e / 3.0)
    assert np.all(found[0] > full - 6 * np.sqrt(full_well_e) / 3.0)
    assert found.max() <= np.ceil(full)


def test_defects_leave_their_neighbours_alone() -> None:
    aged = frame(QUIET, electrons_per_s=500.0, faulty=defects(dark_rate=3000.0, count=7))
    sound = frame(QUIET, electrons_per_s=500.0)
    assert np.flatnonzero(aged != sound).tolist() == list(range(7))


def test_a_weak_photosite_sees_less_light() -> None:
    weak = frame(COUNTING, electrons_per_s=1000.0, faulty=defects(response=0.3, count=SHAPE[1]))
    assert weak[0].mean() == pytest.approx(300.0, rel=0.01)
    assert weak[1:].mean() == pytest.approx(1000.0, rel=0.001)


def test_full_well_and_white_level_clip() -> None:
    well = replace(QUIET, full_well_e=3000.0)
    assert np.all(frame(well, electrons_per_s=9000.0) == 1000.0)
    assert np.all(frame(QUIET, electrons_per_s=1e6) == 16_383 - 512)
    assert np.all(frame(well, electrons_per_s=9000.0, iso=12_800) == 16_383 - 512)


def test_fixed_offsets_are_added_at_the_electron_stage() -> None:
    offsets = np.zeros(SHAPE, dtype=np.float32)
    offsets[10, 20] = 30.0
    exposed = Exposed(None, 1.0, 1.0, 400, 20.0)
    numbers = expose(QUIET, offsets, exposed, defects(), tables=normal_tables(), seed=1)
    assert numbers[10, 20] == 512 + 40
    assert np.count_nonzero(numbers != 512) == 1


def test_a_frame_does_not_depend_on_its_threads() -> None:
    parameters = SensorParameters()
    offsets = np.zeros(SHAPE, dtype=np.float32)
    exposed = Exposed(np.full(SHAPE, 500.0, dtype=np.float32), 1.0, 1.0, 100, 20.0)
    tables = normal_tables()
    alone = expose(parameters, offsets, exposed, defects(), tables=tables, seed=9)
    with ThreadPoolExecutor(3) as executor:
        shared = expose(
            parameters,
            offsets,
            exposed,
            defects(),
            tables=tables,
            seed=9,
            executor=executor,
            bands=7,
        )
    assert np.array_equal(alone, shared)


def test_noise_of_rows_columns_and_frames_is_independent() -> None:
    noise = frame(COUNTING, electrons_per_s=400.0, seed=1) - 400.0
    other = frame(COUNTING, electrons_per_s=400.0, seed=2) - 400.0
    for first, second in (
        (noise[1:], noise[:-1]),
        (noise[:, 1:], noise[:, :-1]),
        (noise, other),
    ):
        correlation = np.corrcoef(first.ravel(), second.ravel())[0, 1]
        assert abs(correlation) < 4.0 / np.sqrt(first.size)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("gain_e_per_dn_at_iso100", 0.0),
        ("read_noise_e", -1.0),
        ("quantum_efficiency", (0.5, 0.5, 1.5)),
        ("white_level_dn", 100),
        ("white_level_dn", 65_536),
        ("black_level_dn", -1),
        ("full_well_e", 0.0),
        ("dark_doubling_c", -8.0),
        ("dust_spots", -1),
    ],
)
def test_impossible_constants_are_named(field: str, value: object) -> None:
    with pytest.raises(DescriptionError, match=field):
        SensorParameters(**{field: value})  # type: ignore[arg-type]
