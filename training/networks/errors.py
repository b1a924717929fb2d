"""What can be wrong with the request for a network."""

from __future__ import annotations

from typing import ClassVar

from training.errors import TrainingError


class NetworkError(TrainingError):
    """A network cannot be built, or cannot take the crops it was given."""

    exit_code: ClassVar[int] = 2
