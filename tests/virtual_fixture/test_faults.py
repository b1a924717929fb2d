"""Every way in which a camera can fail, met with libgphoto2 in a process of its own."""

import io
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import exifread
import pytest

from fixtures.faults import Fault, FaultCounter, FaultKind, FaultSet
from tests.support.virtual import ControlRefusedError, RunningFixture

RunSteps = Callable[..., list[dict[str, Any]]]

NIKON, GENERIC = "7100001", "7100002"
PICTURES = "/store_00010001/DCIM/100VIRTU"
BOTH = {GENERIC: "Unknown value 0005", NIKON: "NEF+Fine"}


def both(serial: str) -> list[str]:
    return ["set", "imagequality", BOTH[serial]]


def wait_for(client: Callable[[], bool], seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not client():
        assert time.monotonic() < deadline, "it never came back"
        time.sleep(0.05)


def test_a_fault_lets_occasions_pass() -> None:
    counter = FaultCounter(lambda: FaultSet(1, (Fault("hang", count=2, skip=3),)))
    struck = [counter.take([FaultKind.HANG]) is not None for _ in range(7)]
    assert struck == [False, False, False, True, True, False, False]


@pytest.mark.parametrize(
    "setting",
    ["iso", *(pytest.param(s, marks=pytest.mark.prove) for s in ("exposure", "f-number"))],
)
def test_a_setting_can_change_after_it_was_read_back(
    fixture: RunningFixture, run_steps: RunSteps, tmp_path: Path, setting: str
) -> None:
    port = fixture.gphoto_port(NIKON)
    fixture.set_faults(NIKON, {"kind": "setting-changed-silently", "setting": setting})
    settings = [["iso", "400"], ["shutterspeed2", "1/50"], ["f-number", "f/8"]]
    *_, read_back, shot = run_steps(
        port, both(NIKON), *(["set", *one] for one in settings), ["get", "iso"], ["shoot", 2]
    )
    assert read_back["result"] == "400"
    path = tmp_path / "shot.dng"
    run_steps(port, ["download", *shot["result"][0], str(path)])
    tags = exifread.process_file(io.BytesIO(path.read_bytes()), details=False)
    shown = [
        float(tags[f"EXIF {name}"].values[0])
        for name in ("ISOSpeedRatings", "ExposureTime", "FNumber")
    ]
    expected = {"iso": [500, 0.02, 8], "exposure": [400, 0.025, 8], "f-number": [400, 0.02, 9]}
    assert shown == pytest.approx(expected[setting])


@pytest.mark.parametrize("serial", [GENERIC, pytest.param(NIKON, marks=pytest.mark.prove)])
def test_lost_events_leave_files_on_the_card(
    fixture: RunningFixture, run_steps: RunSteps, serial: str
) -> None:
    port = fixture.gphoto_port(serial)
    (before,) = run_steps(port, ["files", PICTURES])
    fixture.set_faults(serial, "lost-event")
    _, shot = run_steps(port, both(serial), ["shoot", 2, 0.5])
    assert shot["result"] == []
    (after,) = run_steps(port, ["files", PICTURES])
    assert len(after["result"]) == len(before["result"]) + 2


def test_endless_busy_ends_when_it_is_taken_away(
    fixture: RunningFixture, run_steps: RunSteps
) -> None:
    port = fixture.gphoto_port(GENERIC)
    fixture.set_faults(GENERIC, "endless-busy")
    _, silent, refused = run_steps(port, both(GENERIC), ["shoot", 2, 0.3], ["shoot", 2, 0.3])
    assert silent["result"] == []
    assert refused["error"] == -110
    fixture.set_faults(GENERIC)
    time.sleep(0.1)
    assert len(run_steps(port, ["shoot", 2])[0]["result"]) == 2


@pytest.mark.prove
def test_a_camera_that_hangs_answers_a_new_connection(
    fixture: RunningFixture, run_steps: RunSteps
) -> None:
    port = fixture.gphoto_port(GENERIC)
    fixture.set_faults(GENERIC, "hang")
    begun = time.monotonic()
    # libgphoto2 gives the connection up after 2.5 s without an answer, and opens another.
    assert run_steps(port, ["serial"])[0]["result"] == GENERIC
    assert time.monotonic() - begun > 2.5


@pytest.mark.prove
def test_after_a_late_capture_answer_a_session_is_one_shot_behind(
    fixture: RunningFixture, run_steps: RunSteps
) -> None:
    port = fixture.gphoto_port(GENERIC)
    fixture.set_faults(GENERIC, {"kind": "late-capture-answer", "delay_s": 3.0})
    _, late, _, stale = run_steps(
        port, both(GENERIC), ["shoot", 2, 0.3], ["linger", 1.0], ["shoot", 2, 2.0]
    )
    assert late["error"] == -7
    (then,) = run_steps(port, ["shoot", 2])
    numbers = [int(shot["result"][0][1][4:8]) for shot in (stale, then)]
    # Within the session the next shot brings the late one's files; its own come never.
    assert numbers[1] - numbers[0] == 2


def test_the_previous_files_can_be_announced_again(
    fixture: RunningFixture, run_steps: RunSteps
) -> None:
    port = fixture.gphoto_port(NIKON)
    _, first = run_steps(port, both(NIKON), ["shoot", 2])
    run_steps(port, *(["delete", *file] for file in first["result"]))
    fixture.set_faults(NIKON, "stale-file")
    again, then = run_steps(port, ["shoot", 2], ["shoot", 2])
    assert again["result"] == first["result"]
    assert not {name for _, name in then["result"]} & {name for _, name in first["result"]}


@pytest.mark.parametrize("serial", [GENERIC, pytest.param(NIKON, marks=pytest.mark.prove)])
def test_wrong_bytes_come_once(fixture: RunningFixture, run_steps: RunSteps, serial: str) -> None:
    port = fixture.gphoto_port(serial)
    _, shot = run_steps(port, both(serial), ["shoot", 2])
    fixture.set_faults(serial, "wrong-bytes")
    file = shot["result"][0]
    (wrong,) = run_steps(port, ["download", *file])
    (right,), (same,) = (run_steps(port, ["download", *file]) for _ in range(2))
    assert wrong["result"]["bytes"] == right["result"]["bytes"]
    assert wrong["result"]["sha256"] != right["result"]["sha256"] == same["result"]["sha256"]


def test_a_full_card_stays_full_until_a_file_is_deleted(
    fixture: RunningFixture, run_steps: RunSteps
) -> None:
    port = fixture.gphoto_port(GENERIC)
    _, kept = run_steps(port, both(GENERIC), ["shoot", 2])
    fixture.set_faults(GENERIC, "card-full")
    for _ in range(2):
        assert run_steps(port, ["shoot", 2])[0]["error"] in (-1, -3)
    assert len(run_steps(port, ["delete", *kept["result"][0]], ["shoot", 2])[1]["result"]) == 2


def test_an_empty_battery_is_shown_and_refuses_the_shutter(
    fixture: RunningFixture, run_steps: RunSteps
) -> None:
    port = fixture.gphoto_port(GENERIC)
    fixture.put("/disturbances", {GENERIC: {"battery_percent": 40}})
    assert run_steps(port, ["get", "batterylevel"])[0]["result"] == "40%"
    fixture.set_faults(GENERIC, "battery-low")
    level, refused = run_steps(port, ["get", "batterylevel"], ["shoot", 2, 0.3])
    assert level["result"] == "3%"
    assert "error" in refused


def test_a_camera_vanishes_and_returns(fixture: RunningFixture, run_steps: RunSteps) -> None:
    port = fixture.gphoto_port(NIKON)
    fixture.set_faults(NIKON, "camera-vanishes")
    assert "error" in run_steps(port, ["serial"])[0]
    assert "error" in run_steps(port, ["serial"])[0]
    fixture.set_faults(NIKON)
    wait_for(lambda: run_steps(port, ["serial"])[0].get("result") == NIKON)


def test_the_cameras_clock_jumps_drifts_and_can_be_ahead(
    fixture: RunningFixture, run_steps: RunSteps
) -> None:
    port = fixture.gphoto_port(GENERIC)

    def ahead_s() -> float:
        shown = float(run_steps(port, ["get", "datetime"])[0]["result"])
        civil = datetime.fromisoformat(fixture.get()["civil_time"]).astimezone(UTC).timestamp()
        return shown - civil

    fixture.put("/exposure-time-scale", {"exposure_time_scale": 1.0})
    begin = ahead_s()
    fixture.put("/disturbances", {GENERIC: {"clock_offset_s": 500.0}})
    assert ahead_s() - begin == pytest.approx(500, abs=5)
    fixture.put("/disturbances", {GENERIC: {}})
    fixture.set_faults(GENERIC, {"kind": "clock-jump", "jump_s": -7200.0})
    run_steps(port, both(GENERIC), ["shoot", 2])
    assert ahead_s() - begin == pytest.approx(-7200, abs=5)
    fixture.set_faults(GENERIC, {"kind": "clock-jump", "jump_s": 7200.0})
    run_steps(port, both(GENERIC), ["shoot", 2])
    assert ahead_s() - begin == pytest.approx(0, abs=5)


def test_two_bodies_swap_their_addresses(fixture: RunningFixture, run_steps: RunSteps) -> None:
    ports = {serial: fixture.gphoto_port(serial) for serial in (NIKON, GENERIC)}
    state = fixture.put("/addresses", {NIKON: GENERIC})
    shown = {camera["serial"]: camera["address"] for camera in state["cameras"]}
    assert shown == {NIKON: fixture.cameras[GENERIC], GENERIC: fixture.cameras[NIKON]}
    wait_for(lambda: run_steps(ports[NIKON], ["serial"])[0].get("result") == GENERIC)
    wait_for(lambda: run_steps(ports[GENERIC], ["serial"])[0].get("result") == NIKON)
    fixture.put("/addresses", {})
    wait_for(lambda: run_steps(ports[NIKON], ["serial"])[0].get("result") == NIKON)
    wait_for(lambda: run_steps(ports[GENERIC], ["serial"])[0].get("result") == GENERIC)


def test_carousel_and_cap_can_stick(fixture: RunningFixture) -> None:
    scenes = fixture.get()["scenes"]
    fixture.put("/scene", {"scene": scenes[0]})
    fixture.set_faults("actuators", "carousel-stuck", "cap-stuck")
    fixture.put("/scene", {"scene": scenes[2]})
    fixture.put("/cap", {"cap_on": True})
    assert (fixture.get()["scene"], fixture.get()["cap_on"]) == (scenes[0], False)
    fixture.set_faults("actuators", "carousel-slips")
    fixture.put("/scene", {"scene": scenes[2]})
    assert fixture.get()["scene"] == scenes[3]
    assert fixture.put("/scene", {"scene": scenes[0]})["scene"] == scenes[0]
    for owner, kind in [("actuators", "hang"), (NIKON, "cap-stuck")]:
        with pytest.raises(ControlRefusedError, match=kind):
            fixture.set_faults(owner, kind)
