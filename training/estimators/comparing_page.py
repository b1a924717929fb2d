"""The comparison of estimators as one page; draws, never computes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from training.estimators.comparing import Comparison, Standing
from training.estimators.estimating import Compared
from training.evidence.page import Section, Table, picture_of, render_page

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_CLASSICAL, _NETWORK, _SUSPECT, _CHANCE = "#4477aa", "#228833", "#aa3377", "#d9d9d9"


def comparing_page(compared: Compared) -> str:
    """Return the comparison as one self-contained HTML page."""
    comparison, lineage = compared.comparison, compared.lineage
    lead = (
        f"{comparison.sentence[0].upper()}{comparison.sentence[1:]}. Block {comparison.block} of"
        f" dataset {lineage['dataset']}, camera {lineage['camera']['serial']}; sessions are the"
        " unit."
    )
    columns = list(comparison.rows()[0])
    rows = [[str(row[name]) for name in columns] for row in comparison.rows()]
    caption = (
        "Accuracy with its interval by sessions (95 %); grey, what chance does not rule out."
        " Images that an estimator says nothing of count as wrong."
    )
    sections = [
        Section(
            "Accuracy by sessions",
            tables=[Table([name.replace("_", " ") for name in columns], rows)],
            pictures=[picture_of(comparing_figure(comparison), caption)],
        ),
        Section(
            "Confusion",
            tables=[_confusion(comparison, one) for one in comparison.standings],
        ),
    ]
    if compared.candidates:
        sections.append(_candidates(compared))
    sections.append(
        Section(
            "Lineage",
            tables=[
                Table(("what", "value"), [(name, str(value)) for name, value in lineage.items()])
            ],
        )
    )
    return render_page(f"Age estimators on {lineage['dataset']}", lead, sections)


def comparing_figure(comparison: Comparison) -> Figure:
    """Draw each estimator's accuracy with its interval, beside chance."""
    from matplotlib.figure import Figure

    standings = comparison.standings[::-1]
    figure = Figure(figsize=(7.5, 1.2 + 0.45 * len(standings)), layout="constrained")
    axes = figure.add_subplot()
    for place, one in enumerate(standings):
        width = one.chance.high - one.chance.low
        axes.barh(place, width, left=one.chance.low, height=0.7, color=_CHANCE)
        axes.plot([one.interval.low, one.interval.high], [place, place], color=_colour(one))
        axes.plot(one.accuracy, place, "o", color=_colour(one))
    axes.set_yticks(range(len(standings)), [one.name for one in standings])
    axes.set_xlim(0, 1.02)
    axes.set_xlabel("accuracy")
    return figure


def _colour(one: Standing) -> str:
    if one.is_suspect:
        return _SUSPECT
    return _NETWORK if one.kind == "network" else _CLASSICAL


def _confusion(comparison: Comparison, one: Standing) -> Table:
    columns = ["true timeslot", *comparison.class_names, "no answer"]
    rows = [
        [name, *(str(count) for count in counts)]
        for name, counts in zip(comparison.class_names, one.confusion, strict=True)
    ]
    return Table(columns, rows, f"{one.name}: named timeslot, all runs together")


def _candidates(compared: Compared) -> Section:
    columns = ("estimator", *next(iter(compared.candidates.values())))
    rows = [
        [
            name,
            *(f"{value:.3g}" if isinstance(value, float) else str(value) for value in one.values()),
        ]
        for name, one in compared.candidates.items()
    ]
    return Section(
        "Photosites against the ledger",
        paragraphs=["An estimator that tells age from photosites without a defect reads content."],
        tables=[Table([name.replace("_", " ") for name in columns], rows)],
    )
