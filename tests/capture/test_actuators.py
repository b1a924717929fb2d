"""Actuators and the simulated clock: what they change, and how they fail."""

from __future__ import annotations

import http.server
import json
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import pytest

from capture.actuators import CommandActuator, HttpActuator, PromptActuator, VirtualActuator
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
    asked: list[tuple[str, str, str | None, bool]] = []

    def ask(kind: str, text: str, *, scene: str | None = None, is_dark: bool = False) -> None:
        asked.append((kind, text, scene, is_dark))

    actuator = PromptActuator(ask)
    actuator.set_scene("brick-ball")
    actuator.set_cap(True)
    actuator.set_cap(False)
    assert [(kind, *frames) for kind, _, *frames in asked] == [
        ("scene", "brick-ball", False),
        ("cap", None, True),
        ("cap", None, False),
    ]
    texts = [text for _, text, *_ in asked]
    assert ["brick-ball" in texts[0], "caps on" in texts[1], "caps off" in texts[2]] == [True] * 3


class _Fixture(http.server.BaseHTTPRequestHandler):
    """A motorised fixture that remembers what it was asked."""

    asked: ClassVar[list[tuple[str, Any, str | None]]] = []

    def do_PUT(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append((self.path, body, self.headers["Authorization"]))
        status = {"jammed": 500, "elsewhere": 302}.get(str(body.get("scene")), 204)
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/scene/paper")
        self.send_header("Content-Length", "8" if status == 500 else "0")
        self.end_headers()
        if status == 500:
            self.wfile.write(b"no grip!")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Keep quiet."""


@pytest.fixture
def motorised() -> Iterator[str]:
    """Address of a motorised fixture."""
    _Fixture.asked.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Fixture) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def http_actuator(motorised: str, **options: Any) -> HttpActuator:
    place = f"http://{motorised}"
    return HttpActuator(f"{place}/scene/{{scene}}", f"{place}/cap", ["127.0.0.1"], **options)


def test_a_motorised_fixture_is_asked_over_http(
    motorised: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAROUSEL_TOKEN", "secret")
    actuator = http_actuator(motorised, token_variable="CAROUSEL_TOKEN")
    actuator.set_scene("../brick ball")
    actuator.set_cap(True)
    assert _Fixture.asked == [
        ("/scene/..%2Fbrick%20ball", {"scene": "../brick ball"}, "Bearer secret"),
        ("/cap", {"cap_on": True}, "Bearer secret"),
    ]


@pytest.mark.parametrize(
    ("scene", "said"), [("jammed", "answered 500: no grip!"), ("elsewhere", "not followed")]
)
def test_a_motorised_fixture_that_does_not_obey_is_named(
    motorised: str, scene: str, said: str
) -> None:
    with pytest.raises(ActuatorError, match=said):
        http_actuator(motorised).set_scene(scene)
    assert len(_Fixture.asked) == 1


def test_a_motorised_fixture_that_is_off_is_named() -> None:
    with pytest.raises(ActuatorError, match="does not answer"):
        http_actuator("127.0.0.1:9").set_cap(True)


@pytest.mark.parametrize(
    "url",
    ["ftp://carousel/a", "http:///a", "http://user:word@carousel/a", "http://{scene}/a", "carousel",
     "http://carousel:x/a", "http://elsewhere/a"],
)  # fmt: skip
def test_only_the_hosts_of_the_settings_are_spoken_to(url: str) -> None:
    with pytest.raises(ActuatorSettingsError) as caught:
        HttpActuator(url, "http://carousel/cap", ["carousel"])
    assert caught.value.exit_code == 2


def test_a_token_that_is_not_set_is_named() -> None:
    with pytest.raises(ActuatorSettingsError, match="NO_SUCH_TOKEN"):
        http_actuator("127.0.0.1:9", token_variable="NO_SUCH_TOKEN")
