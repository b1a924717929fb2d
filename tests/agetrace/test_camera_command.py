"""`agetrace camera`: what a laboratory sees of its cameras before it trusts them with a session."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from agetrace.settings import load_home
from capture.leasing import lease_equipment
from tests.agetrace.conftest import Line, make_home
from tests.support.command_line import CommandLine, write_yaml
from tests.support.virtual import RunningFixture, running_fixture, small_description

NIKON, GENERIC, EOS = "7100001", "7100002", "7100003"
CAMERA = {"width": 192, "height": 128}
NOBODY = "ptpip:127.0.0.99:15999"


@pytest.fixture(scope="module")
def virtual(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningFixture]:
    description = small_description(
        CAMERA,
        {**CAMERA, "profile": "generic"},
        {**CAMERA, "profile": "eos"},
        scenes=["flat-panel"],
        exposure_time_scale=0.01,
    )
    with running_fixture(tmp_path_factory.mktemp("virtual"), description) as running:
        yield running


@pytest.fixture(scope="module")
def home(virtual: RunningFixture, tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    return make_home(tmp_path_factory.mktemp("home") / "lab", virtual)


@pytest.fixture
def two_of_three(virtual: RunningFixture, tmp_path: Path) -> CommandLine:
    """Return a home whose fixture has the first two cameras, each at the other's address."""
    home = CommandLine(tmp_path / "lab")
    home.run("init", home.home)
    clock = f'[clock]\nsource = "simulated"\nurl = "{virtual.control_url}"\n'
    (home.home / "agetrace.toml").write_text(clock)
    fixture = yaml.safe_load(virtual.fixture_file.read_text())
    first, second = fixture["cameras"][:2]
    first["address"], second["address"] = second["address"], first["address"]
    fixture["cameras"] = [first, second]
    home.run("fixture", "add", write_yaml(tmp_path / "fixture.yaml", fixture))
    return home


def exposures(virtual: RunningFixture, serial: str) -> int:
    counter = virtual.state_folder / "cameras" / serial / "shots_taken.txt"
    return int(counter.read_text()) if counter.exists() else 0


@contextmanager
def in_session(home: CommandLine, serial: str) -> Iterator[None]:
    with load_home(home.home).open_catalogue() as catalogue:
        lease = lease_equipment(catalogue, [f"camera:{serial}"])
        yield
        lease.release()


def by_address(lines: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {line["address"]: line for line in lines}


def test_registered_cameras_are_listed_with_what_they_took(line: Line) -> None:
    shots = line.command_line.shots()
    listed = {
        camera["serial"]: camera
        for camera in line.command_line.run("camera", "list", "--json").lines
    }
    assert set(listed) == set(line.virtual.cameras)
    for serial, camera in listed.items():
        own = [shot["triggered_at"] for shot in shots if shot["camera_serial"] == serial]
        assert (camera["shots"], camera["last_shot_at"]) == (len(own), max(own))
        assert camera["fixtures"] == [{"name": "virtual", "address": line.virtual.cameras[serial]}]
        assert (camera["simulated"], camera["sensor"]["width"]) == (True, 192)
    assert line.virtual.cameras[NIKON] in line.command_line.run("camera", "list").out


def test_a_camera_is_shown_with_its_firmware_clock_and_frames(line: Line) -> None:
    shots = [shot for shot in line.command_line.shots() if shot["camera_serial"] == NIKON]
    times = sorted(shot["triggered_at"] for shot in shots)
    shown = line.command_line.run("camera", "show", NIKON, "--json").document
    assert (shown["serial"], shown["identity_source"], shown["simulated"]) == (
        NIKON,
        "serial",
        True,
    )
    assert (shown["first_shot_at"], shown["last_shot_at"]) == (times[0], times[-1])
    assert shown["frames"] == Counter(shot["kind"] for shot in shots)
    (firmware,) = shown["firmware"]
    registered = [shot["triggered_at"] for shot in shots if shot["state"] == "registered"]
    assert firmware["shots"] == len(registered)
    assert firmware["first_seen_at"] == min(registered)
    assert firmware["last_seen_at"] == max(registered)
    assert shown["clock"]["probes"] >= 1
    assert abs(shown["clock"]["newest_skew_s"]) < 60
    table = line.command_line.run("camera", "show", NIKON).out
    assert firmware["version"] in table and "clock drift" in table
    refused = line.command_line.run("camera", "show", "4711", code=2)
    assert "4711" in refused.message and "camera list" in refused.message
    other_make = line.command_line.run("camera", "show", NIKON, "--make", "Nobody", code=2)
    assert NIKON in other_make.message


def test_connected_cameras_are_found_known_new_exchanged_silent_or_in_use(
    virtual: RunningFixture, two_of_three: CommandLine
) -> None:
    extra = ("--address", virtual.cameras[EOS], "--address", NOBODY, "--json")
    found = by_address(two_of_three.run("camera", "list", "--connected", *extra).lines)
    assert set(found) == {*virtual.cameras.values(), NOBODY}
    first, second = found[virtual.cameras[NIKON]], found[virtual.cameras[GENERIC]]
    assert (first["serial"], first["state"], first["fixture"]) == (NIKON, "registered", "virtual")
    assert f"expects the camera {GENERIC} here" in first["reason"]
    assert f"expects the camera {NIKON} here" in second["reason"]
    third = found[virtual.cameras[EOS]]
    assert (third["serial"], third["state"], third["reason"]) == (EOS, "new", None)
    assert found[NOBODY]["state"] == "not-opened"
    assert "check that it is on" in found[NOBODY]["reason"]
    with in_session(two_of_three, NIKON):
        found = by_address(two_of_three.run("camera", "list", "--connected", "--json").lines)
    assert found[virtual.cameras[GENERIC]]["state"] == "in-use"
    assert "is leased" in found[virtual.cameras[GENERIC]]["reason"]
    assert [exposures(virtual, serial) for serial in virtual.cameras] == [0, 0, 0]
    assert "--connected" in two_of_three.run("camera", "list", *extra, code=2).message


def test_a_body_at_anothers_address_can_be_added_but_does_not_pass_for_it(
    virtual: RunningFixture, two_of_three: CommandLine
) -> None:
    address = virtual.cameras[NIKON]
    added = two_of_three.run("camera", "add", address, "--simulated", "--json").document
    assert (added["new"], added["camera"]["serial"]) == (False, NIKON)
    refused = two_of_three.run("camera", "check", address, code=1)
    assert f"camera {GENERIC} was expected at {address}, but {NIKON} answers" in refused.message


def test_a_camera_is_added_once_and_its_lines_fit_the_fixture(
    virtual: RunningFixture, two_of_three: CommandLine, tmp_path: Path
) -> None:
    address = virtual.cameras[EOS]
    add = ("camera", "add", address, "--simulated")
    taken = exposures(virtual, EOS)
    answer = two_of_three.run(*add, "--test-shot", "--pixel-pitch-um", "4.5")
    assert "is registered" in answer.err
    assert exposures(virtual, EOS) == taken + 1
    (written,) = yaml.safe_load(answer.out)["cameras"]
    assert (written["serial"], written["address"]) == (EOS, address)
    sensor = written["sensor"]
    assert (sensor["width"], sensor["height"], sensor["cfa"]) == (192, 128, "RGGB")
    assert sensor["pixel_pitch_um"] == 4.5
    registered = {
        camera["serial"]: camera for camera in two_of_three.run("camera", "list", "--json").lines
    }
    assert registered[EOS]["fixtures"] == []
    assert registered[EOS]["sensor"] == {"type": None, **sensor}

    again = two_of_three.run(*add, "--json").document
    assert again["new"] is False
    assert exposures(virtual, EOS) == taken + 1
    refused = two_of_three.run(*add, "--width", "193", code=2)
    assert "registered with width 192" in refused.message
    refused = two_of_three.run(*add, "--sensor-type", "CMOS", code=2)
    assert "registered without sensor_type" in refused.message

    description = yaml.safe_load((tmp_path / "fixture.yaml").read_text())
    description["cameras"].append(written)
    two_of_three.run("fixture", "revise", write_yaml(tmp_path / "fixture.yaml", description))
    assert two_of_three.run("camera", "settings", EOS, "--json").lines


@pytest.mark.parametrize("serial", [NIKON, GENERIC, EOS])
def test_a_sound_camera_passes_its_check(
    virtual: RunningFixture, home: CommandLine, serial: str
) -> None:
    taken = exposures(virtual, serial)
    report = home.run("camera", "check", serial, "--test-shot", "--json").document
    assert (report["serial"], report["problems"]) == (serial, [])
    assert exposures(virtual, serial) == taken + 1
    shot = report["test_shot"]
    assert [file["role"] for file in shot["files"]] == ["raw", "jpeg"]
    assert (shot["width"], shot["height"]) == (192, 128)
    assert abs(report["clock_skew_s"]) < 60
    capabilities = report["capabilities"]
    assert capabilities["image_qualities"] == ["raw", "raw+jpeg", "jpeg"]
    for setting in capabilities["settings"].values():
        assert setting["read_back_works"]
    settings = {
        line["field"]: line for line in home.run("camera", "settings", serial, "--json").lines
    }
    assert set(settings) == {"exposure", "iso", "f_number", "image_quality"}
    table = home.run("camera", "settings", serial).out.splitlines()
    assert max(map(len, table)) <= 120
    for field, setting in capabilities["settings"].items():
        assert settings[field]["name"] == setting["name"]
        assert settings[field]["choices"] == setting["choices"]
        assert settings[field]["value"] in setting["choices"]


def test_what_would_stop_a_session_is_named(virtual: RunningFixture, home: CommandLine) -> None:
    try:
        virtual.set_faults(GENERIC, {"kind": "settings-ignored", "count": None})
        answer = home.run("camera", "check", virtual.cameras[GENERIC], code=1)
        assert "shutterspeed (exposure) cannot be set from here" in answer.message
        assert "iso (iso) cannot be set from here" in answer.message
        virtual.set_faults(GENERIC, "zero-filled-raw")
        report = home.run("camera", "check", GENERIC, "--test-shot", "--json", code=1).document
    finally:
        virtual.set_faults(GENERIC)
    (problem,) = report["problems"]
    assert problem.startswith("DSC_") and ".DNG: " in problem and "rows" in problem


def test_an_empty_battery_and_a_wrong_clock_are_named(
    virtual: RunningFixture, home: CommandLine
) -> None:
    virtual.put("/disturbances", {NIKON: {"battery_percent": 7, "clock_offset_s": 7200}})
    try:
        report = home.run("camera", "check", NIKON, "--json", code=1).document
    finally:
        virtual.put("/disturbances", {NIKON: {}})
    assert report["problems"] == ["Its battery is at 7 %."]
    assert report["clock_skew_s"] == pytest.approx(7200, abs=60)
    (note,) = report["notes"]
    assert note.startswith("Its clock is ahead of the civil time by 7")


def test_a_camera_in_a_session_is_left_alone(virtual: RunningFixture, home: CommandLine) -> None:
    with in_session(home, NIKON):
        refused = home.run("camera", "check", virtual.cameras[NIKON], code=1)
    assert "is leased" in refused.message


def test_cameras_that_are_not_there_are_named(home: CommandLine) -> None:
    unknown = home.run("camera", "check", "1", code=2).message
    assert NIKON in unknown and "give its address" in unknown
    assert "ptpip:IP:PORT" in home.run("camera", "settings", "ptpip:camera.lab", code=2).message
    assert "no address" in home.run("camera", "add", NIKON, code=2).message
    assert "check that it is on" in home.run("camera", "check", NOBODY, code=1).message
