"""Linearity: does the signal of the strongest photosites follow the exposure; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.defects.fit import Floats, Series
from training.defects.frames import Cell

_PLATEAU_SHARE = 0.5
_FEWEST_EXPOSURES = 3
_MOST_PHOTOSITES = 20


@dataclass(frozen=True)
class Linearity:
    """Signal against exposure of some photosites.

    Attributes
    ----------
    seconds
        Exposure of each cell at the reference temperature, times its gain; shape (cells,).
    signal_dn
        Shape (photosites, cells), local background subtracted.
    r_squared
        Of a straight line through each photosite's signals, shape (photosites,).
    plateau
        bool of shape (photosites,): between the two longest exposures the signal rises by less
        than half of what the line through the shorter ones asks for.
    """

    seconds: Floats
    signal_dn: Floats
    r_squared: Floats
    plateau: NDArray[np.bool_]


def linearity_of_strongest(
    series: Sequence[Series], cells: Sequence[Cell]
) -> tuple[NDArray[np.int64], Linearity] | None:
    """Report how linear the strongest photosites are in the exposure, at one ISO setting.

    The ISO setting is the one with the most exposures. Saturated photosites are left out: every
    camera's end there.

    Parameters
    ----------
    series
        Of each cell.
    cells
        The grid, least sensitive first.

    Returns
    -------
    tuple or None
        Index of each judged photosite, the strongest first, and the report; None with fewer than
        three exposures or without a photosite that never saturates.
    """
    numbers: dict[int | None, list[int]] = {}
    for number, cell in enumerate(cells):
        numbers.setdefault(cell.iso, []).append(number)
    chosen = max(numbers.values(), key=len)
    if len(chosen) < _FEWEST_EXPOSURES:
        return None
    signal = np.stack([np.median(series[number].values, axis=1) for number in chosen], axis=1)
    saturated = np.any([series[number].saturated for number in chosen], axis=0)
    order = np.argsort(-signal[:, -1], kind="stable")
    strongest = order[~saturated[order]][:_MOST_PHOTOSITES]
    if not len(strongest):
        return None
    seconds = np.array([cells[number].gain * cells[number].seconds for number in chosen])
    return strongest, judge_linearity(seconds, signal[strongest])


def judge_linearity(seconds: Floats, signal_dn: Floats) -> Linearity:
    """Judge signals of shape (photosites, cells) against exposures in increasing order."""
    centred = seconds - seconds.mean()
    deviation = signal_dn - signal_dn.mean(axis=1, keepdims=True)
    slope = deviation @ centred / (centred @ centred)
    residual = ((deviation - slope[:, None] * centred) ** 2).sum(axis=1)
    total = (deviation**2).sum(axis=1)
    r_squared = np.where(total > 0, 1 - residual / np.where(total > 0, total, 1.0), 0.0)
    shorter = seconds[:-1] - seconds[:-1].mean()
    earlier = signal_dn[:, :-1] - signal_dn[:, :-1].mean(axis=1, keepdims=True)
    expected = earlier @ shorter / (shorter @ shorter) * (seconds[-1] - seconds[-2])
    plateau = signal_dn[:, -1] - signal_dn[:, -2] < _PLATEAU_SHARE * expected
    return Linearity(seconds, signal_dn, r_squared, plateau)
