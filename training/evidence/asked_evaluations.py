"""The evaluations of an experiment that a verdict looks for, and what masking took away; pure."""

from __future__ import annotations

from dataclasses import dataclass

from training.evidence.findings import Findings
from training.evidence.rules import TRACE_LEVEL
from training.experiments.summary import EvaluationSummary, ExperimentSummary

LEAST_SHARE_REMOVED = 0.5
"""Of what is above the middle of chance under the random mask, the least share that masking the
defects has to take away: one at chance and the other not is no difference by itself."""


def is_above(one: EvaluationSummary) -> bool:
    """Tell whether it is above chance by its sessions."""
    return one.verdict == "above-chance"


def find_evaluation(summary: ExperimentSummary, name: str) -> EvaluationSummary | None:
    """Return the evaluation of this name; None where there is none."""
    return next((one for one in summary.evaluations if one.evaluation == name), None)


def _named(summary: ExperimentSummary, key: str, value: str) -> EvaluationSummary | None:
    """Return the evaluation whose specification has such a value."""
    for one in summary.specification.get("evaluations", []):
        found = (one.get("mask") or {}).get("by") if key == "mask" else one.get(key)
        if found == value and (key != "mask" or one.get("block") == "clean"):
            return find_evaluation(summary, one["name"])
    return None


def _by_mask(summary: ExperimentSummary, by: str) -> EvaluationSummary | None:
    return _named(summary, "mask", by)


def of_block(summary: ExperimentSummary, block: str) -> EvaluationSummary | None:
    """Return the evaluation that the specification asks for on a block; None where it does not."""
    return _named(summary, "block", block)


@dataclass(frozen=True)
class Masks:
    """Answers to the clean block without the ledger's defects, and with as many others changed.

    Attributes
    ----------
    masked
        With the defects masked; None where that was not tried.
    spared
        With as many sound photosites changed instead.
    """

    masked: EvaluationSummary | None
    spared: EvaluationSummary | None

    @property
    def take_enough(self) -> bool:
        """Whether masking the defects takes at least the share that has to go."""
        if self.masked is None or self.spared is None:
            return False
        middle = (self.spared.chance_low + self.spared.chance_high) / 2
        taken = self.spared.accuracy - self.masked.accuracy
        return taken >= LEAST_SHARE_REMOVED * (self.spared.accuracy - middle)

    @property
    def take_all_but_chance(self) -> bool:
        """Whether the answers go with the defects, and surely stay under the control."""
        if self.masked is None or self.spared is None:
            return False
        stays = is_above(self.spared) and self.spared.p_value <= TRACE_LEVEL
        return stays and self.masked.verdict == "at-chance" and self.take_enough


def masks_of(summary: ExperimentSummary, findings: Findings) -> Masks:
    """Return the masks that were found out after the fact, or those of the specification.

    The former have a control of equal number and amplitude, the latter of equal number.
    """
    if findings.masked is not None and findings.mask_control is not None:
        return Masks(findings.masked, findings.mask_control)
    return Masks(_by_mask(summary, "ledger"), _by_mask(summary, "random"))
