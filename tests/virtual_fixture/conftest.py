"""Running virtual fixtures of all profiles, and clients in processes of their own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.virtual import RunningFixture, running_fixture, small_description

CLIENT = Path(__file__).with_name("gphoto_client.py")
NIKON, GENERIC = "7100001", "7100002"

Answer = dict[str, Any]
RunSteps = Callable[..., list[Answer]]


@pytest.fixture(scope="session")
def fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningFixture]:
    """Two small cameras, Nikon and generic; a second of exposure takes a hundredth."""
    description = small_description({"profile": "nikon"}, {"profile": "generic"})
    description["exposure_time_scale"] = 0.01
    with running_fixture(tmp_path_factory.mktemp("fixture"), description) as running:
        yield running


@pytest.fixture(scope="session")
def bodies(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningFixture]:
    """Small cameras in the manner of real bodies; a second of exposure takes a hundredth."""
    description = small_description(
        {"profile": "eos"},
        {"profile": "eos", "parameter_set": "7d"},
        {"profile": "nikon", "parameter_set": "d850"},
        {"profile": "nikon", "parameter_set": "d90"},
    )
    description["exposure_time_scale"] = 0.01
    with running_fixture(tmp_path_factory.mktemp("bodies"), description) as running:
        yield running


@pytest.fixture(autouse=True)
def _as_at_the_start(request: pytest.FixtureRequest) -> None:
    """Begin each test that uses the running fixture in the same surroundings, without faults."""
    for name in {"fixture", "bodies"}.intersection(request.fixturenames):
        running: RunningFixture = request.getfixturevalue(name)
        running.put("/faults", {owner: [] for owner in (*running.cameras, "actuators")})
        running.put("/disturbances", {serial: {} for serial in running.cameras})
        running.put("/exposure-time-scale", {"exposure_time_scale": 0.01})
        running.put("/civil-time", {"civil_time": "2024-03-01T12:00:00Z"})
        running.put("/lamp", {"lamp_level": 1.0})
        running.put("/cap", {"cap_on": False})


@pytest.fixture
def private_environment(tmp_path: Path) -> dict[str, str]:
    """An environment whose HOME is the test's own: libgphoto2 writes its settings there."""
    return {**os.environ, "HOME": str(tmp_path), "LANG": "C.UTF-8", "TZ": "UTC"}


@pytest.fixture
def run_steps(private_environment: dict[str, str]) -> RunSteps:
    """Run steps of the python-gphoto2 client against a port and return its answers."""

    def run(port: str, *steps: list[Any], timeout_s: float = 60.0) -> list[Answer]:
        done = subprocess.run(
            [sys.executable, str(CLIENT), json.dumps([["open", port], *steps, ["close"]])],
            capture_output=True,
            text=True,
            timeout=timeout_s,
            env=private_environment,
            check=False,
        )
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        assert len(answers) == len(steps) + 2, f"the client died: {done.stderr}"
        return answers[1:-1]

    return run
