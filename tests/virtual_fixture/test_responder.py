"""The PTP/IP responder, met with libgphoto2 in a process of its own."""

import contextlib
import hashlib
import itertools
import json
import os
import signal
import socket
import statistics
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import exifread
import numpy as np
import pytest
import rawpy

from fixtures.ptp.camera import Camera, Exposure, Identity, NewFile
from fixtures.ptp.card import Card, CardFullError
from fixtures.ptp.codec import pack_packet
from fixtures.ptp.codes import ObjectFormat, PacketType
from fixtures.ptp.profiles import GENERIC as GENERIC_PROFILE
from fixtures.ptp.profiles import NIKON as NIKON_PROFILE
from fixtures.ptp.profiles import Profile, ShotSettings
from fixtures.ptp.responder import Responder
from tests.support.virtual import RunningFixture

RunSteps = Callable[..., list[dict[str, Any]]]

NIKON, GENERIC = "7100001", "7100002"
PICTURES = "/store_00010001/DCIM/100VIRTU"
CLIENT = Path(__file__).with_name("gphoto_client.py")
BOTH = pytest.mark.parametrize("serial", [NIKON, GENERIC], ids=["nikon", "generic"])
EXPOSURE = {NIKON: ("shutterspeed2", "1/50"), GENERIC: ("shutterspeed", "0.0200s")}
RAW_AND_JPEG = {NIKON: "NEF+Fine", GENERIC: "Unknown value 0005"}


def downloaded(
    run_steps: RunSteps, fixture: RunningFixture, serial: str, folder: Path, *settings: list[str]
) -> dict[str, Path]:
    """Take one RAW+JPEG shot and return its files by their extension."""
    port = fixture.gphoto_port(serial)
    *_, shot = run_steps(
        port,
        ["set", "imagequality", RAW_AND_JPEG[serial]],
        *(["set", *setting] for setting in settings),
        ["shoot", 2],
    )
    names = [name for _, name in shot["result"]]
    steps = [["download", PICTURES, name, str(folder / name)] for name in names]
    for answer in run_steps(port, *steps, *(["delete", PICTURES, name] for name in names)):
        assert "error" not in answer
    return {Path(name).suffix[1:]: folder / name for name in names}


def raw_values(path: Path) -> np.ndarray[Any, np.dtype[np.uint16]]:
    with rawpy.imread(str(path)) as raw:
        values: np.ndarray[Any, np.dtype[np.uint16]] = raw.raw_image.copy()
        return values


@BOTH
def test_settings_are_offered_set_and_read_back(
    fixture: RunningFixture, run_steps: RunSteps, serial: str
) -> None:
    exposure, value = EXPOSURE[serial]
    answers = run_steps(
        fixture.gphoto_port(serial),
        ["serial"],
        ["choices", "iso"],
        ["set", "iso", "1600"],
        ["get", "iso"],
        ["choices", exposure],
        ["set", exposure, value],
        ["get", exposure],
        ["set", "f-number", "f/5.6"],
        ["get", "f-number"],
        ["get", "batterylevel"],
    )
    results = [answer["result"] for answer in answers]
    assert results[0] == serial
    assert results[1][0] == "100" and results[1][-1] == "25600"
    assert results[3] == "1600"
    assert value in results[4]
    assert results[6] == value
    assert results[8] == "f/5.6"
    assert results[9] == "100%"


def test_settings_outlive_the_session(fixture: RunningFixture, run_steps: RunSteps) -> None:
    port = fixture.gphoto_port(NIKON)
    run_steps(port, ["set", "iso", "6400"])
    assert run_steps(port, ["get", "iso"])[0]["result"] == "6400"


def test_a_nikon_shows_its_own_names(fixture: RunningFixture, run_steps: RunSteps) -> None:
    answers = run_steps(
        fixture.gphoto_port(NIKON),
        ["choices", "imagequality"],
        ["choices", "shutterspeed2"],
        ["choices", "capturetarget"],
        ["get", "longexpnr"],
    )
    qualities, exposures, targets, noise_reduction = (answer["result"] for answer in answers)
    assert {"NEF (Raw)", "NEF+Fine", "JPEG Fine"} < set(qualities)
    assert exposures[0] == "1/8000" and exposures[-1] == "30" and "1/100" in exposures
    assert targets == ["Internal RAM", "Memory card"]
    assert noise_reduction == "Off"


@BOTH
def test_a_shot_delivers_a_raw_and_a_jpeg_with_its_settings(
    fixture: RunningFixture, run_steps: RunSteps, tmp_path: Path, serial: str
) -> None:
    fixture.put("/civil-time", {"civil_time": "2025-06-07T08:09:10Z"})
    files = downloaded(run_steps, fixture, serial, tmp_path, ["iso", "800"], list(EXPOSURE[serial]))
    assert set(files) == {"DNG", "JPG"}
    assert raw_values(files["DNG"]).shape == (256, 384)
    for path in files.values():
        with path.open("rb") as opened:
            tags = exifread.process_file(opened, details=False)
        assert tags["EXIF ExposureTime"].values[0] == pytest.approx(1 / 50)
        assert tags["EXIF ISOSpeedRatings"].values[0] == 800
        assert tags["Image Model"].values == "Fixture 1"
        assert str(tags["EXIF DateTimeOriginal"]).startswith("2025:06:07")


@pytest.mark.parametrize(
    ("choice", "suffixes"),
    [("JPEG Fine", {".JPG"}), ("NEF (Raw)", {".DNG"}), ("NEF+Basic", {".DNG", ".JPG"})],
)
def test_image_quality_says_which_files_a_shot_makes(
    fixture: RunningFixture, run_steps: RunSteps, choice: str, suffixes: set[str]
) -> None:
    _, shot = run_steps(
        fixture.gphoto_port(NIKON),
        ["set", "imagequality", choice],
        ["shoot", len(suffixes)],
    )
    assert {Path(name).suffix for _, name in shot["result"]} == suffixes


def test_scene_lamp_and_cap_reach_the_sensor(
    fixture: RunningFixture, run_steps: RunSteps, tmp_path: Path
) -> None:
    means = {}
    for name, lamp_level, cap_on in [("full", 1.0, False), ("half", 0.5, False), ("cap", 1, True)]:
        fixture.put("/lamp", {"lamp_level": lamp_level})
        fixture.put("/cap", {"cap_on": cap_on})
        folder = tmp_path / name
        folder.mkdir()
        settings = [["iso", "100"], ["shutterspeed2", "1/50"]]
        files = downloaded(run_steps, fixture, NIKON, folder, *settings)
        means[name] = float(np.median(raw_values(files["DNG"])))
    fixture.put("/cap", {"cap_on": False})
    black_level = 512
    assert means["cap"] == pytest.approx(black_level, abs=2)
    assert means["half"] - black_level == pytest.approx(
        0.5 * (means["full"] - black_level), rel=0.1
    )


@BOTH
def test_an_ignored_setting_is_seen_by_reading_back(
    fixture: RunningFixture, run_steps: RunSteps, serial: str
) -> None:
    port = fixture.gphoto_port(serial)
    run_steps(port, ["set", "iso", "100"])
    fixture.set_faults(serial, "settings-ignored")
    taken, read_back, again, then = run_steps(
        port, ["set", "iso", "3200"], ["get", "iso"], ["set", "iso", "3200"], ["get", "iso"]
    )
    assert "error" not in taken
    assert read_back["result"] == "100"
    assert "error" not in again
    assert then["result"] == "3200"


@BOTH
def test_a_full_card_refuses_the_shutter(
    fixture: RunningFixture, run_steps: RunSteps, serial: str
) -> None:
    fixture.set_faults(serial, {"kind": "store-full", "count": 1})
    refused, taken = run_steps(fixture.gphoto_port(serial), ["shoot", 2], ["shoot", 2])
    assert refused["error"] in (-1, -3)
    assert len(taken["result"]) == 2


def test_a_busy_generic_camera_refuses_the_shutter(
    fixture: RunningFixture, run_steps: RunSteps
) -> None:
    fixture.set_faults(GENERIC, "busy-on-capture")
    refused, taken = run_steps(fixture.gphoto_port(GENERIC), ["shoot", 2], ["shoot", 2])
    assert refused["error"] == -110
    assert len(taken["result"]) == 2


@BOTH
@pytest.mark.parametrize(
    ("fault", "suffixes"), [("silent-capture", set()), ("missing-raw", {".JPG"})]
)
def test_files_can_stay_out(
    fixture: RunningFixture, run_steps: RunSteps, serial: str, fault: str, suffixes: set[str]
) -> None:
    fixture.set_faults(serial, fault)
    set_quality = ["set", "imagequality", RAW_AND_JPEG[serial]]
    _, shot = run_steps(fixture.gphoto_port(serial), set_quality, ["shoot", 2, 0.6])
    assert {Path(name).suffix for _, name in shot["result"]} == suffixes


def test_files_can_be_damaged_or_be_the_previous_ones(
    fixture: RunningFixture, run_steps: RunSteps, tmp_path: Path
) -> None:
    sizes, hashes, files = {}, {}, {}
    faults = ["none", "repeated-files", "truncated-files", "zero-filled-raw"]
    for fault in faults:
        fixture.set_faults(NIKON, *([] if fault == "none" else [fault]))
        folder = tmp_path / fault
        folder.mkdir()
        files[fault] = downloaded(run_steps, fixture, NIKON, folder)["DNG"]
        data = files[fault].read_bytes()
        sizes[fault], hashes[fault] = len(data), hashlib.sha256(data).hexdigest()
    assert hashes["repeated-files"] == hashes["none"]
    assert sizes["truncated-files"] == pytest.approx(sizes["none"] / 2, rel=0.02)
    with pytest.raises(rawpy.LibRawError):
        raw_values(files["truncated-files"])
    assert sizes["zero-filled-raw"] == sizes["none"]
    tail = files["zero-filled-raw"].read_bytes()[-sizes["none"] // 3 :]
    assert not any(tail)
    assert raw_values(files["zero-filled-raw"])[-50:].max() == 0


@pytest.mark.parametrize(
    ("serial", "fault", "errors"),
    [
        (NIKON, "close-mid-transfer", (-1, -7)),
        (GENERIC, "close-mid-transfer", (-1, -7)),
        (NIKON, "stall-mid-transfer", (-7, -10)),
    ],
)
def test_a_broken_transfer_leaves_the_file_on_the_card(
    fixture: RunningFixture, run_steps: RunSteps, serial: str, fault: str, errors: tuple[int, ...]
) -> None:
    port = fixture.gphoto_port(serial)
    (shot,) = run_steps(port, ["shoot", 2])
    (folder, name), _ = shot["result"]
    fixture.set_faults(serial, fault)
    (broken,) = run_steps(port, ["download", folder, name])
    assert broken["error"] in errors
    begun = time.monotonic()
    (whole,) = run_steps(port, ["download", folder, name])
    assert whole["result"]["bytes"] > 100_000
    assert time.monotonic() - begun < 5


def test_a_late_answer_is_an_error_of_the_client(
    fixture: RunningFixture, run_steps: RunSteps
) -> None:
    port = fixture.gphoto_port(GENERIC)
    fixture.set_faults(GENERIC, {"kind": "late-answer", "delay_s": 3.0})
    late, *_ = run_steps(port, ["get", "iso"])
    assert late["error"] == -2
    assert "result" in run_steps(port, ["get", "iso"])[0]


def test_a_camera_can_drop_its_client_at_once(fixture: RunningFixture, run_steps: RunSteps) -> None:
    port = fixture.gphoto_port(NIKON)
    fixture.set_faults(NIKON, {"kind": "dropped-connection", "count": None})
    assert "error" in run_steps(port, ["serial"])[0]
    fixture.set_faults(NIKON)
    assert run_steps(port, ["serial"])[0]["result"] == NIKON


@BOTH
@pytest.mark.parametrize("moment", ["idle", "exposing"])
def test_a_killed_client_leaves_the_camera_usable(
    fixture: RunningFixture,
    run_steps: RunSteps,
    private_environment: dict[str, str],
    serial: str,
    moment: str,
) -> None:
    port = fixture.gphoto_port(serial)
    steps = [["open", port], ["serial"], ["linger", 30]]
    if moment == "exposing":
        slowest = {NIKON: "30", GENERIC: "30.0000s"}[serial]
        steps[2:] = [["set", EXPOSURE[serial][0], slowest], ["shoot", 2, 30]]
    with subprocess.Popen(
        [sys.executable, str(CLIENT), json.dumps(steps)],
        stdout=subprocess.PIPE,
        env=private_environment,
    ) as client:
        assert client.stdout is not None
        for _ in range(2 if moment == "idle" else 3):
            client.stdout.readline()
        time.sleep(0.1)
        client.send_signal(signal.SIGKILL)
    exposure = list(EXPOSURE[serial])
    name, setting, shot = run_steps(port, ["serial"], ["set", *exposure], ["shoot", 2])
    assert name["result"] == serial
    assert "error" not in setting
    if moment == "exposing" and "error" in shot:
        # The exposure that was under way ends by itself.
        time.sleep(0.4)
        (shot,) = run_steps(port, ["shoot", 2])
    assert len(shot["result"]) == 2


def test_one_session_at_a_time(
    fixture: RunningFixture, run_steps: RunSteps, private_environment: dict[str, str]
) -> None:
    port = fixture.gphoto_port(GENERIC)
    with subprocess.Popen(
        [sys.executable, str(CLIENT), json.dumps([["open", port], ["linger", 30]])],
        stdout=subprocess.PIPE,
        env=private_environment,
    ) as holder:
        assert holder.stdout is not None
        assert "error" not in json.loads(holder.stdout.readline())
        second = subprocess.run(
            [sys.executable, str(CLIENT), json.dumps([["open", port]])],
            capture_output=True,
            text=True,
            env=private_environment,
            check=True,
            timeout=30,
        )
        assert json.loads(second.stdout)["error"] == -110
        holder.kill()
    assert run_steps(port, ["serial"])[0]["result"] == GENERIC


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        struct.pack("<II", 8, 1)[:5],
        pack_packet(PacketType.INIT_EVENT_REQUEST, struct.pack("<I", 999)),
        pack_packet(PacketType.INIT_COMMAND_REQUEST, bytes(24))
        + pack_packet(PacketType.OPERATION_REQUEST, b"short"),
        pack_packet(PacketType.INIT_COMMAND_REQUEST, bytes(24))
        + pack_packet(PacketType.OPERATION_REQUEST, struct.pack("<IHI", 2, 0x1016, 1))
        + pack_packet(PacketType.PROBE_REQUEST),
    ],
    ids=["http", "half-a-header", "unknown-link", "short-operation", "no-data"],
)
def test_other_bytes_leave_the_camera_usable(
    fixture: RunningFixture, run_steps: RunSteps, sent: bytes
) -> None:
    _, host, port = fixture.cameras[GENERIC].split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(sent)
        # The camera may have hung up already.
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            while connection.recv(4096):
                pass
    assert run_steps(fixture.gphoto_port(GENERIC), ["serial"])[0]["result"] == GENERIC


LARGE_FILE = os.urandom(25_000_000)


@pytest.fixture(params=[NIKON_PROFILE, GENERIC_PROFILE], ids=["nikon", "generic"])
def large_camera_port(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A camera whose shots take no time and are 25 MB."""
    profile: Profile = request.param
    numbers = itertools.count(1)
    now = datetime.now(UTC)

    def expose(_: ShotSettings) -> Exposure:
        return Exposure(now, next(numbers), (NewFile("DNG", True, LARGE_FILE),))

    camera = Camera(
        profile,
        Identity("Agetrace", "Fixture 1", "1", "1.00", 384, 256),
        Card(tmp_path / "card", "100VIRTU", now),
        expose,
        lambda: now,
        lambda _: None,
    )
    responder = Responder(camera, "127.0.0.4", 0)
    responder.start()
    host, port = responder.address
    yield f"ptpip:{host}:{port}:{port}"
    responder.close()


def test_a_large_file_comes_whole_and_fast(large_camera_port: str, run_steps: RunSteps) -> None:
    names = [f"DSC_{number:04d}.DNG" for number in range(1, 6)]
    steps = [
        step
        for name in names
        for step in (["shoot", 1], ["download", PICTURES, name], ["delete", PICTURES, name])
    ]
    answers = run_steps(large_camera_port, *steps)
    downloads = [answer["result"] for answer in answers if answer["step"] == "download"]
    assert {download["sha256"] for download in downloads} == {
        hashlib.sha256(LARGE_FILE).hexdigest()
    }
    # 12 to 25 ms on an idle machine; the bound leaves room for a busy one.
    assert statistics.median(download["transfer_s"] for download in downloads) < 0.2
    assert sum(answer["seconds"] for answer in answers) / len(names) < 1


def test_settings_cost_no_delayed_acknowledgement(
    large_camera_port: str, run_steps: RunSteps
) -> None:
    steps = [["set", "iso", iso] for iso in ("200", "400", "800", "1600", "3200")]
    answers = run_steps(large_camera_port, *steps)
    # Without TCP_QUICKACK each costs 42 ms or more.
    assert statistics.median(answer["seconds"] for answer in answers) < 0.02


def test_a_card_keeps_what_memory_does_not_and_knows_when_it_is_full(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    card = Card(tmp_path, "100VIRTU", now, capacity_bytes=250, memory_bytes=100)

    def add(name: str, data: bytes) -> int:
        return card.add(
            name,
            data,
            now,
            object_format=ObjectFormat.EXIF_JPEG,
            thumbnail_format=ObjectFormat.JFIF,
            size_pixels=(1, 1),
        ).handle

    first, second = add("A.JPG", b"a" * 100), add("B.JPG", b"b" * 100)
    assert (card.data(first), card.data(second)) == (b"a" * 100, b"b" * 100)
    assert len(list(tmp_path.iterdir())) == 1
    with pytest.raises(CardFullError, match=r"C\.JPG"):
        add("C.JPG", b"c" * 100)
    card.delete(second)
    assert not list(tmp_path.iterdir())
    third = add("C.JPG", b"c" * 100)
    assert third not in (first, second)
