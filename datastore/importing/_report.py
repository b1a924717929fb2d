"""What became of every file of an import."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, get_args

Outcome = Literal["accepted", "quarantined", "already", "refused", "skipped", "unreadable"]
SETTLED: Final = ("accepted", "already")
"""Outcomes about which there is nothing more to say."""


@dataclass(frozen=True)
class ImportEntry:
    """What became of one file.

    Attributes
    ----------
    path
        Relative to the imported folder, printable.
    outcome
        ``accepted`` or ``quarantined`` (it is in the store), ``already`` (it was before),
        ``refused`` (what is declared of it is incomplete, or contradicts what the catalogue has of
        the same bytes), ``skipped`` (no image, or not in the mapping) or ``unreadable``.
    reason
        Why, in a sentence; None for accepted files.
    shot
        UUID of its shot, None where there is none.
    time_uncertainty_s
        How far the shot's time may be off where only an interval was declared, in seconds.
    """

    path: str
    outcome: Outcome
    reason: str | None = None
    shot: str | None = None
    time_uncertainty_s: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the entry as plain values."""
        return asdict(self)


@dataclass(frozen=True)
class ImportReport:
    """What became of the files of a folder.

    Attributes
    ----------
    session
        UUID of the import session; None where there was nothing new.
    counts
        How many files had each outcome.
    refused
        The files that are not simply there now: every outcome but ``accepted`` and ``already``.
    without_camera
        How many new shots no camera could be told for.
    without_time
        How many new shots have no time.
    within_interval
        How many new shots have the middle of a declared interval for a time.
    """

    session: str | None
    counts: Mapping[Outcome, int]
    refused: tuple[ImportEntry, ...]
    without_camera: int = 0
    without_time: int = 0
    within_interval: int = 0

    def count(self, outcome: Outcome) -> int:
        """Return how many files had an outcome."""
        return self.counts.get(outcome, 0)

    def to_json(self) -> dict[str, Any]:
        """Return the figures as plain values."""
        return {
            "session": self.session,
            "files": sum(self.counts.values()),
            **{outcome: self.count(outcome) for outcome in get_args(Outcome)},
            "without_camera": self.without_camera,
            "without_time": self.without_time,
            "within_interval": self.within_interval,
        }

    def summary(self) -> str:
        """Return the figures in sentences, with what to do where something is unknown."""
        figures = ", ".join(f"{self.count(outcome)} {outcome}" for outcome in get_args(Outcome))
        text = f"{sum(self.counts.values())} files: {figures}."
        if self.without_camera:
            text += (
                f" {self.without_camera} shots have no camera: their files carry no serial"
                " number, and no alias was declared."
            )
        if self.without_time:
            text += (
                f" {self.without_time} shots have no time: their files carry none, or none with"
                " a zone, and no zone was declared."
            )
        if self.within_interval:
            text += (
                f" {self.within_interval} shots are dated by the middle of a declared day or"
                " timeslot; time_uncertainty_s says how far they may be off."
            )
        return text
