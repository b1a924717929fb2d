"""Sanity checks: maps have to change with the network; against scipy's rank correlation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from training.saliency.errors import SaliencyError
from training.saliency.randomisation import rank_correlation, sanity_check


def _maps(seed: int, count: int = 12) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 6, 7)).astype(np.float32)


def test_rank_correlation_is_scipys_of_absolute_values() -> None:
    first, second = _maps(1)[0], _maps(2)[0]
    second[0] = first[0]
    expected = stats.spearmanr(np.abs(first).ravel(), np.abs(second).ravel()).statistic
    assert rank_correlation(first, second) == pytest.approx(expected)
    # the sign and any growing change of size are no change
    assert rank_correlation(first, -(first**3)) == pytest.approx(1)
    ties = np.round(first)
    expected = stats.spearmanr(np.abs(ties).ravel(), np.abs(second).ravel()).statistic
    assert rank_correlation(ties, second) == pytest.approx(expected)


def test_cells_that_one_map_leaves_undefined_take_no_part() -> None:
    first, second = _maps(1)[0], _maps(2)[0]
    first[0], second[-1] = np.nan, np.nan
    both = rank_correlation(first, second)
    assert both == pytest.approx(rank_correlation(first[1:-1], second[1:-1]))
    assert rank_correlation(first, np.full_like(first, 2.0)) is None


def test_maps_that_change_pass_and_maps_that_stay_do_not() -> None:
    sessions = np.repeat(np.arange(4), 3)
    changed = sanity_check(_maps(1), _maps(2), sessions=sessions)
    assert changed.passes is True and changed.sessions == 4 and changed.images == 12
    assert changed.rank_correlation is not None and abs(changed.rank_correlation) < 0.2
    stays = sanity_check(_maps(1), 2 * _maps(1) + 0.1 * _maps(2), sessions=sessions)
    assert stays.passes is False
    assert stays.interval is not None and stays.interval.low > stays.limit


def test_a_mean_below_the_limit_is_not_enough_where_sessions_disagree() -> None:
    trained, changed = _maps(1), _maps(2)
    changed[:3] = trained[:3]  # one session of four has not changed at all
    found = sanity_check(trained, changed, sessions=np.repeat(np.arange(4), 3), limit=0.4)
    assert found.rank_correlation is not None and found.rank_correlation < 0.4
    assert found.passes is False


def test_what_cannot_be_told_is_undefined() -> None:
    trained, changed = _maps(1), _maps(2)
    changed[3:5] = 1.0
    found = sanity_check(trained, changed)
    assert (found.images, found.undefined) == (10, 2)
    alone = sanity_check(trained, changed, sessions=np.zeros(12))
    assert alone.interval is None and alone.passes is None
    nothing = sanity_check(np.ones_like(trained), changed)
    assert nothing.rank_correlation is None and nothing.passes is None
    with pytest.raises(SaliencyError, match="the same images' maps"):
        sanity_check(trained, changed[:5])
    with pytest.raises(SaliencyError, match="one per image"):
        sanity_check(trained, changed, sessions=[1, 2])
