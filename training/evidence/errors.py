"""What goes wrong when evidence is asked for."""

from __future__ import annotations

from typing import ClassVar

from training.errors import TrainingError


class EvidenceError(TrainingError):
    """The data cannot answer the question that was put."""

    exit_code: ClassVar[int] = 2
