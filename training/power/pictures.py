"""Pictures of power plans; needs matplotlib (the extra `reports`) when called."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.power.growth import GrowthRate
from training.power.reckoning import powers_over_gaps
from training.power.remedies import changed
from training.power.session_test import MOST_SESSIONS, sessions_needed
from training.power.spec import PowerSpec

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_POINTS = 25


def power_figure(spec: PowerSpec, growth: GrowthRate | None = None) -> Figure:
    """Draw the chance of success against the gap, for the planned sessions and for others.

    The band goes from few and weak defects to many and strong ones.
    """
    # a figure of its own, without pyplot's global state, draws with Agg
    from matplotlib.figure import Figure

    planned, least = spec.sessions.test, sessions_needed(spec.alpha)
    gaps = np.geomspace(spec.sessions.gap_days / 8, spec.sessions.gap_days * 32, _POINTS)
    figure = Figure(figsize=(7.0, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for sessions in sorted({planned, least, min(MOST_SESSIONS, 2 * max(planned, least))}):
        powers = powers_over_gaps(changed(spec, "sessions", {"test": sessions}), gaps, growth)
        (line,) = axes.plot(gaps, powers["expected"], label=f"{sessions} test sessions a class")
        if sessions == planned:
            axes.fill_between(
                gaps, powers["low"], powers["high"], color=line.get_color(), alpha=0.15
            )
    axes.axhline(spec.wanted_power, color="#777777", linewidth=0.8, linestyle="--")
    axes.axvline(spec.sessions.gap_days, color="#777777", linewidth=0.8, linestyle=":")
    axes.set(
        xscale="log",
        ylim=(0, 1.02),
        xlabel="gap between the classes (days)",
        ylabel=f"chance of a p below {spec.alpha:g}",
    )
    axes.legend()
    return figure
