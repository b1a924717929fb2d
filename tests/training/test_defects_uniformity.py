"""The test of uniformity: known statistics, a peer library, random and planted positions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from training.defects.errors import LedgerError
from training.defects.uniformity import (
    Area,
    Uniformity,
    clark_evans,
    quadrat_counts,
    ring_counts,
    ripley_k,
    uniformity_of,
)

AREA = Area(0, 0, 200, 300)
Places = NDArray[np.int64]


def scattered(generator: np.random.Generator, count: int, area: Area = AREA) -> Places:
    """Draw distinct photosites of an area."""
    flat = generator.permutation(area.photosites)[:count]
    return np.stack(np.divmod(flat, area.width), axis=1)


def judge(places: Places, simulations: int = 199, seed: int = 1, area: Area = AREA) -> Uniformity:
    return uniformity_of(places[:, 0], places[:, 1], area, seed=seed, simulations=simulations)


def test_k_agrees_with_astropy() -> None:
    spatial = pytest.importorskip("astropy.stats")
    generator = np.random.default_rng(1)
    places = generator.uniform(0, (AREA.height, AREA.width), (120, 2))
    radii = np.array([3.3, 9.9, 21.7, 49.1])
    peer = spatial.RipleysKEstimator(
        area=AREA.photosites, y_max=AREA.height, x_max=AREA.width, y_min=0, x_min=0
    )
    np.testing.assert_allclose(
        ripley_k(places, AREA, radii), peer(places[:, ::-1], radii, mode="translation"), rtol=1e-10
    )


def test_k_of_random_points_is_pi_r_squared_whatever_the_edges() -> None:
    generator = np.random.default_rng(2)
    area, radii = Area(0, 0, 40, 400), np.array([2.0, 5.0, 10.0, 30.0])
    draws = np.array(
        [
            ripley_k(generator.uniform(0, (area.height, area.width), (25, 2)), area, radii)
            for _ in range(4000)
        ]
    )
    error = draws.std(axis=0) / np.sqrt(len(draws))
    assert (np.abs(draws.mean(axis=0) - np.pi * radii**2) < 4 * error).all()
    # and the bound is no idle one: without a correction a narrow area misses a quarter
    assert error[-1] < 0.02 * np.pi * radii[-1] ** 2


def test_clark_evans_has_its_known_values() -> None:
    """A square lattice has 2 and a hexagonal one 2.1491 (Clark and Evans 1954); random ones 1."""
    large = Area(0, 0, 1000, 1000)
    square = np.stack(np.meshgrid(np.arange(5, 1000, 10.0), np.arange(5, 1000, 10.0)), -1)
    assert clark_evans(square.reshape(-1, 2), large) == pytest.approx(2.0, rel=0.01)
    rows = np.arange(116) * 10 * np.sqrt(0.75)
    hexagonal = np.array(
        [(row, column + 5 * (number % 2)) for number, row in enumerate(rows)
         for column in np.arange(0, 1000, 10.0)]
    )  # fmt: skip
    assert clark_evans(hexagonal, large) == pytest.approx(2.1491, rel=0.01)
    generator = np.random.default_rng(3)
    for count in (10, 100):
        values = [
            clark_evans(generator.uniform(0, (AREA.height, AREA.width), (count, 2)), AREA)
            for _ in range(2000)
        ]
        assert np.mean(values) == pytest.approx(1.0, abs=0.01)


def test_quadrats_and_rings_share_the_area_equally() -> None:
    area = Area(0, 0, 120, 180)
    every = np.stack(np.divmod(np.arange(area.photosites), area.width), axis=1)
    assert (quadrat_counts(every, area, 4) == area.photosites / 16).all()
    rings = ring_counts(every, area, 4)
    assert rings.sum() == area.photosites
    np.testing.assert_allclose(rings, area.photosites / 4, rtol=0.05)
    assert ring_counts(np.array([[0, 0], [60, 90]]), area, 4).tolist() == [1, 0, 0, 1]


def alarms(count: int, sensors: int, simulations: int, alpha: float) -> dict[str, int]:
    """Count rejections of sensors whose defects lie at random."""
    generator = np.random.default_rng(count)
    area = Area(4, 8, 90, 130)
    found = dict.fromkeys(("l_p", "quadrat_p", "ring_p", "column_p", "row_p", "p_value"), 0)
    for number in range(sensors):
        places = scattered(generator, count, area) + np.array([area.top, area.left])
        outcome = judge(places, simulations, 10_000 + number, area)
        assert outcome.outside == 0
        for name in found:
            found[name] += getattr(outcome, name) <= alpha
    return found


@pytest.mark.parametrize("count", [8, 60])
def test_random_positions_are_let_pass(count: int) -> None:
    sensors = 60
    found = alarms(count, sensors, 99, 0.1)
    assert max(found.values()) <= stats.binom.ppf(0.9999, sensors, 0.1)


@pytest.mark.prove
@pytest.mark.parametrize("count", [8, 40, 200])
def test_false_alarms_of_the_test_of_uniformity(
    count: int, record_property: Callable[[str, object], None]
) -> None:
    """Positions at random are called clustered in 5 % of sensors at most, by every statistic."""
    sensors = 400
    found = alarms(count, sensors, 299, 0.05)
    for name, alarmed in found.items():
        record_property(f"false alarms, {name}", alarmed / sensors)
    assert max(found.values()) <= stats.binom.ppf(0.9995, sensors, 0.05)
    # and where ties are rare, Monte-Carlo tests use their level up
    assert found["l_p"] >= stats.binom.ppf(0.0005, sensors, 0.04)


def test_clusters_are_found_by_pairs() -> None:
    generator = np.random.default_rng(4)
    parents = scattered(generator, 20, Area(0, 0, 190, 290)) + 3
    children = parents + generator.integers(1, 4, (20, 2))
    outcome = judge(np.unique(np.concatenate([parents, children]), axis=0))
    assert outcome.verdict == "not uniform"
    assert outcome.l_p == pytest.approx(1 / 200)
    assert outcome.clark_evans is not None and outcome.clark_evans < 0.8
    function = outcome.l_function
    assert function is not None
    above = np.array(function.observed) > np.array(function.high)
    assert above.any() and function.radii[int(np.argmax(above))] < 6


def test_gradients_are_found_by_quadrats_and_edges_by_rings() -> None:
    generator = np.random.default_rng(5)
    every = scattered(generator, 4000)
    # glow of an amplifier on the left: density falls off to the right
    left = every[generator.random(4000) < 0.06 * np.exp(-every[:, 1] / 80)][:120]
    outcome = judge(left)
    assert outcome.quadrat_p == pytest.approx(1 / 200) and outcome.verdict == "not uniform"
    off_middle = np.abs((every + 0.5) / (200, 300) * 2 - 1).max(axis=1)
    border = every[(off_middle > 0.85) | (generator.random(4000) < 0.25)][:120]
    outcome = judge(border)
    assert outcome.ring_p == pytest.approx(1 / 200) and outcome.verdict == "not uniform"


def test_bad_column_is_named_by_its_number_on_the_sensor() -> None:
    generator = np.random.default_rng(6)
    area = Area(10, 20, 200, 300)
    places = scattered(generator, 60) + np.array([10, 20])
    column = np.stack([10 + np.arange(0, 200, 25), np.full(8, 137)], axis=1)
    outcome = judge(np.unique(np.concatenate([places, column]), axis=0), area=area)
    assert [line.index for line in outcome.columns] == [137]
    assert outcome.columns[0].count >= 8
    assert outcome.rows == () and outcome.verdict == "not uniform"
    assert outcome.column_p < 1e-4 < outcome.row_p
    # the same number of defects without the column is nothing
    assert judge(scattered(generator, 68)).columns == ()


def test_masked_margins_do_not_count() -> None:
    generator = np.random.default_rng(7)
    inner = Area(0, 100, 200, 200)
    places = scattered(generator, 250, inner) + np.array([0, 100])
    assert judge(places, area=Area(0, 0, 200, 300)).verdict == "not uniform"
    outcome = judge(np.concatenate([places, [[5, 5]]]), area=inner)
    assert (outcome.count, outcome.outside) == (250, 1)
    assert outcome.verdict == "uniform"


def test_verdict_needs_enough_defects() -> None:
    generator = np.random.default_rng(8)
    outcome = judge(scattered(generator, 30))
    assert outcome.verdict == "inconclusive" and outcome.power < 0.8
    assert judge(scattered(generator, 300)).power > 0.9
    for count in (0, 1):
        outcome = judge(scattered(generator, count))
        assert outcome.p_value == outcome.smallest_p == 1
        assert outcome.verdict == "inconclusive" and outcome.l_function is None


def test_power_is_that_of_simulated_halves() -> None:
    generator = np.random.default_rng(9)
    sensors, count = 40, 120
    outcomes = []
    for number in range(sensors):
        every = scattered(generator, 1000)
        kept = (every[:, 1] < 150) | (generator.random(1000) < 0.5)
        outcomes.append(judge(every[kept][:count], 99, number))
    found = sum(outcome.quadrat_p <= 0.01 for outcome in outcomes)
    power = outcomes[0].power
    assert 0.3 < power < 0.95
    assert stats.binom.cdf(found, sensors, power) > 0.001
    assert stats.binom.sf(found - 1, sensors, power) > 0.001


def test_what_cannot_be_tested_is_refused() -> None:
    with pytest.raises(LedgerError, match="share a photosite"):
        uniformity_of([5, 5], [7, 7], AREA, seed=0)
    with pytest.raises(LedgerError, match="at least 16"):
        Area(0, 0, 10, 300)


def test_same_seed_same_answer() -> None:
    places = scattered(np.random.default_rng(10), 40)
    assert judge(places, seed=3) == judge(places, seed=3)
