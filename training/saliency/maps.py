"""Saliency maps on the sensor: from cells to photosites; knows neither networks nor torch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def cells_over_sensor(cells: NDArray[np.float32], geometry: dict[str, Any]) -> NDArray[np.float32]:
    """Spread a map of cells over the photosites of the sensor; NaN where no crop lay.

    Parameters
    ----------
    cells
        Map as recorded, float32, shape (cell rows, cell columns).
    geometry
        `row`, `column` of the first photosite covered, `cell` photosites a side, `height` and
        `width` of the sensor.
    """
    spread = np.full((geometry["height"], geometry["width"]), np.nan, np.float32)
    size = geometry["cell"]
    large = np.kron(cells, np.ones((size, size), np.float32))
    row, column = geometry["row"], geometry["column"]
    spread[row : row + large.shape[0], column : column + large.shape[1]] = large
    return spread
