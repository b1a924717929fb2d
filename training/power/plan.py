"""The answer of a power plan: can this experiment succeed, and what would change it; pure.

It is what an ideal observer reaches who knows where new defects are and learns without error. No
classifier does better, so "cannot" is firm, while "can succeed" is a permission and no promise.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from training.power import growth as growths
from training.power.coverage import Coverage
from training.power.growth import GrowthRate
from training.power.reckoning import Range, Reckoning, growth_of_spec
from training.power.remedies import Remedy, remedies_of
from training.power.session_test import (
    d_prime_of_accuracy,
    permutation_power,
    relabellings,
    sessions_for_power,
    sessions_needed,
    smallest_p,
)
from training.power.spec import PowerSpec
from training.power.strength import d_prime, frames_needed, signal_dn, tau

Verdict = Literal["can-succeed", "cannot", "depends-on-strength"]


@dataclass(frozen=True)
class GapRange:
    """Smallest gap in days for the three cases; None where a century does not suffice."""

    low: float | None
    expected: float | None
    high: float | None


@dataclass(frozen=True)
class PowerPlan:
    """What a planned experiment can find.

    Attributes
    ----------
    verdict, sentence
        The answer, short and in words.
    spec
        The question.
    growth
        New defects a year.
    new_defects
        Expected in the gap, on the whole sensor.
    chance_of_none
        That not one arises.
    detectable_defects
        Of the new ones, expected with the wanted d' in what the network is shown.
    tau
        Exposure factor of the scene's settings.
    median_signal_dn, median_d_prime
        Of the median defect without an offset, d' in one frame.
    median_offset_d_prime
        Of the median partially stuck one.
    frames_for_wanted_d_prime
        To average for the median defect, and for the median partially stuck one; None where no
        number suffices.
    coverage
        What patches see.
    share_of_patches, share_of_frames
        Patches that hold a new defect, and frames of which one patch at least does.
    accuracy
        Mean share of frames that an ideal observer recognises.
    power
        Chance that the test of sessions finds the trace.
    relabellings, smallest_p, sessions_needed
        What the sessions permit; the last is the fewest test sessions a class.
    detectable_gap_days
        Smallest gap that reaches the wanted power.
    capture_days
        From the first session of the earlier class to the last of the later one.
    sessions_for_effect, effect_power
        Of the given effect: fewest test sessions a class, and power with the planned ones.
    remedies
        The best first.
    assumptions
        What the figures rest on, each with its standing.
    """

    verdict: Verdict
    sentence: str
    spec: PowerSpec
    growth: GrowthRate
    new_defects: Range
    chance_of_none: Range
    detectable_defects: Range
    tau: float
    median_signal_dn: float
    median_d_prime: float
    median_offset_d_prime: float
    frames_for_wanted_d_prime: tuple[int | None, int | None]
    coverage: Coverage
    share_of_patches: Range
    share_of_frames: Range
    accuracy: Range
    power: Range
    relabellings: int
    smallest_p: float
    sessions_needed: int
    detectable_gap_days: GapRange
    capture_days: float
    sessions_for_effect: int | None
    effect_power: float | None
    remedies: tuple[Remedy, ...]
    assumptions: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__}
        for name, value in plain.items():
            if hasattr(value, "__dataclass_fields__"):
                plain[name] = asdict(value)
        plain["spec"] = self.spec.model_dump(mode="json")
        plain["remedies"] = [asdict(one) for one in self.remedies]
        plain["frames_for_wanted_d_prime"] = list(self.frames_for_wanted_d_prime)
        plain["assumptions"] = list(self.assumptions)
        return plain

    def to_text(self) -> str:
        """Return the answer for people."""
        from training.power.text import text_of

        return text_of(self)


def plan_power(spec: PowerSpec, growth: GrowthRate | None = None) -> PowerPlan:
    """Reckon what an experiment can find.

    Parameters
    ----------
    spec
        The question.
    growth
        A measured rate; the specification's or the prior where None.

    Raises
    ------
    PlanError
        If the question contradicts itself.
    """
    reckoning = Reckoning(spec, growth or growth_of_spec(spec))
    gap = spec.sessions.gap_days
    cases, coverage = reckoning.cases, reckoning.coverage
    new = [growths.expected_defects(case.rate_per_year, gap) for case in cases]
    power = Range(*(reckoning.power(case, gap) for case in cases))
    verdict = _verdict(spec, power)
    rate_e, offset_e = spec.strength.dark_rate_median_e_per_s, spec.strength.offset_median_e
    noise, settings = reckoning.noise, reckoning.settings

    def frames_for(offset: float) -> int | None:
        return frames_needed(
            spec.wanted_d_prime,
            rate_e,
            offset,
            noise,
            settings,
            content_noise_dn=spec.scene.content_noise_dn,
        )

    remedies = sorted(
        remedies_of(spec, growth, reckoning.curve), key=lambda one: -one.power.expected
    )
    gaps = GapRange(*(reckoning.smallest_gap_days(case) for case in cases))
    shares = [reckoning.detectable_share(case) for case in cases]
    effect = (
        None if spec.effect is None else d_prime_of_accuracy(spec.effect, spec.sessions.offset_sd)
    )
    of_frames = [growths.chance_of_any(mean * coverage.frame_share) for mean in new]
    of_patches = [growths.chance_of_any(mean * coverage.patch_share) for mean in new]
    if spec.patches.kind == "defect-centred":
        # as many controls as defects, whatever their number
        of_patches = [growths.chance_of_any(mean) / 2 for mean in new]
    return PowerPlan(
        verdict=verdict,
        sentence=_sentence(spec, verdict, power, new, gaps),
        spec=spec,
        growth=reckoning.growth,
        new_defects=Range(*new),
        chance_of_none=Range(*(1 - growths.chance_of_any(mean) for mean in new)),
        detectable_defects=Range(*(mean * share for mean, share in zip(new, shares, strict=True))),
        tau=tau(noise, settings),
        median_signal_dn=float(signal_dn(rate_e, 0.0, noise, settings)),
        median_d_prime=float(d_prime(rate_e, 0.0, noise, settings)),
        median_offset_d_prime=float(d_prime(rate_e, offset_e, noise, settings)),
        frames_for_wanted_d_prime=(frames_for(0.0), frames_for(offset_e)),
        coverage=coverage,
        share_of_patches=Range(*of_patches),
        share_of_frames=Range(*of_frames),
        accuracy=Range(*(reckoning.accuracy(case, gap) for case in cases)),
        power=power,
        relabellings=relabellings(spec.sessions.test),
        smallest_p=smallest_p(spec.sessions.test),
        sessions_needed=sessions_needed(spec.alpha),
        detectable_gap_days=gaps,
        capture_days=gap + spec.sessions.class_days,
        sessions_for_effect=None
        if effect is None
        else sessions_for_power(
            effect,
            spec.sessions.frames,
            spec.alpha,
            spec.wanted_power,
            session_offset_sd=spec.sessions.offset_sd,
        ),
        effect_power=None
        if effect is None
        else float(
            permutation_power(
                effect,
                spec.sessions.test,
                spec.sessions.frames,
                spec.alpha,
                session_offset_sd=spec.sessions.offset_sd,
            )
        ),
        remedies=tuple(remedies),
        assumptions=_assumptions(spec, reckoning.growth),
    )


def _verdict(spec: PowerSpec, power: Range) -> Verdict:
    if power.high < spec.wanted_power:
        return "cannot"
    return "can-succeed" if power.low >= spec.wanted_power else "depends-on-strength"


def _sentence(
    spec: PowerSpec, verdict: Verdict, power: Range, new: list[float], gaps: GapRange
) -> str:
    sessions = spec.sessions
    if smallest_p(sessions.test) >= spec.alpha:
        return (
            f"This experiment cannot succeed: {sessions.test} test sessions a class give no p "
            f"below {smallest_p(sessions.test):.2g}, whatever the trace; "
            f"{sessions_needed(spec.alpha)} are needed for a p below {spec.alpha:g}."
        )
    chances = (
        f"the chance of a p below {spec.alpha:g} is {power.expected:.0%} "
        f"({power.low:.0%} if defects are few and weak, {power.high:.0%} if many and strong)"
    )
    if verdict == "cannot":
        reason = (
            f"in {sessions.gap_days:g} days {new[1]:.2g} new defects are expected on the sensor"
        )
        return f"This experiment cannot succeed: {reason}, and {chances}."
    if verdict == "can-succeed":
        return f"This experiment can succeed: {chances}."
    need = (
        "no gap up to a century suffices for defects of the expected strength"
        if gaps.expected is None
        else f"defects of the expected strength need a gap of {gaps.expected:.3g} days"
    )
    return f"Whether this experiment can succeed depends on the strength: {chances}; {need}."


def _assumptions(spec: PowerSpec, growth: GrowthRate) -> tuple[str, ...]:
    lines = [
        "published: growth is constant, uniform over the sensor, permanent (Dudas, Leung, Chapman)",
        f"growth rate: {growth.source}",
        "published: more than 40 % of hot photosites have an offset (DFT 2011)",
        f"reconstructed: log-normal strengths, medians within {spec.strength.uncertainty:g} times",
        "ours: an ideal observer who knows where new defects are; no classifier does better",
        "ours: fixed patterns are the same at both times and do not hide a defect",
    ]
    if spec.growth is None and growth.source.startswith("recalled"):
        iso = spec.counted_at_iso or spec.scene.iso
        lines.append(f"ours: defects that count at ISO {iso:g} are as strong as those at any other")
    if spec.scene.content_noise_dn == 0:
        lines.append("best case: content adds no noise")
    if spec.sessions.offset_sd == 0:
        lines.append("best case: sessions differ in nothing but age")
    if spec.patches.kind == "defect-centred":
        lines.append("best case: dark fields have found every new defect")
    if spec.patches.kind == "random":
        lines.append("ours: several defects in random patches are counted rather too hopefully")
    return tuple(lines)
