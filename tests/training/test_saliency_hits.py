"""Hit rates of maps at defects, counted by hand, and against random places."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from training.saliency.errors import SaliencyError
from training.saliency.measures import hit_rates

PLACES = np.array([[2, 3], [10, 20], [25, 7]])


def _flat() -> np.ndarray:
    return np.ones((30, 40), np.float32)


def test_mass_and_area_are_those_that_can_be_counted() -> None:
    values = np.zeros((30, 40), np.float32)
    values[2, 3] = 3.0  # at a defect
    values[2, 4] = 1.0  # beside it
    values[20, 30] = 4.0  # far from all
    found = hit_rates(values, PLACES, radii_photosites=(0, 1, 2), samples=9)
    assert found is not None and found.defects == 3
    at_0, at_1, at_2 = found.at_radii
    assert (at_0.mass_share, at_0.area_share) == (3 / 8, 3 / 1200)
    # a radius of 1 reaches the 5 photosites of a plus, one of 2 reaches 13
    assert (at_1.mass_share, at_1.area_share) == (4 / 8, 15 / 1200)
    assert (at_2.mass_share, at_2.area_share) == (4 / 8, 39 / 1200)
    assert found.random_sets == 9


def test_a_disc_at_the_border_is_cut_off() -> None:
    found = hit_rates(_flat(), np.array([[0, 0]]), radii_photosites=(1,), samples=9)
    assert found is not None
    assert found.at_radii[0].area_share == 3 / 1200


def test_the_top_is_hit_where_it_lies_within_the_radius() -> None:
    values = np.random.default_rng(1).random((30, 40)).astype(np.float32)
    values[2, 5] = values[10, 21] = 5.0  # two and one photosites from a defect
    found = hit_rates(values, PLACES, radii_photosites=(0, 1, 2), top_share=0.0015, samples=9)
    assert found is not None
    # 0.15 % of 1200 photosites, rounded up, are the two
    assert found.top_share == 2 / 1200
    assert [one.hit_rate for one in found.at_radii] == [0, 1 / 3, 2 / 3]


def test_auc_is_that_of_a_rank_test() -> None:
    values = np.random.default_rng(2).random((30, 40)).astype(np.float32)
    inside = np.zeros(values.shape, bool)
    inside[tuple(PLACES.T)] = True
    found = hit_rates(values, PLACES, radii_photosites=(1,), samples=9)
    expected = stats.mannwhitneyu(values[inside], values[~inside]).statistic / (3 * 1197)
    assert found is not None and found.auc == pytest.approx(expected)


def test_defects_given_twice_count_once_and_order_does_not_matter() -> None:
    values = np.random.default_rng(2).random((30, 40)).astype(np.float32)
    once = hit_rates(values, PLACES, radii_photosites=(1,), samples=19)
    twice = hit_rates(
        values, np.concatenate([PLACES[::-1], PLACES]), radii_photosites=(1,), samples=19
    )
    assert once == twice


def test_flat_maps_point_nowhere() -> None:
    found = hit_rates(_flat(), PLACES, radii_photosites=(1,), samples=99)
    assert found is not None and found.auc == 0.5
    assert found.at_radii[0].mass_p_value == 1.0 and found.at_radii[0].hit_p_value == 1.0


def test_a_radius_within_a_cell_is_not_resolved() -> None:
    found = hit_rates(_flat(), PLACES, radii_photosites=(4, 8), cell_photosites=8, samples=9)
    assert found is not None
    assert [one.resolved for one in found.at_radii] == [False, True]


def test_random_maps_raise_false_alarms_as_often_as_promised() -> None:
    alarms = {"mass": 0, "hit": 0}
    for seed in range(200):
        values = np.random.default_rng(seed).random((30, 40)).astype(np.float32)
        places = np.random.default_rng(1000 + seed).integers(0, 30, (12, 2))
        found = hit_rates(values, places, radii_photosites=(1,), samples=99, seed=seed)
        assert found is not None
        alarms["mass"] += found.at_radii[0].mass_p_value <= 0.05
        alarms["hit"] += found.at_radii[0].hit_p_value <= 0.05
    for name, count in alarms.items():
        assert stats.binomtest(count, 200, 0.05, "greater").pvalue > 0.001, name
    # ties make hits rarer, mass has none: it must not sleep
    assert stats.binomtest(alarms["mass"], 200, 0.05, "less").pvalue > 0.001


def test_nothing_on_the_covered_part_is_nothing() -> None:
    values = _flat()
    values[:15] = np.nan
    assert hit_rates(values, PLACES[:2], radii_photosites=(1,)) is None
    assert hit_rates(_flat(), np.zeros((0, 2), np.int64), radii_photosites=(1,)) is None
    for radii, share in (((), 0.05), ((-1,), 0.05), ((1,), 0.0), ((1,), 1.0)):
        with pytest.raises(SaliencyError, match="between 0 and 1"):
            hit_rates(_flat(), PLACES, radii_photosites=radii, top_share=share)
