"""Static pictures of tested growth for reports; needs matplotlib (the extra `reports`) when called.

Draws what `constancy` and `uniformity` found and computes no test of its own.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from training.defects.constancy import Constancy
from training.defects.growth import poisson_interval
from training.defects.uniformity import Uniformity
from training.defects.watch import Watch

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_OBSERVED, _EXPECTED, _BAND = "#c1432e", "#3b3b3b", "#9bbfd9"


def rate_per_gap(constancy: Constancy, watch: Watch, confidence: float = 0.95) -> Figure:
    """Draw the rate of each watched gap, with its interval, against the constant rate.

    Parameters
    ----------
    constancy
        Outcome of the test on this watch.
    watch
        The dark sessions; gaps that were not watched stay empty.
    confidence
        Of the Poisson intervals; those of the gaps hold one by one.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.0, 3.6), layout="constrained")
    axes = figure.add_subplot()
    exposure = watch.gap_exposure_years
    total = float(exposure.sum())
    low, high = (limit / total for limit in poisson_interval(constancy.count, confidence))
    axes.axhspan(low, high, color=_BAND, alpha=0.5, linewidth=0)
    axes.axhline(
        constancy.count / total, color=_EXPECTED, linewidth=1, linestyle="--", label="constant rate"
    )
    for (begins_at, ends_at), years, count in zip(
        pairwise(watch.sessions), exposure, constancy.expected_counts, strict=True
    ):
        if years <= 0:
            continue
        gap_low, gap_high = (limit / years for limit in poisson_interval(count, confidence))
        middle = begins_at + (ends_at - begins_at) / 2
        axes.plot([begins_at, ends_at], [count / years] * 2, color=_OBSERVED, linewidth=2)  # type: ignore[arg-type]
        axes.vlines([middle], gap_low, gap_high, color=_OBSERVED, linewidth=0.8)  # type: ignore[arg-type]
    axes.set(
        ylabel="new defects a year",
        ylim=(0, None),
        title=f"{constancy.verdict} (p = {constancy.p_value:.2g})",
    )
    axes.legend(fontsize=7, frameon=False)
    figure.autofmt_xdate()
    return figure


def l_function(uniformity: Uniformity) -> Figure:
    """Draw L(r) - r of the defects with its global envelope; 0 is random.

    Parameters
    ----------
    uniformity
        Outcome of the test; an empty frame if it had fewer than two defects.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator

    figure = Figure(figsize=(5.0, 3.6), layout="constrained")
    axes = figure.add_subplot()
    function = uniformity.l_function
    if function is not None:
        radii = np.array(function.radii)
        axes.fill_between(
            radii,
            np.array(function.low) - radii,
            np.array(function.high) - radii,
            color=_BAND,
            alpha=0.5,
            linewidth=0,
            label=f"global envelope, level {uniformity.alpha:g}",
        )
        axes.plot(radii, np.array(function.mean) - radii, color=_EXPECTED, linestyle="--")
        axes.plot(radii, np.array(function.observed) - radii, color=_OBSERVED, label="defects")
        axes.set(xscale="log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter("")
        axes.legend(fontsize=7, frameon=False)
    axes.axhline(0.0, color="#888888", linewidth=0.6)
    axes.set(
        xlabel="distance r (photosites)",
        ylabel="L(r) − r",
        title=f"{uniformity.count} defects: {uniformity.verdict} (p = {uniformity.p_value:.2g})",
    )
    return figure
