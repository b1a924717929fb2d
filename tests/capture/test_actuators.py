"""Actuators and the simulated clock: what they change, and how they fail."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from capture.actuators import CommandActuator, PromptActuator, VirtualActuator
from capture.clock_source import VirtualFixtureClock
from capture.errors import ActuatorError, ActuatorSettingsError, ClockError
from tests.support.virtual import RunningFixture

PYTHON = sys.executable


def test_the_virtual_carousel_turns(virtual: RunningFixture) -> None:
    actuator = VirtualActuator(virtual.control_url)
    for scene, cap_on in (("flat-panel", True), (virtual.get()["scenes"][-1], False)):
        actuator.set_scene(scene)
        actuator.set_cap(cap_on)
        state = virtual.get()
        assert (state["scene"], state["cap_on"]) == (scene, cap_on)


def test_an_unknown_scene_is_named(virtual: RunningFixture) -> None:
    with pytest.raises(ActuatorError, match="'moon' is not on this carousel"):
        VirtualActuator(virtual.control_url).set_scene("moon")


def test_the_clock_shows_the_virtual_time(virtual: RunningFixture) -> None:
    virtual.put("/civil-time", {"civil_time": "2031-05-06T07:08:09Z"})
    now = VirtualFixtureClock(virtual.control_url).now()
    assert 0 <= (now - datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)).total_seconds() < 3600


def test_a_missing_endpoint_is_named() -> None:
    with pytest.raises(ClockError, match="is the virtual fixture running"):
        VirtualFixtureClock("http://127.0.0.1:9").now()
    with pytest.raises(ActuatorError, match="is the virtual fixture running"):
        VirtualActuator("http://127.0.0.1:9").set_cap(True)


@pytest.mark.parametrize(
    "url",
    ["http://example.org:80", "https://127.0.0.1:80", "http://127.0.0.1", "http://10.0.0.1:80",
     "http://127.0.0.1:80/path", "file:///etc/passwd", "127.0.0.1:80", "http://127.0.0.1:x"],
)  # fmt: skip
def test_only_loopback_endpoints_are_taken(url: str) -> None:
    with pytest.raises(ActuatorSettingsError, match="PORT, as the virtual fixture") as caught:
        VirtualActuator(url)
    assert caught.value.exit_code == 2


def test_a_command_gets_names_as_single_arguments(tmp_path: Path) -> None:
    log = tmp_path / "log"
    script = f"import sys; open({str(log)!r}, 'a').write(repr(sys.argv[1:]) + '\\n')"
    actuator = CommandActuator([PYTHON, "-c", script, "{scene}"], [PYTHON, "-c", script, "{state}"])
    actuator.set_scene("a; rm -rf $HOME")
    actuator.set_cap(True)
    actuator.set_cap(False)
    assert log.read_text().splitlines() == ["['a; rm -rf $HOME']", "['on']", "['off']"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([PYTHON, "-c", "import sys; sys.exit('jammed')", "{scene}"], "ended with 1: jammed"),
        (["/no/such/carousel", "{scene}"], "cannot be run"),
        ([PYTHON, "-c", "import time; time.sleep(60)", "{scene}"], "did not end within 0.5 s"),
    ],
)
def test_a_failing_command_is_named(arguments: list[str], said: str) -> None:
    actuator = CommandActuator(arguments, ["true", "{state}"], deadline_s=0.5)
    with pytest.raises(ActuatorError, match=said):
        actuator.set_scene("a")


@pytest.mark.parametrize("arguments", [[], ["{scene}"], ["carousel"]])
def test_a_command_without_its_placeholder_is_refused(arguments: list[str]) -> None:
    with pytest.raises(ActuatorSettingsError, match=r"\{scene\}"):
        CommandActuator(arguments, ["cap", "{state}"])


def test_an_operator_is_asked_in_words() -> None:
    asked: list[str] = []
    actuator = PromptActuator(asked.append)
    actuator.set_scene("brick-ball")
    actuator.set_cap(True)
    actuator.set_cap(False)
    assert ["brick-ball" in asked[0], "caps on" in asked[1], "caps off" in asked[2]] == [True] * 3


def test_nobody_at_the_terminal_is_an_error() -> None:
    def nobody(_text: str) -> str:
        raise EOFError

    with pytest.raises(ActuatorError, match="nobody is at the terminal"):
        PromptActuator(nobody).set_cap(True)
