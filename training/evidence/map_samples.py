"""Which crops are looked at by every method: the same places in chosen frames of a camera; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.experiments.crop_places import CropPlaces
from training.experiments.frame_set import FrameSet
from training.patches.places import Origins, grid_origins

CROPS_PER_IMAGE = 8

Coordinates = NDArray[np.int64]


@dataclass(frozen=True)
class CropSample:
    """Crops of one camera's frames.

    Attributes
    ----------
    camera
        Serial.
    images
        Numbers of the frames in their set, int64, shape (images,).
    origins
        (row, column) of the crops' first photosites on the sensor, the same in every frame, shape
        (crops, 2).
    patch_size
        Side of a crop in photosites.
    """

    camera: str
    images: NDArray[np.int64]
    origins: Origins
    patch_size: int

    def places(self) -> CropPlaces:
        """Return all crops, frame by frame."""
        return CropPlaces(
            np.repeat(self.images, len(self.origins)),
            np.tile(self.origins, (len(self.images), 1)),
        )


def sample_crops(
    frames: FrameSet,
    patch_size: int,
    defects: Mapping[str, Coordinates],
    *,
    most_crops: int,
    seed: int,
) -> tuple[CropSample, ...]:
    """Choose crops of every camera: places with a defect and without, frames of all classes alike.

    As far as there are any, half of a frame's crops hold a defect; frames are drawn in turn from
    every class and scene, so that scenes come back in other sessions.

    Parameters
    ----------
    frames
        Frames to choose from; those of a camera that show another part than its first are left out.
    patch_size
        Side of a crop in photosites.
    defects
        By camera, (row, column) of the defects that a crop should hold, shape (defects, 2).
    most_crops
        Of all cameras together.
    seed
        Of the drawing.
    """
    cameras = np.unique(frames.cameras).tolist()
    samples = []
    for camera in cameras:
        generator = np.random.default_rng(seed)
        own = np.flatnonzero(frames.cameras == camera)
        seen = frames.visible[own[0]]
        own = own[[frames.visible[number] == seen for number in own.tolist()]]
        known = defects.get(camera, np.zeros((0, 2), np.int64))
        origins = _chosen_origins(grid_origins(seen, patch_size), patch_size, known, generator)
        count = max(1, most_crops // len(cameras) // len(origins))
        images = _drawn_images(frames, own, count, generator)
        samples.append(CropSample(camera, np.sort(images), origins, patch_size))
    return tuple(samples)


def held_defects(origins: Origins, patch_size: int, defects: Coordinates) -> NDArray[np.bool_]:
    """Return which crops hold which defects, shape (crops, defects)."""
    offsets = defects[None, :, :] - origins[:, None, :]
    inside = (offsets >= 0) & (offsets < patch_size)
    return inside[:, :, 0] & inside[:, :, 1]


def _chosen_origins(
    grid: Origins, patch_size: int, defects: Coordinates, generator: np.random.Generator
) -> Origins:
    holds = held_defects(grid, patch_size, defects).sum(axis=1) > 0
    shuffled = generator.permutation(len(grid))
    with_one = shuffled[holds[shuffled]]
    without = shuffled[~holds[shuffled]]
    half = CROPS_PER_IMAGE // 2
    taken = max(half, CROPS_PER_IMAGE - len(without))
    chosen = np.concatenate([with_one[:taken], without])[:CROPS_PER_IMAGE]
    return grid[np.sort(chosen)]


def _drawn_images(
    frames: FrameSet, numbers: NDArray[np.int64], count: int, generator: np.random.Generator
) -> NDArray[np.int64]:
    """Draw frames of few scenes, each in several sessions, and of all classes alike."""
    classes = len(np.unique(frames.labels[numbers]))
    names = generator.permutation(np.unique(frames.scenes[numbers])).tolist()
    # a scene that comes once tells nothing of what its maps have in common
    rank = {name: place // max(2, count // (2 * classes)) for place, name in enumerate(names)}
    turns: dict[tuple[int, str], int] = {}
    order = []
    for number in generator.permutation(numbers).tolist():
        label, scene = int(frames.labels[number]), str(frames.scenes[number])
        turn = turns.get((label, scene), 0)
        turns[label, scene] = turn + 1
        order.append((rank[scene], turn, scene, label, number))
    return np.array([one[-1] for one in sorted(order)[:count]], np.int64)
