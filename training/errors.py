"""The base of every error that training raises; knows nothing of the command line."""

from __future__ import annotations

from typing import ClassVar


class TrainingError(Exception):
    """Base of training's errors; ``exit_code`` is 2 for a wrong request, 1 for failed work."""

    exit_code: ClassVar[int] = 1
