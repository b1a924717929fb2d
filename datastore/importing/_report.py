"""What became of every file of an import."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

Outcome = Literal["accepted", "quarantined", "already", "skipped", "unreadable"]


@dataclass(frozen=True)
class ImportEntry:
    """What became of one file.

    Attributes
    ----------
    path
        Relative to the imported folder, printable.
    outcome
        ``accepted`` or ``quarantined`` (it is in the store), ``already`` (it was before),
        ``skipped`` (no image) or ``unreadable``.
    reason
        Why, in a sentence; None for accepted files.
    shot
        UUID of its shot, None where there is none.
    """

    path: str
    outcome: Outcome
    reason: str | None = None
    shot: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the entry as plain values."""
        return asdict(self)


@dataclass(frozen=True)
class ImportReport:
    """What became of every file of a folder.

    Attributes
    ----------
    session
        UUID of the import session; None where there was nothing new.
    entries
        One for every file, in the order of their paths.
    without_camera
        How many new shots no camera could be told for.
    """

    session: str | None
    entries: tuple[ImportEntry, ...]
    without_camera: int

    def count(self, outcome: Outcome) -> int:
        """Return how many files had an outcome."""
        return Counter(entry.outcome for entry in self.entries)[outcome]

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain values."""
        return {
            "session": self.session,
            **{outcome: self.count(outcome) for outcome in get_args(Outcome)},
            "without_camera": self.without_camera,
            "entries": [entry.to_json() for entry in self.entries],
        }

    def summary(self) -> str:
        """Return the figures as a sentence, with what to do where cameras are unknown."""
        figures = ", ".join(f"{self.count(outcome)} {outcome}" for outcome in get_args(Outcome))
        text = f"{len(self.entries)} files: {figures}."
        if self.without_camera:
            text += (
                f" {self.without_camera} shots have no camera: their files carry no serial"
                " number, and no alias was declared."
            )
        return text
