"""An operator as an actuator; knows neither terminal nor page."""

from __future__ import annotations

from typing import Final, Protocol

from datastore.tables import PromptKind


class Ask(Protocol):
    """Asks an operator for something and returns once it is done."""

    def __call__(
        self, kind: PromptKind, text: str, *, scene: str | None = None, is_dark: bool = False
    ) -> None:
        """Ask for what frames of a scene, or dark fields, need.

        PromptUnansweredError if nobody does it, or somebody refuses.
        """
        ...


class PromptActuator:
    """An operator, who is asked to change the scene and says when it is done.

    Parameters
    ----------
    ask
        Shows a request and returns once it is carried out.
    """

    # whoever waits for an answer renews the session's lease meanwhile
    deadline_s: Final = 0.0

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def set_scene(self, name: str) -> None:
        """Ask for a scene."""
        self._ask("scene", f"Put the scene {name} in front of the cameras", scene=name)

    def set_cap(self, on: bool) -> None:
        """Ask for the caps."""
        state = "Put the body caps on" if on else "Take the body caps off"
        self._ask("cap", f"{state} all cameras", is_dark=on)
