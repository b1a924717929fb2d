"""The control endpoint and the processes behind it."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.virtual import (
    ControlRefusedError,
    RunningFixture,
    running_fixture,
    small_description,
)

RunSteps = Callable[..., list[dict[str, Any]]]

NIKON, GENERIC = "7100001", "7100002"


def civil_time(state: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(state["civil_time"])


def python_fixtures(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fixtures", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def wait_until_gone(*process_ids: int) -> None:
    deadline = time.monotonic() + 5
    while any(Path(f"/proc/{process_id}/cmdline").exists() for process_id in process_ids):
        assert time.monotonic() < deadline, "processes were left behind"
        time.sleep(0.02)


def test_the_state_tells_surroundings_and_cameras(fixture: RunningFixture) -> None:
    state = fixture.get()
    assert state["name"] == "virtual"
    assert state["exposure_time_scale"] == 0.01
    assert state["cap_on"] is False
    assert state["scene"] in state["scenes"]
    assert {camera["serial"]: camera["address"] for camera in state["cameras"]} == fixture.cameras
    assert all(camera["running"] for camera in state["cameras"])


def test_what_is_put_is_in_the_answer_and_in_the_state(fixture: RunningFixture) -> None:
    scene = fixture.get()["scenes"][1]
    changes = [
        ("/temperature", {"temperature_c": 31.5}),
        ("/scene", {"scene": scene}),
        ("/lamp", {"lamp_level": 0.25}),
        ("/cap", {"cap_on": True}),
        ("/lamp", {"lamp_level": 1}),
        ("/cap", {"cap_on": False}),
    ]
    for path, body in changes:
        answer = fixture.put(path, body)
        state = fixture.get()
        assert body.items() <= answer.items()
        assert body.items() <= state.items()


def test_the_civil_clock_runs_at_the_scale_and_never_jumps(fixture: RunningFixture) -> None:
    begin = datetime.fromisoformat("2026-01-02T03:04:05+00:00")
    fixture.put("/exposure-time-scale", {"exposure_time_scale": 0.01})
    real_begin = time.monotonic()
    assert civil_time(fixture.put("/civil-time", {"civil_time": begin.isoformat()})) >= begin
    time.sleep(0.1)
    passed = civil_time(fixture.get()) - begin
    assert timedelta(seconds=10) <= passed
    assert passed <= timedelta(seconds=(time.monotonic() - real_begin) / 0.01)
    slowed = civil_time(fixture.put("/exposure-time-scale", {"exposure_time_scale": 1.0}))
    assert timedelta(0) <= civil_time(fixture.get()) - slowed < timedelta(seconds=5)
    fixture.put("/exposure-time-scale", {"exposure_time_scale": 0.01})


def test_an_exposure_lasts_as_long_as_it_says_in_civil_time(
    fixture: RunningFixture, run_steps: RunSteps
) -> None:
    port = fixture.gphoto_port(NIKON)
    warm_up = ["shoot", 2]
    *_, slow = run_steps(port, warm_up, ["set", "shutterspeed2", "30"], ["shoot", 2])
    # 30 s at 0.01
    assert 0.3 <= slow["seconds"] < 1.5
    before = civil_time(fixture.get())
    run_steps(port, ["shoot", 2])
    assert civil_time(fixture.get()) - before >= timedelta(seconds=30)
    run_steps(port, ["set", "shutterspeed2", "1/100"])


def test_the_cameras_clock_is_the_civil_clock(fixture: RunningFixture, run_steps: RunSteps) -> None:
    fixture.put("/civil-time", {"civil_time": "2027-05-06T07:08:09Z"})
    (clock,) = run_steps(fixture.gphoto_port(GENERIC), ["get", "datetime"])
    shown = datetime.fromtimestamp(clock["result"], UTC)
    assert timedelta(0) <= shown - datetime(2027, 5, 6, 7, 8, 9, tzinfo=UTC) < timedelta(minutes=10)


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("/scene", {"scene": "moon"}, 400, "'moon' is not on this carousel; it has flat-panel"),
        ("/scene", {"scene": 3}, 400, "scene: 3"),
        ("/temperature", {"temperature_c": "warm"}, 400, "temperature_c: 'warm'"),
        ("/temperature", {"temperature_c": 500}, 400, "temperature_c: 500"),
        ("/temperature", {"celsius": 20}, 400, "unknown field celsius"),
        ("/lamp", {"lamp_level": -1}, 400, "lamp_level: -1"),
        ("/cap", {"cap_on": "yes"}, 400, "cap_on: 'yes'"),
        ("/exposure-time-scale", {"exposure_time_scale": 0}, 400, "exposure_time_scale: 0"),
        ("/civil-time", {"civil_time": "2024-01-01T00:00:00"}, 400, "zone"),
        ("/civil-time", {"civil_time": "1999-01-01T00:00:00Z"}, 400, "life of camera 7100001"),
        ("/faults", {"42": []}, 400, "camera '42' is unknown"),
        ("/faults", {NIKON: ["tired"]}, 400, "'tired' is no fault"),
        ("/faults", {NIKON: [{"kind": "store-full", "count": 0}]}, 400, "count: 0"),
        ("/faults", {NIKON: "store-full"}, 400, "a list of faults"),
        ("/weather", {}, 404, "/weather is unknown"),
    ],
)
def test_a_wrong_request_is_refused_and_changes_nothing(
    fixture: RunningFixture, path: str, body: object, status: int, message: str
) -> None:
    before = fixture.get()
    with pytest.raises(ControlRefusedError) as caught:
        fixture.put(path, body)
    assert caught.value.status == status
    assert message in caught.value.message
    after = fixture.get()
    assert civil_time(after) - civil_time(before) < timedelta(minutes=10)
    assert {**after, "civil_time": None} == {**before, "civil_time": None}


def test_faults_are_listed_and_taken_away(fixture: RunningFixture) -> None:
    fixture.set_faults(NIKON, "store-full", {"kind": "missing-raw", "count": None})
    listed = fixture.get()["faults"]
    assert [(fault["kind"], fault["count"]) for fault in listed[NIKON]] == [
        ("store-full", 1),
        ("missing-raw", None),
    ]
    assert listed[GENERIC] == []
    fixture.set_faults(NIKON)
    assert fixture.get()["faults"][NIKON] == []


def test_a_fault_strikes_as_often_as_it_says(fixture: RunningFixture, run_steps: RunSteps) -> None:
    fixture.set_faults(GENERIC, {"kind": "store-full", "count": 2})
    shots = run_steps(fixture.gphoto_port(GENERIC), *[["shoot", 2]] * 3)
    assert ["error" in shot for shot in shots] == [True, True, False]
    fixture.set_faults(GENERIC, {"kind": "store-full", "count": None})
    shots = run_steps(fixture.gphoto_port(GENERIC), *[["shoot", 2]] * 3)
    assert ["error" in shot for shot in shots] == [True, True, True]


@pytest.mark.parametrize(
    ("host", "status"),
    [("localhost", 200), ("127.0.0.1:80", 200), ("example.org", 403), ("127.0.0.1.org", 403)],
)
def test_only_loopback_hosts_are_served(fixture: RunningFixture, host: str, status: int) -> None:
    connection = http.client.HTTPConnection(fixture.control_url.removeprefix("http://"))
    connection.request("GET", "/state", headers={"Host": host})
    assert connection.getresponse().status == status
    connection.close()


def test_nothing_listens_beyond_the_loopback_addresses(fixture: RunningFixture) -> None:
    ports = [int(fixture.control_url.rpartition(":")[2])]
    ports += [int(address.rpartition(":")[2]) for address in fixture.cameras.values()]
    listening = Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    local_addresses = [line.split()[1] for line in listening if line.split()[3] == "0A"]
    ours = [known for known in local_addresses if int(known.split(":")[1], 16) in ports]
    assert len(ours) >= len(ports)
    # The kernel writes 127.x.y.z with its bytes reversed.
    assert all(known.split(":")[0].endswith("7F") for known in ours)


def test_the_folder_holds_truth_and_the_fixture_file(fixture: RunningFixture) -> None:
    for serial in (NIKON, GENERIC):
        truth = json.loads((fixture.state_folder / "truth" / f"{serial}.json").read_text())
        assert truth["serial"] == serial
        assert truth["defects"]
    document = yaml.safe_load(fixture.fixture_file.read_text(encoding="utf-8"))
    assert {camera["serial"]: camera["address"] for camera in document["cameras"]} == (
        fixture.cameras
    )


def test_start_prints_where_it_is_and_stop_ends_every_process(tmp_path: Path) -> None:
    state_folder = tmp_path / "state"
    description = tmp_path / "description.yaml"
    description.write_text(yaml.safe_dump(small_description()), encoding="utf-8")
    begun = time.monotonic()
    started = python_fixtures("start", str(state_folder), "--description", str(description))
    assert started.returncode == 0, started.stderr
    assert time.monotonic() - begun < 10
    where = json.loads(started.stdout)
    assert where == json.loads((state_folder / "control.json").read_text(encoding="utf-8"))
    assert [camera["serial"] for camera in where["cameras"]] == [NIKON]
    again = python_fixtures("start", str(state_folder), "--description", str(description))
    assert again.returncode == 2
    assert "runs in" in again.stderr and "Traceback" not in again.stderr
    stopped = python_fixtures("stop", str(state_folder))
    assert stopped.returncode == 0, stopped.stderr
    wait_until_gone(where["pid"])
    assert not (state_folder / "control.json").exists()
    stopped_again = python_fixtures("stop", str(state_folder))
    assert stopped_again.returncode == 2
    assert "no virtual fixture runs" in stopped_again.stderr


@pytest.mark.parametrize("foreground", [[], ["--foreground"]])
def test_a_wrong_description_is_refused_with_the_field(
    tmp_path: Path, foreground: list[str]
) -> None:
    description = tmp_path / "wrong.yaml"
    description.write_text(yaml.safe_dump(small_description({"colour": "black"})))
    options = ["--description", str(description), *foreground]
    started = python_fixtures("start", str(tmp_path / "state"), *options)
    assert started.returncode == 2
    assert "wrong.yaml" in started.stderr and "colour" in started.stderr
    assert "Traceback" not in started.stderr
    assert started.stdout == ""


def test_an_address_in_use_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.5", 0)) as taken:
        port = taken.getsockname()[1]
        description = tmp_path / "description.yaml"
        camera = {"address": "127.0.0.5", "port": port}
        description.write_text(yaml.safe_dump(small_description(camera)))
        options = ["--description", str(description)]
        started = python_fixtures("start", str(tmp_path / "state"), *options)
    assert started.returncode == 2
    assert f"127.0.0.5:{port}" in started.stderr
    assert "Traceback" not in started.stderr


def test_a_state_folder_outlives_killed_processes(tmp_path: Path, run_steps: RunSteps) -> None:
    with running_fixture(tmp_path, small_description({}, {})) as fixture:
        (shot,) = run_steps(fixture.gphoto_port(NIKON), ["shoot", 2])
        assert [name for _, name in shot["result"]] == ["DSC_0001.DNG", "DSC_0001.JPG"]
        truth = (fixture.state_folder / "truth" / f"{NIKON}.json").read_bytes()
        first, second = fixture.get()["cameras"]
        os.kill(second["pid"], signal.SIGKILL)
        deadline = time.monotonic() + 5
        while fixture.get()["cameras"][1]["running"]:
            assert time.monotonic() < deadline, "the killed camera is not reported"
            time.sleep(0.02)
        assert fixture.get()["cameras"][0]["running"]
        os.kill(fixture.pid, signal.SIGKILL)
        wait_until_gone(first["pid"])
    with running_fixture(tmp_path, small_description({})) as again:
        (shot,) = run_steps(again.gphoto_port(NIKON), ["shoot", 2])
        assert [name for _, name in shot["result"]] == ["DSC_0002.DNG", "DSC_0002.JPG"]
        assert (again.state_folder / "truth" / f"{NIKON}.json").read_bytes() == truth


@pytest.mark.parametrize("command", ["scenes", "describe"])
def test_scenes_and_the_default_description_are_printed(command: str) -> None:
    printed = python_fixtures(command)
    assert printed.returncode == 0
    if command == "scenes":
        names = printed.stdout.split()
        assert "flat-panel" in names
        entries = json.loads(python_fixtures("scenes", "--json").stdout)
        assert [entry["name"] for entry in entries] == names
    else:
        assert len(yaml.safe_load(printed.stdout)["cameras"]) == 2


def test_every_request_field_and_fault_is_in_the_manual(fixture: RunningFixture) -> None:
    manual = Path(__file__).parents[2] / "docs" / "how-to" / "virtual-fixture.md"
    text = manual.read_text(encoding="utf-8")
    with pytest.raises(ControlRefusedError) as caught:
        fixture.put("/faults", {NIKON: ["tired"]})
    faults = caught.value.message.partition("known are ")[2].split(", ")
    with pytest.raises(ControlRefusedError) as caught:
        fixture.put("/weather", {})
    paths = caught.value.message.partition("there are ")[2].split(", ")
    assert len(faults) > 5 and len(paths) > 5
    for word in (*faults, *paths):
        assert f"`{word}`" in text or f"PUT {word}`" in text, f"{word} is missing"
