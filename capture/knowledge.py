"""What the frames of a session are held against: thresholds, and references of their scenes."""

from __future__ import annotations

from dataclasses import dataclass

from capture.recipes import Recipe
from capture.session_rows import FixtureFacts
from datastore.catalogue import Catalogue


@dataclass(frozen=True)
class SessionKnowledge:
    """What the frames of a session are held against."""


def load_knowledge(catalogue: Catalogue, fixture: FixtureFacts, recipe: Recipe) -> SessionKnowledge:
    """Return what the frames of a session are held against."""
    return SessionKnowledge()
