"""Programs of this computer that move a fixture."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from typing import Final

from capture.errors import ActuatorError, ActuatorSettingsError

_COMMAND_DEADLINE_S: Final = 300.0
_LAST_WORDS: Final = 500


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
        self.deadline_s = deadline_s

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
                timeout=self.deadline_s,
                check=False,
                # an interrupt at the terminal ends the session after the shot, not the carousel
                start_new_session=True,
            )
        except subprocess.TimeoutExpired:
            raise ActuatorError(
                f"the actuator's command {arguments[0]} did not end within {self.deadline_s:g} s"
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
