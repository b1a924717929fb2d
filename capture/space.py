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
_RESERVE_BYTES: Final = 64 << 20
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
    shots = Counter(role for spec in plan for role in spec.image_quality.split("+"))
    needed = sum(
        count * _largest_bytes(catalogue, camera, role)
        for camera in cameras
        for role, count in shots.items()
    )
    needed += _RESERVE_BYTES
    for name, place, free in (
        ("the asset store", catalogue.store.root, catalogue.store.free_bytes()),
        ("the spool", spool.folder, spool.free_bytes()),
    ):
        if free < needed:
            raise DiskFullError(
                f"{name} {place} has {_megabytes(free)} free and the session needs"
                f" {_megabytes(needed)}: free some space; nothing was captured"
            )
    return needed


def _largest_bytes(catalogue: Catalogue, camera: CameraFacts, role: str) -> int:
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
