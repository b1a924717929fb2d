"""Which photosites a mask covers on each camera, resolved from ledgers and files."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from datastore.catalogue import Catalogue
from datastore.datasets.items import CameraIdentity
from datastore.tables import Camera, DefectLedger, LedgerDefect
from training.experiments.errors import ExperimentError
from training.experiments.evaluations import Coordinates, Mask, read_coordinates
from training.interventions import random_mask


def resolve_mask(
    catalogue: Catalogue, mask: Mask, cameras: tuple[CameraIdentity, ...]
) -> dict[str, Coordinates]:
    """Return the photosites to mask, by the camera's serial; arrays of shape (n, 2).

    Raises
    ------
    ExperimentError
        If a camera has no ledger, or a file of coordinates leaves a camera out.
    """
    if mask.file is not None:
        given = read_coordinates(mask.file)
        missing = [camera.serial for camera in cameras if camera.serial not in given]
        if missing:
            raise ExperimentError(f"{mask.file}: no coordinates for camera {missing[0]}")
        return {camera.serial: given[camera.serial] for camera in cameras}
    resolved = {}
    with catalogue.reading() as session:
        for camera in cameras:
            row = find_camera(session, camera)
            places = ledger_places(session, row)
            if places is None:
                raise ExperimentError(
                    f"camera {camera.serial} has no defect ledger: run `agetrace defects extract`"
                    " first"
                )
            masked = places.new
            if mask.by == "random":
                if row.height is None or row.width is None:
                    raise ExperimentError(f"camera {camera}: the size of its sensor is not known")
                masked = random_mask(
                    (row.height, row.width), len(places.new), places.known, mask.seed
                )
            resolved[camera.serial] = masked
    return resolved


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
