"""Sessions: every frame is registered with its settings, or its row says why not."""

from __future__ import annotations

import resource
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import func, select, text

from capture.actuators import VirtualActuator
from capture.cameras.gphoto2_camera import Gphoto2Camera
from capture.cameras.protocol import CameraIdentity
from capture.errors import (
    ActuatorError,
    CameraLostError,
    ClockRefusedError,
    DiskFullError,
    SettingNotOfferedError,
    UnknownCameraError,
    WrongSerialError,
)
from capture.recipes import Recipe
from capture.sessions import run_session
from datastore.clocks import CivilClock, FixedClock
from datastore.equipment import FixtureDescription, add_fixture
from datastore.errors import LeaseHeldError, UnknownFixtureError
from datastore.frames import read_frame, read_jpeg_luma
from datastore.leases import acquire
from datastore.metadata import read_metadata
from datastore.tables import (
    Asset,
    AuditEntry,
    Camera,
    ClockProbe,
    FrameMeasures,
    Lease,
    Session,
    SessionEvent,
    Shot,
)
from tests.capture.conftest import GENERIC, NIKON, Laboratory, quick_camera, recipe

DARKS = '  - {kind: dark-field, exposures: ["1/30", "1/2"], isos: [100, 800]}\n'
SCENE = "brick-ball-daylight"
ONE_DARK = '  - {kind: dark-field, exposure: "1/30", iso: 100}\n'
ONE_BACKGROUND = (
    f'  - {{kind: fixed-background, scene: {SCENE}, exposure: "1/30", iso: 100, f_number: 8,'
    " image_quality: raw+jpeg}\n"
)


def session_events(laboratory: Laboratory) -> list[str]:
    with laboratory.catalogue.reading() as transaction:
        return list(transaction.scalars(select(SessionEvent.name).order_by(SessionEvent.id)))


def test_both_cameras_bring_every_frame_of_a_recipe(laboratory: Laboratory) -> None:
    told: list[tuple[int, int]] = []
    outcome = laboratory.run(
        recipe(DARKS + ONE_BACKGROUND, warm_up=1),
        operator="ada",
        progress=lambda done, total: told.append((done, total)),
    )
    assert (outcome.state, outcome.exit_code) == ("completed", 0)
    assert outcome.frames_registered == outcome.frames_planned == 12
    assert told == [(done, 12) for done in range(2, 13, 2)]
    shots = laboratory.shots()
    assert {(shot["serial"], shot["sequence"]) for shot in shots} == {
        (serial, sequence) for serial in (NIKON, GENERIC) for sequence in range(1, 7)
    }
    for shot in shots:
        assert shot["events"] == ["planned", "triggered", "downloaded", "verified", "registered"]
        assert shot["verdict"] == "accepted", shot["verdict_reason"]
        assert shot["warm_up"] == (shot["sequence"] == 1)
        for role, sha256 in shot["assets"].items():
            path = laboratory.catalogue.store.path(sha256)
            assert laboratory.catalogue.store.verify(sha256).sha256 == sha256
            metadata = read_metadata(path)
            assert metadata.serial == shot["serial"], role
            assert metadata.iso == shot["iso"]
            assert metadata.exposure_s == pytest.approx(shot["exposure_s"], rel=0.01)
            assert shot["settings"]["exif"].iso == shot["settings"]["read-back"].iso == shot["iso"]
            assert metadata.taken_at is not None
            # the replay's clock runs a thousand times faster than the host's
            late = metadata.taken_at - shot["triggered_at"]
            assert timedelta(0) <= late < timedelta(hours=12)
    backgrounds = [shot for shot in shots if shot["kind"] == "fixed-background"]
    assert [shot["scene"] for shot in backgrounds] == [SCENE, SCENE]
    assert all(set(shot["assets"]) == {"raw", "jpeg"} for shot in backgrounds)
    assert session_events(laboratory) == [
        "started", "camera-opened", "camera-opened", "scene-changed", "scene-changed",
        "scene-changed", "camera-closed", "camera-closed", "completed",
    ]  # fmt: skip
    with laboratory.catalogue.reading() as transaction:
        session = transaction.scalars(select(Session)).one()
        assert session.events[0].detail == {
            "cameras": [NIKON, GENERIC],
            "scenes_without_reference": [SCENE],
        }
        assert (session.operator, session.clock_source) == ("ada", "simulated")
        assert transaction.scalar(select(func.count()).select_from(AuditEntry)) == 1 + 1 + 6 + 1
        opened = [event for event in session.events if event.name == "camera-opened"]
        probed = transaction.execute(
            select(Camera.serial, ClockProbe.at, ClockProbe.skew_s, ClockProbe.source)
            .join(Camera, ClockProbe.camera_id == Camera.id)
            .where(ClockProbe.session_id == session.id)
        )
        assert sorted(probed) == sorted(
            (event.detail["camera"], event.at, event.detail["clock_skew_s"], "probe")
            for event in opened
            if event.detail is not None
        )
        frames = transaction.execute(
            select(FrameMeasures, Asset, Shot)
            .join(Asset, FrameMeasures.asset_id == Asset.id)
            .join(Shot, Asset.shot_id == Shot.id)
        ).all()
    assert len(frames) == sum(len(shot["assets"]) for shot in shots)
    for measures, asset, row in frames:
        path = laboratory.catalogue.store.path(asset.sha256)
        assert measures.temperature_c == read_metadata(path).camera_temperature_c is not None
        if asset.role == "jpeg":
            assert measures.black_level_dn is None
            assert measures.mean_dn == pytest.approx(read_jpeg_luma(path).mean())
            continue
        frame = read_frame(path)
        assert frame.black_level is not None
        assert measures.black_level_dn == pytest.approx(np.mean(frame.black_level))
        assert measures.mean_dn == pytest.approx(frame.mosaic.mean())
        assert measures.clipped_share == np.mean(frame.mosaic >= frame.white_level)
        if row.kind == "dark-field":
            assert measures.sharpness is None
    assert list(laboratory.spool_folder.iterdir()) == []
    for serial in (NIKON, GENERIC):
        camera = laboratory.camera(serial)
        camera.open()
        assert camera.files.list_card() == ()
        camera.close()


def test_the_same_recipe_is_one_row(laboratory: Laboratory) -> None:
    for _ in range(2):
        laboratory.run(recipe(ONE_DARK), NIKON)
    with laboratory.catalogue.reading() as transaction:
        sessions = transaction.scalars(select(Session)).all()
        assert len({session.uuid for session in sessions}) == 2
        assert len({session.recipe_id for session in sessions}) == 1


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("missing-raw", "did not deliver the raw"),
        ("close-mid-transfer", "failed while reading"),
        ("settings-ignored", "was set to"),
        ("repeated-files", "earlier shot|another one"),
    ],
)
def test_a_failed_attempt_stays_and_the_shot_is_repeated(
    laboratory: Laboratory, fault: str, reason: str
) -> None:
    laboratory.run(recipe(ONE_BACKGROUND), NIKON)
    laboratory.virtual.set_faults(NIKON, fault)
    outcome = laboratory.run(recipe(ONE_BACKGROUND.replace("iso: 100", "iso: 200")), NIKON)
    assert outcome.state == "completed"
    assert outcome.attempts_failed == 1
    _, failed, repeated = laboratory.shots()
    assert (failed["sequence"], failed["attempt"]) == (1, 1)
    assert failed["events"][-1] == "failed"
    assert failed["assets"] == {}
    assert any(part in failed["reason"] for part in reason.split("|")), failed["reason"]
    assert (repeated["sequence"], repeated["attempt"]) == (1, 2)
    assert repeated["events"][-1] == "registered"
    assert repeated["verdict"] == "accepted"


@pytest.mark.parametrize(
    ("fault", "check"), [("zero-filled-raw", "zero-tail"), ("truncated-files", "extent-outside")]
)
def test_a_damaged_file_is_kept_quarantined_and_taken_again(
    laboratory: Laboratory, fault: str, check: str
) -> None:
    laboratory.empty_card(GENERIC)
    laboratory.virtual.set_faults(GENERIC, fault)
    outcome = laboratory.run(recipe(ONE_DARK), GENERIC)
    assert (outcome.state, outcome.frames_quarantined) == ("completed", 1)
    # its copy on the card may be better than what came; the good shot's copy is gone
    assert len(laboratory.empty_card(GENERIC)) == 1
    damaged, repeated = laboratory.shots()
    assert damaged["events"][-1] == "registered"
    assert damaged["verdict"] == "quarantined"
    assert check in damaged["numbers"]
    assert laboratory.catalogue.store.verify(damaged["assets"]["raw"])
    assert repeated["verdict"] == "accepted"


class _ForgetfulActuator(VirtualActuator):
    """An operator who forgets the cap."""

    def set_cap(self, on: bool) -> None:
        super().set_cap(False)


def test_a_dark_field_with_light_is_quarantined_with_numbers(laboratory: Laboratory) -> None:
    outcome = laboratory.run(
        recipe(ONE_DARK, attempts=1),
        NIKON,
        actuator=_ForgetfulActuator(laboratory.virtual.control_url),
    )
    assert (outcome.state, outcome.exit_reason) == ("partial", "frames-quarantined")
    assert (outcome.frames_registered, outcome.frames_accepted) == (1, 0)
    (shot,) = laboratory.shots()
    assert shot["verdict"] == "quarantined"
    assert "body cap" in shot["verdict_reason"]
    numbers = shot["numbers"]["dark-level"]
    assert numbers["value"] > numbers["threshold"]


def test_a_camera_that_dies_leaves_the_other_to_go_on(laboratory: Laboratory) -> None:
    dropped = {"kind": "dropped-connection", "count": None}
    laboratory.virtual.set_faults(NIKON, "close-mid-transfer", dropped)

    opened: list[Gphoto2Camera] = []

    def factory(address: str, serial: str, spool: Path) -> Gphoto2Camera:
        # the camera is sound until the session has opened it
        camera = quick_camera(address, serial, spool)
        opened.append(camera)
        return camera

    laboratory.virtual.set_faults(NIKON)
    actuator = _BreakingActuator(laboratory, dropped)
    outcome = laboratory.run(recipe(DARKS), actuator=actuator, camera_factory=factory)
    assert (outcome.state, outcome.exit_code) == ("partial", 1)
    assert NIKON in (outcome.reason or "")
    states = {(shot["serial"], shot["sequence"]): shot["events"][-1] for shot in laboratory.shots()}
    assert [states[GENERIC, sequence] for sequence in range(1, 5)] == ["registered"] * 4
    assert states[NIKON, 1] == "failed"
    assert all(not camera.is_open for camera in opened)


class _BreakingActuator(VirtualActuator):
    """Breaks a camera's connection for good once the session has begun."""

    def __init__(self, laboratory: Laboratory, fault: dict[str, Any]) -> None:
        super().__init__(laboratory.virtual.control_url)
        self._laboratory = laboratory
        self._fault = fault

    def set_cap(self, on: bool) -> None:
        super().set_cap(on)
        self._laboratory.virtual.set_faults(NIKON, "close-mid-transfer", self._fault)


def test_an_interrupt_finishes_the_shot_in_hand(laboratory: Laboratory) -> None:
    stop = threading.Event()

    def interrupt(done: int, _total: int) -> None:
        if done == 2:
            stop.set()

    outcome = laboratory.run(recipe(DARKS), NIKON, stop=stop, progress=interrupt)
    assert (outcome.state, outcome.exit_code) == ("aborted", 130)
    # the next two shots may have been exposed already when the second one was told of
    assert 2 <= outcome.frames_registered <= 4
    states = [shot["events"][-1] for shot in laboratory.shots()]
    assert states == ["registered"] * outcome.frames_registered
    assert session_events(laboratory)[-1] == "aborted"


class _StuckActuator(VirtualActuator):
    def set_scene(self, name: str) -> None:
        raise ActuatorError(f"the carousel is stuck before {name}")


def test_a_stuck_actuator_ends_the_session_with_its_reason(laboratory: Laboratory) -> None:
    actuator = _StuckActuator(laboratory.virtual.control_url)
    outcome = laboratory.run(recipe(ONE_DARK + ONE_BACKGROUND), NIKON, actuator=actuator)
    assert (outcome.state, outcome.exit_code) == ("failed", 1)
    assert "the carousel is stuck" in (outcome.reason or "")
    assert outcome.frames_registered == 1


def test_wrong_requests_leave_everything_as_it_was(laboratory: Laboratory) -> None:
    with pytest.raises(UnknownCameraError, match=r"mounts no camera 1.*7100001"):
        laboratory.run(recipe(ONE_DARK), "1")
    with pytest.raises(SettingNotOfferedError, match="camera 7100001: iso 150") as caught:
        laboratory.run(recipe(ONE_DARK + ONE_DARK.replace("iso: 100", "iso: 150")), NIKON)
    assert caught.value.exit_code == 2
    with pytest.raises(UnknownFixtureError, match="south"):
        _run_on(laboratory, "south", laboratory.clock)
    assert laboratory.shots() == []
    assert session_events(laboratory) == []


def _add_fixture(
    laboratory: Laboratory, *, simulated: bool, address: str, serial: str, **camera: Any
) -> None:
    description = FixtureDescription.model_validate(
        {
            "name": f"fixture-{serial}",
            "simulated": simulated,
            "cameras": [
                {"serial": serial, "make": "Agetrace", "model": "Fixture 1", "address": address}
                | camera
            ],
        }
    )
    add_fixture(laboratory.catalogue, description, datetime(2024, 1, 1, tzinfo=UTC))


def _run_on(
    laboratory: Laboratory, fixture: str, clock: CivilClock, what: Recipe | None = None
) -> None:
    run_session(
        laboratory.catalogue,
        what or recipe(ONE_DARK),
        fixture,
        actuator=VirtualActuator(laboratory.virtual.control_url),
        clock=clock,
        spool_folder=laboratory.spool_folder,
        camera_factory=quick_camera,
        camera_patience_s=0.0,
    )


def test_a_simulated_clock_is_refused_with_a_real_camera(laboratory: Laboratory) -> None:
    _add_fixture(laboratory, simulated=False, address="ptpip:127.0.0.9:9", serial="REAL")
    with pytest.raises(ClockRefusedError, match="REAL is real") as caught:
        _run_on(laboratory, "fixture-REAL", FixedClock(datetime(2030, 1, 1, tzinfo=UTC)))
    assert caught.value.exit_code == 2


def test_a_wrong_serial_or_address_is_named_before_any_shot(laboratory: Laboratory) -> None:
    _add_fixture(
        laboratory, simulated=True, address=laboratory.virtual.cameras[NIKON], serial="OTHER"
    )
    with pytest.raises(WrongSerialError, match=r"OTHER was expected.*7100001"):
        _run_on(laboratory, "fixture-OTHER", laboratory.clock)
    _add_fixture(laboratory, simulated=True, address="ptpip:127.0.0.9:9", serial="GONE")
    with pytest.raises(CameraLostError, match=r"127\.0\.0\.9:9"):
        _run_on(laboratory, "fixture-GONE", laboratory.clock)
    assert laboratory.shots() == []


def test_a_leased_camera_is_not_taken(laboratory: Laboratory) -> None:
    with (
        acquire(laboratory.catalogue, [f"camera:{NIKON}"], "somebody elsewhere", 60),
        pytest.raises(LeaseHeldError, match="somebody elsewhere"),
    ):
        laboratory.run(recipe(ONE_DARK), NIKON)


def test_a_full_disk_is_named_before_the_first_shot(laboratory: Laboratory) -> None:
    # no disk has room for so many frames of such a sensor
    _add_fixture(
        laboratory,
        simulated=True,
        address=laboratory.virtual.cameras[NIKON],
        serial=NIKON,
        model="Giant",
        sensor={"width": 900_000, "height": 900_000},
    )
    many = recipe(ONE_DARK.replace("iso: 100", "iso: 100, count: 1000"))
    with pytest.raises(DiskFullError, match=r"free and the session needs .* MB: free") as caught:
        _run_on(laboratory, f"fixture-{NIKON}", laboratory.clock, many)
    assert caught.value.exit_code == 1
    assert laboratory.shots() == []


class _CameraWithFullDisk(Gphoto2Camera):
    """A camera whose worker may write no file as large as a frame."""

    def open(self) -> CameraIdentity:
        identity = super().open()
        assert self.worker_pid is not None
        resource.prlimit(self.worker_pid, resource.RLIMIT_FSIZE, (50_000, 50_000))
        return identity


def test_a_frame_that_met_a_full_disk_is_taken_from_the_card_later(
    laboratory: Laboratory,
) -> None:
    outcome = laboratory.run(
        recipe(DARKS), NIKON, camera_factory=lambda a, s, f: _CameraWithFullDisk(a, s, f, 2.0)
    )
    assert (outcome.state, outcome.exit_code) == ("failed", 1)
    assert "free some space" in (outcome.reason or "")
    assert outcome.exit_reason == "disk-full"
    # the next shot may have been exposing already
    left_open = len(laboratory.shots())
    assert [shot["events"][-1] for shot in laboratory.shots()] == ["planned"] * left_open
    again = laboratory.run(recipe(ONE_DARK), NIKON)
    assert (again.state, again.settled_by_reconciling) == ("completed", left_open)
    *recovered, _ = laboratory.shots()
    for shot in recovered:
        assert shot["events"][-1] == "registered"
        assert shot["verdict"] == "accepted"
        assert laboratory.catalogue.store.verify(shot["assets"]["raw"])


def test_a_session_stops_when_its_lease_is_lost(laboratory: Laboratory) -> None:
    def seize(done: int, _total: int) -> None:
        if done == 1:
            with laboratory.catalogue.writing() as transaction:
                for row in transaction.scalars(select(Lease)):
                    row.fencing_token += 1
                    row.holder = "somebody else"

    outcome = laboratory.run(recipe(DARKS), NIKON, progress=seize)
    assert (outcome.state, outcome.exit_code) == ("failed", 1)
    assert "went from" in (outcome.reason or "")
    assert outcome.frames_registered == 1


def test_the_record_of_a_session_cannot_be_rewritten(laboratory: Laboratory) -> None:
    laboratory.run(recipe(ONE_DARK), NIKON)
    for statement in ("update shot set iso = 1", "delete from shot_event", "delete from asset"):
        with (
            pytest.raises(Exception, match="append-only"),
            laboratory.catalogue.writing() as transaction,
        ):
            transaction.execute(text(statement))
    with laboratory.catalogue.reading() as transaction:
        assert transaction.scalar(select(func.count()).select_from(Asset)) == 1
