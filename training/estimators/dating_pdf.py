"""The report on one dated image as a single A4 page."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from training.estimators.dated_file import DatedFile
from training.estimators.dating_figures import draw_likelihood, draw_photosites
from training.estimators.dating_page import (
    PHOTOSITE_COLUMNS,
    control_checks,
    lineage_rows,
    photosite_rows,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_A4_INCHES = (8.27, 11.69)
_WIDTH = 125
"""Characters of a line of small text."""

_MOST_PHOTOSITES = 10
_COLUMN_WIDTHS = [0.15, 0.29, 0.14, 0.14, 0.14, 0.14]


def dating_pdf(dated: Sequence[DatedFile]) -> bytes:
    """Return a PDF with one page for each file; the same answer gives the same bytes."""
    from matplotlib.backends.backend_pdf import PdfPages

    buffer = io.BytesIO()
    with PdfPages(buffer, metadata={"CreationDate": None, "Producer": None}) as pages:
        for one in dated:
            pages.savefig(_page(one))
    return buffer.getvalue()


def _page(dated: DatedFile) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=_A4_INCHES)
    figure.text(0.08, 0.955, f"Date of {dated.name}", fontsize=15, weight="bold", va="top")
    figure.text(0.08, 0.925, _wrapped(dated.sentence + ".", 88), fontsize=10.5, va="top")
    top = 0.88
    if dated.estimate is not None:
        upper = figure.add_axes((0.13, 0.69, 0.79, 0.18))
        lower = figure.add_axes((0.13, 0.56, 0.79, 0.11), sharex=upper)
        draw_likelihood(upper, dated.estimate)
        draw_photosites(lower, dated.estimate)
        upper.tick_params(labelbottom=False)
        rows = photosite_rows(dated.estimate, _MOST_PHOTOSITES)
        others = len(dated.estimate.evidence) - len(rows)
        title = "Photosites, the most telling first" + (f" ({others} more)" if others else "")
        _table(figure.add_axes((0.08, 0.345, 0.84, 0.155)), title, PHOTOSITE_COLUMNS, rows)
        _lines(
            figure,
            0.325,
            "Controls",
            [
                f"{check.statement}: {check.measured}; required: {check.required}: {check.word}"
                for check in control_checks(dated)
            ],
        )
        top = 0.235
    probabilities = ", ".join(
        f"{name} {value:.1%}" for name, value in dated.timeslot.probabilities.items()
    )
    lines = [f"timeslots: {probabilities}", *dated.notes]
    lines += [f"{name}: {value}" for name, value in lineage_rows(dated)]
    _lines(figure, top, "Lineage", lines)
    return figure


def _lines(figure: Figure, top: float, title: str, lines: Sequence[str]) -> None:
    figure.text(0.08, top, title, fontsize=10, weight="bold", va="top")
    text = "\n".join(_wrapped(line, _WIDTH) for line in lines)
    figure.text(0.08, top - 0.018, text, fontsize=7.2, va="top", linespacing=1.35)


def _table(axes: Axes, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    axes.set_axis_off()
    axes.set_title(title, fontsize=10, weight="bold", loc="left")
    if not rows:
        axes.text(0, 0.8, "No photosite of this camera went bad within the trusted images.")
        return
    table = axes.table(
        cellText=[list(row) for row in rows], colLabels=list(columns), loc="upper center",
        cellLoc="left", edges="horizontal", colWidths=_COLUMN_WIDTHS,
    )  # fmt: skip
    table.auto_set_font_size(False)
    table.set_fontsize(7.2)


def _wrapped(text: str, width: int) -> str:
    return textwrap.fill(text, width, subsequent_indent="    ")
