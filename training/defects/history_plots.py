"""Static pictures of single photosites and of sessions; needs matplotlib when called.

Reads no catalogue: what is drawn comes as arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from training.defects.series import AmplitudeSeries

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# vermilion, blue and grey of Okabe and Ito (2008), told apart by colour-blind eyes
_PRESENT, _ABSENT, _UNKNOWN = "#d55e00", "#0072b2", "#888888"


def _figure(width_in: float, height_in: float) -> Figure:
    # a figure of its own, without pyplot's global state, draws with Agg
    from matplotlib.figure import Figure

    return Figure(figsize=(width_in, height_in), layout="constrained")


def _times(at: Sequence[datetime]) -> NDArray[np.datetime64]:
    # numpy's times know no zone; all are UTC
    return np.array(
        [np.datetime64(one.astimezone(UTC).replace(tzinfo=None)) for one in at], "datetime64[us]"
    )


def temperature_over_time(
    at: Sequence[datetime], temperatures_c: Sequence[Sequence[float | None]]
) -> Figure:
    """Draw the mean temperature of each session, with bars from its lowest to its highest.

    Parameters
    ----------
    at
        Times of the sessions, with zones, in order.
    temperatures_c
        Of the frames of each session, None where unknown; a session that knows none is a gap.
    """
    figure = _figure(6.0, 3.2)
    axes = figure.add_subplot()
    known = [[one for one in session if one is not None] for session in temperatures_c]
    mean = np.array([np.mean(one) if one else np.nan for one in known])
    lowest = np.array([min(one, default=np.nan) for one in known])
    highest = np.array([max(one, default=np.nan) for one in known])
    times = _times(at)
    axes.plot(times, mean, color=_PRESENT, marker="o", markersize=4, linewidth=0.8)
    axes.vlines(times, lowest, highest, color=_ABSENT, linewidth=1.5)
    axes.set(xlabel="session (UTC)", ylabel="sensor temperature (°C)")
    axes.xaxis_date()
    figure.autofmt_xdate()
    return figure


def amplitude_over_time(series: AmplitudeSeries, number: int) -> Figure:
    """Draw the amplitude of one defect in each session, with error bars.

    Sessions that would have shown it and do not are open squares; those that could not have shown
    it are grey triangles at zero.

    Parameters
    ----------
    series
        Of a ledger.
    number
        Of the defect in the series.
    """
    figure = _figure(6.0, 3.4)
    axes = figure.add_subplot()
    times = _times(series.at)
    state = series.state[number]
    for value, colour, marker, fill, label in (
        (1, _PRESENT, "o", _PRESENT, "present"),
        (0, _ABSENT, "s", "none", "absent"),
    ):
        some = (state == value) & np.isfinite(series.error[number])
        if some.any():
            axes.errorbar(
                times[some],
                series.amplitude[number, some],
                yerr=series.error[number, some],
                linestyle="none",
                color=colour,
                marker=marker,
                markerfacecolor=fill,
                capsize=2,
                label=label,
            )
    hidden = state == -1
    if hidden.any():
        axes.plot(
            times[hidden],
            np.zeros(np.count_nonzero(hidden)),
            linestyle="none",
            color=_UNKNOWN,
            marker="v",
            label="not detectable",
        )
    axes.axhline(0, color=_UNKNOWN, linewidth=0.6)
    axes.set(
        title=f"row {series.row[number]}, column {series.column[number]}",
        xlabel="session (UTC)",
        ylabel="offset (DN at ISO 100)"
        if series.offset_like[number]
        else "dark rate (DN/s at ISO 100)",
    )
    axes.xaxis_date()
    axes.legend(fontsize=7, frameon=False)
    figure.autofmt_xdate()
    return figure


def before_and_after(
    before_dn: NDArray[np.floating],
    after_dn: NDArray[np.floating],
    row: int,
    column: int,
    before_at: datetime,
    after_at: datetime,
    *,
    radius: int = 8,
) -> Figure:
    """Draw a defect's surroundings in the session before its onset and the first with it.

    Parameters
    ----------
    before_dn, after_dn
        Means of the dark frames of both sessions, shape (rows, columns), digital numbers.
    row, column
        The defect.
    before_at, after_at
        Times of the sessions.
    radius
        Photosites on each side of it, fewer at the border of the sensor.
    """
    top, left = max(0, row - radius), max(0, column - radius)
    place = (slice(top, row + radius + 1), slice(left, column + radius + 1))
    crops = (before_dn[place], after_dn[place])
    darkest = min(float(crop.min()) for crop in crops)
    brightest = max(float(crop.max()) for crop in crops)
    extent = (left - 0.5, left + crops[0].shape[1] - 0.5, top + crops[0].shape[0] - 0.5, top - 0.5)
    figure = _figure(6.4, 3.2)
    both = figure.subplots(1, 2, sharey=True)
    for axes, crop, at, name in zip(
        both, crops, (before_at, after_at), ("before", "after"), strict=True
    ):
        image = axes.imshow(
            crop, cmap="cividis", vmin=darkest, vmax=brightest, extent=extent,
            interpolation="nearest",
        )  # fmt: skip
        axes.plot([column], [row], marker="s", markersize=14, color="white", fillstyle="none")
        axes.set(title=f"{name}, {at.astimezone(UTC):%Y-%m-%d}", xlabel="column")
    both[0].set_ylabel("row")
    figure.colorbar(image, ax=list(both), label="signal (DN)")
    return figure
