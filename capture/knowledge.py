"""What the frames of a session are held against: thresholds, and references of their scenes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from capture.checks import CheckThresholds
from capture.examination import SceneFacts
from capture.recipes import Recipe
from capture.session_rows import FixtureFacts
from datastore.catalogue import Catalogue


@dataclass(frozen=True)
class SessionKnowledge:
    """What the frames of a session are held against.

    Attributes
    ----------
    thresholds
        Of the recipe.
    scenes
        What is known of a scene, by the camera's row number and the scene's name.
    """

    thresholds: CheckThresholds
    scenes: Mapping[tuple[int, str], SceneFacts]

    def of(self, camera_id: int, scene: str | None) -> SceneFacts | None:
        """Return what is known of a scene, None for one without a reference."""
        return None if scene is None else self.scenes.get((camera_id, scene))


def load_knowledge(catalogue: Catalogue, fixture: FixtureFacts, recipe: Recipe) -> SessionKnowledge:
    """Return what the frames of a session are held against."""
    return SessionKnowledge(CheckThresholds(), {})
