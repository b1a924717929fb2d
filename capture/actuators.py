"""Actuators: what changes the scene in front of the cameras and moves their body caps.

Knows scenes by name; which actuator a fixture has is said by the home's settings, never a recipe.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from capture._control import ControlEndpoint, ControlFailedError
from capture.errors import ActuatorError, ActuatorSettingsError

_COMMAND_DEADLINE_S: Final = 300.0
_LAST_WORDS: Final = 500


class Actuator(Protocol):
    """Changes what the cameras see; returns once it is done."""

    def set_scene(self, name: str) -> None:
        """Put a scene in front of the cameras; ActuatorError if that fails."""
        ...

    def set_cap(self, on: bool) -> None:
        """Put the body caps on or take them off; ActuatorError if that fails."""
        ...


class VirtualActuator:
    """The carousel of a virtual fixture.

    Parameters
    ----------
    url
        Of its control endpoint, `http://127.0.0.1:PORT`.
    """

    def __init__(self, url: str) -> None:
        self._endpoint = ControlEndpoint(url)

    def set_scene(self, name: str) -> None:
        """Turn the carousel; ActuatorError if the virtual fixture refuses."""
        self._put("/scene", {"scene": name})

    def set_cap(self, on: bool) -> None:
        """Put the caps on or take them off; ActuatorError if the virtual fixture refuses."""
        self._put("/cap", {"cap_on": on})

    def _put(self, path: str, body: dict[str, object]) -> None:
        try:
            answer = self._endpoint.put(path, body)
        except ControlFailedError as error:
            raise ActuatorError(f"the scene could not be changed: {error}") from None
        if any(answer.get(field) != value for field, value in body.items()):
            raise ActuatorError(f"the virtual fixture took {body} and did not change")


class PromptActuator:
    """An operator, who is asked to change the scene and says when it is done.

    Parameters
    ----------
    ask
        Shows a request and returns once it is carried out; raises EOFError if nobody is there.
    """

    def __init__(self, ask: Callable[[str], object] = input) -> None:
        self._ask = ask

    def set_scene(self, name: str) -> None:
        """Ask for a scene."""
        self._request(f"Put the scene {name} in front of the cameras, then press Enter: ")

    def set_cap(self, on: bool) -> None:
        """Ask for the caps."""
        state = "Put the body caps on" if on else "Take the body caps off"
        self._request(f"{state} all cameras, then press Enter: ")

    def _request(self, text: str) -> None:
        try:
            self._ask(text)
        except EOFError:
            raise ActuatorError(
                "nobody is at the terminal to change the scene: run the session where an operator"
                " can answer, or name an actuator in the home's settings"
            ) from None


class CommandActuator:
    """Commands of this computer, as argument lists without a shell.

    Parameters
    ----------
    set_scene
        Arguments in which `{scene}` stands for the scene's name.
    set_cap
        Arguments in which `{state}` stands for `on` or `off`.
    deadline_s
        How long a command may take.

    Raises
    ------
    ActuatorSettingsError
        If a list is empty or lacks its placeholder.
    """

    def __init__(
        self,
        set_scene: Sequence[str],
        set_cap: Sequence[str],
        deadline_s: float = _COMMAND_DEADLINE_S,
    ) -> None:
        for name, arguments, placeholder in (
            ("set_scene", set_scene, "{scene}"),
            ("set_cap", set_cap, "{state}"),
        ):
            if not arguments or not any(placeholder in part for part in arguments[1:]):
                raise ActuatorSettingsError(
                    f"the actuator's command {name} needs a program and {placeholder} among its"
                    " arguments"
                )
        self._set_scene = tuple(set_scene)
        self._set_cap = tuple(set_cap)
        self._deadline_s = deadline_s

    def set_scene(self, name: str) -> None:
        """Run the command for a scene; ActuatorError if it fails or takes too long."""
        self._run([part.replace("{scene}", name) for part in self._set_scene])

    def set_cap(self, on: bool) -> None:
        """Run the command for the caps; ActuatorError if it fails or takes too long."""
        state = "on" if on else "off"
        self._run([part.replace("{state}", state) for part in self._set_cap])

    def _run(self, arguments: list[str]) -> None:
        try:
            done = subprocess.run(  # noqa: S603 (argument list of the home's settings)
                arguments,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=self._deadline_s,
                check=False,
                # an interrupt at the terminal ends the session after the shot, not the carousel
                start_new_session=True,
            )
        except subprocess.TimeoutExpired:
            raise ActuatorError(
                f"the actuator's command {arguments[0]} did not end within {self._deadline_s:g} s"
            ) from None
        except OSError as error:
            raise ActuatorError(
                f"the actuator's command {arguments[0]} cannot be run: {error.strerror}"
            ) from None
        if done.returncode != 0:
            said = done.stderr.decode(errors="replace").strip()[-_LAST_WORDS:]
            raise ActuatorError(
                f"the actuator's command {arguments[0]} ended with {done.returncode}: {said}"
            )
