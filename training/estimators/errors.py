"""What can be wrong with the request for an age estimate."""

from __future__ import annotations

from typing import ClassVar

from training.errors import TrainingError


class EstimatorError(TrainingError):
    """An estimator cannot be fitted to the images it was given, or cannot date those it is asked.

    The message says what to give instead.
    """

    exit_code: ClassVar[int] = 2


class NotFittedError(EstimatorError):
    """An estimator was asked before it was fitted."""
