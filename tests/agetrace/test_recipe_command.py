"""`agetrace recipe`: a plan is checked, estimated and shown before anything is captured."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from capture.recipes import ready_recipes
from tests.support.command_line import CommandLine, write_yaml
from tests.support.virtual import RunningFixture, running_fixture, small_description

DARK = {"kind": "dark-field", "exposures": ["1/30", "1"], "isos": [100, 800], "count": 2}
FLAT = {"kind": "flat-field", "exposure": "1/4", "iso": 100, "f_number": 8}


@pytest.fixture(scope="module")
def virtual(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningFixture]:
    description = small_description(
        {"width": 192, "height": 128}, exposure_time_scale=0.002, scenes=["flat-panel"]
    )
    with running_fixture(tmp_path_factory.mktemp("virtual"), description) as running:
        yield running


@pytest.fixture(scope="module")
def command_line(virtual: RunningFixture, tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    line = CommandLine(tmp_path_factory.mktemp("homes") / "lab")
    line.run("init", line.home)
    (line.home / "agetrace.toml").write_text(
        f'[clock]\nsource = "simulated"\nurl = "{virtual.control_url}"\n'
    )
    line.run("fixture", "add", virtual.fixture_file)
    return line


@pytest.fixture
def homeless(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path)


def recipe(folder: Path, *shots: dict[str, Any], **fields: Any) -> Path:
    return write_yaml(folder / "recipe.yaml", {"name": "drawn", **fields, "shots": list(shots)})


def test_ready_recipes_are_listed_without_a_home(homeless: CommandLine) -> None:
    lines = homeless.run("recipe", "list", "--json").lines
    assert [line["name"] for line in lines] == list(ready_recipes())
    assert all(line["description"] and len(line["content_sha256"]) == 64 for line in lines)


def test_a_recipe_is_checked_without_a_home(homeless: CommandLine) -> None:
    sound = homeless.run("recipe", "check", recipe(homeless.home, DARK), "--json").document
    assert (sound["name"], sound["shots"], sound["issues"]) == ("drawn", None, [])
    wrong = recipe(homeless.home, {**DARK, "gain": 2})
    assert "shots[0].gain" in homeless.run("recipe", "check", wrong, code=2).message


def test_dark_fields_are_shown_without_a_home(homeless: CommandLine) -> None:
    path = recipe(homeless.home, DARK, order="counterbalanced", warm_up=1)
    *shots, last = homeless.run("recipe", "show", path, "--json").lines
    assert [shot["sequence"] for shot in shots] == list(range(1, 10))
    assert [shot["warm_up"] for shot in shots] == [True] + [False] * 8
    assert last["shots"] == 9
    (balance,) = last["balance"]
    assert (balance["place_exposure"], balance["mean_place_span"]) == (0, 0)
    assert len(last["content_sha256"]) == 64
    scenes = recipe(homeless.home, FLAT)
    assert "agetrace init" in homeless.run("recipe", "show", scenes, code=2).message


def test_a_recipe_is_checked_against_the_scenes_of_a_fixture(command_line: CommandLine) -> None:
    path = recipe(command_line.home, DARK, FLAT)
    found = command_line.run("recipe", "check", path, "--fixture", "virtual", "--json").document
    assert found["shots"] == 9
    *shots, _ = command_line.run("recipe", "show", path, "--json").lines
    assert shots[-1]["scene"] == "flat-panel"
    moon = recipe(command_line.home, {**FLAT, "scene": "moon"})
    answer = command_line.run("recipe", "check", moon, "--fixture", "virtual", code=2)
    assert "no scene 'moon'" in answer.message


def test_time_bytes_and_releases_are_estimated(command_line: CommandLine) -> None:
    path = recipe(command_line.home, DARK, FLAT)
    found = command_line.run("recipe", "estimate", path, "--json").document
    assert found["shutter_count_by_camera"] == {"7100001": 9}
    assert found["shots_by_kind"] == {"dark-field": 8, "flat-field": 1}
    assert found["exposure_s"] == pytest.approx(4 / 30 + 4 + 1 / 4)
    assert found["scene_changes"] == 2
    assert not found["is_measured"]


def test_a_dry_run_tries_the_cameras_and_captures_nothing(command_line: CommandLine) -> None:
    path = recipe(command_line.home, DARK, FLAT)
    found = command_line.run("recipe", "check", path, "--dry-run", "--json").document
    assert found["combinations"] == 5
    assert not [issue for issue in found["issues"] if issue["is_blocking"]]
    wrong = recipe(command_line.home, {**DARK, "isos": [123, 456]})
    answer = command_line.run("recipe", "check", wrong, "--dry-run", code=2)
    assert "iso 123 is not offered" in answer.message
    assert "iso 456 is not offered" in answer.message
    assert "no session can begin" in answer.message
    assert command_line.shots() == []
