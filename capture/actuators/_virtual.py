"""The carousel of a virtual fixture."""

from __future__ import annotations

from typing import Final

from capture._control import REQUEST_DEADLINE_S, ControlEndpoint, ControlFailedError
from capture.errors import ActuatorError


class VirtualActuator:
    """The carousel of a virtual fixture.

    Parameters
    ----------
    url
        Of its control endpoint, `http://127.0.0.1:PORT`.
    """

    deadline_s: Final = REQUEST_DEADLINE_S

    def __init__(self, url: str) -> None:
        self._endpoint = ControlEndpoint(url)

    def set_scene(self, name: str) -> None:
        """Turn the carousel; ActuatorError if the virtual fixture refuses."""
        self._put("/scene", {"scene": name}, f"shows another scene than {name}")

    def set_cap(self, on: bool) -> None:
        """Put the caps on or take them off; ActuatorError if the virtual fixture refuses."""
        state = "off" if on else "on"
        self._put("/cap", {"cap_on": on}, f"still has its caps {state}")

    def _put(self, path: str, body: dict[str, object], otherwise: str) -> None:
        try:
            answer = self._endpoint.put(path, body)
        except ControlFailedError as error:
            raise ActuatorError(f"the scene could not be changed: {error}") from None
        if any(answer.get(field) != value for field, value in body.items()):
            raise ActuatorError(f"the virtual fixture took the request and {otherwise}")
