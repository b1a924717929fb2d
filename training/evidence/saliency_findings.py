"""Where the networks of an experiment look: the measures of their maps together; plain values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SaliencyFindings:
    """What the maps of one method say."""

    method: str
