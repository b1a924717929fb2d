"""One suite for every kind of camera: virtual ones of three dialects, and the driver's own.

The driver's own camera (vusb) takes copies of one JPEG, has no ISO and says nothing of its image
quality: a second opinion on everything that needs neither.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from capture.cameras.capabilities import Capabilities
from capture.cameras.choices import choice_for
from capture.cameras.gphoto2_camera import Gphoto2Camera
from capture.cameras.opening import open_patiently
from capture.cameras.protocol import CameraSettings, Delivery
from capture.errors import (
    BatteryLowError,
    CameraBusyError,
    CameraError,
    CameraLostError,
    CardFullError,
    FilesMissingError,
    SettingNotAppliedError,
    SettingNotOfferedError,
    WrongSerialError,
)
from datastore.frames import check_file
from datastore.metadata import read_metadata
from tests.capture.conftest import GENERIC, MARGIN_S, NIKON, shoot
from tests.support.virtual import RunningFixture, running_fixture, small_description

EOS = "7200001"
VUSB = "0.1"
PICTURE = "picture.jpg"
SETTINGS = CameraSettings(Fraction(1, 125), 400, 5.6, "raw+jpeg")


@dataclass(frozen=True)
class Kind:
    """A camera of the suite and what is special about it."""

    address: str
    serial: str
    make: str
    settings: CameraSettings
    roles: tuple[str, ...]
    can_be_set_up: bool = True
    environment: Mapping[str, str] = field(default_factory=dict)

    def camera(self, spool_folder: Path, serial: str | None = None) -> Gphoto2Camera:
        return Gphoto2Camera(
            self.address,
            serial or self.serial,
            spool_folder,
            MARGIN_S,
            environment=self.environment,
        )


@pytest.fixture(scope="module")
def eos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningFixture]:
    """Run a virtual camera of the dialect that the others' fixture lacks."""
    camera = {"serial": EOS, "profile": "eos", "parameter_set": "7d", "address": "127.0.0.4"}
    description = small_description(camera, exposure_time_scale=0.001)
    with running_fixture(tmp_path_factory.mktemp("eos"), description) as running:
        yield running


@pytest.fixture(params=[GENERIC, NIKON, EOS, VUSB], ids=["generic", "nikon", "eos", "vusb"])
def kind(
    request: pytest.FixtureRequest, virtual: RunningFixture, eos: RunningFixture, tmp_path: Path
) -> Kind:
    """Return each kind of camera."""
    address = {**virtual.cameras, **eos.cameras}.get(request.param)
    if address is not None:
        return Kind(address, request.param, "Agetrace", SETTINGS, ("raw", "jpeg"))
    folder = tmp_path / "picture"
    folder.mkdir()
    picture = np.random.default_rng(1).integers(0, 256, (360, 480, 3), np.uint8)
    assert cv2.imwrite(str(folder / PICTURE), picture)
    jpeg = replace(SETTINGS, exposure=Fraction(1, 100), image_quality="jpeg")
    environment = {"VCAMERADIR": str(folder)}
    return Kind("usb:001,001", VUSB, "GP", jpeg, ("jpeg",), False, environment)


@pytest.fixture
def camera(kind: Kind, tmp_path: Path) -> Iterator[Gphoto2Camera]:
    """Return an open camera of each kind, its card empty but for what vusb copies."""
    with closing(kind.camera(tmp_path / "spool")) as opened:
        identity = opened.open()
        assert (identity.make, identity.serial) == (kind.make, kind.serial)
        assert identity.model and identity.firmware
        for left in opened.files.list_card():
            if left.name != PICTURE:
                opened.files.delete(left.folder, left.name)
        yield opened


def set_up(camera: Gphoto2Camera, kind: Kind) -> None:
    if kind.can_be_set_up:
        camera.settings.apply(kind.settings)


def test_settings_are_offered_applied_and_read_back(camera: Gphoto2Camera, kind: Kind) -> None:
    offered = camera.settings.offered()
    wishes = {name: wish for name, wish in kind.settings.fields().items() if name in offered}
    assert {"exposure", "f_number"} <= set(wishes)
    for name, wish in wishes.items():
        assert choice_for(name, wish, offered[name], kind.make) in offered[name]
    if not kind.can_be_set_up:
        with pytest.raises(SettingNotOfferedError, match="iso"):
            camera.settings.apply(kind.settings)
        assert camera.is_open
        return
    assert set(wishes) == set(kind.settings.fields())
    for settings in (kind.settings, replace(kind.settings, iso=800, exposure=Fraction(1, 4))):
        shown = camera.settings.apply(settings)
        assert (shown.iso, shown.f_number) == (settings.iso, settings.f_number)
        assert shown.exposure_s == pytest.approx(float(settings.exposure), rel=1e-3)
        assert shown.image_quality == settings.image_quality
    with pytest.raises(SettingNotOfferedError, match="iso 401"):
        camera.settings.apply(replace(kind.settings, iso=401, exposure=Fraction(1)))
    assert camera.is_open
    assert camera.settings.apply(replace(settings, f_number=None)).exposure_s == 0.25


def test_a_shot_brings_its_own_files_as_they_are_on_the_card(
    camera: Gphoto2Camera, kind: Kind
) -> None:
    set_up(camera, kind)
    shots = [str(uuid.uuid4()) for _ in range(2)]
    names, hashes = set(), set()
    for shot in shots:
        release = camera.trigger.release(shot, kind.settings)
        assert release.shot_uuid == shot
        assert 0 <= release.released_after_s < release.free_after_s
        delivery = camera.files.delivered(shot)
        assert tuple(file.role for file in delivery.files) == kind.roles
        on_card = {(file.folder, file.name): file.bytes for file in camera.files.list_card()}
        for file in delivery.files:
            assert on_card[file.camera_folder, file.camera_name] == file.bytes
            data = file.path.read_bytes()
            assert (len(data), hashlib.sha256(data).hexdigest()) == (file.bytes, file.sha256)
            assert check_file(file.path) == []
            names.add((file.camera_folder, file.camera_name))
            hashes.add(file.sha256)
    assert len(names) == 2 * len(kind.roles)
    assert len(hashes) == (1 if kind.serial == VUSB else len(names))


def test_files_are_fetched_from_the_card_and_deleted(camera: Gphoto2Camera, kind: Kind) -> None:
    set_up(camera, kind)
    delivery = shoot(camera, str(uuid.uuid4()), kind.settings)
    on_card = [file for file in camera.files.list_card() if file.name != PICTURE]
    copies = camera.files.fetch(str(uuid.uuid4()), on_card)
    assert sorted(file.sha256 for file in copies.files) == sorted(
        file.sha256 for file in delivery.files
    )
    for file in delivery.files:
        for _ in range(2):
            camera.files.delete(file.camera_folder, file.camera_name)
    assert [file for file in camera.files.list_card() if file.name != PICTURE] == []


def test_a_camera_is_opened_again_and_closed_for_good(
    camera: Gphoto2Camera, kind: Kind, tmp_path: Path
) -> None:
    camera.close()
    camera.close()
    assert not camera.is_open and not camera.wants_recycling
    for refused in (camera.settings.offered, camera.files.list_card, camera.settings.clock_s):
        with pytest.raises(CameraLostError, match="is closed: open it first"):
            refused()
    assert camera.open().serial == kind.serial
    set_up(camera, kind)
    shoot(camera, str(uuid.uuid4()), kind.settings)
    camera.close()
    stranger = kind.camera(tmp_path / "spool", serial="12345")
    with pytest.raises(WrongSerialError, match="12345 was expected"):
        stranger.open()
    assert not stranger.is_open


def test_a_camera_says_what_it_can_do(camera: Gphoto2Camera, kind: Kind) -> None:
    offered = camera.settings.offered()
    found = camera.settings.capabilities()
    assert Capabilities.from_json(found.to_json()) == found
    tried = {name: setting for name, setting in found.settings.items() if setting is not None}
    assert {name: setting.choices for name, setting in tried.items()} == offered
    assert all(setting.read_back_works for setting in tried.values())
    again = camera.settings.capabilities()
    assert {name: setting.shown for name, setting in tried.items()} == {
        name: setting.shown for name, setting in again.settings.items() if setting is not None
    }
    assert found.clock_s is not None and found.clock_can_be_set is not None
    assert found.battery_percent is not None and found.firmware
    assert found.card_free_bytes and found.card_free_images
    if kind.can_be_set_up:
        assert found.image_qualities == ("raw", "raw+jpeg", "jpeg")
    else:
        assert (found.settings["iso"], found.image_qualities) == (None, ())


SET_CUSTOM_FUNCTIONS = """
import sys, gphoto2
ports, abilities, camera = gphoto2.PortInfoList(), gphoto2.CameraAbilitiesList(), gphoto2.Camera()
ports.load()
abilities.load()
camera.set_port_info(ports[ports.lookup_path(sys.argv[1])])
camera.set_abilities(abilities[abilities.lookup_model("PTP/IP Camera")])
camera.init()
widget = camera.get_single_config("customfuncex")
widget.set_value(sys.argv[2])
camera.set_single_config("customfuncex", widget)
print(camera.get_single_config("customfuncex").get_value())
camera.exit()
"""


def test_noise_reduction_that_somebody_left_on_is_switched_off(
    eos: RunningFixture, tmp_path: Path
) -> None:
    is_on = "20,1,2,14,1,201,1,2,"
    arguments = ["-c", SET_CUSTOM_FUNCTIONS, eos.gphoto_port(EOS), is_on]
    somebody = subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
    assert somebody.stdout.decode().strip() == is_on
    with closing(Gphoto2Camera(eos.cameras[EOS], EOS, tmp_path, MARGIN_S)) as camera:
        camera.open()
        assert camera.settings.apply(SETTINGS).long_exposure_noise_reduction is False
        found = camera.settings.capabilities().long_exposure_noise_reduction
        assert found is not None and found.can_be_off and not found.is_on


def test_the_clock_is_not_that_of_the_opening(eos: RunningFixture, tmp_path: Path) -> None:
    with closing(Gphoto2Camera(eos.cameras[EOS], EOS, tmp_path, MARGIN_S)) as camera:
        camera.open()
        before, began = camera.settings.clock_s(), time.monotonic()
        time.sleep(1.6)
        after = camera.settings.clock_s()
        assert before is not None and after is not None
        # a simulated clock may run faster, and shows whole seconds
        assert after - before >= time.monotonic() - began - 1


def test_a_refused_shutter_is_put_down_to_what_the_camera_lacks(
    virtual: RunningFixture, eos: RunningFixture, kind: Kind, tmp_path: Path
) -> None:
    if not kind.can_be_set_up:
        pytest.skip("this driver's shutter cannot refuse")
    running = eos if kind.serial == EOS else virtual
    with closing(kind.camera(tmp_path / "spool")) as camera:
        camera.open()
        # a full card stays full until one of its files is deleted
        set_and_shoot(camera)
        for fault, error, said in (
            ("card-full", CardFullError, "its memory card is full: empty it"),
            ("battery-low", BatteryLowError, "its battery is at 3 %: charge it"),
            ("store-full", CameraError, r"neither its battery \(100%\) nor the room"),
        ):
            running.set_faults(kind.serial, fault)
            with pytest.raises(CameraError, match=said) as caught:
                camera.trigger.release(str(uuid.uuid4()), SETTINGS)
            assert type(caught.value) is error
            assert not caught.value.retryable
            assert not camera.is_open
            running.set_faults(kind.serial)
            camera.open()
            for left in camera.files.list_card():
                camera.files.delete(left.folder, left.name)


def set_and_shoot(camera: Gphoto2Camera) -> Delivery:
    camera.settings.apply(SETTINGS)
    return shoot(camera, str(uuid.uuid4()), SETTINGS)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("busy-on-capture", CameraBusyError),
        ("silent-capture", FilesMissingError),
        ("settings-ignored", SettingNotAppliedError),
        ("late-answer", CameraError),
    ],
)
def test_faults_of_the_eos_dialect_are_named_in_time(
    eos: RunningFixture, tmp_path: Path, fault: str, error: type[CameraError]
) -> None:
    with closing(Gphoto2Camera(eos.cameras[EOS], EOS, tmp_path, MARGIN_S)) as camera:
        camera.open()
        camera.settings.apply(replace(SETTINGS, iso=800))
        eos.set_faults(EOS, {"kind": fault, "count": None})
        began = time.monotonic()
        with pytest.raises(error):
            set_and_shoot(camera)
        assert time.monotonic() - began < 3 * MARGIN_S
        assert not camera.is_open
        eos.set_faults(EOS)
        open_patiently(camera, patience_s=10.0)
        delivery = set_and_shoot(camera)
        assert [read_metadata(file.path).iso for file in delivery.files] == [400, 400]
