"""The lines of a verdict that speak of maps; they are told and decide nothing. Pure.

Maps are too coarse to decide, and constancy across runs does not detect networks that read content:
what decides are interventions. What maps depend on is told beside them.
"""

from __future__ import annotations

from collections.abc import Sequence

from training.evidence.page import Check
from training.evidence.rules import LEVEL
from training.evidence.saliency_findings import MapsFinding, SaliencyFindings, Superimposed
from training.statistics import Interval


def saliency_lines(saliency: SaliencyFindings | None) -> list[Check]:
    """Say what the maps of the first method show, and how far the other methods agree.

    Parameters
    ----------
    saliency
        Where the networks look; None where nothing was mapped.
    """
    if saliency is None or not saliency.methods:
        return []
    first = saliency.methods[0].method
    lines = [
        line
        for one in saliency.methods
        if one.method == first
        for line in (
            _constancy(one),
            _scene(one),
            _recognition(one),
            *_pictures(one),
        )
    ]
    lines += [line for one in _finest(saliency.methods) for line in _hits(one)]
    lines += [_superimposed(one) for one in saliency.superimposed]
    lines += [line for one in saliency.methods for line in _sanity(one)]
    agreeing = [
        f"{one.method} {one.agreement:.2f}" for one in saliency.methods if one.agreement is not None
    ]
    if agreeing:
        lines.append(
            _line(f"other methods' maps agree with {first}", ", ".join(agreeing), "none", None)
        )
    return lines


def _finest(methods: Sequence[MapsFinding]) -> list[MapsFinding]:
    """Return the first method and the one of the smallest cells, camera by camera."""
    first = methods[0].method
    finest = min(methods, key=lambda one: one.cell_photosites).method
    return [one for one in methods if one.method in (first, finest)]


def _line(statement: str, measured: str, required: str, holds: bool | None) -> Check:
    return Check(statement, measured, required, holds, decides=False)


def _name(one: MapsFinding) -> str:
    return f"{one.method}, {one.camera}"


def _constancy(one: MapsFinding) -> Check:
    found = one.constancy
    statement = f"runs agree on a class's map more than on other classes' ({_name(one)})"
    if found.within_class is None or found.difference is None or found.p_value is None:
        return _line(statement, "fewer than two runs or classes with maps", "p at most 0.05", None)
    decided = found.smallest_p is not None and found.smallest_p <= LEVEL
    return _line(
        statement,
        f"correlation {found.within_class:.2f}{_between(found.within_interval)} within,"
        f" {found.across_classes or 0:.2f} across classes; p = {found.p_value:.3g} by scenes",
        f"above across, p at most {LEVEL}",
        (found.p_value <= LEVEL and found.difference > 0) if decided else None,
    )


def _scene(one: MapsFinding) -> Check:
    found = one.constancy
    statement = f"runs agree as much where they share no scene ({_name(one)})"
    if found.other_scenes is None or found.same_scenes is None:
        return _line(statement, "too few scenes or runs", "half at least", None)
    return _line(
        statement,
        f"correlation {found.other_scenes:.2f}{_between(found.other_scenes_interval)} over"
        f" different scenes, {found.same_scenes:.2f} over the same",
        "half of it at least",
        found.other_scenes >= found.same_scenes / 2,
    )


def _recognition(one: MapsFinding) -> Check:
    found = one.independence.recognition
    statement = f"the scene cannot be told from the map ({_name(one)})"
    if found is None:
        return _line(statement, "no scene comes in two sessions", "at chance", None)
    decided = found.smallest_p <= LEVEL
    return _line(
        statement,
        f"{found.accuracy:.1%}{_between(found.interval)} of {found.images} images, chance"
        f" {found.chance:.1%}; p = {found.p_value:.3g} by sessions",
        "at chance",
        found.p_value > LEVEL if decided else None,
    )


def _pictures(one: MapsFinding) -> list[Check]:
    lines = []
    for what, found in (
        ("edges", one.independence.edges),
        ("luminance", one.independence.luminance),
    ):
        if found is None:
            continue
        p_value = "" if found.p_value is None else f"; p = {found.p_value:.3g} by scenes"
        decided = found.smallest_p is not None and found.smallest_p <= LEVEL
        lines.append(
            _line(
                f"maps do not follow {what} ({_name(one)})",
                f"correlation {found.correlation:+.2f}{_between(found.interval)}{p_value}",
                "as with other scenes' pictures",
                None if found.p_value is None or not decided else found.p_value > LEVEL,
            )
        )
    return lines


def _hits(one: MapsFinding) -> list[Check]:
    if one.hits is None:
        return []
    radii = one.hits.at_radii
    # the smallest radius that the cells resolve, the widest where they resolve none
    at = next((radius for radius in radii if radius.resolved), radii[-1])
    if one.cell_photosites == 1:
        at = radii[0]
    return [
        _line(
            f"maps point at the defects that arose ({_name(one)})",
            f"AUC {one.hits.auc:.2f} at {one.hits.defects} defects; {at.hit_rate:.0%} of them have"
            f" the map's top {one.hits.top_share:.0%} within {at.radius_photosites:g} photosites,"
            f" {at.null_hit_rate:.0%} of random places; p = {at.hit_p_value:.3g}",
            f"above random places, p at most {LEVEL}",
            at.hit_p_value <= LEVEL,
        )
    ]


def _superimposed(one: Superimposed) -> Check:
    return _line(
        f"runs agree on maps over correctly predicted crops ({one.method}, {one.camera})",
        "fewer than two runs" if one.agreement is None else f"correlation {one.agreement:.2f}",
        "none: runs that read content agree as well",
        None,
    )


def _sanity(one: MapsFinding) -> list[Check]:
    lines = []
    for what, found in (
        ("fresh weights", one.randomised_weights),
        ("labels without an age", one.other_labels),
    ):
        if found is None:
            continue
        said = "maps are constant"
        if found.rank_correlation is not None:
            said = f"rank correlation {found.rank_correlation:.2f}{_between(found.interval)}"
        lines.append(
            _line(
                f"maps change with {what} ({_name(one)})",
                said,
                f"below {found.limit}",
                found.passes,
            )
        )
    return lines


def _between(interval: Interval | None) -> str:
    return "" if interval is None else f" ({interval.low:.2f} to {interval.high:.2f})"
