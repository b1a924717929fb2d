"""Recipes: what they accept, what they refuse and where, and the order of their shots."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from itertools import groupby
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capture.errors import RecipeError
from capture.recipes import (
    Recipe,
    expand,
    parse_exposure,
    parse_recipe,
    read_recipe,
    ready_recipes,
)

SCENES = ["flat-panel", "brick-ball", "wood-cup"]

exposures = st.builds(lambda n, d: str(Fraction(n, d)), st.integers(1, 30), st.integers(1, 8000))
isos = st.sampled_from([100, 200, 800, 25600])
darks = st.fixed_dictionaries(
    {
        "kind": st.just("dark-field"),
        "exposures": st.lists(exposures, min_size=1, max_size=3),
        "isos": st.lists(isos, min_size=1, max_size=2),
        "count": st.integers(1, 3),
    }
)
backgrounds = st.fixed_dictionaries(
    {
        "kind": st.just("fixed-background"),
        "scenes": st.one_of(
            st.just("all"), st.lists(st.sampled_from(SCENES[1:]), min_size=1, unique=True)
        ),
        "exposure": exposures,
        "iso": isos,
        "count": st.integers(1, 3),
        "image_quality": st.sampled_from(["raw", "raw+jpeg", "jpeg"]),
    }
)
bodies = st.fixed_dictionaries(
    {
        "name": st.just("drawn"),
        "order": st.sampled_from(["as-listed", "randomised", "counterbalanced"]),
        "scene_order": st.sampled_from(["as-listed", "randomised"]),
        "order_seed": st.integers(0, 2**63 - 1),
        "warm_up": st.integers(0, 3),
        "shots": st.lists(st.one_of(darks, backgrounds), min_size=1, max_size=4),
    }
)


def asked_for(body: dict[str, Any]) -> Counter[tuple[Any, ...]]:
    """Count the shots that a recipe asks for, by an enumeration of its own."""
    wanted: Counter[tuple[Any, ...]] = Counter()
    for entry in body["shots"]:
        scenes = entry.get("scenes", [None])
        for scene in SCENES[1:] if scenes == "all" else scenes:
            for exposure in entry.get("exposures", [entry.get("exposure")]):
                for iso in entry.get("isos", [entry.get("iso")]):
                    key = (entry["kind"], scene, Fraction(exposure), iso)
                    wanted[key] += entry["count"]
    return wanted


@given(bodies)
def test_every_shot_that_is_asked_for_is_taken_once(body: dict[str, Any]) -> None:
    shots = expand(Recipe.model_validate(body), SCENES)
    taken = Counter((s.kind, s.scene, s.exposure, s.iso) for s in shots if not s.warm_up)
    assert taken == asked_for(body)
    assert [shot.sequence for shot in shots] == list(range(1, len(shots) + 1))
    assert sum(shot.warm_up for shot in shots) == body["warm_up"]


@given(bodies)
def test_the_scene_changes_as_rarely_as_possible(body: dict[str, Any]) -> None:
    shots = expand(Recipe.model_validate(body), SCENES)
    changes = [scene for scene, _ in groupby(shot.scene for shot in shots)]
    assert len(changes) == len(set(changes))
    assert all(shot.cap_on == (shot.kind == "dark-field") for shot in shots)


@given(bodies, st.integers(0, 2**63 - 1))
def test_the_seed_alone_decides_the_order(body: dict[str, Any], other_seed: int) -> None:
    recipe = Recipe.model_validate(body)
    assert expand(recipe, SCENES) == expand(Recipe.model_validate(body), SCENES)
    other = Recipe.model_validate({**body, "order_seed": other_seed})
    if recipe.order == recipe.scene_order == "as-listed":
        assert expand(other, SCENES) == expand(recipe, SCENES)
    assert (other.content_sha256 == recipe.content_sha256) == (other == recipe)


@given(bodies)
def test_a_recipe_survives_its_own_body(body: dict[str, Any]) -> None:
    recipe = Recipe.model_validate(body)
    again = Recipe.model_validate(recipe.body())
    assert again == recipe
    assert again.content_sha256 == recipe.content_sha256


@given(bodies, st.randoms(use_true_random=False))
def test_the_order_of_keys_is_no_part_of_the_hash(body: dict[str, Any], shuffle: Random) -> None:
    def reordered(value: Any) -> Any:
        if isinstance(value, list):
            return [reordered(part) for part in value]
        if isinstance(value, dict):
            keys = list(value)
            shuffle.shuffle(keys)
            return {key: reordered(value[key]) for key in keys}
        return value

    other = Recipe.model_validate(reordered(body))
    assert other.content_sha256 == Recipe.model_validate(body).content_sha256


def test_thresholds_are_part_of_the_hash() -> None:
    texts = ["", "checks: {scene_margin: 0.5}\n"]
    hashes = {
        parse_recipe(
            f"name: a\n{text}shots: [{{kind: dark-field, exposure: 1, iso: 1}}]", "a"
        ).content_sha256
        for text in texts
    }
    assert len(hashes) == 2


def test_an_entry_overrides_attempts_and_what_a_failure_means() -> None:
    recipe = parse_recipe(
        "name: a\nattempts: 3\nwarm_up: 1\nshots:\n"
        "  - {kind: dark-field, exposure: 1, iso: 100, attempts: 5, on_failure: abort}\n"
        "  - {kind: dark-field, exposure: 2, iso: 100}",
        "a",
    )
    warm_up, first, second = expand(recipe, [])
    assert (first.attempts, first.on_failure) == (5, "abort")
    assert (second.attempts, second.on_failure) == (3, "continue")
    assert (warm_up.warm_up, warm_up.on_failure) == (True, "continue")


def test_equal_exposures_have_equal_hashes() -> None:
    texts = ['"1/2"', '"0.5"', '"2/4"']
    hashes = {
        parse_recipe(
            f"name: a\nshots: [{{kind: dark-field, exposure: {text}, iso: 100}}]", "a"
        ).content_sha256
        for text in texts
    }
    assert len(hashes) == 1


@pytest.mark.parametrize("name", sorted(ready_recipes()))
def test_ready_recipes_expand_by_name(name: str) -> None:
    recipe = read_recipe(Path(name))
    shots = expand(recipe, SCENES)
    assert recipe.name == name
    assert len(shots) >= 10


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name: a\nshots:\n  - kind: dark-field\n    exposure: 1\n    iso: 100\n    gain: 2",
         "r.yaml:6: shots[0].gain: no such field in a recipe"),
        ("name: a\nshots:\n  - kind: dark-field\n    exposure: 1/0\n    iso: 100",
         "r.yaml:4: shots[0].exposure: '1/0' is no exposure time"),
        ("name: a\nshots:\n  - kind: dark-field\n    exposure: 0.5\n    iso: 100",
         "r.yaml:4: shots[0].exposure"),
        ("name: a\nshots:\n  - kind: dark-field\n    iso: 100",
         "r.yaml:3: shots[0]: give either exposure or exposures"),
        ("name: a\nshots:\n  - kind: fixed-background\n    exposure: 1\n    iso: 100",
         "r.yaml:3: shots[0]: a fixed-background frame needs scene"),
        ("name: a\nshots:\n  - {kind: dark-field, scene: x, exposure: 1, iso: 100}",
         "r.yaml:3: shots[0]: a dark field has no scene"),
        ("name: a\nshots: []", "r.yaml:2: shots: the list is empty"),
        ("name: a\nname: b\nshots: []", "r.yaml:2: name: given twice"),
        ("name: a\nattempts: 0\nshots: [{kind: dark-field, exposure: 1, iso: 1}]",
         "r.yaml:2: attempts"),
        ("name: a\nshots:\n  - {kind: dark-field, exposure: 1, iso: 1, on_failure: retry}",
         "r.yaml:3: shots[0].on_failure"),
        ("name: a\nchecks:\n  scene_margins: 1\nshots: [{kind: dark-field, exposure: 1, iso: 1}]",
         "r.yaml:3: checks.scene_margins: no such field"),
        ("name: ../a\nshots: [{kind: dark-field, exposure: 1, iso: 1}]", "r.yaml:1: name"),
        ("just text", "r.yaml: a recipe is a mapping"),
        ("a: [", "r.yaml: no YAML"),
        ("", "r.yaml: a recipe is a mapping"),
    ],
)  # fmt: skip
def test_errors_name_field_and_line(text: str, expected: str) -> None:
    with pytest.raises(RecipeError) as caught:
        parse_recipe(text, "r.yaml")
    assert expected in str(caught.value)
    assert caught.value.exit_code == 2


def test_an_unknown_scene_is_named_with_those_that_there_are() -> None:
    recipe = parse_recipe(
        "name: a\nshots: [{kind: fixed-background, scene: moon, exposure: 1, iso: 100}]", "a"
    )
    with pytest.raises(RecipeError, match=r"shots\[0\].*no scene 'moon'.*brick-ball"):
        expand(recipe, SCENES)


def test_a_missing_file_names_the_ready_recipes() -> None:
    with pytest.raises(RecipeError, match="combined-session"):
        read_recipe(Path("no-such-recipe.yaml"))


@pytest.mark.parametrize("text", ["0", "-1", "3601", "1/0", "nan", "", "fast"])
def test_impossible_exposures_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="exposure"):
        parse_exposure(text)
