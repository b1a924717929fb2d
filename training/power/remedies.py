"""What would become of a plan if one thing were changed; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from training.power.growth import GrowthRate
from training.power.reckoning import PowerCurve, Range, Reckoning, growth_of_spec
from training.power.session_test import MOST_SESSIONS, sessions_needed
from training.power.spec import PowerSpec


@dataclass(frozen=True)
class Remedy:
    """What would become of the plan if one thing were changed."""

    change: str
    power: Range


def changed(spec: PowerSpec, part: str, values: Mapping[str, Any]) -> PowerSpec:
    """Return a plan with some fields of one part replaced."""
    return spec.model_copy(update={part: getattr(spec, part).model_copy(update=dict(values))})


def _variants(spec: PowerSpec) -> Iterator[tuple[str, PowerSpec]]:
    sessions, scene = spec.sessions, spec.scene
    yield (
        f"a gap of {4 * sessions.gap_days:g} days",
        changed(spec, "sessions", {"gap_days": 4 * sessions.gap_days}),
    )
    yield (
        f"ISO {8 * scene.iso:g} at the same brightness",
        changed(spec, "scene", {"iso": 8 * scene.iso}),
    )
    longer = max(1.0, 8 * scene.exposure_s)
    yield (
        f"exposures of {longer:g} s at the same brightness",
        changed(spec, "scene", {"exposure_s": longer}),
    )
    both = {"iso": 8 * scene.iso, "exposure_s": longer}
    centred = spec.model_copy(
        update={
            "patches": spec.patches.model_copy(update={"kind": "defect-centred", "count": None})
        }
    )
    if spec.patches.kind != "defect-centred":
        yield "defect-centred patches", centred
        yield (
            f"defect-centred patches, {longer:g} s at ISO {8 * scene.iso:g}",
            changed(centred, "scene", both),
        )
    averaged = 16 * scene.frames_averaged
    yield (
        f"averages of {averaged} frames",
        changed(spec, "scene", {"frames_averaged": averaged}),
    )
    more = min(MOST_SESSIONS, max(2 * sessions.test, sessions_needed(spec.alpha)))
    if more > sessions.test:
        yield f"{more} test sessions a class", changed(spec, "sessions", {"test": more})


def remedies_of(
    spec: PowerSpec, growth: GrowthRate | None = None, curve: PowerCurve | None = None
) -> Iterator[Remedy]:
    """Reckon the plan with one thing changed at a time: gap, settings, patches, sessions."""
    for change, variant in _variants(spec):
        reckoning = Reckoning(variant, growth or growth_of_spec(variant), curve)
        gap = variant.sessions.gap_days
        yield Remedy(change, Range(*(reckoning.power(case, gap) for case in reckoning.cases)))
