"""A first audit of balance: how strongly each recorded factor is associated with the label."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from datastore.datasets.auditing.association import cramers_v
from datastore.datasets.items import Item

FACTORS: dict[str, Callable[[Item], Hashable]] = {
    "scene": lambda item: item.scene,
    "camera": lambda item: item.camera,
    "iso": lambda item: item.iso,
    "exposure": lambda item: item.exposure,
    "f_number": lambda item: item.f_number,
    "firmware": lambda item: item.firmware,
}
"""The factors that can vary within a class; the session cannot, it is nested in the label."""


@dataclass(frozen=True)
class FactorSummary:
    """One factor: frames per class and level, and its association with the label.

    `cramers_v` is 0 for none and 1 where the factor tells the label; None where the factor has one
    level only.
    """

    factor: str
    frames: dict[str, dict[str, int]]
    cramers_v: float | None


@dataclass(frozen=True)
class ClassSummary:
    """One class: its frames, its sessions, and its mean temperature where that is known."""

    name: str
    frames: int
    sessions: int
    temperature_mean_c: float | None
    frames_of_unknown_temperature: int


@dataclass(frozen=True)
class BalanceSummary:
    """The balance of a dataset.

    `sessions_nested` is true where every session lies in one class. It always should: it means
    that whatever changed between sessions cannot be told from age by counting frames, so that the
    session, not the frame, is the unit of inference.
    """

    classes: tuple[ClassSummary, ...]
    factors: tuple[FactorSummary, ...]
    sessions_nested: bool


def summarize_balance(items: Sequence[Item], classes: Sequence[str]) -> BalanceSummary:
    """Tabulate the factors of a dataset against its label."""
    classes_of_session: dict[str, set[str]] = defaultdict(set)
    for item in items:
        classes_of_session[item.session_unit].add(item.class_name)
    return BalanceSummary(
        classes=tuple(
            _summarize_class(name, [item for item in items if item.class_name == name])
            for name in classes
        ),
        factors=tuple(_summarize_factor(factor, items, classes) for factor in FACTORS),
        sessions_nested=all(len(found) == 1 for found in classes_of_session.values()),
    )


def _summarize_class(name: str, items: Sequence[Item]) -> ClassSummary:
    known = [
        item.temperature_millidegrees for item in items if item.temperature_millidegrees is not None
    ]
    return ClassSummary(
        name=name,
        frames=len(items),
        sessions=len({item.session_unit for item in items}),
        temperature_mean_c=sum(known) / len(known) / 1000 if known else None,
        frames_of_unknown_temperature=len(items) - len(known),
    )


def _summarize_factor(factor: str, items: Sequence[Item], classes: Sequence[str]) -> FactorSummary:
    level_of = FACTORS[factor]
    counted = Counter((item.class_name, level_of(item)) for item in items)
    frames: dict[str, Counter[str]] = {name: Counter() for name in classes}
    for (class_name, level), number in counted.items():
        frames[class_name]["unknown" if level is None else str(level)] += number
    levels = sorted(set().union(*frames.values()))
    table = [[frames[name][level] for level in levels] for name in classes]
    return FactorSummary(
        factor=factor,
        frames={name: dict(sorted(counts.items())) for name, counts in frames.items()},
        cramers_v=cramers_v(table) if levels else None,
    )
