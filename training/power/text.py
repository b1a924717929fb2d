"""A power plan in words and tables; reckons nothing."""

from __future__ import annotations

from training.power.plan import PowerPlan
from training.power.reckoning import Range

_NAME, _CELL = 52, 14


def text_of(plan: PowerPlan) -> str:
    """Return a plan for people: verdict, figures, what would change it, what it rests on."""
    spec, gaps, growth = plan.spec, plan.detectable_gap_days, plan.growth
    patches = f"{spec.patches.kind} patches of {spec.patches.size}"
    chance = f"chance of a p below {spec.alpha:g}"
    for_median, for_stuck = map(_frames, plan.frames_for_wanted_d_prime)
    rows = [
        _row("new defects a year", growth.low_per_year, growth.per_year, growth.high_per_year),
        _range(f"new defects in {spec.sessions.gap_days:g} days", plan.new_defects),
        _range("chance of none", plan.chance_of_none, "%"),
        _range(f"new defects with d' of {spec.wanted_d_prime:g} or more", plan.detectable_defects),
        _range(f"{patches} that hold one", plan.share_of_patches, "%"),
        _range("frames with one in any patch", plan.share_of_frames, "%"),
        _range("accuracy of an ideal observer", plan.accuracy, "%"),
        _range(chance, plan.power, "%"),
        _row(f"days for {spec.wanted_power:.0%}", gaps.low, gaps.expected, gaps.high),
    ]
    figures = [
        f"tau is {plan.tau:.3g}; the median defect adds {plan.median_signal_dn:.3g} DN to a frame.",
        (
            f"Its d' in one frame is {plan.median_d_prime:.3g}, if partially stuck "
            f"{plan.median_offset_d_prime:.3g}."
        ),
        (
            f"Frames to average for a d' of {spec.wanted_d_prime:g}: {for_median}, "
            f"if partially stuck {for_stuck}."
        ),
        (
            f"{spec.sessions.test} test sessions a class can be labelled in {plan.relabellings} "
            f"ways: smallest p {plan.smallest_p:.2g}."
        ),
        (
            f"Captures last {plan.capture_days:g} days, "
            f"{2 * (spec.sessions.test + spec.sessions.other)} sessions in all."
        ),
        f"A p below {spec.alpha:g} needs {plan.sessions_needed} test sessions a class at least.",
    ]
    if plan.effect_power is not None:
        needed = plan.sessions_for_effect
        figures += [
            (
                f"If {spec.effect:.0%} of the frames are recognised, the {chance} is "
                f"{plan.effect_power:.0%}."
            ),
            (
                f"Test sessions a class for {spec.wanted_power:.0%} of it: "
                f"{'more than 40' if needed is None else needed}."
            ),
        ]
    header = " " * _NAME + "".join(
        f"{name:>{_CELL}}" for name in ("few, weak", "expected", "many, strong")
    )
    return "\n".join(
        [
            plan.sentence,
            "",
            header,
            *rows,
            "",
            *figures,
            "",
            f"The {chance}, with one thing changed:",
            *(_range(f"- {one.change}", one.power, "%") for one in plan.remedies),
            "",
            "It rests on:",
            *(f"- {line}" for line in plan.assumptions),
        ]
    )


def _range(name: str, figures: Range, unit: str = "") -> str:
    return _row(name, figures.low, figures.expected, figures.high, unit)


def _row(
    name: str, low: float | None, expected: float | None, high: float | None, unit: str = ""
) -> str:
    cells = (f"{_shown(value, unit):>{_CELL}}" for value in (low, expected, high))
    return f"{name:{_NAME}}{''.join(cells)}"


def _shown(value: float | None, unit: str) -> str:
    if value is None:
        return "never"
    return f"{value:.1%}" if unit else f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _frames(frames: int | None) -> str:
    return "no number suffices" if frames is None else f"{frames:,}"
