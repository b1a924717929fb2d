"""The demo's plan: its documents are accepted by those who read them, and its amounts add up."""

from __future__ import annotations

import itertools
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from agetrace.demo import plan
from capture.recipes import parse_recipe
from datastore import timeslots
from datastore.datasets.spec import make_spec
from training.experiments.spec import ExperimentSpec

SIZES = pytest.mark.parametrize("amounts", plan.AMOUNTS.values(), ids=plan.AMOUNTS)
NAMES = [
    f"{background}-{thing}-{lamp}"
    for background in ("brick", "wood", "cloth", "gravel", "print", "moss")
    for thing in ("ball", "box", "mug", "bottle")
    for lamp in ("daylight", "tungsten")
]


@SIZES
def test_the_sessions_of_a_class_lie_in_its_timeslots(
    amounts: plan.Amounts, tmp_path: Path
) -> None:
    file = tmp_path / "timeslots.yaml"
    file.write_text(yaml.safe_dump(plan.timeslot_scheme()))
    slots = timeslots.intervals(timeslots.read_scheme(file))
    times = plan.session_times(amounts)
    specification = plan.dataset_specifications(amounts, 1)["controlled"]
    for one in specification["classes"]:
        starts = min(slots[ordinal - 1].starts_at for ordinal in one["timeslots"])
        ends = max(slots[ordinal - 1].ends_at for ordinal in one["timeslots"])
        assert all(starts <= time < ends for time in times[one["name"]])
    assert times["early"][-1] < times["between"][0] <= times["between"][-1] < times["late"][0]


@SIZES
def test_every_document_is_accepted_by_its_reader(amounts: plan.Amounts) -> None:
    for recipe in (plan.dark_recipe(amounts), plan.combined_recipe(amounts)):
        assert parse_recipe(yaml.safe_dump(recipe), "recipe").name == recipe["name"]
    specifications = plan.dataset_specifications(amounts, 1)
    assert [make_spec(one).name for one in specifications.values()] == list(specifications)
    versions = dict.fromkeys(specifications, "a" * 64)
    experiments = plan.experiment_specifications(amounts, 1, versions, Path("places.json"))
    assert [ExperimentSpec.model_validate(one).name for one in experiments.values()] == list(
        experiments
    )


@SIZES
def test_the_acceleration_gives_the_wanted_number_of_defects(amounts: plan.Amounts) -> None:
    per_year = plan.prior_defects_per_year(amounts) * plan.acceleration_count(amounts)
    wanted = amounts.new_defects_per_mille * amounts.width * amounts.height / 1000
    assert per_year * plan.YEARS == pytest.approx(wanted, rel=0.01)


@SIZES
def test_a_class_has_sessions_enough_for_a_decision(amounts: plan.Amounts) -> None:
    from math import comb

    assert amounts.sessions_per_class > amounts.validation_sessions + amounts.test_sessions
    assert 1 / comb(2 * amounts.test_sessions, amounts.test_sessions) < 0.05


def test_the_scenes_are_distinct_and_spread_over_the_carousel() -> None:
    chosen = plan.choose_scenes(NAMES, plan.FULL, seed=3)
    assert len(set(chosen)) == plan.FULL.scenes
    assert len({name.split("-")[0] for name in chosen}) == 6
    assert chosen == plan.choose_scenes(NAMES, plan.FULL, seed=3)


def test_sessions_keep_a_distance_of_a_day_or_more() -> None:
    times = sorted(time for group in plan.session_times(plan.FULL).values() for time in group)
    assert min(b - a for a, b in itertools.pairwise(times)) >= timedelta(days=1)
