"""Photosites that any session, or any run of newest sessions, makes conspicuous; pure.

Sessions are looked at one after the other, so that their maps need not be in memory together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from training.defects.backgrounds import robust_spread
from training.defects.fit import Floats
from training.defects.parameters import LedgerParameters

if TYPE_CHECKING:
    from training.defects.ledger import DarkSession

Bools = NDArray[np.bool_]
Places = NDArray[np.int64]


def conspicuous_photosites(
    sessions: Sequence[DarkSession], parameters: LedgerParameters
) -> tuple[Places, Places, Bools, Floats]:
    """Return the photosites that a ledger has to follow.

    Those whose significance, pooled from some session to the newest, passes the false-discovery
    rate over all photosites and starting sessions, or that two sessions found by themselves.

    Returns
    -------
    rows, columns, offset_like, significance
        Each of shape (photosites,): where, whether rather an offset than a dark rate, and the
        pooled significance.
    """
    shape = sessions[0].maps.significance.shape[1:]
    best = np.zeros(shape, np.float32)
    by_offset = np.zeros(shape, bool)
    for template in range(2):
        pooled = _pooled(sessions, template)
        better = pooled > best
        best[better] = pooled[better]
        by_offset[better] = template == 1
    tests = 2 * len(sessions) * best.size
    ordered = np.sort(best[best > 3.0].astype(np.float64))[::-1]
    allowed = parameters.false_discovery_rate * np.arange(1, len(ordered) + 1)
    passed = np.flatnonzero(stats.norm.sf(ordered) * tests <= allowed)
    threshold = ordered[passed[-1]] if len(passed) else np.inf
    chosen = best >= threshold
    seen: dict[tuple[int, int], int] = {}
    for session in sessions:
        for place, observation in session.observations.items():
            strong = observation.significance >= parameters.single_session_sigmas
            seen[place] = seen.get(place, 0) + strong
    for place, count in seen.items():
        if count >= 2:
            chosen[place] = True
    rows, columns = (places.astype(np.int64) for places in np.nonzero(chosen))
    return rows, columns, by_offset[rows, columns], best[rows, columns].astype(float)


def _pooled(sessions: Sequence[DarkSession], template: int) -> NDArray[np.float32]:
    """Return the largest significance of each photosite pooled from some session on.

    Each pool is calibrated on its own robust spread, as the fixed pattern of the sensor does not
    average out over sessions.
    """
    shape = sessions[0].maps.significance.shape[1:]
    period = sessions[0].maps.period
    total = np.zeros(shape, np.float32)
    best = np.full(shape, -np.inf, np.float32)
    for session in reversed(sessions):
        for plane in range(period * period):
            place = (slice(plane // period, None, period), slice(plane % period, None, period))
            error = session.maps.errors_of(template, plane)
            if error is None:
                continue
            view = total[place]
            view += session.maps.significance[template][place].astype(np.float32) / error
            spread = robust_spread(view)
            if spread > 0:
                best[place] = np.maximum(best[place], view / spread)
            else:
                own = session.maps.significance[template][place].astype(np.float32)
                best[place] = np.maximum(best[place], own)
    return best


def measured_series(
    sessions: Sequence[DarkSession], rows: Places, columns: Places, offset_like: Bools
) -> tuple[Floats, Floats]:
    """Measure every session at every candidate: values and errors, shape (candidates, sessions)."""
    values, errors = np.empty((2, len(rows), len(sessions)))
    choice = offset_like.astype(np.int64)
    everyone = np.arange(len(rows))
    for index, session in enumerate(sessions):
        measured, error = session.maps.measure_at(rows, columns)
        values[:, index] = measured[choice, everyone]
        # a filter that the session's grid does not have measures nothing
        errors[:, index] = np.where(error > 0, error, np.inf)[choice, everyone]
    return values, errors
