"""Maps of a frame's crops one below the other, as one map that every measure can take; pure.

Crops at the same places of every frame make strips that agree cell by cell. Undefined cells (NaN)
part the crops, so that no measure reaches from one into the next. Knows neither networks nor torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from training.saliency.errors import SaliencyError

Maps = NDArray[np.float32]
Coordinates = NDArray[np.int64]

GAP_PHOTOSITES = 8
"""Undefined photosites between two crops: the reach of what looks around a defect."""

COARSE_PHOTOSITES = 8
"""Side of the cells that whole maps are compared in; finer ones would only cost memory."""


@dataclass(frozen=True)
class Strip:
    """Crops of one camera's frames, one below the other.

    Attributes
    ----------
    origins
        (row, column) of each crop's first photosite on the sensor, shape (crops, 2).
    patch_size
        Side of a crop in photosites.
    cell_photosites
        Side of a cell of the maps.
    """

    origins: Coordinates
    patch_size: int
    cell_photosites: int

    def __post_init__(self) -> None:
        if self.patch_size % self.cell_photosites:
            raise SaliencyError(
                f"cells of {self.cell_photosites} photosites do not divide crops of "
                f"{self.patch_size}; resample the maps first"
            )

    @property
    def grid(self) -> int:
        """Cells along a side of a crop."""
        return self.patch_size // self.cell_photosites

    @property
    def gap(self) -> int:
        """Undefined cells between two crops."""
        return -(-GAP_PHOTOSITES // self.cell_photosites)

    def laid_out(self, maps: NDArray[np.floating[Any]]) -> Maps:
        """Return maps of shape (images, crops, grid, grid) as (images, rows, grid).

        Raises
        ------
        SaliencyError
            When they are not of these crops.
        """
        images, crops, grid = len(maps), len(self.origins), self.grid
        if maps.shape[1:] != (crops, grid, grid):
            raise SaliencyError(
                f"maps of shape {maps.shape}: expected {crops} crops of {grid}x{grid} cells"
            )
        strips = np.full((images, crops, grid + self.gap, grid), np.nan, np.float32)
        strips[:, :, :grid] = maps
        return strips.reshape(images, -1, grid)[:, : -self.gap]

    def places(self, coordinates: Coordinates) -> Coordinates:
        """Return where photosites of the sensor lie in a strip of photosites.

        Those in no crop are left out, those in several come several times; shape (places, 2).
        """
        pitch = self.patch_size + self.gap * self.cell_photosites
        found = []
        for number, origin in enumerate(self.origins):
            offset = coordinates.reshape(-1, 2) - origin
            inside = ((offset >= 0) & (offset < self.patch_size)).all(axis=1)
            found.append(offset[inside] + [number * pitch, 0])
        return np.concatenate(found).astype(np.int64)

    def in_photosites(self, strip: Maps) -> Maps:
        """Spread a strip of cells over photosites."""
        size = self.cell_photosites
        return np.repeat(np.repeat(strip, size, axis=-2), size, axis=-1)


def fitting_cells(maps: Maps, patch_size: int) -> Maps:
    """Return maps whose cells divide the crop, resampled linearly only where they do not.

    Parameters
    ----------
    maps
        float32, shape (images, crops, grid, grid).
    patch_size
        Side of a crop in photosites.
    """
    if patch_size % maps.shape[-1] == 0:
        return maps
    side = patch_size // COARSE_PHOTOSITES or 1
    while patch_size % side:
        side -= 1
    flat = maps.reshape(-1, *maps.shape[-2:])
    resampled = np.stack([cv2.resize(one, (side, side)) for one in flat])
    return resampled.reshape(*maps.shape[:2], side, side).astype(np.float32)


def coarse(maps: Maps, patch_size: int) -> Maps:
    """Return means over cells of at least `COARSE_PHOTOSITES`, where cells are smaller and divide.

    Parameters
    ----------
    maps
        float32, shape (images, crops, grid, grid), cells dividing the crop.
    patch_size
        Side of a crop in photosites.
    """
    cell = patch_size // maps.shape[-1]
    factor = COARSE_PHOTOSITES // cell
    if factor <= 1 or maps.shape[-1] % factor:
        return maps
    side = maps.shape[-1] // factor
    blocks = maps.reshape(*maps.shape[:2], side, factor, side, factor)
    means: Maps = blocks.mean(axis=(3, 5), dtype=np.float64).astype(np.float32)
    return means
