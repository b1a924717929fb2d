"""Counterbalanced orders, orders of scenes, and the report of how balanced an order is."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from capture.recipes import Recipe, ShotSpec, expand, read_recipe, ready_recipes
from capture.recipes.balance import balance_of, rank_correlation

SCENES = ["flat-panel", "brick-ball", "wood-cup", "wood-ball", "linen-cup"]
EXPOSURES = ["1/125", "1/30", "1/8", "1", "4"]
seeds = st.integers(0, 2**63 - 1)


def dark_grid(exposures: int, isos: int, count: int, seed: int, **fields: Any) -> Recipe:
    entry = {
        "kind": "dark-field",
        "exposures": EXPOSURES[:exposures],
        "isos": [100, 800, 3200][:isos],
        "count": count,
    }
    return Recipe.model_validate(
        {
            "name": "grid",
            "order": "counterbalanced",
            "order_seed": seed,
            "shots": [entry],
            **fields,
        }
    )


def settings(shot: ShotSpec) -> tuple[Any, ...]:
    return (shot.exposure, shot.iso)


grids = st.builds(dark_grid, st.integers(1, 5), st.integers(1, 3), st.integers(1, 7), seeds)


@given(grids)
def test_every_combination_comes_once_a_repetition(recipe: Recipe) -> None:
    shots = [settings(shot) for shot in expand(recipe, [])]
    combinations = len(set(shots))
    for begin in range(0, len(shots), combinations):
        assert len(set(shots[begin : begin + combinations])) == combinations


@given(grids)
def test_every_other_repetition_is_the_one_before_it_backwards(recipe: Recipe) -> None:
    shots = [settings(shot) for shot in expand(recipe, [])]
    combinations = len(set(shots))
    pairs = [
        shots[begin : begin + 2 * combinations]
        for begin in range(0, len(shots) - 2 * combinations + 1, 2 * combinations)
    ]
    for pair in pairs:
        assert pair == pair[::-1]


@given(
    st.builds(
        dark_grid,
        st.integers(1, 5),
        st.integers(1, 3),
        st.integers(1, 3).map(lambda n: 2 * n),
        seeds,
    )
)
def test_a_steady_drift_is_the_same_for_every_combination(recipe: Recipe) -> None:
    """A drift that grows with time adds the same mean to each cell, whatever the seed."""
    drift: dict[tuple[Any, ...], int] = defaultdict(int)
    for shot in expand(recipe, []):
        drift[settings(shot)] += shot.sequence
    assert len(set(drift.values())) == 1
    (balance,) = balance_of(expand(recipe, []))
    assert balance.mean_place_span == 0
    assert balance.place_exposure in (0, None)
    assert balance.place_iso in (0, None)


@given(seeds)
def test_what_came_before_comes_after_as_often(seed: int) -> None:
    shots = [settings(shot) for shot in expand(dark_grid(3, 2, 2, seed), [])]
    follows = Counter((a, b) for a, b in pairwise(shots) if a != b)
    assert all(follows[b, a] == number for (a, b), number in follows.items())


def test_seeds_draw_different_orders() -> None:
    assert len({expand(dark_grid(5, 3, 1, seed), []) for seed in range(20)}) == 20


@given(seeds, st.sampled_from(["as-listed", "randomised", "counterbalanced"]))
def test_only_scenes_with_backgrounds_change_places(seed: int, order: str) -> None:
    recipe = Recipe.model_validate(
        {
            "name": "all",
            "order": order,
            "scene_order": "randomised",
            "order_seed": seed,
            "shots": [
                {"kind": "dark-field", "exposure": 1, "iso": 100, "count": 2},
                {"kind": "flat-field", "exposure": 1, "iso": 100},
                {"kind": "fixed-background", "scenes": "all", "exposure": 1, "iso": 100},
                {"kind": "dark-field", "exposure": 4, "iso": 100},
            ],
        }
    )
    scenes = [scene for scene, _ in groupby(shot.scene for shot in expand(recipe, SCENES))]
    assert scenes[:2] == [None, "flat-panel"]
    assert sorted(map(str, scenes[2:])) == sorted(SCENES[1:])


def test_every_scene_comes_to_every_place() -> None:
    places: Counter[tuple[str | None, int]] = Counter()
    for seed in range(200):
        recipe = Recipe.model_validate(
            {
                "name": "scenes",
                "scene_order": "randomised",
                "order_seed": seed,
                "shots": [{"kind": "fixed-background", "scenes": "all", "exposure": 1, "iso": 1}],
            }
        )
        places.update((shot.scene, shot.sequence) for shot in expand(recipe, SCENES))
    # 50 expected of each; 25 is four standard deviations away
    assert len(places) == 16
    assert min(places.values()) > 25


values = st.lists(st.integers(0, 5), min_size=2, max_size=30)


@given(values, st.data())
def test_the_rank_correlation_is_that_of_scipy(left: list[int], data: st.DataObject) -> None:
    same_length = st.lists(st.integers(0, 5), min_size=len(left), max_size=len(left))
    right = data.draw(same_length)
    found = rank_correlation(left, right)
    if len(set(left)) == 1 or len(set(right)) == 1:
        assert found is None
    else:
        assert found == pytest.approx(spearmanr(left, right).statistic, abs=1e-12)


def test_a_listed_order_is_reported_as_confounded_with_time() -> None:
    recipe = dark_grid(5, 1, 4, 0, order="as-listed", warm_up=3)
    (balance,) = balance_of(expand(recipe, []))
    assert balance.shots == 20
    assert balance.place_exposure is not None and balance.place_exposure > 0.95
    assert balance.place_iso is None
    assert balance.mean_place_span == 0.8


@pytest.mark.parametrize("name", sorted(ready_recipes()))
def test_ready_recipes_are_balanced(name: str) -> None:
    for balance in balance_of(expand(read_recipe(Path(name)), SCENES)):
        assert balance.mean_place_span == 0
