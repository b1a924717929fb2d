"""Kill -9 at any point: what is registered is whole, what was exposed is somewhere, all is said."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from capture.actuators import VirtualActuator
from capture.outcome import SessionOutcome
from capture.reconcile import reconcile
from capture.sessions import resume_session
from datastore.tables import Session
from tests.capture.accounting import (
    failures,
    require_each_frame_once,
    require_every_exposure,
    require_files_of_their_shots,
    require_no_orphan,
    require_records_closed,
)
from tests.capture.conftest import GENERIC, NIKON, Laboratory, quick_camera, recipe
from tests.support.virtual import RunningFixture, running_fixture, small_description

SCRIPT = Path(__file__).with_name("killed_session.py")
EOS = "7100003"
# every shot has settings of its own, so that a mix-up shows
SHOTS = """\
  - {kind: dark-field, exposure: "1/30", isos: [100, 200, 400]}
  - {kind: fixed-background, scene: brick-ball-daylight, exposure: "1/60", iso: 800, f_number: 8,
     image_quality: raw+jpeg}
"""
FRAMES = 4
DRIVER = "capture.cameras.gphoto2_camera"
CATALOGUE = "datastore.catalogue:Catalogue.writing"
WHENS = ("before", "during", "after")
CAMERAS = ((NIKON,), (GENERIC,), (EOS,), (NIKON, GENERIC, EOS))
RESTARTS = ("run", "resume", "reconcile")


@dataclass(frozen=True)
class KillPoint:
    """Where something is killed, with which cameras, and how things go on afterwards."""

    victim: str
    target: str
    call: int
    when: str
    delay_s: float
    serials: tuple[str, ...]
    restart: str

    def __str__(self) -> str:
        """Name the point in the report of a test."""
        method = self.target.rpartition(":")[2]
        delay = f"-{1000 * self.delay_s:.0f}ms" if self.when == "during" else ""
        cameras = "+".join(self.serials)
        return f"{self.victim}-{method}-{self.call}-{self.when}{delay}-{cameras}-{self.restart}"


def kill_points() -> list[KillPoint]:
    """Return every point: the steps of a shot, before, during and after, spread over cameras."""
    chance = random.Random(20241103)
    orders = [f"{DRIVER}:Gphoto2{order}" for order in (
        "Settings.apply", "Trigger.release", "Files.delivered", "Files.delete",
    )]  # fmt: skip
    steps = [
        ("datastore.store:LocalStore.put_file", 2),
        ("datastore.store:LocalStore._settle", 2),
        ("capture.spool:Spool.clear", 2),
        ("capture.examination:Examiner.examine", 2),
        ("capture.actuators:VirtualActuator.set_cap", 2),
        (f"{DRIVER}:Gphoto2Camera.close", 1),
    ]
    session = [
        *((CATALOGUE, call) for call in range(1, 12)),
        *((target, call) for target in orders for call in (1, 3)),
        *steps,
    ]
    worker = [(target, call) for target in orders for call in (1, 2, 3)]
    points: list[KillPoint] = []
    for victim, targets, rounds in (("session", session, 2), ("worker", worker, 2)):
        for turn in range(rounds):
            for target, call in targets:
                for when in WHENS:
                    number = len(points) + turn
                    points.append(
                        KillPoint(
                            victim=victim,
                            target=target,
                            call=call,
                            when=when,
                            delay_s=round(chance.uniform(0.001, 0.03), 3),
                            serials=CAMERAS[number % len(CAMERAS)],
                            restart=chance.choice(RESTARTS),
                        )
                    )
    return points


POINTS = kill_points()
CHANCE = random.Random(3)
SINGLE = [point for point in POINTS if len(point.serials) == 1]
SAMPLE = [
    *CHANCE.sample([point for point in SINGLE if point.victim == "session"], 4),
    *CHANCE.sample([point for point in SINGLE if point.victim == "worker"], 2),
    # the step before it has landed, and its card copies wait for a worker that is dead
    next(p for p in SINGLE if str(p) == "worker-Gphoto2Trigger.release-3-after-7100001-resume"),
]


@pytest.fixture(scope="module")
def virtual_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningFixture]:
    """Run a camera of each dialect."""
    profiles = ("nikon", "generic", "eos")
    cameras = ({"profile": profile} for profile in profiles)
    description = small_description(*cameras, exposure_time_scale=0.001)
    with running_fixture(tmp_path_factory.mktemp("virtual"), description) as running:
        yield running


def run_killed(laboratory: Laboratory, point: KillPoint) -> subprocess.CompletedProcess[bytes]:
    """Run a session in a process of its own in which something is killed."""
    order: dict[str, Any] = {
        "folder": str(laboratory.spool_folder.parent),
        "control_url": laboratory.virtual.control_url,
        "recipe": recipe(SHOTS).body(),
        **asdict(point),
    }
    command = [sys.executable, str(SCRIPT), json.dumps(order)]
    return subprocess.run(command, check=False, timeout=100, stdout=subprocess.PIPE)


def restart(laboratory: Laboratory, point: KillPoint) -> SessionOutcome:
    """Go on as an operator may: with a new session, the same, or settling first."""
    if point.restart == "reconcile":
        settled = reconcile(
            laboratory.catalogue,
            "virtual",
            clock=laboratory.clock,
            spool_folder=laboratory.spool_folder,
            camera_factory=quick_camera,
        )
        assert settled.left_open == {}
    with laboratory.catalogue.reading() as transaction:
        sessions = list(transaction.scalars(select(Session).order_by(Session.id)))
        is_complete = bool(sessions) and sessions[-1].events[-1].name == "completed"
        uuid = sessions[-1].uuid if sessions else None
    if point.restart == "resume" and uuid is not None and not is_complete:
        return resume_session(
            laboratory.catalogue,
            uuid,
            actuator=lambda _fixture: VirtualActuator(laboratory.virtual.control_url),
            clock=laboratory.clock,
            spool_folder=laboratory.spool_folder,
            camera_factory=quick_camera,
        )
    return laboratory.run(recipe(SHOTS), *point.serials)


def survives(laboratory: Laboratory, point: KillPoint) -> None:
    """Kill, go on, and account for every frame that was ever exposed."""
    before = {serial: laboratory.exposures(serial) for serial in point.serials}
    ended = run_killed(laboratory, point)
    if point.victim == "session":
        assert ended.returncode == -signal.SIGKILL
    else:
        assert ended.returncode == 0
        killed = json.loads(ended.stdout.splitlines()[-1])
        assert killed["state"] == "completed", failures(laboratory)
    outcome = restart(laboratory, point)
    assert outcome.state == "completed", failures(laboratory)
    require_records_closed(laboratory)
    require_files_of_their_shots(laboratory)
    require_each_frame_once(laboratory, outcome.session_uuid, point.serials, FRAMES)
    require_no_orphan(laboratory)
    assert {shot["verdict"] for shot in laboratory.shots()} <= {"accepted", None}
    exposed = {serial: laboratory.exposures(serial) - before[serial] for serial in point.serials}
    require_every_exposure(laboratory, exposed)


def test_ctrl_c_finishes_the_shot_in_hand(laboratory: Laboratory) -> None:
    shots = SHOTS.replace("isos: [100, 200, 400]", "isos: [100, 200, 400], count: 40")
    order = {
        "folder": str(laboratory.spool_folder.parent),
        "control_url": laboratory.virtual.control_url,
        "recipe": recipe(shots).body(),
        "serials": [NIKON, GENERIC],
    }
    with subprocess.Popen(
        [sys.executable, str(SCRIPT), json.dumps(order)],
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        for _ in range(5):
            process.stdout.readline()
        # as a terminal does: to every process of the group, decoders included
        os.killpg(process.pid, signal.SIGINT)
        lines = process.stdout.read().splitlines()
    assert process.returncode == 0
    outcome = json.loads(lines[-1])
    assert outcome["state"] == "aborted"
    rows = laboratory.shots()
    assert len(rows) == outcome["frames_registered"] < 100
    assert {(row["events"][-1], row["verdict"]) for row in rows} == {("registered", "accepted")}
    assert [path for path in laboratory.spool_folder.iterdir() if path.is_file()] == []


@pytest.mark.parametrize("point", SAMPLE, ids=str)
def test_a_session_with_a_kill_loses_nothing(laboratory: Laboratory, point: KillPoint) -> None:
    survives(laboratory, point)


@pytest.mark.prove
@pytest.mark.parametrize("point", POINTS, ids=str)
def test_a_kill_anywhere_loses_nothing(laboratory: Laboratory, point: KillPoint) -> None:
    """SIGKILL of a session or of its cameras' workers, then a restart: whole, once, no orphan."""
    survives(laboratory, point)
