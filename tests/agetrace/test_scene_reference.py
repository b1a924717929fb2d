"""`agetrace scene reference`: references are taken, kept, replaced, withdrawn, and told apart."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.agetrace.conftest import make_home, some_scenes
from tests.support.command_line import CommandLine, write_yaml
from tests.support.virtual import RunningFixture, running_fixture, small_description

NIKON, GENERIC = "7100001", "7100002"
CAMERA = {"width": 192, "height": 128}
CAROUSEL = """\
import json, sys, urllib.request

url, what, value = sys.argv[1:]
if what == "scene":
    body = {"scene": "%s" if value == "twin" else value}
else:
    body = {"cap_on": value == "on"}
data = json.dumps(body).encode()
urllib.request.urlopen(urllib.request.Request(f"{url}/{what}", data=data, method="PUT"))
"""
SETTINGS = ("--exposure", "1/4", "--iso", "800", "--f-number", "8")


@pytest.fixture(scope="module")
def virtual(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningFixture]:
    description = small_description(
        CAMERA,
        {**CAMERA, "profile": "generic"},
        scenes=["flat-panel", *some_scenes()[:2]],
        lamp_level=0.05,
        exposure_time_scale=0.002,
    )
    with running_fixture(tmp_path_factory.mktemp("virtual"), description) as running:
        yield running


@pytest.fixture(scope="module")
def scenes(virtual: RunningFixture) -> list[str]:
    described = yaml.safe_load(virtual.fixture_file.read_text())["scenes"]
    return [scene["name"] for scene in described if scene["name"] != "flat-panel"]


@pytest.fixture(scope="module")
def home(virtual: RunningFixture, tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    return make_home(tmp_path_factory.mktemp("home") / "lab", virtual)


@pytest.fixture
def own_home(virtual: RunningFixture, tmp_path: Path) -> CommandLine:
    return make_home(tmp_path / "lab", virtual)


def test_references_are_taken_listed_and_replaced(own_home: CommandLine, scenes: list[str]) -> None:
    taken = own_home.run("scene", "reference", *SETTINGS, "--operator", "mara", "--json").document
    places = {(kept["scene"], kept["camera_serial"]) for kept in taken["references"]}
    assert places == {(scene, serial) for scene in scenes for serial in (NIKON, GENERIC)}
    assert (taken["replaced"], taken["refused"]) == ([], [])
    shots = {shot["id"]: shot for shot in own_home.shots()}
    for kept in taken["references"]:
        shot = shots[kept["shot"]]
        assert (shot["scene"], shot["camera_serial"]) == (kept["scene"], kept["camera_serial"])
        assert (shot["verdict"], shot["iso"], shot["f_number"]) == ("accepted", 800, 8)
        assert kept["sha256"] in {file["sha256"] for file in shot["assets"]}

    again = ("scene", "reference", scenes[0], "--camera", NIKON, *SETTINGS)
    assert "--replace" in own_home.run(*again, code=2).message
    answer = own_home.run(*again, "--replace")
    assert f"replaced: {scenes[0]}, camera {NIKON}" in answer.message
    listed = own_home.run("scene", "references", "--json").lines
    assert {(kept["scene"], kept["camera_serial"]) for kept in listed} == places
    newest = [kept for kept in listed if kept not in taken["references"]]
    of_first = {
        kept["shot"]
        for kept in listed
        if (kept["scene"], kept["camera_serial"]) == (scenes[0], NIKON)
    }
    assert of_first == {own_home.shots()[-1]["id"]}
    assert all(kept["state"] == "in use" and kept["age_days"] >= 0 for kept in newest)
    assert scenes[0] in own_home.run("scene", "references").out

    (shot_id,) = of_first
    own_home.run("verdict", "add", shot_id, "rejected", "--reason", "a fly sat on the bottle")
    states = {
        kept["shot"]: kept["state"] for kept in own_home.run("scene", "references", "--json").lines
    }
    assert states[shot_id] == "not in use: its shot is rejected"


def test_frames_of_an_existing_session_become_references(
    home: CommandLine, scenes: list[str], tmp_path: Path
) -> None:
    lit = {"exposure": "1/4", "iso": 800, "f_number": 8}
    recipe = write_yaml(
        tmp_path / "recipe.yaml",
        {
            "name": "mixed",
            "shots": [
                {"kind": "dark-field", "exposure": "1/4", "iso": 800},
                {"kind": "flat-field", **lit},
                {"kind": "fixed-background", "scene": scenes[0], **lit, "count": 2},
                {"kind": "fixed-background", "scene": scenes[1], **lit, "image_quality": "jpeg"},
            ],
        },
    )
    run = ("session", "run", recipe, "--camera", NIKON, "--json")
    session = home.run(*run).document["session_id"]
    counted = len(home.shots())
    answer = home.run("scene", "reference", "--from-session", session[:8], "--json").document
    assert answer["session"] is None
    assert {kept["scene"] for kept in answer["references"]} == {"flat-panel", scenes[0]}
    assert len(home.shots()) == counted
    of_first = [shot["id"] for shot in home.shots() if shot["scene"] == scenes[0]]
    kept = {kept["scene"]: kept["shot"] for kept in answer["references"]}
    assert kept[scenes[0]] == of_first[-1]
    for settings in (("--iso", "100"), ("--exposure", "1/4"), ("--fixture", "virtual")):
        mixed = home.run("scene", "reference", "--from-session", session, *settings, code=2)
        assert "with --from-session give neither" in mixed.message
    in_use = home.run("scene", "reference", "--from-session", session, code=2)
    assert "--replace" in in_use.message
    nothing = home.run("scene", "reference", scenes[1], "--from-session", session, code=2)
    assert "no accepted frame" in nothing.message


@pytest.mark.prove
def test_scenes_that_look_alike_get_one_reference(
    virtual: RunningFixture, own_home: CommandLine, scenes: list[str], tmp_path: Path
) -> None:
    # a description with one scene under two names: the carousel shows the same for both
    fixture = yaml.safe_load(virtual.fixture_file.read_text())
    first = next(scene for scene in fixture["scenes"] if scene["name"] == scenes[0])
    fixture["scenes"].append({**first, "name": "twin"})
    own_home.run("fixture", "revise", write_yaml(tmp_path / "fixture.yaml", fixture))
    carousel = tmp_path / "carousel.py"
    carousel.write_text(CAROUSEL % scenes[0])
    command = json.dumps([sys.executable, str(carousel), virtual.control_url])[1:-1]
    settings = own_home.home / "agetrace.toml"
    settings.write_text(
        settings.read_text().split("[actuators.virtual]")[0]
        + '[actuators.virtual]\nkind = "command"\n'
        + f'set_scene = [{command}, "scene", "{{scene}}"]\n'
        + f'set_cap = [{command}, "cap", "{{state}}"]\n'
    )
    only = ("--camera", NIKON, *SETTINGS)
    answer = own_home.run("scene", "reference", scenes[0], "twin", *only, "--json", code=1).document
    assert [kept["scene"] for kept in answer["references"]] == [scenes[0]]
    (refused,) = answer["refused"]
    assert refused["scene"] == "twin"
    assert f"twin and {scenes[0]} are alike" in refused["reason"]


def test_a_frame_too_dark_to_show_its_scene_is_no_reference(
    virtual: RunningFixture, home: CommandLine, scenes: list[str]
) -> None:
    only = ("--camera", GENERIC, *SETTINGS)
    virtual.put("/lamp", {"lamp_level": 0.0})
    try:
        answer = home.run("scene", "reference", scenes[0], *only, code=1)
    finally:
        virtual.put("/lamp", {"lamp_level": 0.05})
    assert "too dark" in answer.message
    listed = home.run("scene", "references", "--json").lines
    assert [kept for kept in listed if kept["camera_serial"] == GENERIC] == []


def test_bad_requests_take_no_frame(home: CommandLine) -> None:
    before = home.shots()
    for arguments, said in (
        (("nowhere",), "no scene 'nowhere'"),
        (("--exposure", "1/0"), "'1/0' is no exposure time"),
        (("--from-session", "ffff"), "no capture session begins with 'ffff'"),
        (("--camera", "1"), "mounts no camera 1"),
    ):
        assert said in home.run("scene", "reference", *arguments, code=2).message
    assert home.shots() == before
