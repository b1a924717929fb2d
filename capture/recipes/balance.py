"""How well a plan's order keeps its settings apart from time and from what came before; pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

from capture.recipes._order import ShotSpec


@dataclass(frozen=True)
class SceneBalance:
    """The balance of the shots of one scene; None where a correlation is not defined.

    Attributes
    ----------
    kind, scene
        Whose shots; a dark field has no scene.
    shots
        How many, without warm-up.
    place_exposure, place_iso
        Rank correlation (Spearman's) of exposure time and of ISO with the place in time: 0 is
        balanced, 1 and -1 are confounded with drift.
    previous_exposure, previous_iso
        The same with the exposure time and the ISO of the shot before.
    mean_place_span
        Largest difference between the mean places of two combinations, as a share of the shots.
    """

    kind: str
    scene: str | None
    shots: int
    place_exposure: float | None
    place_iso: float | None
    previous_exposure: float | None
    previous_iso: float | None
    mean_place_span: float

    def to_json(self) -> dict[str, Any]:
        """Return the balance as JSON values."""
        return asdict(self)


def balance_of(plan: Sequence[ShotSpec]) -> list[SceneBalance]:
    """Return how balanced a plan is within each kind and scene, in the plan's order."""
    groups: dict[tuple[str, str | None], list[ShotSpec]] = defaultdict(list)
    for spec in plan:
        if not spec.warm_up:
            groups[spec.kind, spec.scene].append(spec)
    return [_balance(kind, scene, shots) for (kind, scene), shots in groups.items()]


def rank_correlation(
    left: Sequence[Fraction | int], right: Sequence[Fraction | int]
) -> float | None:
    """Return Spearman's rank correlation, ties sharing their mean rank; None if one is constant.

    Parameters
    ----------
    left, right
        Two sequences of one length.
    """
    x, y = _centred_ranks(left), _centred_ranks(right)
    spread = sum(a * a for a in x) * sum(b * b for b in y)
    if not spread:
        return None
    product = sum(a * b for a, b in zip(x, y, strict=True))
    return float(product) / float(spread) ** 0.5


def _balance(kind: str, scene: str | None, shots: Sequence[ShotSpec]) -> SceneBalance:
    places = range(len(shots))
    exposures = [spec.exposure for spec in shots]
    isos = [spec.iso for spec in shots]
    by_combination: dict[tuple[Fraction, int], list[int]] = defaultdict(list)
    for place, spec in enumerate(shots):
        by_combination[spec.exposure, spec.iso].append(place)
    means = [Fraction(sum(values), len(values)) for values in by_combination.values()]
    return SceneBalance(
        kind=kind,
        scene=scene,
        shots=len(shots),
        place_exposure=_rounded(rank_correlation(places, exposures)),
        place_iso=_rounded(rank_correlation(places, isos)),
        previous_exposure=_rounded(_serial_correlation(exposures)),
        previous_iso=_rounded(_serial_correlation(isos)),
        mean_place_span=round(float((max(means) - min(means)) / len(shots)), 3),
    )


def _serial_correlation(values: Sequence[Fraction | int]) -> float | None:
    pairs = list(pairwise(values))
    return rank_correlation([a for a, _ in pairs], [b for _, b in pairs])


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _centred_ranks(values: Sequence[Fraction | int]) -> list[Fraction]:
    places: dict[Fraction | int, list[int]] = defaultdict(list)
    for rank, value in enumerate(sorted(values)):
        places[value].append(rank)
    middle = Fraction(len(values) - 1, 2)
    return [Fraction(sum(places[value]), len(places[value])) - middle for value in values]
