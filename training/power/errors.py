"""What can be wrong with a plan."""

from __future__ import annotations

from typing import ClassVar

from training.errors import TrainingError


class PlanError(TrainingError):
    """The plan cannot be reckoned as it was put; the message names the field."""

    exit_code: ClassVar[int] = 2
