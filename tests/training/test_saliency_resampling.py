"""Shuffles and intervals that measures of maps share, against enumeration and a textbook."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest
from scipy import stats

from training.saliency.resampling import (
    central_interval,
    jackknife_interval,
    shuffled_sets,
    smallest_share,
)


def test_shuffles_keep_how_many_labels_each_has_and_how_often_each_is_held() -> None:
    sets = [[0, 1, 2], [0, 1], [3, 4], [2, 3, 4]]
    seen = set()
    generator = np.random.default_rng(0)
    for _ in range(400):
        drawn = shuffled_sets(sets, generator)
        assert [len(one) for one in drawn] == [3, 2, 2, 3]
        assert sorted(np.concatenate(drawn)) == sorted(label for one in sets for label in one)
        assert {tuple(sorted(drawn[place].tolist())) for place in (0, 3)} == {(0, 1, 2), (2, 3, 4)}
        seen.add(tuple(drawn[1].tolist()))
    assert seen == {(0, 1), (1, 0), (3, 4), (4, 3)}


@pytest.mark.parametrize(
    "sets", [[[0, 1], [0, 1]], [[0, 1, 2], [0, 1, 2]], [[0, 1], [2, 3]], [[0], [1], [0, 1]]]
)
def test_the_smallest_share_is_that_of_all_shuffles(sets: list[list[int]]) -> None:
    """Enumerate: which shuffles are the true one with its labels renamed?"""
    shuffles = set()
    sizes = [len(one) for one in sets]
    for order in permutations(range(len(sets))):
        if [sizes[place] for place in order] != sizes:
            continue
        for drawn in product(*(permutations(sets[place]) for place in order)):
            shuffles.add(drawn)
    labels = sorted({label for one in sets for label in one})
    renamed = set()
    for names in permutations(labels):
        rename = dict(zip(labels, names, strict=True))
        renamed.add(tuple(tuple(rename[label] for label in one) for one in sets))
    reached = len(shuffles & renamed) / len(shuffles)
    assert reached <= smallest_share(sets) + 1e-12


def test_the_jackknife_of_a_mean_is_students_interval() -> None:
    values = np.array([1.0, 4.0, 2.0, 7.0, 3.5])
    without = [float(np.delete(values, place).mean()) for place in range(5)]
    found = jackknife_interval(float(values.mean()), [without])
    expected = stats.t.interval(0.95, 4, loc=values.mean(), scale=stats.sem(values))
    assert found is not None
    assert (found.low, found.high) == pytest.approx(expected)


def test_an_interval_needs_three_units_of_each_kind_and_all_estimates() -> None:
    assert jackknife_interval(1.0, [[1.0, 2.0]]) is None
    assert jackknife_interval(1.0, [[1.0, 2.0, None]]) is None
    assert jackknife_interval(None, [[1.0, 2.0, 3.0]]) is None
    one = jackknife_interval(1.0, [[1.0, 2.0, 3.0]])
    two = jackknife_interval(1.0, [[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]])
    assert one is not None and two is not None
    assert two.high - two.low == pytest.approx((one.high - one.low) * 2**0.5)


def test_the_central_interval_holds_95_percent() -> None:
    found = central_interval(np.arange(1001.0))
    assert (found.low, found.high) == pytest.approx((25.0, 975.0))
    assert found.confidence == 0.95
