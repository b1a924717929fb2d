"""Maps superimposed over correctly predicted crops, per class, as Jöchl and Uhl show them.

Sums only: maps are added batch by batch and never kept. Pure numpy; knows neither networks nor
catalogues.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from training.saliency.errors import SaliencyError

Maps = NDArray[np.float32]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class SensorCells:
    """The grid of cells of a map in sensor coordinates.

    Attributes
    ----------
    row, column
        First photosite of the first cell.
    rows, columns
        Number of cells.
    cell_photosites
        Side of a cell in photosites: that of a crop divided by that of its map.
    """

    row: int
    column: int
    rows: int
    columns: int
    cell_photosites: int


@dataclass(frozen=True)
class SuperimposedMaps:
    """Mean maps of one run's correctly predicted crops.

    Attributes
    ----------
    crop_maps
        Mean over the crops in crop coordinates, float32, shape (classes, scenes, rows, columns);
        NaN where a class has no correctly predicted crop of the scene. What sits at fixed
        photosites shows here only if all crops are cut from the same place.
    sensor_maps
        Mean over the crops in sensor coordinates, float32, shape (classes, scenes, cell rows, cell
        columns); NaN where no such crop lay; None where no `SensorCells` were given.
    crops
        Number of correctly predicted crops, int64, shape (classes, scenes).
    scenes
        Names of the scenes, in order.
    """

    crop_maps: Maps
    sensor_maps: Maps | None
    crops: NDArray[np.int64]
    scenes: tuple[str, ...]

    def over_scenes(self) -> tuple[Maps, Maps | None]:
        """Return the maps of the classes in crop and sensor coordinates, scenes weighing the same.

        float32, shape (classes, rows, columns) each.
        """
        sensor = None if self.sensor_maps is None else _over_scenes(self.sensor_maps)
        return _over_scenes(self.crop_maps), sensor

    def to_json(self) -> dict[str, Any]:
        """Return what is superimposed, without the maps."""
        return {"crops": self.crops.tolist(), "scenes": list(self.scenes)}


class Superimposition:
    """Sums of one run's maps over its correctly predicted crops, filled batch by batch.

    Holds one map per class and scene in each kind of coordinates, however many crops are added.
    Stacked over runs, the maps that `superimposed` returns are what `constancy` takes.

    Parameters
    ----------
    classes
        Number of classes.
    scenes
        Names of the scenes, in the order of the results; the same for all runs to be compared.
    sensor
        Grid for maps in sensor coordinates; none are made where None.

    Raises
    ------
    SaliencyError
        When there is no class or no scene, or a scene is named twice.
    """

    def __init__(
        self, classes: int, scenes: Sequence[str], sensor: SensorCells | None = None
    ) -> None:
        if classes < 1 or not scenes or len(set(scenes)) < len(scenes):
            raise SaliencyError(
                f"{classes} classes, scenes {list(scenes)}: expected at least one of each and "
                "every scene once"
            )
        self._scenes = tuple(scenes)
        self._place_of = {scene: number for number, scene in enumerate(self._scenes)}
        self._sensor = sensor
        self._crops = np.zeros((classes, len(self._scenes)), np.int64)
        self._crop_sums: Floats | None = None
        grid = (0, 0) if sensor is None else (sensor.rows, sensor.columns)
        self._sensor_sums: Floats = np.zeros((*self._crops.shape, *grid))
        self._sensor_counts = np.zeros((*self._crops.shape, *grid), np.int32)

    def add(
        self,
        maps: Maps,
        correct: ArrayLike,
        classes: ArrayLike,
        scenes: ArrayLike,
        origins: ArrayLike | None = None,
    ) -> None:
        """Add the maps of a batch of crops; those of wrongly predicted ones count for nothing.

        Parameters
        ----------
        maps
            float32, shape (crops, rows, columns).
        correct
            Whether the crop's class was predicted, bool, shape (crops,).
        classes
            The crop's class, from 0, shape (crops,).
        scenes
            Name of the crop's scene, shape (crops,).
        origins
            (row, column) of the crop's first photosite on the sensor, shape (crops, 2); required
            with `SensorCells`. Between cells, the nearest one is taken: off by half a cell at most.

        Raises
        ------
        SaliencyError
            When shapes do not agree, a class or scene is unknown, a map has undefined values, or a
            crop lies beyond the grid of the sensor.
        """
        right = np.asarray(correct, bool)
        labels, names = np.asarray(classes), np.asarray(scenes)
        if maps.ndim != 3 or not right.shape == labels.shape == names.shape == maps.shape[:1]:
            raise SaliencyError(
                f"maps {maps.shape}, correct {right.shape}, classes {labels.shape}, scenes "
                f"{names.shape}: expected one value per crop"
            )
        unknown = sorted(set(names.tolist()) - set(self._scenes))
        if unknown or ((labels < 0) | (labels >= len(self._crops))).any():
            raise SaliencyError(
                f"scenes {unknown} or a class beyond {len(self._crops) - 1} were not announced; "
                "name them all when the superimposition is begun"
            )
        if self._crop_sums is None:
            self._crop_sums = np.zeros((*self._crops.shape, *maps.shape[1:]))
        if self._crop_sums.shape[2:] != maps.shape[1:] or not np.isfinite(maps).all():
            raise SaliencyError(
                f"maps of {maps.shape[1:]} cells: expected finite ones of "
                f"{self._crop_sums.shape[2:]} as before"
            )
        corners = self._corners(origins, maps.shape)
        places = np.array([self._place_of[name] for name in names.tolist()], int)
        for number in np.flatnonzero(right):
            key = labels[number], places[number]
            self._crops[key] += 1
            self._crop_sums[key] += maps[number]
            if corners is not None:
                row, column = corners[number]
                window = np.s_[row : row + maps.shape[1], column : column + maps.shape[2]]
                self._sensor_sums[key][window] += maps[number]
                self._sensor_counts[key][window] += 1

    def _corners(
        self, origins: ArrayLike | None, shape: tuple[int, ...]
    ) -> NDArray[np.int64] | None:
        """Return the cell that each crop begins at."""
        if self._sensor is None:
            return None
        places = np.zeros((0, 0)) if origins is None else np.asarray(origins, float)
        if places.shape != (shape[0], 2):
            raise SaliencyError(
                f"origins of shape {places.shape}: maps in sensor coordinates need the row "
                f"and column of each of {shape[0]} crops"
            )
        offset = places - (self._sensor.row, self._sensor.column)
        corners = np.round(offset / self._sensor.cell_photosites).astype(np.int64)
        last = np.array([self._sensor.rows, self._sensor.columns]) - shape[1:]
        if (corners < 0).any() or (corners > last).any():
            raise SaliencyError(
                "a crop lies beyond the cells of the sensor; give SensorCells that cover all crops"
            )
        return corners

    def superimposed(self) -> SuperimposedMaps:
        """Return the mean maps of what was added so far.

        Raises
        ------
        SaliencyError
            When nothing was added.
        """
        if self._crop_sums is None:
            raise SaliencyError("no maps were added: there is nothing to superimpose")
        return SuperimposedMaps(
            crop_maps=_divided(self._crop_sums, self._crops[:, :, None, None]),
            sensor_maps=(
                None if self._sensor is None else _divided(self._sensor_sums, self._sensor_counts)
            ),
            crops=self._crops.copy(),
            scenes=self._scenes,
        )


def _divided(sums: Floats, counts: NDArray[np.integer[Any]]) -> Maps:
    """Return means, NaN where nothing was counted."""
    means = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    return means.astype(np.float32)


def _over_scenes(maps: Maps) -> Maps:
    return _divided(np.nansum(maps, axis=1, dtype=np.float64), np.isfinite(maps).sum(axis=1))
