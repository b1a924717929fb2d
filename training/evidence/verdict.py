"""What an experiment is evidence of, by rules that were declared before it ran; pure.

The rules ask in turn whether the sessions can decide at all, whether content is controlled, whether
a trace is seen on scenes and sessions that training never saw, whether it goes with content, and
whether it goes with the defects that the ledger saw arise. The session is the unit throughout.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from training.evidence.page import Check
from training.experiments.summary import EvaluationSummary, ExperimentSummary

VerdictName = Literal[
    "defect-trace-supported",
    "other-device-age-trace",
    "content-suspected",
    "no-evidence",
    "inconclusive",
]

LEVEL = 0.05
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
) -> Judgement:
    """Apply the rules to an experiment's record.

    Parameters
    ----------
    summary
        The experiment; its evaluation `clean` decides.
    standing
        The record of the dataset that it learned from.
    placebos
        Experiments on classes without an age between them, which have to be at chance.

    Raises
    ------
    ExperimentError
        If something was not judged on a clean block.
    """
    clean = summary.evaluation("clean")
    masked = _by_mask(summary, "ledger")
    spared = _by_mask(summary, "random")
    swapped = _of_block(summary, "swapped")
    own = _find(summary, "new-session")
    false_traces = [one.name for one in placebos if _is_above(one.evaluation("clean"))]
    checks = [_enough_sessions(clean), _controlled(standing), _above(clean, "a trace is seen")]
    if swapped is not None:
        checks.append(_follows_no_content(swapped))
    checks += [_placebo(one) for one in placebos]
    if masked is not None:
        checks.append(_gone(masked))
    if spared is not None:
        checks.append(_above(spared, "masking as many other photosites leaves it"))

    def answer(verdict: VerdictName, reason: str) -> Judgement:
        return Judgement(summary.name, verdict, reason, tuple(checks))

    if clean.smallest_p > LEVEL:
        return answer(
            "inconclusive",
            f"with {clean.sessions} sessions no accuracy gives a p below {clean.smallest_p:.2g}",
        )
    if false_traces:
        return answer(
            "content-suspected",
            f"classes without an age between them are told apart too: {', '.join(false_traces)}",
        )
    if swapped is not None and swapped.accuracy < swapped.chance_low:
        return answer(
            "content-suspected",
            f"where the contents of the classes are swapped, {swapped.accuracy:.0%} is right: the"
            " answers follow the scenes",
        )
    if not _is_above(clean):
        if standing.obstacle is not None and own is not None and _is_above(own):
            return answer(
                "content-suspected",
                "its own scenes are told apart in new sessions, and nothing on new scenes",
            )
        return answer("no-evidence", "nothing above chance on new scenes in new sessions")
    if standing.obstacle is not None:
        return answer(
            "content-suspected",
            f"above chance, and {standing.obstacle}: what tells the classes apart need not be age",
        )
    if masked is None or spared is None:
        return answer(
            "inconclusive",
            "above chance, and not tried with the ledger's defects masked beside a random mask:"
            " whether it is defects is open",
        )
    if not _is_above(spared):
        return answer(
            "inconclusive", "masking as many other photosites removes it too: masking itself harms"
        )
    if _is_above(masked):
        return answer(
            "other-device-age-trace",
            "it survives masking the defects that the ledger saw arise, and every control of"
            " content that was made",
        )
    return answer(
        "defect-trace-supported",
        "it goes with the defects that the ledger saw arise, and stays when as many others go",
    )


def _is_above(one: EvaluationSummary) -> bool:
    return one.verdict == "above-chance"


def _find(summary: ExperimentSummary, name: str) -> EvaluationSummary | None:
    return next((one for one in summary.evaluations if one.evaluation == name), None)


def _named(summary: ExperimentSummary, key: str, value: str) -> EvaluationSummary | None:
    """Return the evaluation whose specification has such a value."""
    for one in summary.specification.get("evaluations", []):
        found = (one.get("mask") or {}).get("by") if key == "mask" else one.get(key)
        if found == value and (key != "mask" or one.get("block") == "clean"):
            return _find(summary, one["name"])
    return None


def _by_mask(summary: ExperimentSummary, by: str) -> EvaluationSummary | None:
    return _named(summary, "mask", by)


def _of_block(summary: ExperimentSummary, block: str) -> EvaluationSummary | None:
    return _named(summary, "block", block)


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
    holds = None if one.verdict == "inconclusive" else _is_above(one)
    return Check(f"{statement} ({one.evaluation})", _measured(one), "above chance", holds)


def _gone(one: EvaluationSummary) -> Check:
    holds = None if one.verdict == "inconclusive" else not _is_above(one)
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
    holds = None if clean.verdict == "inconclusive" else not _is_above(clean)
    return Check(
        f"classes without an age between them are not told apart ({summary.name})",
        _measured(clean),
        "not above chance",
        holds,
    )
