"""Errors of the measurement of defects."""

from __future__ import annotations

from typing import ClassVar

from training.errors import TrainingError


class DefectError(TrainingError):
    """The defects of a camera cannot be measured."""


class DarkFrameError(DefectError):
    """Frames were given that cannot be measured together, or are no dark fields."""

    exit_code: ClassVar[int] = 2


class LedgerError(DefectError):
    """A ledger was asked for that the measurements cannot give."""

    exit_code: ClassVar[int] = 2
