"""Static pictures of defects for reports; needs matplotlib (the extra `reports`) when called."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from training.defects.fit import Floats
from training.defects.growth import counts_over_time
from training.defects.ledger import LedgerEntry
from training.defects.linearity import Linearity

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = {
    "hot": "#c1432e",
    "partially-stuck": "#d99b25",
    "stuck": "#7a2a8c",
    "blinking": "#2b7bba",
    "dead": "#3b3b3b",
    "low-response": "#4f9d69",
}
_MOST_INTERVALS = 400


def _naive(at: datetime) -> np.datetime64:
    # numpy's times know no zone; all are UTC
    return np.datetime64(at.astimezone(UTC).replace(tzinfo=None))


def _figure(width_in: float, height_in: float) -> Figure:
    # a figure of its own, without pyplot's global state, draws with Agg
    from matplotlib.figure import Figure

    return Figure(figsize=(width_in, height_in), layout="constrained")


def defect_map(defects: Sequence[LedgerEntry], shape: tuple[int, int]) -> Figure:
    """Draw where the defects are, by kind; open circles were there at the first session.

    Parameters
    ----------
    defects
        Of a ledger.
    shape
        Rows and columns of the sensor.
    """
    figure = _figure(6.0, 6.0 * shape[0] / shape[1] + 0.6)
    axes = figure.add_subplot()
    for kind in sorted({defect.kind for defect in defects}):
        for pre_existing in (True, False):
            some = [one for one in defects if one.kind == kind and one.pre_existing is pre_existing]
            if not some:
                continue
            colour = COLOURS.get(kind, "#555555")
            axes.scatter(
                [one.column for one in some],
                [one.row for one in some],
                s=14,
                facecolors="none" if pre_existing else colour,
                edgecolors=colour,
                linewidths=0.8,
                label=f"{kind}, {'pre-existing' if pre_existing else 'arisen'} ({len(some)})",
            )
    axes.set(
        xlim=(-0.5, shape[1] - 0.5),
        ylim=(shape[0] - 0.5, -0.5),
        aspect="equal",
        xlabel="column",
        ylabel="row",
    )
    if defects:
        figure.legend(loc="outside lower center", ncols=3, fontsize=7, frameon=False)
    return figure


def growth_curve(defects: Sequence[LedgerEntry], sessions: Sequence[datetime]) -> Figure:
    """Draw the number of defects at each dark session, with the intervals of the onsets as bars.

    Parameters
    ----------
    defects
        Of a ledger.
    sessions
        Times of the dark sessions.
    """
    figure = _figure(6.0, 3.6)
    axes = figure.add_subplot()
    counts = counts_over_time(defects, sessions)
    axes.step(
        np.array([_naive(at) for at, _ in counts]),
        [count for _, count in counts],
        where="post",
        color="#c1432e",
        marker="o",
        markersize=3,
    )
    arisen = sorted(
        (one for one in defects if one.onset_after is not None), key=lambda one: one.onset_before
    )
    base = len(defects) - len(arisen)
    for number in range(0, len(arisen), max(1, len(arisen) // _MOST_INTERVALS)):
        one = arisen[number]
        axes.plot(
            np.array([_naive(at) for at in (one.onset_after, one.onset_before) if at is not None]),
            [base + number + 0.5] * 2,
            color="#2b7bba",
            alpha=0.4,
            linewidth=0.8,
        )
    axes.xaxis_date()
    axes.set(ylabel="defects", ylim=(0, max(len(defects) * 1.05, 1.0)))
    figure.autofmt_xdate()
    return figure


def response_curves(report: Linearity, error_dn: Floats | None = None) -> Figure:
    """Draw the signal of photosites against exposure, with the straight line through each.

    The lines of photosites that reach a plateau are dashed, and go through the shorter exposures.

    Parameters
    ----------
    report
        Signals of some photosites.
    error_dn
        Their standard errors, of the same shape; no error bars where None.
    """
    figure = _figure(5.0, 3.6)
    axes = figure.add_subplot()
    for number, (signal, plateau) in enumerate(zip(report.signal_dn, report.plateau, strict=True)):
        colour = "#2b7bba" if plateau else "#c1432e"
        axes.errorbar(
            report.seconds,
            signal,
            yerr=None if error_dn is None else error_dn[number],
            color=colour,
            linestyle="none",
            marker="s" if plateau else "o",
            markersize=3,
            capsize=2,
        )
        used = slice(None, -1) if plateau else slice(None)
        slope, offset = np.polyfit(report.seconds[used], signal[used], 1)
        axes.plot(
            report.seconds,
            slope * report.seconds + offset,
            color=colour,
            linestyle="--" if plateau else "-",
            linewidth=0.8,
        )
    middle = float(np.median(report.r_squared)) if len(report.r_squared) else float("nan")
    axes.set(
        xlabel="exposure x gain (s at ISO 100)",
        ylabel="signal (DN)",
        title=f"median R² of a straight line: {middle:.4f}",
    )
    return figure
