"""`agetrace retrain` and `agetrace model` as a lab uses them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agetrace.settings import load_home
from tests.support.command_line import CommandLine, write_yaml
from tests.support.experiment_worlds import AGEING, SCHEME, WorldSizes, build_world

SIZES = WorldSizes(rows=96, columns=128, sessions=5, test_sessions=3, scenes=5, test_scenes=2)
POLICY: dict[str, Any] = {
    "name": "daily",
    "scheme": SCHEME,
    "classes": [{"name": "early", "timeslots": "1-5"}, {"name": "late", "since": 6}],
    "dataset": {
        "cameras": [AGEING],
        "role": "raw",
        "input": "raw-mosaic",
        "blocks": {"scenes": {"test": 2}, "sessions_per_class": {"test": 3}},
    },
    "experiment": {"patch_size": 32, "steps": 12, "runs": 2, "threads": 1},
    "promotion": {"rule": "not-worse", "margin": 0.9, "above_chance": False},
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    made = CommandLine(tmp_path_factory.mktemp("retraining") / "home")
    made.run("init", made.home)
    catalogue = load_home(made.home).open_catalogue()
    try:
        build_world(catalogue, made.home.parent / "fixture", SIZES, seed=2)
    finally:
        catalogue.close()
    return made


def _policy(home: CommandLine, **changes: Any) -> Path:
    return write_yaml(home.home.parent / "policy.yaml", {**POLICY, **changes})


def test_a_line_of_models_from_the_first_to_a_rollback(home: CommandLine) -> None:
    policy = _policy(home)
    assert home.run("model", "list", "--json").lines == []
    first = home.run_apart("retrain", policy, "--timeslot", "9", "--without-pixels", "--json")
    assert (first.document["step"], first.document["is_new"]) == ("promoted", True)
    again = home.run_apart("retrain", policy, "--timeslot", "9", "--without-pixels")
    assert "policy daily, timeslot 9 of sessions: already promoted: the first" in again.message
    # without a timeslot it is the newest that has closed
    second = home.run_apart("retrain", policy, "--without-pixels", "--json").document
    assert (second["timeslot"], second["step"]) == (10, "promoted"), second["reason"]

    listed = home.run("model", "list", "--json").lines
    assert [(one["model"], one["state"]) for one in listed] == [
        ("daily@1", "retired"),
        ("daily@2", "in-service"),
    ]
    shown = home.run("model", "show", "daily", "--json").document
    assert (shown["version"], shown["state"], len(shown["runs"])) == (2, "in-service", 2)
    assert shown["datasets"] == [second["numbers"]["dataset"]]
    assert "daily@2 is in-service" in home.run("model", "show", "daily@2").message

    rolled = home.run("model", "rollback", "daily", "--reason", "drifts", "--json").document
    assert rolled == {"in_service": "daily@1", "retired": "daily@2", "reason": "drifts"}
    back = home.run("model", "promote", "daily@2", "--reason", "no, it does not")
    assert "daily@2 is in service, daily@1 is retired" in back.message
    assert len(home.run("model", "show", "daily@1", "--json").document["history"]) == 5


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["model", "show", "nothing"], "there is no model nothing"),
        (["model", "rollback", "nothing", "--reason", "x"], "nothing to roll back"),
        (["model", "promote", "daily@9", "--reason", "x"], "there is no model daily@9"),
    ],
)
def test_what_is_not_there_is_told(home: CommandLine, arguments: list[str], told: str) -> None:
    assert told in home.run(*arguments, code=2).message


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"scheme": "years"}, "no timeslot scheme is called 'years'"),
        ({"experiment": {"stepz": 3}}, "policy.yaml: experiment: stepz: no such field"),
        ({"classes": [{"name": "a", "last": 1}]}, "policy.yaml: classes"),
    ],
)
def test_policies_that_cannot_be_are_refused(
    home: CommandLine, changes: dict[str, Any], told: str
) -> None:
    answer = home.run_apart("retrain", _policy(home, **changes), "--without-pixels", code=2)
    assert told in answer.message
    assert "Traceback" not in answer.message
