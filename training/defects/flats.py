"""Dead and low-response photosites, from flat-field frames; reads no catalogue."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import stats

from training.defects.backgrounds import Plane, everywhere, tile_spreads, tiles_of
from training.defects.diagnostics import period_of
from training.defects.errors import DarkFrameError

KINDS: Final = ("low-response", "dead")
"""Kinds of photosites that answer to light too weakly."""

_DEAD_RESPONSE = 0.1
_SATURATED_SHARE = 0.01
_LARGEST_SPREAD = 0.15
_FEWEST_TO_TRIM = 3
_CLEAR = 4.0  # standard deviations from the surroundings
_BESIDE = 9  # photosites across, four on each side
_FEWEST_CLUSTERED = 100
_CLUSTERED_SHARE = 0.3


@dataclass(frozen=True)
class LowResponse:
    """Photosites that answer to light too weakly, each array of shape (photosites,).

    Attributes
    ----------
    row, column
        Photosites in full `raw_image` space.
    response
        Signal over the local median of the same colour, 1 for sound photosites.
    response_error
        Its standard error, from the scatter of the frames; of a single frame, from that of the
        photosites, which the unevenness of their response enlarges.
    z
        Significance against the robust spread of the photosites around, negative.
    dead
        Whether the response is below a tenth.
    """

    row: NDArray[np.int64]
    column: NDArray[np.int64]
    response: NDArray[np.float64]
    response_error: NDArray[np.float64]
    z: NDArray[np.float64]
    dead: NDArray[np.bool_]

    @property
    def kind(self) -> tuple[str, ...]:
        """Kind of each photosite, of `KINDS`."""
        return tuple(KINDS[int(dead)] for dead in self.dead)


def low_response(
    flats: Iterable[Callable[[], NDArray[np.uint16]]],
    cfa: str,
    black_dn: tuple[float, ...],
    *,
    white_level: int | None = None,
    false_discovery_rate: float = 0.01,
    largest_response: float = 0.9,
) -> LowResponse:
    """Find dead and low-response photosites in evenly lit frames.

    Of three frames and more the largest and the smallest signal of each photosite are left out of
    its mean, so that a transient, or one excursion of a blinking photosite, does not count. The
    mean is divided by the median of the 5 x 5 same-coloured photosites around, which takes lamp
    and lens away, and judged by the robust spread of such ratios nearby, which holds the uneven
    response of sound photosites too (reconstructed).

    Parameters
    ----------
    flats
        Read one flat field each, uint16 of shape (rows, columns); only one is held at a time.
    cfa
        As in `DarkFrame`.
    black_dn
        Black level of each plane, from dark frames of the same settings.
    white_level
        Digital number at which a photosite is full; None where saturation cannot be told.
    false_discovery_rate
        Accepted share of false ones, over all photosites (Benjamini and Hochberg 1995).
    largest_response
        A photosite of more than this response is sound however significant.

    Raises
    ------
    DarkFrameError
        If there are no flats, they differ in size, are dark or saturated, or show something.
    """
    period = period_of(cfa)
    mean, error, scatters = _mean_of(flats, period, black_dn, white_level)
    response = np.ones(mean.shape, np.float32)
    z = np.zeros(mean.shape, np.float32)
    for plane, place in enumerate(_planes(period)):
        signal = np.ascontiguousarray(mean[place], np.float32)
        local = np.maximum(cv2.medianBlur(signal, 5), np.float32(1e-6))
        ratio = np.asarray(signal / local, np.float32)
        response[place] = ratio
        ratio -= 1
        spread = tile_spreads(ratio, tiles_of((ratio.shape[0], ratio.shape[1])))
        if float(np.median(spread)) > _LARGEST_SPREAD:
            raise DarkFrameError(
                f"the flat fields are too dark: photosites of plane {plane} scatter by"
                f" {float(np.median(spread)):.0%} of the light; expose them longer"
            )
        ratio /= everywhere(np.maximum(spread, 1e-9), (ratio.shape[0], ratio.shape[1]))
        z[place] = ratio
        if not scatters:
            error[plane] = float(np.median(spread)) * float(np.median(signal))
    _require_even(z)
    ordered = np.sort(z[z < -3.0].astype(np.float64))
    allowed = false_discovery_rate * np.arange(1, len(ordered) + 1)
    passed = np.flatnonzero(stats.norm.cdf(ordered) * z.size <= allowed)
    limit = ordered[passed[-1]] if len(passed) else -np.inf
    rows, columns = np.nonzero((z <= limit) & (response <= largest_response))
    values = response[rows, columns].astype(float)
    planes = (rows % period) * period + columns % period
    # of photosites without signal the error is that of the plane's level
    level = np.array([float(np.median(mean[place])) for place in _planes(period)])
    return LowResponse(
        row=rows.astype(np.int64),
        column=columns.astype(np.int64),
        response=values,
        response_error=(error / level)[planes],
        z=z[rows, columns].astype(float),
        dead=values < _DEAD_RESPONSE,
    )


def _require_even(z: Plane) -> None:
    """Refuse flat fields in which bright photosites stand side by side, as along edges.

    Hot ones stand alone.
    """
    bright = (z > _CLEAR).astype(np.float32)
    count = int(bright.sum())
    beside = cv2.boxFilter(bright, -1, (_BESIDE, _BESIDE), normalize=False)
    clustered = int(np.count_nonzero((bright > 0) & (beside > 1.5)))
    if clustered >= _FEWEST_CLUSTERED and clustered > _CLUSTERED_SHARE * count:
        raise DarkFrameError(
            f"{clustered} photosites beside each other are brighter than their surroundings: these"
            " frames show something, they are no flat fields"
        )


def _planes(period: int) -> tuple[tuple[slice, slice], ...]:
    return tuple(
        (slice(top, None, period), slice(left, None, period))
        for top in range(period)
        for left in range(period)
    )


def _mean_of(
    flats: Iterable[Callable[[], NDArray[np.uint16]]],
    period: int,
    black_dn: tuple[float, ...],
    white_level: int | None,
) -> tuple[Plane, NDArray[np.float64], bool]:
    """Return the trimmed mean of the frames over their levels, its error, whether it scatters.

    The error is one of each plane, from the median range of its photosites.
    """
    total: Plane | None = None
    count = 0
    for count, read in enumerate(flats, start=1):
        light = _light(read(), count, period, black_dn, white_level)
        if total is None:
            total, smallest, largest = light, light.copy(), light.copy()
            continue
        if light.shape != total.shape:
            raise DarkFrameError(
                f"flat field {count} is of shape {light.shape}, the first of {total.shape}:"
                " flat fields of one camera have one size"
            )
        total += light
        np.minimum(smallest, light, out=smallest)
        np.maximum(largest, light, out=largest)
    if total is None:
        raise DarkFrameError("there are no flat fields to measure")
    error = np.zeros(period**2)
    if count > 1:
        kept = count - 2 if count >= _FEWEST_TO_TRIM else count
        # range of normal values in standard deviations (Blom 1958)
        expected = 2 * float(stats.norm.ppf((count - 0.375) / (count + 0.25)))
        for plane, place in enumerate(_planes(period)):
            width = float(np.median(largest[place] - smallest[place]))
            error[plane] = width / expected / np.sqrt(kept)
    if count >= _FEWEST_TO_TRIM:
        total -= smallest
        total -= largest
        count -= 2
        total /= count
        return total, error, True
    total /= count
    return total, error, count > 1


def _light(
    mosaic: NDArray[np.uint16],
    number: int,
    period: int,
    black_dn: tuple[float, ...],
    white_level: int | None,
) -> Plane:
    """Return a frame less black over the level of each plane, so that the lamp may vary."""
    if white_level is not None:
        share = float(np.count_nonzero(mosaic >= white_level)) / mosaic.size
        if share > _SATURATED_SHARE:
            raise DarkFrameError(
                f"flat field {number} is saturated at {share:.0%} of its photosites: expose it"
                " shorter"
            )
    light = mosaic.astype(np.float32)
    for plane, place in enumerate(_planes(period)):
        light[place] -= np.float32(black_dn[plane])
        level = float(np.median(light[place]))
        if level <= 0:
            raise DarkFrameError(f"flat field {number} is no brighter than black: is the lamp on?")
        light[place] /= np.float32(level)
    return light
