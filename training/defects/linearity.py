"""Linearity: does the signal of the strongest photosites follow the exposure; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from training.defects.diagnostics import diagnose, period_of
from training.defects.fit import Floats, read_series
from training.defects.frames import DarkFrame, cells_of, require_alike, scratch_file
from training.defects.parameters import ExtractionParameters

_PLATEAU_SHARE = 0.5


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
    plateau: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]


def linearity(
    frames: Sequence[DarkFrame],
    rows: ArrayLike,
    columns: ArrayLike,
    parameters: ExtractionParameters | None = None,
) -> Linearity:
    """Report how linear given photosites are in the exposure.

    Parameters
    ----------
    frames
        Dark frames of one camera at three exposures or more.
    rows, columns
        Photosites.
    parameters
        Reference and doubling temperature; the defaults where None.

    Raises
    ------
    DarkFrameError
        If the frames cannot be measured together.
    """
    parameters = parameters or ExtractionParameters()
    require_alike(frames)
    cells = cells_of(frames, parameters.reference_temperature_c, parameters.doubling_temperature_c)
    places = np.atleast_1d(rows).astype(np.int64), np.atleast_1d(columns).astype(np.int64)
    period = period_of(frames[0].cfa)
    blacks = []
    first = frames[0].read()
    with scratch_file(first.shape) as scratch:
        for frame in frames:
            mosaic = frame.read()
            blacks.append(diagnose(mosaic, frame.cfa, frame.white_level, frame.identifier).black_dn)
            scratch.append(mosaic)
        series = [
            read_series(scratch, cell, np.array(blacks), *places, period, np.inf) for cell in cells
        ]
    signal = np.stack([np.median(one.values, axis=1) for one in series], axis=1)
    return judge_linearity(np.array([cell.gain * cell.seconds for cell in cells]), signal)


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
