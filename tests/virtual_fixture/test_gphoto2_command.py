"""An independent client: Debian's gphoto2 command, with a libgphoto2 of its own."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import rawpy

from tests.support.virtual import RunningFixture

pytestmark = [
    pytest.mark.gphoto2_command,
    pytest.mark.skipif(shutil.which("gphoto2") is None, reason="the gphoto2 command is absent"),
]

NIKON, GENERIC = "7100001", "7100002"
BOTH = pytest.mark.parametrize("serial", [NIKON, GENERIC], ids=["nikon", "generic"])
EXPOSURE = {NIKON: ("shutterspeed2", "1/200"), GENERIC: ("shutterspeed", "0.0050s")}
RAW_AND_JPEG = {NIKON: "NEF+Fine", GENERIC: "Unknown value 0005"}

Gphoto2 = Callable[..., str]


@pytest.fixture
def gphoto2(
    fixture: RunningFixture, private_environment: dict[str, str], tmp_path: Path
) -> Gphoto2:
    """Run the command on a camera in an empty folder and return what it prints."""

    def run(serial: str, *arguments: str) -> str:
        done = subprocess.run(
            [
                *("gphoto2", "--port", fixture.gphoto_port(serial)),
                *("--camera", "PTP/IP Camera", *arguments),
            ],
            capture_output=True,
            text=True,
            timeout=60,
            cwd=tmp_path,
            env=private_environment,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@BOTH
def test_it_summarizes_the_camera(gphoto2: Gphoto2, serial: str) -> None:
    summary = gphoto2(serial, "--summary")
    assert "Model: Fixture 1" in summary
    assert f"Serial Number: {serial}" in summary
    assert "Capture" in summary and "Memory card" in summary
    assert "error" not in summary


@BOTH
def test_it_lists_and_changes_the_settings(gphoto2: Gphoto2, serial: str) -> None:
    listed = gphoto2(serial, "--list-config").split()
    name, value = EXPOSURE[serial]
    assert {
        "/main/imgsettings/iso",
        "/main/capturesettings/f-number",
        "/main/capturesettings/imagequality",
        f"/main/capturesettings/{name}",
        "/main/status/serialnumber",
        "/main/status/batterylevel",
    } <= set(listed)
    gphoto2(serial, "--set-config", "iso=640", "--set-config", f"{name}={value}")
    shown = gphoto2(serial, "--get-config", "iso", "--get-config", name)
    assert "Current: 640" in shown
    assert f"Current: {value}" in shown


@BOTH
def test_it_captures_downloads_and_deletes(
    gphoto2: Gphoto2, fixture: RunningFixture, tmp_path: Path, serial: str
) -> None:
    gphoto2(serial, "--set-config", f"imagequality={RAW_AND_JPEG[serial]}")
    gphoto2(serial, "--trigger-capture", "--wait-event-and-download=1s")
    raw_file, jpeg_file = sorted(tmp_path.glob("DSC_*"))
    assert (raw_file.suffix, jpeg_file.suffix) == (".DNG", ".JPG")
    with rawpy.imread(str(raw_file)) as raw:
        assert raw.raw_image.shape == (256, 384)
    assert jpeg_file.read_bytes()[:3] == b"\xff\xd8\xff"
    gphoto2(serial, "--delete-all-files", "--recurse")
    listing = gphoto2(serial, "--list-files")
    assert "DSC_" not in listing
    assert "/store_00010001/DCIM/100VIRTU" in listing


def test_it_captures_and_downloads_both_files_of_a_nikon_in_one_command(
    gphoto2: Gphoto2, tmp_path: Path
) -> None:
    quality = "imagequality=NEF+Fine"
    gphoto2(NIKON, "--set-config", quality, "--capture-image-and-download")
    assert {path.suffix for path in tmp_path.glob("DSC_*")} == {".DNG", ".JPG"}
