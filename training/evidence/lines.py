"""The lines of a verdict that speak of findings: measured, required, whether it holds. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from training.evidence.average_reading import AverageReading
from training.evidence.effects import Difference
from training.evidence.findings import Findings
from training.evidence.page import Check
from training.evidence.rules import LEVEL
from training.evidence.saliency_lines import saliency_lines
from training.statistics import Interval

TELLING_AVERAGES = ("same-class-different-scenes", "class-minus-global", "residual")
"""The kinds by which a trace and content part; averages of one scene keep its content."""


def baseline_lines(findings: Findings) -> list[Check]:
    """Say what classifiers tell that cannot see age."""
    if not findings.baselines:
        return [
            Check(
                "what cannot see age tells nothing",
                "no audit is recorded",
                "`agetrace dataset audit`, and no baseline above chance",
                None,
            )
        ]
    return [
        Check(
            f"{one.name} alone tells nothing (clean)",
            "could not be tried"
            if one.accuracy is None or one.p_corrected is None
            else f"{one.accuracy:.1%}, corrected p = {one.p_corrected:.3g}",
            "not above chance",
            _failing(one.verdict),
        )
        for one in findings.baselines
    ]


def _failing(verdict: str) -> bool | None:
    return {"pass": True, "fail": False}.get(verdict)


def telling_baselines(findings: Findings) -> list[str]:
    """Return the baselines that tell the classes of the clean block apart."""
    return [one.name for one in findings.baselines if one.verdict == "fail"]


def as_good_baselines(findings: Findings, accuracy: float) -> list[str]:
    """Return the baselines that are right at least as often on the clean block."""
    return [
        one.name
        for one in findings.baselines
        if one.accuracy is not None and one.accuracy >= accuracy
    ]


def finding_lines(
    findings: Findings, calibration: Mapping[str, AverageReading] | None = None
) -> list[Check]:
    """Say what was found beyond accuracies, a line each.

    Parameters
    ----------
    findings
        What was tried.
    calibration
        By kind, the readings of averages as `calibrated` left them; None where nothing known was
        read.
    """
    lines = _ledger_lines(findings)
    if findings.mask_effect is not None:
        change = findings.mask_effect.accuracy
        lines.append(
            Check(
                "masking the defects takes more than changing as many sound photosites by as much",
                f"{_points(change)}; {change.intervention:.1%} against {change.control:.1%}",
                "below 0",
                _below_zero(change.interval),
            )
        )
    if findings.transplant is not None:
        lines.append(_transplant_line(findings))
    if findings.content_swap is not None:
        change = findings.content_swap.agreement
        decided = change.p_value <= LEVEL
        lines.append(
            Check(
                "answers stay with the defects when the scene changes, not with the scene",
                f"{change.intervention:.1%} agree within a session, {change.control:.1%} with the"
                f" same scene of another class: {_points(change)}",
                "above 0",
                change.difference > 0 if decided else None,
            )
        )
    if findings.crops is not None:
        change = findings.crops.accuracy
        held = None
        if not change.interval.low <= 0 <= change.interval.high:
            held = change.difference > 0
        lines.append(
            Check(
                "crops that show a defect of the ledger are recognised better than others",
                f"{change.intervention:.1%} against {change.control:.1%} of crops;"
                f" {findings.crops.share_with:.0%} of them show one: {_points(change)}",
                "above 0",
                held,
                decides=False,
            )
        )
    return [
        *lines,
        *_average_lines(findings, calibration),
        *_diagnostic_lines(findings),
        *saliency_lines(findings.saliency),
    ]


def _ledger_lines(findings: Findings) -> list[Check]:
    return [
        Check(
            f"defects arose between the classes ({one.serial})",
            f"{one.arisen} of {one.new} that arose under watch, {one.known} in the ledger",
            "at least one",
            one.arisen > 0,
            decides=False,
        )
        for one in findings.cameras
    ]


def _transplant_line(findings: Findings) -> Check:
    flips = findings.transplant
    assert flips is not None
    statement = "frames of the first class are taken for the last with its defects added"
    required = "more than half"
    if flips.rate is None or flips.interval is None or flips.control_rate is None:
        return Check(statement, "no right answer that could turn", required, None)
    held = None
    if not flips.interval.low <= 0.5 <= flips.interval.high:
        held = flips.rate > 0.5
    return Check(
        statement,
        f"{flips.rate:.1%} ({flips.interval.low:.1%} to {flips.interval.high:.1%}) of"
        f" {flips.answers} right answers of {flips.sessions} sessions; with as many defects"
        f" elsewhere {flips.control_rate:.1%}",
        required,
        held,
    )


def _average_lines(
    findings: Findings, calibration: Mapping[str, AverageReading] | None
) -> list[Check]:
    lines = []
    for reading in findings.averages:
        stands = None if calibration is None else calibration.get(reading.kind)
        if reading.kind == "mixed":
            held = {"nothing": True, "trace": False, "content": False, "undecided": False}.get(
                reading.outcome
            )
            required = "nothing: both classes are in each"
        else:
            held = None
            if stands is not None:
                held = {"trace": True, "content": False}.get(stands.outcome)
            required = "grows or holds, where known cases are read as what they are"
        lines.append(
            Check(
                f"averages of frames keep the answer ({reading.kind})",
                _reading(reading, stands),
                required,
                held,
                decides=reading.kind in TELLING_AVERAGES and stands is not None,
            )
        )
    return lines


def _reading(reading: AverageReading, stands: AverageReading | None) -> str:
    said = f"{reading.outcome}: {reading.reason}"
    if stands is None:
        return f"{said}; not calibrated"
    if stands.outcome == "uncalibrated":
        return f"{said}; uncalibrated: {stands.reason}"
    return f"{said}; calibrated"


def _diagnostic_lines(findings: Findings) -> list[Check]:
    lines = []
    if findings.shift is not None:
        change = findings.shift.accuracy
        lines.append(
            Check(
                "a shift against the sensor (diagnostic)",
                f"{_points(change)}; {change.intervention:.1%} against {change.control:.1%}",
                "none: what knows coordinates falls, what counts defects does not",
                None,
                decides=False,
            )
        )
    if findings.distraction is not None:
        single = [one.statement for one in findings.distraction_of_runs]
        lines.append(
            Check(
                "the cue for which the networks leave what they learned (diagnostic)",
                f"{findings.distraction.statement}; by run: {'; '.join(single)}",
                "none: the stronger the better",
                None,
                decides=False,
            )
        )
    return lines


def _points(change: Difference) -> str:
    return (
        f"{100 * change.difference:+.1f} points ({100 * change.interval.low:+.1f} to"
        f" {100 * change.interval.high:+.1f}), p = {change.p_value:.3g} by sessions"
    )


def _below_zero(interval: Interval) -> bool | None:
    if interval.low <= 0 <= interval.high:
        return None
    return interval.high < 0
