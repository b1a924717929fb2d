"""A camera of the EOS dialect, met with libgphoto2 in a process of its own."""

import hashlib
import itertools
import json
import os
import shutil
import signal
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
import pytest
import rawpy

from fixtures.ptp.camera import Camera, Exposure, Identity, NewFile
from fixtures.ptp.card import Card
from fixtures.ptp.codec import WireError
from fixtures.ptp.codes import EosPropertyCode
from fixtures.ptp.eos_records import pack_property_value, unpack_value
from fixtures.ptp.profiles import EOS, ShotSettings, profile_named
from fixtures.ptp.properties import PropertyTable
from fixtures.ptp.responder import Responder
from tests.support.virtual import RunningFixture

RunSteps = Callable[..., list[dict[str, Any]]]

FULL_FRAME, WITH_FUNCTIONS = "7100001", "7100002"
PICTURES = "/store_00010001/DCIM/100VIRTU"
CLIENT = Path(__file__).with_name("gphoto_client.py")
TO_CARD = ["set", "capturetarget", "Memory card"]
RAW_AND_JPEG = ["set", "imageformat", "RAW + L"]


@pytest.fixture
def port(bodies: RunningFixture) -> str:
    return bodies.gphoto_port(FULL_FRAME)


def shot_names(run_steps: RunSteps, port: str, *settings: list[str], files: int = 2) -> list[str]:
    """Take a shot to the card and return the names of its files."""
    *_, shot = run_steps(port, TO_CARD, *settings, ["shoot", files, 3])
    return [name for _, name in shot["result"]]


def fetched(run_steps: RunSteps, port: str, folder: Path, names: list[str]) -> dict[str, Path]:
    """Download files of the card, delete them there and return them by their extension."""
    steps = [["download", PICTURES, name, str(folder / name)] for name in names]
    for answer in run_steps(port, *steps, *(["delete", PICTURES, name] for name in names)):
        assert "error" not in answer
    return {Path(name).suffix[1:]: folder / name for name in names}


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_settings_are_offered_set_and_read_back(run_steps: RunSteps, port: str) -> None:
    answers = run_steps(
        port,
        ["choices", "iso"],
        ["set", "iso", "1600"],
        ["get", "iso"],
        ["choices", "shutterspeed"],
        ["set", "shutterspeed", "0.3"],
        ["get", "shutterspeed"],
        ["choices", "aperture"],
        ["set", "aperture", "5.6"],
        ["get", "aperture"],
        ["choices", "imageformat"],
        ["set", "imageformat", "RAW"],
        ["get", "imageformat"],
        ["choices", "drivemode"],
        ["set", "drivemode", "Continuous low speed"],
        ["get", "drivemode"],
        ["set", "drivemode", "Single"],
        ["choices", "capturetarget"],
        TO_CARD,
        ["get", "capturetarget"],
    )
    results = [answer["result"] for answer in answers]
    assert results[0][:2] == ["Auto", "100"] and results[0][-1] == "25600"
    assert results[3][0] == "30" and results[3][-1] == "1/8000" and "1/100" in results[3]
    assert results[6][0] == "1.8" and results[6][-1] == "22"
    assert results[9] == ["L", "cL", "RAW + L", "RAW + cL", "RAW"]
    assert results[12][0] == "Single"
    assert results[16] == ["Internal RAM", "Memory card"]
    read_back = [results[position] for position in (2, 5, 8, 11, 14, 18)]
    assert read_back == ["1600", "0.3", "5.6", "RAW", "Continuous low speed", "Memory card"]


def test_it_says_who_it_is_and_how_it_is(bodies: RunningFixture, run_steps: RunSteps) -> None:
    names = (
        *("manufacturer", "serialnumber", "eosserialnumber", "batterylevel", "focusmode"),
        *("autoexposuremode", "datetime", "availableshots"),
    )
    results = run_steps(bodies.gphoto_port(FULL_FRAME), *(["get", name] for name in names))
    values = dict(zip(names, (answer["result"] for answer in results), strict=True))
    assert values["manufacturer"] == "Agetrace"
    assert values["serialnumber"] == values["eosserialnumber"] == FULL_FRAME
    assert values["batterylevel"] == "100%"
    assert values["focusmode"] == values["autoexposuremode"] == "Manual"
    civil_time = datetime(2024, 3, 1, 12, tzinfo=UTC).timestamp()
    assert civil_time <= values["datetime"] < civil_time + 3600
    assert int(values["availableshots"]) > 10_000


def test_what_is_no_choice_is_refused(run_steps: RunSteps, port: str) -> None:
    answers = run_steps(
        port,
        ["set", "iso", "800"],
        ["set", "iso", "Unknown value 0001"],
        ["set", "iso", "garbage"],
        ["get", "iso"],
        ["set", "autoexposuremode", "AV"],
        ["get", "autoexposuremode"],
        ["set", "capturetarget", "Memory card"],
    )
    assert [answer.get("error") for answer in answers] == [None, -1, -1, None, -1, None, None]
    assert (answers[3]["result"], answers[5]["result"]) == ("800", "Manual")


def test_settings_outlive_the_session(run_steps: RunSteps, port: str) -> None:
    run_steps(port, ["set", "iso", "6400"], ["set", "shutterspeed", "1/30"])
    iso, exposure = run_steps(port, ["get", "iso"], ["get", "shutterspeed"])
    assert (iso["result"], exposure["result"]) == ("6400", "1/30")


def test_a_shot_delivers_a_raw_and_a_jpeg_with_its_settings(
    run_steps: RunSteps, port: str, tmp_path: Path
) -> None:
    settings = [["set", "iso", "800"], ["set", "shutterspeed", "1/50"], ["set", "aperture", "5.6"]]
    names = shot_names(run_steps, port, RAW_AND_JPEG, *settings)
    files = fetched(run_steps, port, tmp_path, names)
    assert set(files) == {"DNG", "JPG"}
    with rawpy.imread(str(files["DNG"])) as raw:
        assert raw.raw_image.shape == (256, 384)
        assert raw.black_level_per_channel == [512] * 4
    for path in files.values():
        with path.open("rb") as opened:
            tags = exifread.process_file(opened, details=False)
        assert tags["EXIF ExposureTime"].values[0] == pytest.approx(1 / 50)
        assert tags["EXIF ISOSpeedRatings"].values[0] == 800
        assert tags["EXIF FNumber"].values[0] == pytest.approx(5.6)
        assert tags["Image Make"].values == "Agetrace"
        assert str(tags["EXIF DateTimeOriginal"]).startswith("2024:03:01")


@pytest.mark.parametrize(
    ("choice", "suffixes"), [("L", [".JPG"]), ("RAW", [".DNG"]), ("RAW + cL", [".DNG", ".JPG"])]
)
def test_the_image_format_says_which_files_a_shot_makes(
    run_steps: RunSteps, port: str, choice: str, suffixes: list[str]
) -> None:
    names = shot_names(run_steps, port, ["set", "imageformat", choice], files=len(suffixes))
    assert [Path(name).suffix for name in names] == suffixes


def test_shots_in_a_row_deliver_their_own_files(
    run_steps: RunSteps, port: str, tmp_path: Path
) -> None:
    *_, counted, first, second, third, counted_then = run_steps(
        port,
        *(TO_CARD, RAW_AND_JPEG, ["get", "shuttercounter"]),
        *(["shoot", 2, 3], ["shoot", 2, 3], ["shoot", 2, 3], ["get", "shuttercounter"]),
    )
    assert int(counted_then["result"]) == int(counted["result"]) + 3
    names = [[name for _, name in shot["result"]] for shot in (first, second, third)]
    assert len({name for shot in names for name in shot}) == 6
    assert all(Path(raw).stem == Path(jpeg).stem for raw, jpeg in names)
    digests = {
        digest(path) for shot in names for path in fetched(run_steps, port, tmp_path, shot).values()
    }
    assert len(digests) == 6
    (left,) = run_steps(port, ["files", PICTURES])
    assert not {name for shot in names for name in shot} & set(left["result"])


def test_files_can_go_to_the_client_instead_of_the_card(
    run_steps: RunSteps, port: str, tmp_path: Path
) -> None:
    before, _, _, shot, raw, jpeg, after = run_steps(
        port,
        ["files", PICTURES],
        ["set", "capturetarget", "Internal RAM"],
        RAW_AND_JPEG,
        ["shoot", 2, 3],
        ["download", "/", "capt0000.cr2", str(tmp_path / "capt0000.dng")],
        ["download", "/", "capt0001.jpg"],
        ["files", PICTURES],
    )
    assert shot["result"] == [["/", "capt0000.cr2"], ["/", "capt0001.jpg"]]
    assert after["result"] == before["result"]
    assert jpeg["result"]["bytes"] > 1000
    with rawpy.imread(str(tmp_path / "capt0000.dng")) as opened:
        assert opened.raw_image.shape == (256, 384)
    assert raw["result"]["bytes"] > 2 * 256 * 384


def test_the_trigger_returns_at_once_and_a_second_one_is_refused(
    run_steps: RunSteps, port: str
) -> None:
    settings = (TO_CARD, ["set", "imageformat", "RAW"], ["set", "shutterspeed", "30"])
    *_, nothing_yet, refused, late = run_steps(
        port, *settings, ["shoot", 1, 0.05], ["shoot", 1, 0.05], ["shoot", 0]
    )
    assert nothing_yet["result"] == [] and nothing_yet["seconds"] < 0.25
    assert refused["error"] == -110
    time.sleep(0.4)
    *_, shot = run_steps(port, ["set", "shutterspeed", "1/50"], TO_CARD, ["shoot", 1, 3])
    assert len(shot["result"]) == 1
    assert late["error"] == -110


def test_a_custom_function_reduces_the_noise_of_long_exposures(
    bodies: RunningFixture, run_steps: RunSteps
) -> None:
    port = bodies.gphoto_port(WITH_FUNCTIONS)
    (off,) = run_steps(port, ["get", "customfuncex"])
    assert off["result"] == "20,1,2,14,1,201,1,0,"
    on = off["result"].removesuffix("0,") + "2,"
    run_steps(port, ["set", "customfuncex", on])
    (read_back,) = run_steps(port, ["get", "customfuncex"])
    assert read_back["result"] == on
    run_steps(port, ["set", "customfuncex", off["result"]])


@pytest.mark.parametrize(("function", "reduces"), [(0, False), (1, True), (2, True)])
def test_the_profile_understands_the_custom_function(function: int, reduces: bool) -> None:
    profile = profile_named("eos", "7d")
    table = PropertyTable(profile.properties(384, 256))
    known = table.property(EosPropertyCode.CUSTOM_FUNCTIONS)
    numbers = (0x20, 1, 2, 0x14, 1, 0x201, 1, function)
    table.set(known.code, unpack_value(known, struct.pack("<8I", *numbers)))
    assert profile.settings(table).long_exposure_noise_reduction is reduces


def test_an_ignored_setting_is_seen_by_reading_back(
    bodies: RunningFixture, run_steps: RunSteps, port: str
) -> None:
    run_steps(port, ["set", "iso", "100"])
    bodies.set_faults(FULL_FRAME, "settings-ignored")
    taken, read_back, _, then = run_steps(
        port, ["set", "iso", "3200"], ["get", "iso"], ["set", "iso", "3200"], ["get", "iso"]
    )
    assert "error" not in taken
    assert read_back["result"] == "100"
    assert then["result"] == "3200"


@pytest.mark.parametrize(("fault", "error"), [("busy-on-capture", -110), ("store-full", -1)])
def test_the_shutter_can_be_refused(
    bodies: RunningFixture, run_steps: RunSteps, port: str, fault: str, error: int
) -> None:
    bodies.set_faults(FULL_FRAME, fault)
    *_, refused, taken = run_steps(port, TO_CARD, RAW_AND_JPEG, ["shoot", 2, 3], ["shoot", 2, 3])
    assert refused["error"] == error
    assert len(taken["result"]) == 2


@pytest.mark.parametrize(("fault", "suffixes"), [("silent-capture", []), ("missing-raw", [".JPG"])])
def test_files_can_stay_out(
    bodies: RunningFixture, run_steps: RunSteps, port: str, fault: str, suffixes: list[str]
) -> None:
    bodies.set_faults(FULL_FRAME, fault)
    *_, shot, next_shot = run_steps(port, TO_CARD, RAW_AND_JPEG, ["shoot", 2, 0.4], ["shoot", 2, 3])
    assert [Path(name).suffix for _, name in shot["result"]] == suffixes
    assert len(next_shot["result"]) == 2


def test_files_can_be_damaged_or_be_the_previous_ones(
    bodies: RunningFixture, run_steps: RunSteps, port: str, tmp_path: Path
) -> None:
    raws = {}
    for fault in ("none", "repeated-files", "truncated-files", "zero-filled-raw"):
        bodies.set_faults(FULL_FRAME, *([] if fault == "none" else [fault]))
        names = shot_names(run_steps, port, RAW_AND_JPEG)
        raws[fault] = fetched(run_steps, port, tmp_path, names)["DNG"]
    assert digest(raws["repeated-files"]) == digest(raws["none"])
    sizes = {fault: path.stat().st_size for fault, path in raws.items()}
    assert sizes["truncated-files"] == sizes["none"] // 2
    assert sizes["zero-filled-raw"] == sizes["none"]
    assert not any(raws["zero-filled-raw"].read_bytes()[-sizes["none"] // 3 :])


@pytest.mark.parametrize(
    "fault",
    ["close-mid-transfer", pytest.param("stall-mid-transfer", marks=pytest.mark.prove)],
)
def test_a_broken_transfer_leaves_the_file_on_the_card(
    bodies: RunningFixture, run_steps: RunSteps, port: str, fault: str
) -> None:
    raw, _ = shot_names(run_steps, port, RAW_AND_JPEG)
    bodies.set_faults(FULL_FRAME, fault)
    (broken,) = run_steps(port, ["download", PICTURES, raw])
    assert broken["error"] in (-1, -7, -10)
    (whole,) = run_steps(port, ["download", PICTURES, raw])
    assert whole["result"]["bytes"] > 2 * 256 * 384


def test_a_late_answer_is_waited_for(
    bodies: RunningFixture, run_steps: RunSteps, port: str
) -> None:
    run_steps(port, ["set", "iso", "100"])
    bodies.set_faults(FULL_FRAME, {"kind": "late-answer", "delay_s": 0.6})
    late, early = run_steps(port, ["get", "iso"], ["get", "iso"])
    assert late["seconds"] > 0.6 > early["seconds"]
    assert late["result"] == early["result"] == "100"


def test_a_camera_can_drop_its_client_at_once(
    bodies: RunningFixture, run_steps: RunSteps, port: str
) -> None:
    bodies.set_faults(FULL_FRAME, {"kind": "dropped-connection", "count": None})
    assert "error" in run_steps(port, ["serial"])[0]
    bodies.set_faults(FULL_FRAME)
    assert run_steps(port, ["serial"])[0]["result"] == FULL_FRAME


def test_one_session_at_a_time_and_a_killed_client_gives_it_back(
    run_steps: RunSteps, port: str, private_environment: dict[str, str]
) -> None:
    def client(*steps: list[Any]) -> list[str]:
        return [sys.executable, str(CLIENT), json.dumps([["open", port], *steps])]

    with subprocess.Popen(
        client(TO_CARD, ["shoot", 2, 3], ["linger", 30]),
        stdout=subprocess.PIPE,
        env=private_environment,
    ) as holder:
        assert holder.stdout is not None
        for _ in range(3):
            assert b"error" not in holder.stdout.readline()
        second = subprocess.run(
            client(), capture_output=True, env=private_environment, check=True, timeout=30
        )
        assert json.loads(second.stdout)["error"] == -110
        holder.send_signal(signal.SIGKILL)
    _, _, shot = run_steps(port, TO_CARD, RAW_AND_JPEG, ["shoot", 2, 3])
    assert len(shot["result"]) == 2


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0x0300, (1, 16, 1, 0, 3)),
        (0x0400, (1, 16, 6, 0, 4)),
        (0x0403, (2, 16, 6, 0, 4, 16, 1, 0, 3)),
    ],
)
def test_an_image_format_lists_its_files(value: int, words: tuple[int, ...]) -> None:
    known = PropertyTable(EOS.properties(384, 256)).property(EosPropertyCode.IMAGE_FORMAT)
    data = struct.pack(f"<{len(words)}I", *words)
    record = pack_property_value(known, value)
    assert struct.unpack_from("<III", record) == (len(record), 0xC189, 0xD120)
    assert record[12:] == data
    assert unpack_value(known, data) == value


@pytest.mark.parametrize("data", [b"", b"\1\0\0\0", struct.pack("<I", 3) + bytes(48), bytes(20)])
def test_a_broken_image_format_is_refused(data: bytes) -> None:
    known = PropertyTable(EOS.properties(384, 256)).property(EosPropertyCode.IMAGE_FORMAT)
    with pytest.raises(WireError):
        unpack_value(known, data)


LARGE_FILE = os.urandom(25_000_000)


@pytest.fixture
def large_camera_port(tmp_path: Path) -> Iterator[str]:
    """A camera whose shots take no time and are 25 MB."""
    numbers = itertools.count(1)
    now = datetime.now(UTC)

    def expose(_: ShotSettings) -> Exposure:
        return Exposure(now, next(numbers), (NewFile("DNG", True, LARGE_FILE),))

    camera = Camera(
        EOS,
        Identity("Agetrace", "Fixture 1", "1", "1.00", 384, 256),
        Card(tmp_path / "card", "100VIRTU", now),
        expose,
        lambda: now,
        lambda _: None,
    )
    responder = Responder(camera, "127.0.0.5", 0)
    responder.start()
    host, port = responder.address
    yield f"ptpip:{host}:{port}:{port}"
    responder.close()


def test_a_large_file_comes_whole_and_fast(large_camera_port: str, run_steps: RunSteps) -> None:
    names = [f"IMG_{number:04d}.DNG" for number in range(1, 6)]
    steps = [
        step
        for name in names
        for step in (["shoot", 1], ["download", PICTURES, name], ["delete", PICTURES, name])
    ]
    answers = run_steps(large_camera_port, TO_CARD, *steps)
    downloads = [answer["result"] for answer in answers if answer["step"] == "download"]
    assert {download["sha256"] for download in downloads} == {
        hashlib.sha256(LARGE_FILE).hexdigest()
    }
    # 12 ms on an idle machine; the bound leaves room for a busy one.
    assert statistics.median(download["transfer_s"] for download in downloads) < 0.2


@pytest.mark.gphoto2_command
@pytest.mark.skipif(shutil.which("gphoto2") is None, reason="the gphoto2 command is absent")
def test_the_gphoto2_command_captures_and_downloads(
    port: str, private_environment: dict[str, str], tmp_path: Path
) -> None:
    done = subprocess.run(
        [
            *("gphoto2", "--port", port, "--camera", "PTP/IP Camera"),
            *("--set-config", "capturetarget=Memory card", "--set-config", "iso=400"),
            *("--set-config", "imageformat=RAW", "--set-config", "shutterspeed=1/200"),
            "--capture-image-and-download",
        ],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
        env=private_environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (raw,) = tmp_path.glob("*.DNG")
    with rawpy.imread(str(raw)) as opened:
        assert opened.raw_image.shape == (256, 384)
