"""What an experiment is evidence of, by rules that were declared before it ran; pure.

The rules ask in turn whether the sessions can decide at all, whether content is controlled, whether
a trace is seen on scenes and sessions that training never saw, whether it goes with content, and
whether it goes with the defects that the ledger saw arise. The session is the unit throughout.
Lines that decide nothing are told beside those that do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from training.evidence.asked_evaluations import Masks, find_evaluation, is_above, masks_of, of_block
from training.evidence.average_reading import AverageReading
from training.evidence.findings import Findings
from training.evidence.lines import (
    TELLING_AVERAGES,
    as_good_baselines,
    baseline_lines,
    finding_lines,
    telling_baselines,
)
from training.evidence.page import Check
from training.evidence.rules import LEVEL, TRACE_LEVEL
from training.experiments.summary import EvaluationSummary, ExperimentSummary

VerdictName = Literal[
    "defect-trace-supported",
    "other-device-age-trace",
    "content-suspected",
    "no-evidence",
    "inconclusive",
]

_CONTENT_CONSTRAINTS = ("same-scenes", "same-settings", "same-counts")


@dataclass(frozen=True)
class DatasetStanding:
    """What a dataset's record says of its content control.

    Attributes
    ----------
    name
        Of the dataset.
    audit
        Verdict of its newest audit; None where there is none.
    forced
        Why it was frozen although its audit failed; None where it was not.
    waived
        Names of the constraints that were not enforced.
    uncontrolled
        Whether its frames share no scenes at all.
    """

    name: str
    audit: str | None
    forced: str | None
    waived: tuple[str, ...]
    uncontrolled: bool

    @property
    def obstacle(self) -> str | None:
        """Why no accuracy on its own blocks can be credited to age; None where one can."""
        if self.uncontrolled:
            return "its frames share no scenes"
        broken = [name for name in _CONTENT_CONSTRAINTS if name in self.waived]
        if broken:
            return f"{', '.join(broken)} waived"
        if self.forced is not None:
            return f"frozen against its audit: {self.forced}"
        if self.audit == "fail":
            return "its audit fails"
        return None


@dataclass(frozen=True)
class Judgement:
    """The verdict on an experiment.

    Attributes
    ----------
    experiment
        Its name.
    verdict
        In a word of `VerdictName`.
    reason
        In a sentence.
    checks
        Every rule with what was measured, what it would have to be, and whether it holds.
    """

    experiment: str
    verdict: VerdictName
    reason: str
    checks: tuple[Check, ...]

    def to_json(self) -> dict[str, Any]:
        """Return everything as one JSON document."""
        return asdict(self)


def judge(
    summary: ExperimentSummary,
    standing: DatasetStanding,
    placebos: Sequence[ExperimentSummary] = (),
    findings: Findings | None = None,
    calibration: Mapping[str, AverageReading] | None = None,
) -> Judgement:
    """Apply the rules to an experiment's record and to what was found out about it since.

    Parameters
    ----------
    summary
        The experiment; its evaluation `clean` decides.
    standing
        The record of the dataset that it learned from.
    placebos
        Experiments on classes without an age between them, which have to be at chance.
    findings
        What was tried on its networks after the fact; None where nothing was.
    calibration
        By kind, readings of average images as `calibrated` left them; None where no networks that
        are known to have learned a trace, and content, were read.

    Raises
    ------
    ExperimentError
        If something was not judged on a clean block.
    """
    found = findings or Findings()
    clean = summary.evaluation("clean")
    swapped = of_block(summary, "swapped")
    masks = masks_of(summary, found)
    checks = [
        _enough_sessions(clean),
        _controlled(standing),
        _above(clean, "a trace is seen"),
        _beyond_doubt(clean),
        *_block_lines(summary),
        *baseline_lines(found),
    ]
    if swapped is not None:
        checks.append(_follows_no_content(swapped))
    checks += [_placebo(one) for one in placebos]
    if masks.masked is not None:
        checks.append(_gone(masks.masked))
    if masks.spared is not None:
        checks.append(_above(masks.spared, "masking as many other photosites leaves it"))
    checks += finding_lines(found, calibration)

    def answer(verdict: VerdictName, reason: str) -> Judgement:
        return Judgement(summary.name, verdict, reason, tuple(checks))

    if clean.smallest_p > LEVEL:
        return answer(
            "inconclusive",
            f"with {clean.sessions} sessions no accuracy gives a p below {clean.smallest_p:.2g}",
        )
    content = _content(summary, standing, placebos, found, calibration, masks)
    if content is not None:
        return answer("content-suspected", content)
    if not is_above(clean):
        return answer("no-evidence", "nothing above chance on new scenes in new sessions")
    if clean.p_value > TRACE_LEVEL:
        return answer(
            "inconclusive",
            f"above chance at p = {clean.p_value:.2g} by {clean.sessions} sessions; a trace is"
            f" claimed at {TRACE_LEVEL} or less",
        )
    return answer(*_kind_of_trace(clean, masks, found))


def _content(
    summary: ExperimentSummary,
    standing: DatasetStanding,
    placebos: Sequence[ExperimentSummary],
    findings: Findings,
    calibration: Mapping[str, AverageReading] | None,
    masks: Masks,
) -> str | None:
    """Return why content is suspected; None where it is not."""
    clean = summary.evaluation("clean")
    false_traces = [one.name for one in placebos if is_above(one.evaluation("clean"))]
    if false_traces:
        return f"classes without an age between them are told apart too: {', '.join(false_traces)}"
    swapped = of_block(summary, "swapped")
    if swapped is not None and swapped.accuracy < swapped.chance_low:
        return (
            f"where the contents of the classes are swapped, {swapped.accuracy:.0%} is right: the"
            " answers follow the scenes"
        )
    if not is_above(clean):
        own = find_evaluation(summary, "new-session")
        if standing.obstacle is not None and own is not None and is_above(own):
            return "its own scenes are told apart in new sessions, and nothing on new scenes"
        return None
    if standing.obstacle is not None:
        return (
            f"above chance, and {standing.obstacle}: what tells the classes apart need not be age"
        )
    telling = telling_baselines(findings)
    # frames whose defects are masked keep their light and colour: what is lost with the defects
    # did not rest on these
    if telling and not masks.take_all_but_chance:
        return f"what cannot see age tells the classes apart too: {', '.join(telling)}"
    swap = findings.content_swap
    if swap is not None and swap.agreement.p_value <= LEVEL and swap.agreement.difference < 0:
        return "the answers stay with the scene and not with the defects"
    fallen = [
        kind
        for kind, reading in (calibration or {}).items()
        if kind in TELLING_AVERAGES and reading.outcome == "content"
    ]
    if fallen:
        return f"averages of frames lose the answer, as content does: {', '.join(fallen)}"
    return None


def _kind_of_trace(
    clean: EvaluationSummary, masks: Masks, findings: Findings
) -> tuple[VerdictName, str]:
    """Tell a trace in the ledger's defects from another one."""
    masked, spared = masks.masked, masks.spared
    if masked is None or spared is None:
        return _open(
            "above chance, and masking the ledger's defects was not tried beside a random mask:"
            " whether it is defects is open"
        )
    if not is_above(spared):
        return _open("masking as many other photosites removes it too: masking itself harms")
    if is_above(masked):
        if not any(one.verdict == "pass" for one in findings.baselines):
            return _open(
                "it survives masking the defects that the ledger saw arise, and no audit says"
                " whether what cannot see age would tell as much"
            )
        equal = as_good_baselines(findings, clean.accuracy)
        if equal:
            return _open(
                "it survives masking the defects that the ledger saw arise, and what cannot see age"
                f" is right as often: {', '.join(equal)}"
            )
        return "other-device-age-trace", (
            "it survives masking the defects that the ledger saw arise, and every control of"
            " content that was made"
        )
    if not masks.take_enough:
        return _open(
            "masking the ledger's defects takes too little away to tell it from the random mask"
        )
    flips = findings.transplant
    if flips is not None and flips.interval is not None and flips.interval.high < 0.5:
        return _open(
            "it goes with the ledger's defects, and adding them to frames without does not turn the"
            " answers"
        )
    return "defect-trace-supported", (
        "it goes with the defects that the ledger saw arise, and stays when as many others go"
    )


def _open(reason: str) -> tuple[VerdictName, str]:
    return "inconclusive", reason


def _block_lines(summary: ExperimentSummary) -> list[Check]:
    """Say what the other blocks show: what falls from one to the next is scenes, or sessions."""
    said = {
        "new-session": "new sessions of scenes that training saw",
        "new-scene": "new scenes of sessions that training saw",
    }
    return [
        Check(f"{meaning} ({name})", _measured(one), "none", None, decides=False)
        for name, meaning in said.items()
        if (one := find_evaluation(summary, name)) is not None
    ]


def _measured(one: EvaluationSummary) -> str:
    return (
        f"{one.accuracy:.1%} of {one.images} images, chance {one.chance_low:.1%} to"
        f" {one.chance_high:.1%}, p = {one.p_value:.3g} by {one.sessions} sessions"
    )


def _enough_sessions(clean: EvaluationSummary) -> Check:
    return Check(
        "the sessions can decide",
        f"the smallest p of {clean.sessions} sessions is {clean.smallest_p:.3g}",
        f"at most {LEVEL}",
        clean.smallest_p <= LEVEL,
    )


def _controlled(standing: DatasetStanding) -> Check:
    said = standing.obstacle or f"controlled, audit {standing.audit or 'none recorded'}"
    holds = standing.obstacle is None
    return Check(
        f"content is controlled in {standing.name}",
        said,
        "same scenes, settings and counts, audit not failed",
        None if holds and standing.audit is None else holds,
    )


def _above(one: EvaluationSummary, statement: str) -> Check:
    holds = None if one.verdict == "inconclusive" else is_above(one)
    return Check(f"{statement} ({one.evaluation})", _measured(one), "above chance", holds)


def _beyond_doubt(clean: EvaluationSummary) -> Check:
    return Check(
        "the trace is beyond doubt (clean)",
        f"p = {clean.p_value:.3g}",
        f"at most {TRACE_LEVEL}",
        clean.p_value <= TRACE_LEVEL if is_above(clean) else None,
    )


def _gone(one: EvaluationSummary) -> Check:
    holds = None if one.verdict == "inconclusive" else not is_above(one)
    return Check(
        f"masking the ledger's defects removes it ({one.evaluation})",
        _measured(one),
        "not above chance",
        holds,
    )


def _follows_no_content(one: EvaluationSummary) -> Check:
    return Check(
        f"answers do not follow swapped contents ({one.evaluation})",
        _measured(one),
        f"at least {one.chance_low:.1%}",
        one.accuracy >= one.chance_low,
    )


def _placebo(summary: ExperimentSummary) -> Check:
    clean = summary.evaluation("clean")
    holds = None if clean.verdict == "inconclusive" else not is_above(clean)
    return Check(
        f"classes without an age between them are not told apart ({summary.name})",
        _measured(clean),
        "not above chance",
        holds,
    )
