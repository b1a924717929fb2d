"""Figures of what was tried on networks: averages, distraction; draws, never computes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from training.evidence.average_reading import AverageReading
from training.evidence.distraction import Distraction

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLOURS = ("#4477aa", "#cc6677", "#ddaa33", "#228833", "#aa3377")
_BAND = "#d9d9d9"


def averages_figure(
    readings: Sequence[AverageReading], with_noise: Sequence[AverageReading] = ()
) -> Figure:
    """Draw accuracy against the number of averaged frames, a line for each kind.

    Parameters
    ----------
    readings
        Of averages as they are.
    with_noise
        Of the same with the noise of single frames; dotted.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 4), layout="constrained")
    axes = figure.add_subplot()
    lows: dict[int, float] = {}
    highs: dict[int, float] = {}
    for style, some in (("-", readings), (":", with_noise)):
        for number, reading in enumerate(some):
            axes.plot(
                [point.count for point in reading.points],
                [point.test.accuracy for point in reading.points],
                style,
                marker="o",
                markersize=3,
                color=_COLOURS[number % len(_COLOURS)],
                label=reading.kind if style == "-" else None,
            )
            for point in reading.points:
                low, high = point.test.chance.low, point.test.chance.high
                lows[point.count] = min(low, lows.get(point.count, low))
                highs[point.count] = max(high, highs.get(point.count, high))
    counts = sorted(lows)
    axes.fill_between(
        counts,
        [lows[count] for count in counts],
        [highs[count] for count in counts],
        color=_BAND,
        zorder=0,
        label="chance, by sessions",
    )
    axes.set_xscale("log", base=2)
    axes.set_xticks(counts, [str(count) for count in counts])
    axes.set(ylim=(-0.03, 1.03), xlabel="frames per average", ylabel="accuracy on averages")
    axes.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def distraction_figure(distraction: Distraction) -> Figure:
    """Draw how answers go over to a cue as it grows."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.4), layout="constrained")
    axes = figure.add_subplot()
    strengths = [point.strength_sd for point in distraction.points]
    for share, label, colour in (
        ([point.right for point in distraction.points], "right", _COLOURS[0]),
        ([point.followed for point in distraction.points], "names the cue's class", _COLOURS[1]),
    ):
        axes.plot(strengths, share, "o-", markersize=4, color=colour, label=label)
    if distraction.strength_sd is not None:
        axes.axvline(distraction.strength_sd, color="#888888", linestyle="--", linewidth=1)
    axes.set(
        ylim=(-0.03, 1.03),
        xlabel="strength of the cue in standard deviations of a frame's noise",
        ylabel="share of answers",
    )
    axes.legend(frameon=False, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    return figure
