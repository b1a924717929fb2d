"""Which rules a dataset is audited by, and how each turns numbers into a verdict; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import sqrt
from typing import Final

from datastore.datasets.auditing.baselines import PIXEL_BASELINES, TABULAR_BASELINES
from datastore.datasets.auditing.facts import ItemFacts
from datastore.datasets.auditing.relabelling import Relabellings
from datastore.datasets.auditing.report import (
    Association,
    AuditParameters,
    AuditVerdict,
    BaselineResult,
    Duplicates,
    RuleResult,
    RuleVerdict,
)

MAY_BE_AGE: Final = frozenset(
    {"black_level_dn", "clipped_share", "sharpness", "dark_level_dn", "focus_ratio"}
)
"""Measures that ageing itself may move: hot photosites clip. Associated with the label they are
told and held against nobody; light that moved them would move the mean and the baselines, too."""

NOT_IN_THE_PICTURE: Final = frozenset(
    {
        "attempt",
        "clock_skew_s",
        "clock_source",
        "fixture_revision",
        "operator",
        "recipe",
        "session_position",
        "since_last_shot_s",
        "since_opened_s",
        "time_source",
    }
)
"""Circumstances that no photosite records: associated with the label they warn. What they did to
the frames is for the measures, the drift and the baselines to find."""

_ORDER: Final[tuple[RuleVerdict, ...]] = ("pass", "not-run", "inconclusive", "warn", "fail")


def worst(verdicts: Sequence[RuleVerdict]) -> RuleVerdict:
    """Return the worst of some verdicts; `pass` of none."""
    return max(verdicts, key=_ORDER.index, default="pass")


def overall(rules: Sequence[RuleResult]) -> AuditVerdict:
    """Return a dataset's verdict: what was not decided or not run is a warning."""
    found = worst([rule.verdict for rule in rules])
    if found in ("pass", "fail"):
        return "pass" if found == "pass" else "fail"
    return "warn"


def rule_of_content(facts: ItemFacts) -> RuleResult:
    """Say whether content could be controlled at all."""
    if facts.natural:
        return RuleResult(
            "content",
            "warn",
            "Natural frames share no scenes: their content is uncontrolled, and only sessions are"
            " kept apart.",
            {},
        )
    return RuleResult("content", "pass", "Every frame shows a scene of a fixture.", {})


def rule_of_sessions(
    facts: ItemFacts, relabellings: Relabellings, parameters: AuditParameters
) -> RuleResult:
    """Say whether there are sessions enough for any association to be significant."""
    smallest = relabellings.smallest_p_of_association
    numbers: dict[str, float | int | str | None] = {
        "sessions": len(facts.session_names),
        "smallest_p": smallest,
    }
    if smallest > parameters.alpha:
        return RuleResult(
            "sessions",
            "inconclusive",
            f"{len(facts.session_names)} sessions permit no p-value below {smallest:.3g}: whether a"
            " nuisance goes with the label cannot be decided. Add sessions to every class.",
            numbers,
        )
    return RuleResult(
        "sessions",
        "pass",
        f"{len(facts.session_names)} sessions permit p-values down to {smallest:.2g}.",
        numbers,
    )


def rule_of_association(one: Association, parameters: AuditParameters) -> RuleResult:
    """Turn the association of one nuisance into a verdict and a sentence."""
    numbers: dict[str, float | int | str | None] = {
        one.measure: one.value,
        "low": one.low,
        "high": one.high,
        "p_corrected": one.p_corrected,
        "smallest_p": one.smallest_p,
        "unknown": one.unknown,
    }
    name = one.nuisance
    if one.value is None:
        return RuleResult(name, "pass", f"{name} is the same in every frame.", numbers)
    strength = f"{'V' if one.measure == 'cramers-v' else 'eta²'} = {one.value:.2g}"
    if one.controlled:
        words = (
            f"{name} goes with the label ({strength}): the classes do not show the same."
            if one.verdict == "fail"
            else f"{name} is as frequent in every class ({strength})."
        )
        return RuleResult(name, one.verdict, words, numbers)
    if one.verdict == "inconclusive":
        words = f"{name}: {strength}, and no result could have been significant."
        return RuleResult(name, "inconclusive", words, numbers)
    p = f"p = {one.p_corrected:.2g} over all nuisances"
    if one.verdict == "fail":
        words = f"{name} goes with the label ({strength}, {p}): it tells the class without any age."
        return RuleResult(name, "fail", words, numbers)
    if is_significant(one, parameters):
        if name in MAY_BE_AGE:
            end = "; ageing itself may move it."
        elif one.verdict == "pass":
            end = ", by less than does any harm."
        else:
            end = ": what it did to the frames cannot be told from age."
        words = f"{name} goes with the label ({strength}, {p}){end}"
        return RuleResult(name, one.verdict, words, numbers)
    words = f"{name}: {strength}, {p}, no more than sessions differ by chance."
    return RuleResult(name, one.verdict, words, numbers)


def is_significant(one: Association, parameters: AuditParameters) -> bool:
    """Tell whether an uncontrolled factor goes with the label more than is negligible."""
    if one.value is None or one.p_corrected is None:
        return False
    strength = sqrt(one.value) if one.measure == "eta-squared" else one.value
    return one.p_corrected <= parameters.alpha and strength > parameters.negligible


def weighed(one: Association) -> Association:
    """Return an association with the verdict that what it speaks of deserves."""
    if one.verdict != "fail" or one.controlled:
        return one
    if one.nuisance in MAY_BE_AGE:
        return replace(one, verdict="pass")
    return replace(one, verdict="warn") if one.nuisance in NOT_IN_THE_PICTURE else one


def rule_of_recording(name: str, value: float, unknown: int) -> RuleResult:
    """Say that a nuisance is recorded more often in one class than in another."""
    return RuleResult(
        f"{name} recorded",
        "warn",
        f"Whether {name} is known goes with the label (V = {value:.2g}): where it is not, no audit"
        " can tell.",
        {"cramers-v": value, "unknown": unknown},
    )


def rule_of_duplicates(found: Duplicates, parameters: AuditParameters) -> RuleResult:
    """Turn near-duplicates across blocks into a verdict."""
    numbers: dict[str, float | int | str | None] = {
        "pairs": found.pairs,
        "nearest_bits": found.nearest_bits,
        "without_hash": found.without_hash,
    }
    name = "near-duplicates"
    if found.pairs:
        first, second, bits = found.examples[0]
        return RuleResult(
            name,
            "fail",
            f"{found.pairs} pairs of frames that must not share their scene look the same, such as"
            f" {first[:12]} and {second[:12]} ({bits} of 256 bits differ): the same scene may have"
            " two names.",
            numbers,
        )
    if found.without_hash and not found.compared:
        words = "No frame has a perceptual hash: run `agetrace shots measure`."
        return RuleResult(name, "not-run", words, numbers)
    if found.without_hash:
        words = (
            f"{found.without_hash} frames have no perceptual hash (dark, or not measured yet: run"
            " `agetrace shots measure`); no two of the others look the same."
        )
        return RuleResult(name, "warn", words, numbers)
    if not found.compared:
        return RuleResult(name, "pass", "There are no blocks whose scenes must differ.", numbers)
    words = f"No two frames that must not share their scene look the same; {found.compared} pairs."
    return RuleResult(name, "pass", words, numbers)


def rules_of_baselines(results: Sequence[BaselineResult]) -> list[RuleResult]:
    """Turn the baselines' results into one rule each; those that did not run say so."""
    rules = []
    for name in (*TABULAR_BASELINES, *PIXEL_BASELINES):
        mine = [one for one in results if one.name == name]
        rule = f"baseline {name}"
        if not mine:
            words = f"The {name} baseline did not run: nothing is known of what it looks at."
            if name in PIXEL_BASELINES:
                words = f"The {name} baseline did not run: it needs the frames' pixels."
            rules.append(RuleResult(rule, "not-run", words, {}))
            continue
        verdict = worst([one.verdict for one in mine])
        told = max(mine, key=lambda one: (_ORDER.index(one.verdict), one.accuracy or 0))
        assert told.accuracy is not None
        numbers: dict[str, float | int | str | None] = {
            "block": told.block,
            "accuracy": told.accuracy,
            "p_corrected": told.p_corrected,
            "smallest_p": told.smallest_p,
        }
        said = f"The {name} baseline is right on {told.accuracy:.0%} of block {told.block}"
        ends = {
            "fail": f" (p = {told.p_corrected:.2g}): it tells the class without any age.",
            "inconclusive": f"; {told.sessions} sessions permit no p-value below"
            f" {told.smallest_p:.2g}.",
        }
        low, high = told.chance_low or 0.0, told.chance_high or 0.0
        end = ends.get(verdict, f", chance gives {low:.0%} to {high:.0%}.")
        rules.append(RuleResult(rule, verdict, said + end, numbers))
    return rules
