"""Figures of a dated image; draw, never compute."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.estimators.date_estimate import DateEstimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LINE, _BAND, _LATER, _EARLIER = "#4477aa", "#cfe0f1", "#cc6677", "#228833"
_DEEPEST = -30.0


def dating_figure(estimate: DateEstimate) -> Figure:
    """Draw the likelihood over time, and below it what each photosite said."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 4.6), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 2])
    draw_likelihood(upper, estimate)
    draw_photosites(lower, estimate)
    return figure


def draw_likelihood(axes: Axes, estimate: DateEstimate) -> None:
    """Draw the log-likelihood at the time of each trusted image, and the interval."""
    times = estimate.times.astype("datetime64[ms]")
    curve = np.maximum(estimate.log_likelihood / np.log(10), _DEEPEST)
    if not estimate.abstained:
        low = times[0] if estimate.low is None else estimate.low
        high = times[-1] if estimate.high is None else estimate.high
        axes.axvspan(low, high, color=_BAND, label=f"{estimate.confidence:.0%}")  # type: ignore[arg-type]
        axes.legend(frameon=False, loc="lower right")
    axes.plot(times, curve, color=_LINE, linewidth=1.4)
    axes.set_ylabel("log10 likelihood")
    axes.margins(x=0.01)


def draw_photosites(axes: Axes, estimate: DateEstimate) -> None:
    """Draw what each photosite said over its onset: above 0 the image is later than that."""
    axes.axhline(0, color="#999999", linewidth=0.8)
    first, last = (estimate.times[place].astype("datetime64[ms]") for place in (0, -1))
    for one in estimate.evidence:
        low = first if one.onset_after is None else one.onset_after.astype("datetime64[ms]")
        high = last if one.onset_before is None else one.onset_before.astype("datetime64[ms]")
        colour = _LATER if one.log10_ratio > 0 else _EARLIER
        axes.plot(
            [low, high],
            [one.log10_ratio, one.log10_ratio],
            marker="|",
            color=colour,
            linewidth=1.6,
        )
    axes.set_ylabel("log10 ratio")
    axes.set_xlabel("onset of the photosite")
