"""Where the crops of frames lie, for every kind of patches; pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.experiments.errors import ExperimentError
from training.experiments.frame_set import FrameSet
from training.experiments.spec import ExperimentSpec, TrainingPatches
from training.patches.places import (
    Area,
    Origins,
    five_crop_origins,
    grid_origins,
    tile_origins,
)


@dataclass(frozen=True)
class CropPlaces:
    """Where crops lie.

    Attributes
    ----------
    indices
        Number of each crop's frame in its set, int64, shape (crops,).
    origins
        Even (row, column) of each crop's first photosite in sensor coordinates, int64, shape
        (crops, 2).
    """

    indices: NDArray[np.int64]
    origins: NDArray[np.int64]

    def part(self, chosen: slice) -> CropPlaces:
        """Return some of the crops."""
        return CropPlaces(self.indices[chosen], self.origins[chosen])


class FixedPlaces:
    """The fixed crops of a set's frames; equal for all frames that show the same of a camera.

    Parameters
    ----------
    frames
        The frames.
    patches
        Which crops; `random` has no fixed ones.
    patch_size
        Side of a crop in photosites.
    limit
        The most crops of a frame, spread evenly over all; all of them where None.
    """

    def __init__(
        self, frames: FrameSet, patches: TrainingPatches, patch_size: int, limit: int | None
    ) -> None:
        self._frames = frames
        self._patches = patches
        self._patch_size = patch_size
        self._limit = limit
        self._known: dict[tuple[str, Area], Origins] = {}

    def of(self, index: int) -> Origins:
        """Return the crops of a frame, shape (crops, 2).

        Raises
        ------
        PatchError
            When a patch does not fit.
        ExperimentError
            When the places of a camera's defects are not known.
        """
        camera, visible = str(self._frames.cameras[index]), self._frames.visible[index]
        if (camera, visible) not in self._known:
            self._known[camera, visible] = self._laid_out(camera, visible)
        return self._known[camera, visible]

    def _laid_out(self, camera: str, visible: Area) -> Origins:
        if self._patches in ("random", "grid"):
            return grid_origins(visible, self._patch_size, self._limit)
        if self._patches == "defect-centred":
            places = self._frames.defect_places.get(camera)
            if places is None:
                raise ExperimentError(f"camera {camera}: the places of its defects are not known")
            return _limited_pairs(places.origins, self._limit)
        tiling = five_crop_origins if self._patches == "five-crop" else tile_origins
        return _limited(tiling(visible, self._patch_size), self._limit)


def require_places(spec: ExperimentSpec, frames: FrameSet) -> None:
    """Refuse frames that cannot give a spec's crops.

    Raises
    ------
    PatchError
        When a patch does not fit.
    ExperimentError
        When the places of a camera's defects are not known.
    """
    fixed = FixedPlaces(frames, spec.patches, spec.patch_size, spec.patches_per_frame)
    for index in range(len(frames.labels)):
        fixed.of(index)


def evaluation_places(spec: ExperimentSpec, frames: FrameSet) -> CropPlaces:
    """Return the crops that frames are judged by, frame by frame.

    Raises
    ------
    PatchError
        When a frame is smaller than a patch.
    """
    fixed = FixedPlaces(frames, spec.patches, spec.patch_size, spec.evaluation_crops)
    origins = [fixed.of(index) for index in range(len(frames.labels))]
    indices = np.repeat(np.arange(len(origins)), [len(places) for places in origins])
    return CropPlaces(indices, np.concatenate(origins))


def _limited(origins: Origins, limit: int | None) -> Origins:
    if limit is None or limit >= len(origins):
        return origins
    return origins[np.linspace(0, len(origins) - 1, limit).round().astype(np.int64)]


def _limited_pairs(origins: Origins, limit: int | None) -> Origins:
    """Keep as many controls as patches around defects; the second half are the first's controls."""
    around, controls = np.split(origins, 2)
    pairs = None if limit is None else max(limit // 2, 1)
    return np.concatenate([_limited(around, pairs), _limited(controls, pairs)])
