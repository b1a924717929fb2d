"""Class-mean activation maps of a run on its clean block, measured and kept as assets."""

from __future__ import annotations

import io
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session
from torch import nn

from datastore.assets import register_asset
from datastore.catalogue import Catalogue
from datastore.clocks import CivilClock
from datastore.datasets.items import CameraIdentity
from datastore.datasets.manifest import Manifest
from datastore.tables import SaliencyMap
from training.defects.ledger_places import find_camera, ledger_places
from training.experiments.crop_places import CropPlaces
from training.experiments.errors import ExperimentError
from training.experiments.frame_set import FrameSet
from training.experiments.spec import ExperimentSpec
from training.patches.places import grid_origins
from training.saliency.cam import crop_maps, has_activation_maps
from training.saliency.maps import cells_over_sensor
from training.saliency.measures import defect_saliency, mean_pairwise_correlation, pearson

METHOD = "cam"
EVALUATION = "clean"
_RANDOM_SETS = 99


def record_saliency(
    catalogue: Catalogue,
    run_id: int,
    spec: ExperimentSpec,
    network: nn.Module,
    frames: FrameSet,
    manifest: Manifest,
    clock: CivilClock,
) -> None:
    """Map the evidence for each frame's own class, mean per camera and class, and record it.

    Networks that class activation maps are not defined for, such as AlexNet, are left out.

    The measures of a map are its correlation between scenes and with luminance, and how it treats
    the defects that the camera's newest ledger saw arise (absent where there is no ledger).
    """
    if not has_activation_maps(network):
        return
    cameras = {camera.serial: camera for camera in manifest.header.cameras}
    for serial in np.unique(frames.cameras).tolist():
        for label, class_name in enumerate(manifest.header.class_names):
            chosen = np.flatnonzero((frames.cameras == serial) & (frames.labels == label))
            if not len(chosen):
                continue
            maps, luminance, geometry = _image_maps(spec, network, frames.subset(chosen), label)
            mean_map = maps.mean(axis=0, dtype=np.float64).astype(np.float32)
            measures = _measures(maps, luminance, frames.scenes[chosen])
            with catalogue.reading() as session:
                measures |= _defect_measures(session, cameras.get(serial), mean_map, geometry)
            buffer = io.BytesIO()
            np.save(buffer, mean_map, allow_pickle=False)
            stored = catalogue.store.put_bytes(buffer.getvalue())
            with catalogue.writing() as session:
                asset = register_asset(session, stored, "measurement", clock.now())
                session.add(
                    SaliencyMap(
                        run_id=run_id,
                        camera_id=find_camera(session, cameras[serial]).id,
                        method=METHOD,
                        evaluation=EVALUATION,
                        class_name=class_name,
                        images=len(chosen),
                        map_asset_id=asset.id,
                        measures={**measures, **geometry},
                    )
                )


def _image_maps(
    spec: ExperimentSpec, network: nn.Module, frames: FrameSet, label: int
) -> tuple[NDArray[np.float32], NDArray[np.float32], dict[str, Any]]:
    """Return each image's map in cells, its luminance in the same cells, and their geometry."""
    height, width = frames.frames[0].size
    top, left = frames.corner(0)
    origins = grid_origins(frames.visible[0], spec.patch_size)
    down = len(np.unique(origins[:, 0]))
    across = len(origins) // down
    images = len(frames.frames)
    places = CropPlaces(np.repeat(np.arange(images), len(origins)), np.tile(origins, (images, 1)))
    crops = crop_maps(spec, network, frames, places, label)
    grid = crops.shape[-1]
    if spec.patch_size % grid:
        raise ExperimentError(
            f"maps of {grid} cells do not divide patches of {spec.patch_size} photosites"
        )
    maps = (
        crops.reshape(images, down, across, grid, grid)
        .transpose(0, 1, 3, 2, 4)
        .reshape(images, down * grid, across * grid)
    )
    row, column = (int(value) for value in origins[0])
    cell = spec.patch_size // grid
    rows, columns = maps.shape[1] * cell, maps.shape[2] * cell
    luminance = np.stack(
        [
            frame.pixels[row - top : row - top + rows, column - left : column - left + columns]
            .reshape(rows // cell, cell, columns // cell, cell, -1)
            .mean(axis=(1, 3, 4), dtype=np.float64)
            .astype(np.float32)
            for frame in frames.frames
        ]
    )
    geometry = {
        "row": row,
        "column": column,
        "cell": cell,
        "height": height + top,
        "width": width + left,
    }
    return maps, luminance, geometry


def _measures(
    maps: NDArray[np.float32], luminance: NDArray[np.float32], scenes: NDArray[np.str_]
) -> dict[str, Any]:
    of_scenes = [maps[scenes == scene].mean(axis=0) for scene in np.unique(scenes)]
    with_luminance = [
        value
        for one, bright in zip(maps, luminance, strict=True)
        if (value := pearson(one, bright)) is not None
    ]
    return {
        "correlation_between_scenes": mean_pairwise_correlation(of_scenes),
        "correlation_with_luminance": (float(np.mean(with_luminance)) if with_luminance else None),
    }


def _defect_measures(
    session: Session,
    camera: CameraIdentity | None,
    mean_map: NDArray[np.float32],
    geometry: dict[str, Any],
) -> dict[str, Any]:
    if camera is None:
        return {}
    places = ledger_places(session, find_camera(session, camera))
    if places is None:
        return {}
    found = defect_saliency(cells_over_sensor(mean_map, geometry), places.new, samples=_RANDOM_SETS)
    return {} if found is None else {"defects": asdict(found)}
