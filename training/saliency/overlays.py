"""A crop beside its residual and its map, with the known defects; draws, never computes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from training.saliency.errors import SaliencyError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DEFECT = "#66ffcc"


def overlay_figure(
    original: NDArray[np.float32],
    residual: NDArray[np.float32],
    saliency_map: NDArray[np.float32],
    defects: NDArray[np.int64],
) -> Figure:
    """Draw a crop, its median residual, its map, and the map over the crop with the defects.

    Parameters
    ----------
    original
        Values of the crop, float32, shape (rows, columns).
    residual
        Of the same shape; drawn between its 0.5 and 99.5 percentiles, symmetrically.
    saliency_map
        Of any resolution, drawn over the whole crop.
    defects
        (row, column) in the crop of the known defects, shape (defects, 2); circled.

    Raises
    ------
    SaliencyError
        When shapes do not agree, or a defect lies outside of the crop.
    """
    from matplotlib.figure import Figure

    shape = original.shape
    places = defects.reshape(-1, 2)
    if original.ndim != 2 or residual.shape != shape or saliency_map.ndim != 2:
        raise SaliencyError(
            f"crop {shape}, residual {residual.shape}, map {saliency_map.shape}: expected a crop"
            " and a residual of one size, and a map of rows and columns"
        )
    if ((places < 0) | (places >= shape)).any():
        raise SaliencyError(f"a defect lies outside of the crop of {shape[0]}x{shape[1]}")
    rows, columns = shape
    extent = (-0.5, columns - 0.5, rows - 0.5, -0.5)
    figure = Figure(figsize=(11, 3), layout="constrained")
    panels = figure.subplots(1, 4)
    reach = float(np.abs(np.quantile(residual, [0.005, 0.995])).max()) or 1.0
    panels[0].imshow(original, cmap="gray")
    panels[1].imshow(residual, cmap="RdBu_r", vmin=-reach, vmax=reach)
    drawn = panels[2].imshow(saliency_map, cmap="magma", extent=extent)
    figure.colorbar(drawn, ax=panels[2], shrink=0.8)
    panels[3].imshow(original, cmap="gray")
    panels[3].imshow(
        saliency_map, cmap="magma", extent=extent, alpha=0.45, interpolation="bilinear"
    )
    _circle(panels[1], places)
    _circle(panels[3], places)
    for axes, title in zip(panels, ("crop", "median residual", "map", "together"), strict=True):
        axes.set_title(title, fontsize=9)
        axes.set_xlim(extent[0], extent[1])
        axes.set_ylim(extent[2], extent[3])
        axes.set_xticks([])
        axes.set_yticks([])
    return figure


def _circle(axes: Axes, places: NDArray[np.int64]) -> None:
    axes.plot(
        places[:, 1],
        places[:, 0],
        "o",
        markersize=7,
        markerfacecolor="none",
        markeredgecolor=_DEFECT,
        markeredgewidth=0.8,
    )
