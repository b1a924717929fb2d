"""Free space for a whole session, checked before its first shot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from sqlalchemy import func, select

from capture.errors import DiskFullError
from capture.examination import CameraFacts
from capture.recipes import ShotSpec
from capture.spool import Spool
from datastore.catalogue import Catalogue
from datastore.tables import Asset, Shot

_UNKNOWN_PHOTOSITES: Final = 60_000_000
_RAW_BYTES_PER_PHOTOSITE: Final = 2.2
_JPEG_BYTES_PER_PHOTOSITE: Final = 1.0
RESERVE_BYTES: Final = 64 << 20
"""For the catalogue's growth, and so that the disk is never quite full."""


def require_space(
    catalogue: Catalogue, spool: Spool, cameras: Sequence[CameraFacts], plan: Sequence[ShotSpec]
) -> int:
    """Make sure that store and spool have room for a session, and return what it needs in bytes.

    A camera's largest file of a role so far is the measure, else the size of its sensor.

    Raises
    ------
    DiskFullError
        If there is not enough; no shutter was released.
    """
    needed = needed_bytes(catalogue, cameras, plan)
    lacking = lacking_space(catalogue, spool, needed)
    if lacking:
        raise DiskFullError(f"{'; '.join(lacking)}: free some space; nothing was captured")
    return needed


def needed_bytes(
    catalogue: Catalogue, cameras: Sequence[CameraFacts], plan: Sequence[ShotSpec]
) -> int:
    """Return what a session needs on each disk, with a reserve, in bytes."""
    shots = Counter(role for spec in plan for role in spec.image_quality.split("+"))
    files = (
        count * bytes_per_file(catalogue, camera, role)
        for camera in cameras
        for role, count in shots.items()
    )
    return sum(files) + RESERVE_BYTES


def lacking_space(catalogue: Catalogue, spool: Spool, needed: int) -> list[str]:
    """Return, in a sentence each, which of store and spool have no room for so many bytes."""
    return [
        f"{name} {place} has {_megabytes(free)} free and the session needs {_megabytes(needed)}"
        for name, place, free in (
            ("the asset store", catalogue.store.root, catalogue.store.free_bytes()),
            ("the spool", spool.folder, spool.free_bytes()),
        )
        if free < needed
    ]


def bytes_per_file(catalogue: Catalogue, camera: CameraFacts, role: str) -> int:
    """Return the bytes to allow for one file of a role.

    The largest of the camera's newest hundred is the measure, else the size of its sensor.
    """
    with catalogue.reading() as transaction:
        newest = (
            select(Asset.bytes)
            .join(Shot, Asset.shot_id == Shot.id)
            .where(Shot.camera_id == camera.camera_id, Asset.role == role)
            .order_by(Shot.id.desc())
            .limit(100)
            .subquery()
        )
        largest = transaction.scalar(select(func.max(newest.c.bytes)))
    if largest:
        return int(largest)
    photosites = (camera.width or 0) * (camera.height or 0) or _UNKNOWN_PHOTOSITES
    per_photosite = _RAW_BYTES_PER_PHOTOSITE if role == "raw" else _JPEG_BYTES_PER_PHOTOSITE
    return int(photosites * per_photosite)


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.0f} MB"
