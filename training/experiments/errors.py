"""What can be wrong with an experiment."""

from __future__ import annotations

from typing import ClassVar

from training.errors import TrainingError


class ExperimentError(TrainingError):
    """An experiment's spec, or the frames it was given, make no experiment."""

    exit_code: ClassVar[int] = 2


class RunFolderError(TrainingError):
    """A run's folder holds something other than what the experiment would write there."""

    exit_code: ClassVar[int] = 1


class DivergedError(TrainingError):
    """A run's loss is no longer a number."""

    exit_code: ClassVar[int] = 1


class OutOfMemoryError(TrainingError):
    """A training step needs more memory than there is."""

    exit_code: ClassVar[int] = 1
