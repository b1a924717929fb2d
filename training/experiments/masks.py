"""Which photosites a mask covers on each camera, resolved from ledgers and files."""

from __future__ import annotations

from datastore.catalogue import Catalogue
from datastore.datasets.items import CameraIdentity
from training.defects.ledger_places import find_camera, ledger_places
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
