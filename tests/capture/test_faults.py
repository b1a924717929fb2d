"""Bodies that misbehave: how a session ends, what its record says, and that no frame is lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from capture.actuators import VirtualActuator
from capture.cameras.gphoto2_camera import Gphoto2Camera
from capture.errors import WrongSerialError
from capture.outcome import SessionOutcome
from capture.reconcile import reconcile
from datastore.tables import Session, SessionEvent
from tests.capture.accounting import (
    failures,
    require_each_frame_once,
    require_every_exposure,
    require_files_of_their_shots,
    require_no_orphan,
    require_records_closed,
)
from tests.capture.conftest import GENERIC, NIKON, Laboratory, recipe
from tests.support.virtual import RunningFixture, running_fixture, small_description

EOS = "7100003"
SERIALS = (NIKON, GENERIC, EOS)
FRAMES = 3
# every shot has settings of its own, so that a mix-up shows
DARKS = '  - {kind: dark-field, exposure: "1/30", isos: [100, 200, 400]}\n'
MARGIN_S = 1.8
FOR_EVER = None


def impatient_camera(address: str, serial: str, spool_folder: Path) -> Gphoto2Camera:
    """Return a camera with very short deadlines."""
    return Gphoto2Camera(address, serial, spool_folder, margin_s=MARGIN_S)


@pytest.fixture(scope="module")
def virtual_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningFixture]:
    """Run a camera of each dialect."""
    cameras = ({"profile": profile} for profile in ("nikon", "generic", "eos"))
    description = small_description(*cameras, exposure_time_scale=0.001)
    with running_fixture(tmp_path_factory.mktemp("virtual"), description) as running:
        yield running


class FaultyActuator(VirtualActuator):
    """Sets faults once the session has begun: the cap is moved before the first shot."""

    def __init__(self, laboratory: Laboratory, serial: str, *faults: str | dict[str, Any]) -> None:
        super().__init__(laboratory.virtual.control_url)
        self._laboratory = laboratory
        self._serial = serial
        self._faults = faults

    def set_cap(self, on: bool) -> None:
        super().set_cap(on)
        self._laboratory.virtual.set_faults(self._serial, *self._faults)


@dataclass(frozen=True)
class Shown:
    """What a session with faults left behind."""

    outcome: SessionOutcome
    reasons: list[str]
    events: list[tuple[str, dict[str, Any]]]

    def detail(self, name: str) -> dict[str, Any]:
        """Return the detail of the first event of a name."""
        return next(detail for event, detail in self.events if event == name)


def shoot_with(
    laboratory: Laboratory, serial: str, *faults: str | dict[str, Any], **options: Any
) -> Shown:
    """Run a session with one camera that has faults, and account for every frame."""
    laboratory.empty_card(serial)
    before = laboratory.exposures(serial)
    options.setdefault("actuator", FaultyActuator(laboratory, serial, *faults))
    options.setdefault("camera_factory", impatient_camera)
    outcome = laboratory.run(recipe(options.pop("shots", DARKS)), serial, **options)
    laboratory.virtual.set_faults(serial)
    laboratory.virtual.put("/addresses", {})
    settle(laboratory)
    require_records_closed(laboratory)
    require_files_of_their_shots(laboratory)
    exposed = laboratory.exposures(serial) - before
    require_every_exposure(laboratory, {serial: exposed})
    shown = Shown(outcome, failures(laboratory), session_events(laboratory))
    assert shown.events[-1][1]["exit_reason"] == outcome.exit_reason
    if outcome.state == "completed":
        require_each_frame_once(laboratory, outcome.session_uuid, [serial], FRAMES)
        require_no_orphan(laboratory)
    return shown


def settle(laboratory: Laboratory) -> None:
    """Have card copies deleted whose camera was opened anew before that could be done."""
    settled = reconcile(
        laboratory.catalogue,
        "virtual",
        clock=laboratory.clock,
        spool_folder=laboratory.spool_folder,
        camera_factory=impatient_camera,
    )
    assert not settled.settled
    assert not settled.left_open


def session_events(laboratory: Laboratory) -> list[tuple[str, dict[str, Any]]]:
    """Return the log of the newest session."""
    with laboratory.catalogue.reading() as transaction:
        session = transaction.scalars(select(Session).order_by(Session.id.desc())).first()
        assert session is not None
        rows = transaction.scalars(
            select(SessionEvent)
            .where(SessionEvent.session_id == session.id)
            .order_by(SessionEvent.id)
        )
        return [(row.name, row.detail or {}) for row in rows]


@dataclass(frozen=True)
class Passing:
    """A fault that strikes once: the attempt fails and says why, the shot is repeated."""

    name: str
    fault: str | dict[str, Any]
    said: str
    serial: str = NIKON


def late(kind: str) -> dict[str, Any]:
    """Return a fault whose answer comes after every deadline."""
    return {"kind": kind, "delay_s": 2 * MARGIN_S}


PASSING = [
    Passing("silent setting change", "settings-ignored", "was set to"),
    pytest.param(
        Passing("silent setting change", "settings-ignored", "was set to", EOS),
        marks=pytest.mark.prove,
    ),
    Passing("late answer", late("late-answer"), "failed while|no answer|did not answer"),
    pytest.param(
        Passing(
            "late capture", late("late-capture-answer"), "failed while|no answer|did not", GENERIC
        ),
        marks=pytest.mark.prove,
    ),
    Passing("stale file", {"kind": "stale-file", "skip": 1}, "was on its card|another|earlier"),
    Passing("stale bytes", {"kind": "repeated-files", "skip": 1}, "another|earlier", GENERIC),
    Passing("lost event", "lost-event", "did not deliver the raw", GENERIC),
    Passing(
        "endless busy", {"kind": "endless-busy", "delay_s": 4.0}, "failed while|no answer|busy"
    ),
    Passing("hang", "hang", "no answer|failed while"),
    pytest.param(Passing("hang", "hang", "no answer|failed while", EOS), marks=pytest.mark.prove),
    Passing("drop mid-transfer", "close-mid-transfer", "failed while reading"),
    pytest.param(
        Passing("drop mid-transfer", "close-mid-transfer", "failed while reading", EOS),
        marks=pytest.mark.prove,
    ),
    Passing("stalled transfer", "stall-mid-transfer", "no answer|failed while", GENERIC),
    Passing("refused without a reason", "store-full", "tells why: look at its display"),
    Passing(
        "vanishes and returns", {"kind": "camera-vanishes", "delay_s": 1.0}, "failed|no answer"
    ),
]


@pytest.mark.parametrize("case", PASSING, ids=lambda case: f"{case.name}-{case.serial}")
def test_a_passing_fault_costs_an_attempt(laboratory: Laboratory, case: Passing) -> None:
    shown = shoot_with(laboratory, case.serial, case.fault)
    assert shown.outcome.state == "completed", shown.reasons
    assert shown.outcome.attempts_failed == len(shown.reasons) >= 1
    assert any(part in shown.reasons[0] for part in case.said.split("|")), shown.reasons
    # the conversation with a camera that went wrong once is begun anew
    assert [name for name, _ in shown.events].count("camera-opened") >= 2


@pytest.mark.parametrize("setting", ["iso", "exposure"])
def test_a_setting_that_changes_at_the_shutter_is_quarantined(
    laboratory: Laboratory, setting: str
) -> None:
    fault = {"kind": "setting-changed-silently", "setting": setting}
    shown = shoot_with(laboratory, NIKON, fault)
    assert (shown.outcome.state, shown.outcome.frames_quarantined) == ("completed", 1)
    (reason,) = shown.reasons
    assert setting in reason


@pytest.mark.parametrize("fault", ["zero-filled-raw", "truncated-files"])
def test_wrong_bytes_are_kept_in_quarantine_and_taken_again(
    laboratory: Laboratory, fault: str
) -> None:
    shown = shoot_with(laboratory, GENERIC, fault)
    assert (shown.outcome.state, shown.outcome.frames_quarantined) == ("completed", 1)
    (quarantined,) = [shot for shot in laboratory.shots() if shot["verdict"] == "quarantined"]
    assert quarantined["numbers"]
    assert laboratory.catalogue.store.verify(quarantined["assets"]["raw"])


@pytest.mark.parametrize(
    ("kind", "said", "serial"),
    [
        ("card-full", "its memory card is full: empty it", GENERIC),
        ("battery-low", "its battery is at 3 %: charge it", NIKON),
        ("busy-on-capture", "busy", GENERIC),
    ],
)
def test_a_lasting_fault_is_named_in_every_attempt(
    laboratory: Laboratory, kind: str, said: str, serial: str
) -> None:
    one = '  - {kind: dark-field, exposure: "1/30", iso: 100}\n'
    shown = shoot_with(laboratory, serial, {"kind": kind, "count": FOR_EVER}, shots=one)
    assert (shown.outcome.state, shown.outcome.exit_code) == ("failed", 1)
    assert len(shown.reasons) == 2
    assert all(said in reason for reason in shown.reasons), shown.reasons


@pytest.mark.prove
def test_a_camera_that_vanishes_for_good_is_lost(laboratory: Laboratory) -> None:
    """A camera that vanishes and does not return ends the session, with every frame accounted."""
    shown = shoot_with(laboratory, NIKON, {"kind": "camera-vanishes", "skip": 1})
    assert (shown.outcome.state, shown.outcome.exit_reason) == ("failed", "camera-lost")
    assert shown.detail("camera-lost")["camera"] == NIKON
    assert shown.detail("camera-lost")["frames_not_taken"] == FRAMES - 2


@pytest.mark.parametrize("serial", [NIKON, pytest.param(EOS, marks=pytest.mark.prove)])
def test_a_clock_that_jumps_is_told_and_costs_two_attempts_at_most(
    laboratory: Laboratory, serial: str
) -> None:
    # an hour of the replay's clock passes in seconds: the jump must be longer
    fault = {"kind": "clock-jump", "jump_s": 30 * 86_400.0, "skip": 1}
    shown = shoot_with(laboratory, serial, fault)
    assert shown.outcome.state == "completed", shown.reasons
    # the shot of the jump, and the one that was exposing when that was seen
    assert shown.outcome.attempts_failed <= 2
    assert all(
        "own time" in reason or "may not be the shot's" in reason for reason in shown.reasons
    )


def test_swapped_bodies_take_no_shot(laboratory: Laboratory) -> None:
    laboratory.virtual.put("/addresses", {NIKON: GENERIC})
    before = laboratory.exposures(NIKON), laboratory.exposures(GENERIC)
    try:
        with pytest.raises(WrongSerialError, match=f"{NIKON} was expected.*{GENERIC}"):
            laboratory.run(recipe(DARKS), NIKON, camera_factory=impatient_camera)
    finally:
        laboratory.virtual.put("/addresses", {})
    assert laboratory.shots() == []
    assert before == (laboratory.exposures(NIKON), laboratory.exposures(GENERIC))


class SwappingActuator(VirtualActuator):
    """Swaps two bodies between their addresses before a scene."""

    def __init__(self, laboratory: Laboratory) -> None:
        super().__init__(laboratory.virtual.control_url)
        self._laboratory = laboratory

    def set_scene(self, name: str) -> None:
        super().set_scene(name)
        self._laboratory.virtual.put("/addresses", {NIKON: GENERIC})


def test_bodies_swapped_in_a_session_are_never_mixed_up(laboratory: Laboratory) -> None:
    scene = '  - {kind: fixed-background, scene: brick-ball-daylight, exposure: "1/60", iso: 800}\n'
    actuator = SwappingActuator(laboratory)
    shown = shoot_with(laboratory, NIKON, actuator=actuator, shots=DARKS + scene)
    assert shown.outcome.state in ("failed", "partial")
    assert all(NIKON in reason for reason in shown.reasons)
    assert {shot["serial"] for shot in laboratory.shots()} == {NIKON}
