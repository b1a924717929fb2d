"""The section of a report that shows where networks look, by every method; draws and tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from training.evidence.findings import Findings
from training.evidence.page import Picture, Section, Table, picture_of
from training.evidence.saliency_findings import ExampleCrop, MapsFinding, Superimposed
from training.saliency.overlays import overlay_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLUMNS = [
    "experiment", "camera", "method", "within classes", "across", "p", "no shared scene",
    "scene told from map", "edges", "luminance", "AUC at defects", "p at defects",
    "fresh weights", "other labels", "agrees with first",
]  # fmt: skip


def saliency_finding_sections(findings: Mapping[str, Findings]) -> list[Section]:
    """Return the section on maps by every method; none where nothing was mapped.

    Parameters
    ----------
    findings
        By the name of the experiment.
    """
    rows: list[list[str]] = []
    refused: list[list[str]] = []
    pictures: list[Picture] = []
    for name, one in findings.items():
        found = one.saliency
        if found is None:
            continue
        rows += [[name, *_row(maps)] for maps in found.methods]
        refused += [[name, method, why] for method, why in found.not_mapped.items()]
        pictures += [_superimposed_picture(name, over) for over in found.superimposed]
        pictures += [
            _overlay_picture(name, example, found.of_class) for example in _shown(found.examples)
        ]
    if not rows and not refused:
        return []
    return [
        Section(
            title="Maps by every method",
            paragraphs=[
                (
                    "The same crops of the clean block, mapped by every method for every run:"
                    " evidence for the last class, in frames of all classes. Within and across"
                    " classes: mean correlation of two runs' class-mean maps, p against classes"
                    " shuffled within scenes. No shared scene: the same correlation between"
                    " halves without a common scene, over that with the same scenes; near 1 for"
                    " a trace, near 0 for content. Scene told from map: share of images, with"
                    " chance. Edges, luminance: correlation of maps with the picture. Fresh"
                    " weights and other labels: rank correlation with the maps of networks that"
                    " know nothing. Constancy across runs alone does not detect networks that"
                    " read content; none of this decides the verdict."
                )
            ],
            tables=[
                *([Table(_COLUMNS, rows)] if rows else []),
                *(
                    [Table(["experiment", "method", "because"], refused, "What was not mapped")]
                    if refused
                    else []
                ),
            ],
            pictures=pictures,
        )
    ]


def _shown(examples: Sequence[ExampleCrop]) -> list[ExampleCrop]:
    """Return one example of each class by the first method, and all methods of the last class."""
    titles = [one.title for one in examples]
    first = {title.rsplit(", ", 1)[0] for title in titles[:1]}
    last = titles[-1].rsplit(", ", 1)[0] if titles else ""
    head = [one for one in examples if one.title.rsplit(", ", 1)[0] in first][:1]
    return head + [one for one in examples if one.title.rsplit(", ", 1)[0] == last]


def _row(one: MapsFinding) -> list[str]:
    constancy, independence = one.constancy, one.independence
    recognition = independence.recognition
    hits = one.hits
    at = None if hits is None else hits.at_radii[0 if one.cell_photosites == 1 else -1]
    shared = None
    if constancy.other_scenes is not None and constancy.same_scenes:
        shared = constancy.other_scenes / constancy.same_scenes
    other = one.other_labels
    return [
        one.camera,
        one.method,
        _told(constancy.within_class),
        _told(constancy.across_classes),
        _told(constancy.p_value, 3),
        _told(shared),
        "not defined"
        if recognition is None
        else f"{recognition.accuracy:.0%} (chance {recognition.chance:.0%})",
        _told(None if independence.edges is None else independence.edges.correlation),
        _told(None if independence.luminance is None else independence.luminance.correlation),
        _told(None if hits is None else hits.auc),
        _told(None if at is None else at.hit_p_value, 3),
        _told(one.randomised_weights.rank_correlation),
        _told(None if other is None else other.rank_correlation),
        _told(one.agreement),
    ]


def _told(value: float | None, digits: int = 2) -> str:
    return (
        "not defined" if value is None else f"{value:.{digits}g}" if digits > 2 else f"{value:.2f}"
    )


def _superimposed_picture(name: str, one: Superimposed) -> Picture:
    return picture_of(
        superimposed_figure(one),
        f"{name}, camera {one.camera}: {one.method} for an image's own class, mean over the"
        " correctly predicted crops of each class (rows) and run (columns).",
    )


def _overlay_picture(name: str, one: ExampleCrop, of_class: str) -> Picture:
    figure = overlay_figure(one.original, one.residual, one.map, one.defects)
    return picture_of(
        figure,
        f"{name}: {one.title}: the crop, its median residual, the evidence for {of_class} (mean of"
        " the runs), and both together with the defects that the ledger saw arise.",
        dots_per_inch=90,
    )


def superimposed_figure(one: Superimposed) -> Figure:
    """Draw a map for every class (row) and run (column), on one scale for each run."""
    from matplotlib.figure import Figure

    runs, classes = one.maps.shape[:2]
    figure = Figure(figsize=(1.2 * runs + 1, 1.3 * classes + 0.4), layout="constrained")
    grid = figure.subplots(classes, runs, squeeze=False)
    for run in range(runs):
        of_run = one.maps[run]
        known = of_run[np.isfinite(of_run)]
        low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
        for label in range(classes):
            axes = grid[label, run]
            axes.imshow(of_run[label], cmap="magma", vmin=low, vmax=high)
            axes.set_xticks([])
            axes.set_yticks([])
            axes.set_xlabel(f"{one.crops[run, label]} crops", fontsize=6)
            if not label:
                axes.set_title(f"run {one.runs[run]}", fontsize=8)
            if not run:
                axes.set_ylabel(one.class_names[label], fontsize=8)
    return figure
