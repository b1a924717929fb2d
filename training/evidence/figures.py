"""Figures of a report: runs per block, saliency maps, contact sheets; draws, never computes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LayoutName = Literal["constrained"]

_BOX_COLOURS = ("#4477aa", "#cc6677", "#ddaa33", "#228833", "#aa3377", "#66ccee")


def _figure(width_in: float, height_in: float, layout: LayoutName | None = None) -> Figure:
    # A figure of its own keeps pyplot's global state out of it.
    from matplotlib.figure import Figure

    return Figure(figsize=(width_in, height_in), layout=layout)


def runs_box_plot(accuracies: Mapping[str, Mapping[str, Sequence[float]]]) -> Figure:
    """Draw the accuracies of the runs: one group of boxes per block, one colour per experiment.

    Parameters
    ----------
    accuracies
        Image-level accuracy of every run, by experiment and then by block.
    """
    experiments = list(accuracies)
    blocks = list(dict.fromkeys(block for runs in accuracies.values() for block in runs))
    figure = _figure(1.8 + 1.5 * len(blocks), 4.2)
    axes = figure.add_subplot()
    width = 0.8 / max(1, len(experiments))
    for index, experiment in enumerate(experiments):
        colour = _BOX_COLOURS[index % len(_BOX_COLOURS)]
        for place, block in enumerate(blocks):
            runs = accuracies[experiment].get(block)
            if not runs:
                continue
            position = place - 0.4 + width * (index + 0.5)
            axes.boxplot(
                [list(runs)],
                positions=[position],
                widths=[width * 0.8],
                patch_artist=True,
                boxprops={"facecolor": colour, "alpha": 0.35, "edgecolor": colour},
                medianprops={"color": colour, "linewidth": 2},
                whiskerprops={"color": colour},
                capprops={"color": colour},
                showfliers=False,
            )
            axes.plot([position] * len(runs), runs, "o", color=colour, markersize=4)
        axes.plot([], [], "s", color=colour, label=experiment)
    axes.axhline(0.5, color="#888888", linestyle="--", linewidth=1, zorder=0)
    axes.set_xticks(range(len(blocks)), blocks, rotation=20, ha="right")
    axes.set_xlim(-0.6, len(blocks) - 0.4)
    axes.set_ylim(-0.03, 1.03)
    axes.set_ylabel("image-level accuracy")
    axes.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    axes.spines[["top", "right"]].set_visible(False)
    return figure


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
