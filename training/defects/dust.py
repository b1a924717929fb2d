"""Dust in front of the sensor, from flat-field frames; reads no catalogue.

The shadow of a dust particle is a Gaussian loss of light, several photosites wide and deeper at
small apertures. Dust moves between sessions, defects do not.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, stats

from training.defects.backgrounds import Plane, some_of
from training.defects.diagnostics import period_of
from training.defects.errors import DarkFrameError

Floats = NDArray[np.float64]

_SCALES = 1.5 * np.sqrt(2.0) ** np.arange(7)  # of the shadows, in cells of the colour filters
_SURROUND = 1.6  # Marr and Hildreth (1980): the difference nearest to a Laplacian of Gaussian
_WIDENING = np.sqrt(2.0)  # of the filter against the shadow that it shows best in white noise
_SHADOW_RADII = 2.0
_SMALLEST_SIDE = 64
_INNER = 0.6827  # of a normal distribution lies within its standard deviation
_SPREAD_SAMPLE = 1_000_000


@dataclass(frozen=True)
class DustSpots:
    """Shadows of dust, each array of shape (spots,), the most significant first.

    Attributes
    ----------
    row, column
        Centres, in photosites of the full `raw_image` space.
    radius
        Standard deviation of the Gaussian shadow, photosites; one of a few steps of 1.4.
    depth, depth_error
        Share of the light that is lost at the centre, and its standard error.
    z
        Significance of the matched filter.
    """

    row: Floats
    column: Floats
    radius: Floats
    depth: Floats
    depth_error: Floats
    z: Floats


@dataclass(frozen=True)
class DustChange:
    """What became of dust from one session to the next.

    Attributes
    ----------
    stayed
        int64 of shape (pairs, 2): number among the earlier spots, number among the later ones.
    went, came
        Numbers of the earlier spots without a later one, and of the later without an earlier.
    """

    stayed: NDArray[np.int64]
    went: NDArray[np.int64]
    came: NDArray[np.int64]


def find_dust(
    flat_dn: Plane,
    cfa: str,
    black_dn: tuple[float, ...],
    *,
    false_discovery_rate: float = 0.01,
    least_depth: float = 0.005,
) -> DustSpots:
    """Find the shadows of dust in an evenly lit frame, or in the mean of several.

    The colours of each cell of the filter array are brought to one level and averaged, single bad
    photosites removed by a median, and the image divided by its smooth light. Differences of
    Gaussians of seven widths are the matched filters; each is calibrated on its own robust spread,
    and the false-discovery rate is controlled over all places and widths (Benjamini and Hochberg
    1995). The combination is reconstructed.

    Parameters
    ----------
    flat_dn
        float32 of shape (rows, columns), digital numbers.
    cfa
        As in `DarkFrame`.
    black_dn
        Black level of each plane.
    false_discovery_rate
        Accepted share of false ones.
    least_depth
        Shallower spots are left out however significant.

    Raises
    ------
    DarkFrameError
        If the frame is not lit or too small to hold a shadow and its surroundings.
    """
    period = period_of(cfa)
    ratio = _even_light(flat_dn, period, black_dn)
    best = np.zeros(ratio.shape, np.float32)
    scale = np.zeros(ratio.shape, np.int8)
    error = np.zeros(ratio.shape, np.float32)
    for number, sigma in enumerate(_SCALES * _WIDENING):
        lost = cv2.GaussianBlur(ratio, (0, 0), sigma * _SURROUND) - cv2.GaussianBlur(
            ratio, (0, 0), sigma
        )
        # what a Gaussian of depth one and the sought width leaves at its centre
        lost /= np.float32(1 / (1 + _WIDENING**2) - 1 / (1 + (_WIDENING * _SURROUND) ** 2))
        # reflection at the borders repeats noise there
        lost /= _border_noise(ratio.shape, float(sigma))
        # of the whole frame: a wide filter leaves too few independent places in a part of it; of
        # the inner two thirds: a few spots fill the outer ones of a wide filter
        some = lost.ravel()[some_of(lost.size, _SPREAD_SAMPLE)]
        spread = max(float(np.quantile(np.abs(some), _INNER)), 1e-9)
        z = lost / np.float32(spread)
        better = z > best
        best[better], scale[better], error[better] = z[better], number, spread
    peaks = (best == ndimage.maximum_filter(best, size=5)) & (best > 3.0)
    places = np.argwhere(peaks)
    z_values = best[peaks].astype(float)
    order = np.argsort(-z_values, kind="stable")
    places, z_values = places[order], z_values[order]
    allowed = false_discovery_rate * np.arange(1, len(z_values) + 1)
    passed = np.flatnonzero(stats.norm.sf(z_values) * best.size * len(_SCALES) <= allowed)
    count = int(passed[-1]) + 1 if len(passed) else 0
    places, z_values = places[:count], z_values[:count]
    at = (places[:, 0], places[:, 1])
    sigma_of = _SCALES[scale[at]]
    depth_error = error[at].astype(float)
    kept = _without_side_lobes(places, sigma_of) & (z_values * depth_error >= least_depth)
    centre = places[kept] * period + (period - 1) / 2
    return DustSpots(
        row=centre[:, 0],
        column=centre[:, 1],
        radius=sigma_of[kept] * period,
        depth=(z_values * depth_error)[kept],
        depth_error=depth_error[kept],
        z=z_values[kept],
    )


def _even_light(flat_dn: Plane, period: int, black_dn: tuple[float, ...]) -> Plane:
    """Return the mean of each cell of the filter array over its smooth surroundings."""
    rows, columns = (size // period for size in flat_dn.shape)
    if min(rows, columns) < _SMALLEST_SIDE:
        raise DarkFrameError(
            f"a flat field of shape {flat_dn.shape} is too small to look for dust in"
        )
    light = np.zeros((rows, columns), np.float32)
    for plane in range(period**2):
        top, left = divmod(plane, period)
        signal = flat_dn[top::period, left::period][:rows, :columns] - np.float32(black_dn[plane])
        level = float(np.median(signal))
        if level <= 0:
            raise DarkFrameError("the flat field is no brighter than black: is the lamp on?")
        light += signal / np.float32(level * period**2)
    light = np.asarray(cv2.medianBlur(light, 3), np.float32)
    light = light / np.maximum(_quadratic(light), np.float32(1e-3))
    smooth = cv2.GaussianBlur(light, (0, 0), float(_SCALES[-1]) * 4)
    return np.asarray(light / np.maximum(smooth, 1e-6), np.float32)


def _quadratic(light: Plane) -> Plane:
    """Return the quadratic surface through a plane, whose slope no reflection at a border bends."""
    rows, columns = light.shape
    y, x = np.linspace(-1, 1, rows), np.linspace(-1, 1, columns)

    def terms(y: Floats, x: Floats) -> list[Floats]:
        return [np.ones_like(y * x), y + 0 * x, x + 0 * y, y * x, y * y + 0 * x, x * x + 0 * y]

    step = max(1, rows // 64), max(1, columns // 64)
    sampled = light[:: step[0], :: step[1]]
    design = np.stack(
        [one.ravel() for one in terms(y[:: step[0], None], x[None, :: step[1]])], axis=1
    )
    weights = np.linalg.lstsq(design, sampled.ravel().astype(float), rcond=None)[0]
    surface = np.zeros(light.shape, np.float32)
    for weight, term in zip(weights, terms(y[:, None], x[None]), strict=True):
        surface += (weight * term).astype(np.float32)
    return surface


def _border_noise(shape: tuple[int, ...], sigma: float) -> Plane:
    """Return the noise of a difference of Gaussians at each place, relative to the middle."""
    inner, cross, outer = (
        [_overlap(size, one, other) for size in shape]
        for one, other in (
            (sigma, sigma),
            (sigma, sigma * _SURROUND),
            (sigma * _SURROUND, sigma * _SURROUND),
        )
    )
    variance = np.outer(*inner) - 2 * np.outer(*cross) + np.outer(*outer)
    middle = variance[shape[0] // 2, shape[1] // 2]
    return np.sqrt(variance / middle).astype(np.float32)


def _overlap(size: int, one: float, other: float) -> Floats:
    """Return of each place of a line the product of two Gaussians reflected at its ends."""
    span = min(size, 12 * int(np.ceil(max(one, other))) + 2)
    unit = np.eye(span)
    first, second = (
        ndimage.gaussian_filter1d(unit, width, axis=0, mode="mirror") for width in (one, other)
    )
    profile: Floats = (first * second).sum(axis=1)
    half = span // 2
    filled = np.full(size, profile[half])
    filled[:half], filled[size - half :] = profile[:half], profile[span - half :]
    return filled


def _without_side_lobes(places: NDArray[np.int64], sigma: Floats) -> NDArray[np.bool_]:
    """Keep of spots within one another's shadows only the most significant, which is first."""
    kept = np.ones(len(places), bool)
    for number in range(1, len(places)):
        before = np.flatnonzero(kept[:number])
        distance = np.hypot(*(places[before] - places[number]).T)
        kept[number] = not (distance < 3 * np.maximum(sigma[before], sigma[number])).any()
    return kept


def compare_dust(
    earlier: DustSpots, later: DustSpots, *, farthest_radii: float = 1.0
) -> DustChange:
    """Match the spots of two sessions, the nearest first.

    Parameters
    ----------
    earlier, later
        Of one camera.
    farthest_radii
        Largest distance of a spot that stayed, in radii of the larger of the two.
    """
    distance = np.hypot(
        earlier.row[:, None] - later.row[None], earlier.column[:, None] - later.column[None]
    )
    farthest = farthest_radii * np.maximum(earlier.radius[:, None], later.radius[None])
    free_before = np.ones(len(earlier.row), bool)
    free_after = np.ones(len(later.row), bool)
    pairs: list[tuple[int, int]] = []
    for place in np.argsort(distance, axis=None, kind="stable"):
        before, after = divmod(int(place), len(later.row))
        if (
            distance[before, after] <= farthest[before, after]
            and free_before[before]
            and free_after[after]
        ):
            pairs.append((before, after))
            free_before[before] = free_after[after] = False
    return DustChange(
        stayed=np.array(pairs, np.int64).reshape(-1, 2),
        went=np.flatnonzero(free_before),
        came=np.flatnonzero(free_after),
    )


def under_dust(
    dust: DustSpots, rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return whether each photosite lies in the shadow of dust, within two radii of a centre."""
    distance = np.hypot(rows[:, None] - dust.row[None], columns[:, None] - dust.column[None])
    return np.asarray((distance <= _SHADOW_RADII * dust.radius[None]).any(axis=1), bool)
