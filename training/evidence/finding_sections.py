"""The sections of a report that show what was tried on networks after the fact; draws and tells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from training.evidence.finding_figures import averages_figure, distraction_figure
from training.evidence.findings import Findings
from training.evidence.page import Picture, Section, Table, picture_of

if TYPE_CHECKING:
    from training.evidence.effects import Difference


def finding_sections(findings: Mapping[str, Findings]) -> list[Section]:
    """Return the sections on interventions, average images and distraction.

    Parameters
    ----------
    findings
        By the name of the experiment.
    """
    if not findings:
        return []
    return [
        _interventions_section(findings),
        _averages_section(findings),
        _distraction_section(findings),
    ]


def _interventions_section(findings: Mapping[str, Findings]) -> Section:
    rows = []
    for name, one in findings.items():
        if one.mask_effect is not None:
            rows.append(_row(name, "mask: accuracy", one.mask_effect.accuracy))
            rows.append(_row(name, "mask: log-odds", one.mask_effect.log_odds, in_points=False))
        if one.transplant is not None and one.transplant.excess is not None:
            rows.append(_row(name, "transplant: answers turned", one.transplant.excess))
        if one.content_swap is not None:
            rows.append(_row(name, "content swap: agreement", one.content_swap.agreement))
        if one.shift is not None:
            rows.append(_row(name, "shift: accuracy", one.shift.accuracy))
        if one.crops is not None:
            rows.append(_row(name, "crops with a defect: accuracy", one.crops.accuracy))
    untried = [
        [name, what, why] for name, one in findings.items() for what, why in one.not_tried.items()
    ]
    columns = [
        "experiment", "intervention", "with it", "control", "difference (95 %)", "p by sessions",
        "smallest p",
    ]  # fmt: skip
    return Section(
        title="Interventions",
        paragraphs=[
            (
                "Each changes the frames of the clean block in one way, held against a control"
                " of equal size on the same frames. Mask: the defects that the ledger saw arise"
                " are inpainted; control: as many sound photosites change by as much."
                " Transplant: the last class's defects are added to frames of the first;"
                " control: the same defects at random places, under which a network that counts"
                " defects turns its answers too. Content swap: another scene with the same"
                " defects; control: the same scene of another class. Shift: frames against the"
                " sensor by a few photosites, a diagnostic. Sessions that an intervention cannot"
                " change lean neither way, which bounds p."
            ),
        ],
        tables=[
            *([Table(columns, rows)] if rows else []),
            *(
                [Table(["experiment", "not tried", "because"], untried, "What was not tried")]
                if untried
                else []
            ),
        ],
    )


def _row(experiment: str, what: str, change: Difference, *, in_points: bool = True) -> list[str]:
    def told(value: float) -> str:
        return f"{value:.1%}" if in_points else f"{value:.2f}"

    scale, unit = (100, " points") if in_points else (1, "")
    return [
        experiment,
        what,
        told(change.intervention),
        told(change.control),
        (
            f"{scale * change.difference:+.1f}{unit} ({scale * change.interval.low:+.1f} to"
            f" {scale * change.interval.high:+.1f})"
        ),
        f"{change.p_value:.3g}",
        f"{change.smallest_p:.3g}",
    ]


def _averages_section(findings: Mapping[str, Findings]) -> Section:
    rows = []
    pictures: list[Picture] = []
    for name, one in findings.items():
        for noise, readings in (("no", one.averages), ("yes", one.averages_with_noise)):
            rows += [
                [name, reading.kind, noise, reading.outcome, reading.reason] for reading in readings
            ]
        if one.averages:
            pictures.append(
                picture_of(
                    averages_figure(one.averages, one.averages_with_noise),
                    f"{name}: accuracy on averages of more and more frames; dotted with the noise"
                    " of single frames added again, grey is chance by sessions.",
                )
            )
    columns = ["experiment", "averages of", "noise of single frames", "reading", "because"]
    return Section(
        title="Average images",
        paragraphs=[
            (
                "What is fixed on the sensor stays in an average of n frames, while noise and"
                " the content of different scenes go: an answer from a trace grows or holds, one"
                " from content falls to chance. Averages of one scene keep its content and tell"
                " nothing apart; mixed ones have as many frames of both classes and must be at"
                " chance. Averages are unlike what networks learned from, so that readings"
                " decide only where networks known to have learned a trace, and content, are"
                " read as what they are."
            ),
        ],
        tables=[Table(columns, rows)] if rows else [],
        pictures=pictures,
    )


def _distraction_section(findings: Mapping[str, Findings]) -> Section:
    rows = []
    pictures: list[Picture] = []
    for name, one in findings.items():
        if one.distraction is None:
            continue
        rows.append([name, "all runs", one.distraction.statement])
        rows += [
            [name, f"run {number}", single.statement]
            for number, single in enumerate(one.distraction_of_runs)
        ]
        pictures.append(
            picture_of(
                distraction_figure(one.distraction),
                f"{name}: share of right answers, and of those that name the class of the cue.",
            )
        )
    return Section(
        title="Distraction",
        paragraphs=[
            (
                "A smooth pattern of another class than the frame's own is added, stronger and"
                " stronger, in standard deviations of a frame's noise. A network's number is the"
                " strength at which half of the answers leave what it learned."
            ),
        ],
        tables=[Table(["experiment", "network", "leaves it at"], rows)] if rows else [],
        pictures=pictures,
    )
