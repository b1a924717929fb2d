"""The course of light, temperature and registration: means by class, trends within; pure."""

from __future__ import annotations

from typing import Final

import numpy as np

from datastore.datasets.auditing.association import without_cell_means
from datastore.datasets.auditing.facts import Codes, ItemFacts, Nuisance
from datastore.datasets.auditing.report import Association, Drift, SessionMean

UNITS: Final = {
    "mean_dn": "DN",
    "illumination_change_stops": "stops",
    "colour_change_stops": "stops",
    "temperature_c": "°C",
    "registration_shift_photosites": "photosites",
}
"""Quantities whose drift is told, with their units."""

_DAY_S: Final = 86_400.0


def find_drifts(
    facts: ItemFacts, cells: Codes, associations: list[Association]
) -> tuple[Drift, ...]:
    """Return the course of each quantity that is known, over the means of sessions.

    The verdict is that of its association with the label; slopes say how it moved within a class,
    in which no class explains it.

    Parameters
    ----------
    facts
        The items.
    cells
        Content cell of each item, whose mean is taken off first: scenes differ in brightness.
    associations
        Those of all nuisances.
    """
    verdicts = {one.nuisance: one.verdict for one in associations}
    return tuple(
        _drift(facts, one, cells, verdicts[one.name])
        for one in facts.nuisances
        if one.name in UNITS and one.name in verdicts
    )


def _drift(facts: ItemFacts, nuisance: Nuisance, cells: Codes, verdict: str) -> Drift:
    known = nuisance.known
    values = np.asarray(nuisance.values, np.float64)
    overall = float(values[known].mean())
    level = without_cell_means(values[:, None], known, cells)[:, 0] + overall
    size = len(facts.session_names)
    counts = np.bincount(facts.sessions, known, size)
    present = counts > 0
    sums = np.bincount(facts.sessions, np.where(known, level, 0), size)
    times = np.bincount(facts.sessions, np.where(known, facts.triggered_s, 0), size)
    labels = np.zeros(size, np.int64)
    labels[facts.sessions] = facts.labels
    means: dict[str, float | None] = {}
    slopes: dict[str, float | None] = {}
    sessions: list[SessionMean] = []
    for code, name in enumerate(facts.class_names):
        chosen = present & (labels == code)
        session_means = sums[chosen] / counts[chosen]
        days = times[chosen] / counts[chosen] / _DAY_S
        means[name] = float(session_means.mean()) if chosen.any() else None
        slopes[name] = _slope(days - days.mean(), session_means) if chosen.sum() > 1 else None
        sessions += [
            SessionMean(name, float(day * _DAY_S), float(mean))
            for day, mean in zip(days, session_means, strict=True)
        ]
    unit = UNITS[nuisance.name]
    told = ", ".join(
        f"{name} {'unknown' if mean is None else f'{mean:.4g}'}" for name, mean in means.items()
    )
    return Drift(
        quantity=nuisance.name,
        unit=unit,
        means=means,
        slopes_per_day=slopes,
        verdict=verdict,  # type: ignore[arg-type]
        sentence=f"Mean of sessions in {unit}: {told}.",
        sessions=tuple(sorted(sessions, key=lambda one: one.at_s)),
    )


def _slope(days: np.ndarray, values: np.ndarray) -> float | None:
    spread = float(days @ days)
    return float(days @ values) / spread if spread > 0 else None
