"""What the frames of a session are held against: thresholds, and references of their scenes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from capture.checks import CheckThresholds, ReferencePlace
from capture.examination import FIXED_BACKGROUND, SceneFacts
from capture.recipes import ShotSpec
from capture.references import StoredReference, load_references
from capture.session_rows import FixtureFacts
from datastore.catalogue import Catalogue
from datastore.store import LocalStore


@dataclass(frozen=True)
class SessionKnowledge:
    """What the frames of a session are held against.

    Attributes
    ----------
    thresholds
        Of the recipe.
    references
        By scene, by the camera's row number.
    store
        Holds the references' files.
    """

    thresholds: CheckThresholds
    references: Mapping[int, Mapping[str, StoredReference]]
    store: LocalStore

    def of(self, camera_id: int, scene: str | None) -> SceneFacts | None:
        """Return what is known of a scene, None for one without a reference."""
        known = self.references.get(camera_id, {})
        if scene is None or scene not in known:
            return None
        own = known[scene]
        return SceneFacts(
            reference=ReferencePlace(self.store.path(own.sha256), own.exposure_product),
            own=own.descriptor,
            others={name: other.descriptor for name, other in known.items() if name != scene},
        )


def scenes_without_reference(
    knowledge: SessionKnowledge, fixture: FixtureFacts, plan: Sequence[ShotSpec]
) -> list[str]:
    """Return the scenes of a plan whose frames cannot be held against a reference everywhere."""
    scenes = {spec.scene for spec in plan if spec.kind == FIXED_BACKGROUND and spec.scene}
    cameras = [camera.camera_id for camera in fixture.cameras]
    known = [knowledge.references.get(camera_id, {}).keys() for camera_id in cameras]
    return sorted(scene for scene in scenes if any(scene not in names for names in known))


def load_knowledge(
    catalogue: Catalogue,
    fixture: FixtureFacts,
    thresholds: CheckThresholds,
    *,
    use_references: bool = True,
) -> SessionKnowledge:
    """Return what the frames of a session are held against.

    Parameters
    ----------
    catalogue
        Holds the references.
    fixture, thresholds
        Of the session.
    use_references
        False where references are being made.
    """
    references: dict[int, dict[str, StoredReference]] = {}
    if use_references:
        names = {revision_id: name for name, revision_id in fixture.scenes.items()}
        camera_ids = [camera.camera_id for camera in fixture.cameras]
        with catalogue.reading() as transaction:
            found = load_references(transaction, camera_ids, list(names))
        for (camera_id, revision_id), reference in found.items():
            references.setdefault(camera_id, {})[names[revision_id]] = reference
    return SessionKnowledge(thresholds, references, catalogue.store)
