"""The defects of a camera's newest ledger as places, for whoever masks or seeks them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from datastore.datasets.items import CameraIdentity
from datastore.tables import Camera, DefectLedger, LedgerDefect

Coordinates = NDArray[np.int64]


@dataclass(frozen=True)
class LedgerPlaces:
    """Photosites of a camera's newest ledger, int64 of shape (n, 2), rows and columns."""

    known: Coordinates
    """Every defect."""
    new: Coordinates
    """Defects that were not there in the first dark session."""


def find_camera(session: Session, camera: CameraIdentity) -> Camera:
    """Return the catalogue's row of a camera that a manifest names."""
    return session.scalars(
        select(Camera).where(
            Camera.make == camera.make,
            Camera.model == camera.model,
            Camera.serial == camera.serial,
        )
    ).one()


def ledger_places(session: Session, camera: Camera) -> LedgerPlaces | None:
    """Return the photosites of a camera's newest ledger; None if it has none."""
    newest = session.scalar(
        select(DefectLedger.id)
        .where(DefectLedger.camera_id == camera.id)
        .order_by(DefectLedger.id.desc())
        .limit(1)
    )
    if newest is None:
        return None
    rows = session.execute(
        select(LedgerDefect.row, LedgerDefect.column, LedgerDefect.pre_existing)
        .where(LedgerDefect.ledger_id == newest)
        .order_by(LedgerDefect.row, LedgerDefect.column)
    ).all()
    table = np.array([tuple(row) for row in rows], np.int64).reshape(-1, 3)
    return LedgerPlaces(known=table[:, :2], new=table[table[:, 2] == 0, :2])
