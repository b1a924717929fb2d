"""Dead and low-response photosites, from flat-field frames; reads no catalogue."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import stats

from training.defects.backgrounds import robust_spread
from training.defects.diagnostics import period_of
from training.defects.errors import DarkFrameError

_DEAD_RESPONSE = 0.1


@dataclass(frozen=True)
class LowResponse:
    """Photosites that answer to light too weakly, each array of shape (photosites,).

    Attributes
    ----------
    row, column
        Photosites in full `raw_image` space.
    response
        Signal over the local median of the same colour, 1 for sound photosites.
    z
        Significance, negative.
    dead
        Whether the response is below a tenth.
    """

    row: NDArray[np.int64]
    column: NDArray[np.int64]
    response: NDArray[np.float64]
    z: NDArray[np.float64]
    dead: NDArray[np.bool_]


def low_response(
    flats: Iterable[Callable[[], NDArray[np.uint16]]],
    cfa: str,
    black_dn: tuple[float, ...],
    *,
    false_discovery_rate: float = 0.01,
    largest_response: float = 0.9,
) -> LowResponse:
    """Find dead and low-response photosites in evenly lit frames.

    Parameters
    ----------
    flats
        Read one flat field each, uint16 of shape (rows, columns); only one is held at a time.
    cfa
        As in `DarkFrame`.
    black_dn
        Black level of each plane, from dark frames of the same settings.
    false_discovery_rate
        Accepted share of false ones, over all photosites (Benjamini and Hochberg 1995).
    largest_response
        A photosite of more than this response is sound however significant.

    Raises
    ------
    DarkFrameError
        If there are no flats or they are not lit.
    """
    total: NDArray[np.float32] | None = None
    count = 0
    for read in flats:
        mosaic = read()
        total = mosaic.astype(np.float32) if total is None else total + mosaic
        count += 1
    if total is None:
        raise DarkFrameError("there are no flat fields to measure")
    total /= count
    period = period_of(cfa)
    response = np.ones(total.shape, np.float32)
    z = np.zeros(total.shape, np.float32)
    for plane in range(period * period):
        place = (slice(plane // period, None, period), slice(plane % period, None, period))
        signal = np.ascontiguousarray(total[place]) - np.float32(black_dn[plane])
        local = cv2.medianBlur(signal, 5)
        if float(np.median(local)) <= 0:
            raise DarkFrameError("the flat fields are no brighter than black: is the lamp on?")
        ratio = signal / np.maximum(local, 1e-6)
        response[place] = ratio
        z[place] = (ratio - 1) / max(robust_spread(ratio - 1), 1e-9)
    ordered = np.sort(z[z < -3.0].astype(np.float64))
    allowed = false_discovery_rate * np.arange(1, len(ordered) + 1)
    passed = np.flatnonzero(stats.norm.cdf(ordered) * z.size <= allowed)
    limit = ordered[passed[-1]] if len(passed) else -np.inf
    rows, columns = np.nonzero((z <= limit) & (response <= largest_response))
    values = response[rows, columns].astype(float)
    return LowResponse(
        row=rows.astype(np.int64),
        column=columns.astype(np.int64),
        response=values,
        z=z[rows, columns].astype(float),
        dead=values < _DEAD_RESPONSE,
    )
