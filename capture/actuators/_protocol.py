"""What a session asks of an actuator."""

from __future__ import annotations

from typing import Protocol


class Actuator(Protocol):
    """Changes what the cameras see; returns once it is done."""

    @property
    def deadline_s(self) -> float:
        """How long a change may take, in seconds."""
        ...

    def set_scene(self, name: str) -> None:
        """Put a scene in front of the cameras; ActuatorError if that fails."""
        ...

    def set_cap(self, on: bool) -> None:
        """Put the body caps on or take them off; ActuatorError if that fails."""
        ...
