"""Figures of a report: saliency maps, contact sheets; draws, never computes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LayoutName = Literal["constrained"]


def _figure(width_in: float, height_in: float, layout: LayoutName | None = None) -> Figure:
    # A figure of its own keeps pyplot's global state out of it.
    from matplotlib.figure import Figure

    return Figure(figsize=(width_in, height_in), layout=layout)


@dataclass(frozen=True)
class SaliencyPanel:
    """A mean saliency map over the sensor and the defects that the ledger knows."""

    title: str
    map: NDArray[np.float32]
    """Shape (rows, columns) of any resolution, over the whole sensor."""
    sensor_shape: tuple[int, int]
    defects: NDArray[np.int64]
    """Shape (n, 2), row and column in photosites."""


def saliency_figure(panels: Sequence[SaliencyPanel], columns: int = 2) -> Figure:
    """Draw mean saliency maps with the defects of the ledger marked."""
    rows = -(-len(panels) // columns)
    figure = _figure(5.2 * columns, 4.2 * rows, layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat[len(panels) :]:
        axes.set_axis_off()
    for axes, panel in zip(grid.flat, panels, strict=False):
        height, width = panel.sensor_shape
        image = axes.imshow(
            panel.map, extent=(0, width, height, 0), cmap="magma", interpolation="bilinear"
        )
        if len(panel.defects):
            axes.plot(
                panel.defects[:, 1],
                panel.defects[:, 0],
                "o",
                markersize=3,
                markerfacecolor="none",
                markeredgecolor="#66ffcc",
                markeredgewidth=0.5,
                alpha=0.8,
            )
        axes.set_title(panel.title, fontsize=9)
        axes.tick_params(labelsize=7)
        figure.colorbar(image, ax=axes, shrink=0.8)
    return figure


def contact_sheet(images: Sequence[tuple[str, NDArray[np.uint8]]], columns: int = 8) -> Figure:
    """Draw small pictures with their names.

    Parameters
    ----------
    images
        Name and RGB picture, uint8 of shape (rows, columns, 3).
    columns
        Pictures in a row.
    """
    rows = -(-len(images) // columns)
    figure = _figure(1.7 * columns, 1.55 * rows, layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, (name, image) in zip(grid.flat, images, strict=False):
        axes.imshow(image)
        axes.set_title(name, fontsize=6)
    return figure
