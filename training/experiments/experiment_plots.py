"""Pictures of what experiments found; needs matplotlib (the extra `reports`) when called.

Draws what summaries and matrices say, and computes none of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from training.experiments.calibration import Reliability
from training.experiments.cross_device import CrossDeviceMatrix, Transfer
from training.experiments.summary import EvaluationSummary, ExperimentSummary

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOURS = ("#4477aa", "#cc6677", "#ddaa33", "#228833", "#aa3377", "#66ccee")
_BAND, _EXPECTED, _OBSERVED = "#d9d9d9", "#3b3b3b", "#c1432e"


def runs_per_block(experiments: Mapping[str, ExperimentSummary]) -> Figure:
    """Draw the runs' accuracies: a box per experiment and block, over its chance interval.

    Parameters
    ----------
    experiments
        Summaries by what to call them.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    blocks = list(
        dict.fromkeys(one.evaluation for each in experiments.values() for one in each.evaluations)
    )
    figure = Figure(figsize=(2.4 + 1.5 * len(blocks), 4.2), layout="constrained")
    axes = figure.add_subplot()
    width = 0.8 / max(1, len(experiments))
    handles = []
    for index, (name, summary) in enumerate(experiments.items()):
        colour = _COLOURS[index % len(_COLOURS)]
        handles.append(Patch(facecolor=colour, alpha=0.5, label=name))
        for evaluation in summary.evaluations:
            place = blocks.index(evaluation.evaluation) - 0.4 + width * (index + 0.5)
            _draw_runs(axes, evaluation, place, width, colour)
    handles.append(Patch(facecolor=_BAND, label="chance, by sessions"))
    axes.set_xticks(range(len(blocks)), blocks, rotation=20, ha="right")
    axes.set(
        xlim=(-0.6, len(blocks) - 0.4),
        ylim=(-0.03, 1.03),
        ylabel="image-level accuracy of the runs",
    )
    axes.legend(
        handles=handles, frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0)
    )
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _draw_runs(
    axes: Axes, evaluation: EvaluationSummary, place: float, width: float, colour: str
) -> None:
    axes.bar(
        [place],
        [evaluation.chance_high - evaluation.chance_low],
        bottom=evaluation.chance_low,
        width=width * 0.95,
        color=_BAND,
        linewidth=0,
        zorder=0,
    )
    accuracies = list(evaluation.run_accuracies)
    axes.boxplot(
        [accuracies],
        positions=[place],
        widths=[width * 0.7],
        patch_artist=True,
        boxprops={"facecolor": colour, "alpha": 0.35, "edgecolor": colour},
        medianprops={"color": colour, "linewidth": 2},
        whiskerprops={"color": colour},
        capprops={"color": colour},
        showfliers=False,
        manage_ticks=False,
    )
    axes.plot([place] * len(accuracies), accuracies, "o", color=colour, markersize=3)


def reliability_diagram(curves: Mapping[str, Reliability]) -> Figure:
    """Draw how often what was claimed came true; the diagonal is perfect, areas count the images.

    Parameters
    ----------
    curves
        By what to call them; bins without images are left out.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6, 4.4), layout="constrained")
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color=_EXPECTED, linewidth=0.8, linestyle="--")
    for index, (name, curve) in enumerate(curves.items()):
        colour = _COLOURS[index % len(_COLOURS)]
        occupied = [place for place, count in enumerate(curve.counts) if count]
        claimed = np.array([curve.probabilities[place] for place in occupied], float)
        shares = np.array([curve.shares[place] for place in occupied], float)
        sizes = np.array([curve.counts[place] for place in occupied])
        axes.plot(
            claimed,
            shares,
            color=colour,
            linewidth=1,
            label=f"{name}: expected error {curve.expected_error:.3f}",
        )
        areas = 6 + 80 * sizes / sizes.sum()
        axes.scatter(claimed, shares, s=areas, color=colour)
    axes.set(
        xlim=(0, 1),
        ylim=(-0.02, 1.02),
        xlabel="probability of the class that was named",
        ylabel="share of images that are of it",
    )
    axes.legend(fontsize=7, frameon=False, loc="upper left")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def confusion_matrix(evaluation: EvaluationSummary, title: str) -> Figure:
    """Draw which classes images were taken for: counts over all runs, shaded by share of the class.

    Parameters
    ----------
    evaluation
        What the runs said under one evaluation.
    title
        What to write above.
    """
    from matplotlib.figure import Figure

    counts = np.array(evaluation.confusion)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = 2.2 + 0.6 * len(counts)
    figure = Figure(figsize=(side + 0.6, side), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        _write(axes, column, row, f"{count}\n{shares[row, column]:.0%}", shares[row, column])
    names = list(evaluation.class_names)
    axes.set_xticks(range(len(names)), names, rotation=20, ha="right")
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="named", ylabel="true")
    axes.set_title(title, fontsize=9)
    return figure


def cross_device_map(matrix: CrossDeviceMatrix) -> Figure:
    """Draw the accuracy of every experiment on every camera.

    Cells of cameras that were learned from have a frame; a star is above chance, a question mark
    inconclusive.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    cameras, experiments = matrix.cameras, matrix.experiments
    values = np.full((len(experiments), len(cameras)), np.nan)
    figure = Figure(
        figsize=(3.4 + 0.9 * len(cameras), 1.8 + 0.6 * len(experiments)), layout="constrained"
    )
    axes = figure.add_subplot()
    for cell in matrix.cells:
        row, column = experiments.index(cell.experiment), cameras.index(cell.camera)
        values[row, column] = cell.accuracy
        _write(axes, column, row, f"{cell.accuracy:.2f}{_mark(cell)}", cell.accuracy)
        if not cell.is_to_another:
            axes.add_patch(
                Rectangle(
                    (column - 0.46, row - 0.46), 0.92, 0.92, fill=False, edgecolor=_OBSERVED, lw=2
                )
            )
    image = axes.imshow(values, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(cameras)), cameras)
    axes.set_yticks(range(len(experiments)), experiments)
    axes.set(xlabel="camera judged", ylabel="experiment (framed: learned from)")
    axes.set_title(f"{matrix.block}: * above chance, ? too few sessions", fontsize=9)
    figure.colorbar(image, ax=axes, label="image-level accuracy", fraction=0.05)
    return figure


def _mark(cell: Transfer) -> str:
    return {"above-chance": " *", "inconclusive": " ?"}.get(cell.verdict, "")


def _write(axes: Axes, column: int, row: int, text: str, shade: float) -> None:
    colour = "white" if shade > 0.6 else "black"
    axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=8)


@dataclass(frozen=True)
class RunHistory:
    """How a run learned.

    Attributes
    ----------
    number
        Of the run.
    losses
        Training loss of every step.
    looks
        Step, loss and accuracy of every look at the validation block.
    """

    number: int
    losses: Sequence[float]
    looks: Sequence[tuple[int, float, float]] = ()


def loss_curves(histories: Sequence[RunHistory], title: str) -> Figure:
    """Draw the training loss of every run, and its validation loss where it looked.

    Parameters
    ----------
    histories
        One per run.
    title
        What to write above.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.0, 3.6), layout="constrained")
    axes = figure.add_subplot()
    for index, history in enumerate(histories):
        colour = _COLOURS[index % len(_COLOURS)]
        axes.plot(
            np.arange(1, len(history.losses) + 1),
            history.losses,
            color=colour,
            linewidth=0.7,
            alpha=0.7,
            label=f"run {history.number}",
        )
        if history.looks:
            steps, losses = zip(*[look[:2] for look in history.looks], strict=True)
            axes.plot(steps, losses, "o-", color=colour, markersize=3, linewidth=1.2)
    axes.set(xlabel="training step", ylabel="loss (lines; points: on validation)", ylim=(0, None))
    axes.set_title(title, fontsize=9)
    axes.legend(fontsize=6, frameon=False, ncols=2)
    axes.spines[["top", "right"]].set_visible(False)
    return figure
