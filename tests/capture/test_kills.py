"""Kill -9 at any point: what is registered is whole, what was exposed is somewhere, all is said."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from datastore.metadata import read_metadata
from tests.capture.conftest import GENERIC, NIKON, Laboratory, recipe

SCRIPT = Path(__file__).with_name("killed_session.py")
# every shot has settings of its own, so that a mix-up shows
SHOTS = """\
  - {kind: dark-field, exposure: "1/30", isos: [100, 200, 400]}
  - {kind: fixed-background, scene: brick-ball-daylight, exposure: "1/60", iso: 800, f_number: 8,
     image_quality: raw+jpeg}
"""
DRIVER = "capture.cameras.gphoto2_camera"
RELEASE = f"{DRIVER}:Gphoto2Trigger.release"
CATALOGUE = "datastore.catalogue:Catalogue.writing"
PLAN, SETTLE = 5, 6  # lease, session, then plan and settle of each shot

QUICK = [
    (CATALOGUE, PLAN, "after"),
    (RELEASE, 2, "during"),
    (RELEASE, 2, "after"),
    (CATALOGUE, SETTLE, "after"),
]
LONG = [
    *[(CATALOGUE, call, when) for call in range(1, 12) for when in ("before", "during", "after")],
    *[
        (f"{DRIVER}:{method}", call, when)
        for method in (
            "Gphoto2Settings.apply",
            "Gphoto2Trigger.release",
            "Gphoto2Files.delivered",
            "Gphoto2Files.delete",
        )
        for call in (1, 3)
        for when in ("before", "during", "after")
    ],
    *[
        (target, 2, when)
        for target in (
            "datastore.store:LocalStore.put_file",
            "datastore.store:LocalStore._settle",
            "capture.spool:Spool.clear",
            "capture.examination:Examiner.examine",
            "capture.actuators:VirtualActuator.set_cap",
            f"{DRIVER}:Gphoto2Camera.close",
        )
        for when in ("before", "during", "after")
    ],
]


def kill_session(laboratory: Laboratory, serial: str, target: str, call: int, when: str) -> int:
    """Run a session in a process that kills itself, and return its exit status."""
    order: dict[str, Any] = {
        "folder": str(laboratory.spool_folder.parent),
        "control_url": laboratory.virtual.control_url,
        "recipe": recipe(SHOTS).body(),
        "serials": [serial],
        "target": target,
        "call": call,
        "when": when,
    }
    return subprocess.run(
        [sys.executable, str(SCRIPT), json.dumps(order)], check=False, timeout=100
    ).returncode


def survives(laboratory: Laboratory, serial: str, target: str, call: int, when: str) -> None:
    """Kill a session, run another, and account for every frame that was ever exposed."""
    before = laboratory.exposures(serial)
    status = kill_session(laboratory, serial, target, call, when)
    assert status == -signal.SIGKILL
    outcome = laboratory.run(recipe(SHOTS), serial)
    assert outcome.state == "completed", outcome.reason
    shots = laboratory.shots()
    assert {shot["events"][-1] for shot in shots} <= {"registered", "failed"}
    registered = [shot for shot in shots if shot["events"][-1] == "registered"]
    for shot in registered:
        assert shot["verdict"] == "accepted", shot["verdict_reason"]
        for sha256 in shot["assets"].values():
            laboratory.catalogue.store.verify(sha256)
            metadata = read_metadata(laboratory.catalogue.store.path(sha256))
            assert metadata.iso == shot["iso"]
            assert metadata.serial == shot["serial"]
    for shot in shots:
        if shot["events"][-1] == "failed":
            assert shot["reason"]
            assert shot["assets"] == {}
    on_card = [name for name in laboratory.empty_card(serial) if not name.endswith("JPG")]
    unclaimed = [path.name for path in laboratory.spool_folder.glob("unclaimed/*.raw.*")]
    # a frame in `unclaimed` is still on the card too, which a failed shot's files never leave
    exposed = laboratory.exposures(serial) - before
    assert len(registered) + len(on_card) == exposed, (len(registered), on_card, unclaimed)
    left = [path for path in laboratory.spool_folder.iterdir() if path.is_file()]
    assert left == []


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


@pytest.mark.parametrize(("target", "call", "when"), QUICK)
def test_a_killed_session_loses_nothing(
    laboratory: Laboratory, target: str, call: int, when: str
) -> None:
    survives(laboratory, NIKON, target, call, when)


@pytest.mark.prove
@pytest.mark.parametrize("serial", [NIKON, GENERIC])
@pytest.mark.parametrize(("target", "call", "when"), LONG)
def test_a_session_killed_anywhere_loses_nothing(
    laboratory: Laboratory, serial: str, target: str, call: int, when: str
) -> None:
    survives(laboratory, serial, target, call, when)
