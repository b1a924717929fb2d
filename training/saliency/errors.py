"""Errors of saliency maps and of their measures; knows neither torch nor catalogues."""

from __future__ import annotations

from typing import ClassVar

from training.errors import TrainingError


class SaliencyError(TrainingError):
    """A map or a measure was asked for that is not defined."""

    exit_code: ClassVar[int] = 2
