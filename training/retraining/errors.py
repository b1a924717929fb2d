"""What can be wrong with a retraining or with the registry of models."""

from __future__ import annotations

from typing import ClassVar

from training.errors import TrainingError


class PolicyError(TrainingError):
    """A policy makes no retraining, or it was asked for a timeslot that it cannot serve."""

    exit_code: ClassVar[int] = 2


class RegistryError(TrainingError):
    """There is no such model, or it cannot change its state in that way."""

    exit_code: ClassVar[int] = 2
