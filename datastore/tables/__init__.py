"""The catalogue's tables as typed ORM models; holds no query and opens no database."""

from datastore.tables._base import Base, UtcDateTime, new_uuid
from datastore.tables._capture import (
    Asset,
    AssetLocation,
    Session,
    SessionEvent,
    Shot,
    ShotEvent,
    ShotSettings,
    Store,
    Verdict,
)
from datastore.tables._equipment import (
    Camera,
    Fixture,
    FixtureRevision,
    MountedCamera,
    Recipe,
    Scene,
    SceneRevision,
    Timeslot,
    TimeslotScheme,
)
from datastore.tables._operations import AuditEntry, Lease
from datastore.tables._research import (
    Dataset,
    DatasetItem,
    DefectExtraction,
    DefectLedger,
    DefectObservation,
    Experiment,
    LedgerDefect,
    Prediction,
    Run,
    SaliencyMap,
)

OPERATIONAL_TABLES = frozenset({"lease", "asset_location"})
"""Tables whose rows change; every other table is append-only, guarded by triggers."""

__all__ = [
    "OPERATIONAL_TABLES",
    "Asset",
    "AssetLocation",
    "AuditEntry",
    "Base",
    "Camera",
    "Dataset",
    "DatasetItem",
    "DefectExtraction",
    "DefectLedger",
    "DefectObservation",
    "Experiment",
    "Fixture",
    "FixtureRevision",
    "Lease",
    "LedgerDefect",
    "MountedCamera",
    "Prediction",
    "Recipe",
    "Run",
    "SaliencyMap",
    "Scene",
    "SceneRevision",
    "Session",
    "SessionEvent",
    "Shot",
    "ShotEvent",
    "ShotSettings",
    "Store",
    "Timeslot",
    "TimeslotScheme",
    "UtcDateTime",
    "Verdict",
    "new_uuid",
]
