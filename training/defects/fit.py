"""Fits of single photosites: dark rate and offset from cell means, scatter of the repeats; pure.

The model (science of defects: F(I) = I + I K + tau D + c, in the dark) is

    signal_dn = gain (D seconds + c),    gain = ISO / 100,

with seconds at the reference temperature, and D and c in digital numbers at ISO 100. Both terms
enter at the electron stage and grow with the gain (reconstructed).
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from training.defects.frames import WORKERS, Buffers, Cell, Scratch
from training.defects.parameters import ExtractionParameters

Floats = NDArray[np.float64]

_OFFSETS = tuple((y, x) for y in range(-2, 3) for x in range(-2, 3) if (y, x) != (0, 0))
_PHOTON_SIGNAL_SIGMAS = 10.0  # signals that show photon noise above read noise
_FEWEST_READ_ELECTRONS = 1.0  # no sensor of a camera reads with less noise


@dataclass(frozen=True)
class Series:
    """Repeats of some photosites in one cell, the local background subtracted.

    Attributes
    ----------
    values
        float64 of shape (photosites, repeats), digital numbers.
    saturated
        bool of shape (photosites,): some repeat was at the white level.
    """

    values: Floats
    saturated: NDArray[np.bool_]


@dataclass(frozen=True)
class CellMeans:
    """Means over the repeats of one cell without transients, all of shape (photosites,)."""

    mean: Floats
    count: NDArray[np.int64]
    scatter: Floats
    """Sum of squared deviations of the kept repeats, in units of their variance."""
    rejected: NDArray[np.int64]


@dataclass(frozen=True)
class Fit:
    """Fits of photosites, each array of shape (photosites,); NaN where it cannot be known.

    `amplitude_dn` is the signal in the most sensitive cell, `reduced_chi2` that of the cells about
    the line, `probability` its p-value, `scatter_probability` that of the repeats' scatter.
    """

    dark_rate: Floats
    dark_rate_error: Floats
    offset: Floats
    offset_error: Floats
    amplitude_dn: Floats
    reduced_chi2: Floats
    probability: Floats
    scatter_probability: Floats
    rejected: NDArray[np.int64]
    saturated_cells: NDArray[np.int64]


def read_series(
    scratch: Scratch,
    cell: Cell,
    black_dn: Floats,
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    period: int,
    saturation_dn: float,
) -> Series:
    """Read photosites from every frame of a cell, less black and local background.

    The background is the median of the 24 nearest same-coloured neighbours in the cell's mean.

    Parameters
    ----------
    scratch
        The decoded frames.
    cell
        Which of them.
    black_dn
        float64 of shape (frames, planes).
    rows, columns
        Photosites, each of shape (photosites,).
    period
        2 with colour filters, 1 without.
    saturation_dn
        Digital number from which a photosite is saturated.
    """
    height, width = scratch.shape
    steps = np.array(_OFFSETS) * period
    near_rows = _reflected(rows[:, None] + steps[:, 0], height, period)
    near_columns = _reflected(columns[:, None] + steps[:, 1], width, period)
    planes = (rows % period) * period + columns % period
    buffers = Buffers(scratch.shape, np.uint16)

    def read(member: int) -> tuple[NDArray[np.uint16], Floats]:
        with buffers.lent() as frame:
            scratch.read_band(member, 0, frame)
            near = frame[near_rows, near_columns] - black_dn[member][planes, None]
            return frame[rows, columns], near

    around = np.zeros(near_rows.shape)
    values = np.empty((len(rows), len(cell.members)))
    saturated = np.zeros(len(rows), bool)
    with ThreadPoolExecutor(WORKERS) as executor:
        for index, (raw, near) in enumerate(executor.map(read, cell.members)):
            saturated |= raw >= saturation_dn
            values[:, index] = raw - black_dn[cell.members[index]][planes]
            around += near
    background = np.median(around, axis=1) / len(cell.members)
    return Series(values - background[:, None], saturated)


def _reflected(places: NDArray[np.int64], size: int, period: int) -> NDArray[np.int64]:
    """Reflect places beyond the border inwards, onto the same colour."""
    inside = np.where(places < 0, places % period - places, places)
    last = size - 1 - (size - 1 - inside) % period
    inside = np.where(inside >= size, 2 * last - inside + period, inside)
    # on sensors of a few photosites the reflection may leave the other side
    return np.clip(inside, 0, size - 1)


def temporal_noise(series: Series) -> float | None:
    """Return the standard deviation of sound photosites over a cell's repeats, None for one."""
    repeats = series.values.shape[1]
    if repeats < 2:
        return None
    variances = np.var(series.values, axis=1, ddof=1)
    kept = variances[variances <= np.quantile(variances, 0.99)]
    return float(np.sqrt(np.mean(kept)))


def photon_gain(series: Sequence[Series], cells: Sequence[Cell], noise_dn: Floats) -> float:
    """Estimate the digital numbers per electron at ISO 100 from the noise of bright photosites.

    Photon transfer: the variance of the repeats grows by ``gain * photon_gain * signal``. The
    median over photosites and cells, corrected for the median of the chi-squared distribution,
    withstands blinking ones (reconstructed). It is at most what a read noise of one electron
    allows, and zero where no photosite is bright.
    """
    ratios: list[Floats] = []
    for one, cell, sigma in zip(series, cells, noise_dn, strict=True):
        repeats = one.values.shape[1]
        if repeats < 2:
            continue
        signal = one.values.mean(axis=1)
        bright = (signal > _PHOTON_SIGNAL_SIGMAS * sigma) & ~one.saturated
        middle = stats.chi2.median(repeats - 1) / (repeats - 1)
        variance = np.var(one.values[bright], axis=1, ddof=1) / middle
        ratios.append((variance - sigma**2) / (cell.gain * signal[bright]))
    pooled = np.concatenate(ratios) if ratios else np.empty(0)
    if not len(pooled):
        return 0.0
    largest = min(
        float(sigma) / cell.gain / _FEWEST_READ_ELECTRONS
        for sigma, cell in zip(noise_dn, cells, strict=True)
    )
    return min(max(float(np.median(pooled)), 0.0), largest)


def cell_means(series: Series, variance: Floats, transient_sigmas: float) -> CellMeans:
    """Average the repeats of a cell without transients: repeats far above the median.

    Of two repeats the smaller is what they are compared with; one repeat is taken as it is.

    Parameters
    ----------
    series
        The repeats.
    variance
        Expected variance of one repeat, shape (photosites,).
    transient_sigmas
        Least excess of a transient in standard deviations.
    """
    values = series.values
    repeats = values.shape[1]
    middle = values.min(axis=1) if repeats == 2 else np.median(values, axis=1)
    limit = transient_sigmas * np.sqrt(variance) * (np.sqrt(2.0) if repeats == 2 else 1.0)
    kept = values - middle[:, None] <= limit[:, None]
    count = kept.sum(axis=1)
    mean = np.where(kept, values, 0.0).sum(axis=1) / count
    scatter = np.where(kept, (values - mean[:, None]) ** 2, 0.0).sum(axis=1) / variance
    return CellMeans(mean, count, scatter, repeats - count)


def fit_photosites(
    series: Sequence[Series],
    cells: Sequence[Cell],
    noise_dn: Floats,
    gain: float,
    parameters: ExtractionParameters,
) -> Fit:
    """Fit dark rate and offset of each photosite by weighted least squares.

    Variances are read noise plus photon noise of the fitted signal (two passes), so that errors
    hold for strong and weak defects; saturated cells are left out. Where the cells left over share
    one exposure, dark rate and offset cannot be told apart and are NaN.

    Parameters
    ----------
    series
        Repeats of each cell.
    cells
        The cells, least sensitive first.
    noise_dn
        Temporal noise of each cell, shape (cells,).
    gain
        From `photon_gain`.
    parameters
        Thresholds.
    """
    gains = np.array([cell.gain for cell in cells])
    design = np.stack([gains * [cell.seconds for cell in cells], gains], axis=1)
    usable = ~np.stack([one.saturated for one in series], axis=1)
    # the median of 24 neighbours adds its own noise to a cell's mean
    background = 1 + np.pi / 2 / len(_OFFSETS)
    signal = np.stack([np.median(one.values, axis=1) for one in series], axis=1)
    for _ in range(2):
        variance = noise_dn**2 + gain * gains * np.maximum(signal, 0.0)
        means = [
            cell_means(one, variance[:, index], parameters.transient_sigmas)
            for index, one in enumerate(series)
        ]
        measured = np.stack([mean.mean for mean in means], axis=1)
        count = np.stack([mean.count for mean in means], axis=1)
        error2 = (variance + (background - 1) * noise_dn**2) / count
        weights = np.where(usable, 1 / error2, 0.0)
        estimate, covariance, solvable = _solve(design, measured, weights)
        fitted = estimate @ design.T
        signal = np.where(solvable[:, None], fitted, measured)

    tolerated = error2 + (parameters.fit_tolerance * signal) ** 2
    freedom = usable.sum(axis=1) - 2
    chi2 = np.where(usable, (measured - fitted) ** 2 / tolerated, 0.0).sum(axis=1)
    judged = solvable & (freedom > 0)
    repeats = (count - 1) * usable
    scatter = (np.stack([mean.scatter for mean in means], axis=1) * usable).sum(axis=1)
    errors = np.sqrt(np.where(solvable[:, None], covariance, np.nan))
    estimate = np.where(solvable[:, None], estimate, np.nan)
    return Fit(
        dark_rate=estimate[:, 0],
        dark_rate_error=errors[:, 0],
        offset=estimate[:, 1],
        offset_error=errors[:, 1],
        amplitude_dn=measured[:, -1],
        reduced_chi2=np.where(judged, chi2 / np.maximum(freedom, 1), np.nan),
        probability=np.where(judged, stats.chi2.sf(chi2, np.maximum(freedom, 1)), np.nan),
        scatter_probability=stats.chi2.sf(scatter, np.maximum(repeats.sum(axis=1), 1)),
        rejected=np.stack([mean.rejected for mean in means], axis=1).sum(axis=1),
        saturated_cells=(~usable).sum(axis=1),
    )


def _solve(
    design: Floats, measured: Floats, weights: Floats
) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Solve the 2 x 2 normal equations of each photosite; the variances are the diagonal's."""
    first, second = design[:, 0], design[:, 1]
    a, b, d = weights @ (first * first), weights @ (first * second), weights @ (second * second)
    u, v = (weights * measured) @ first, (weights * measured) @ second
    determinant = a * d - b * b
    solvable = determinant > 1e-9 * a * d
    safe = np.where(solvable, determinant, 1.0)
    estimate = np.stack([(d * u - b * v) / safe, (a * v - b * u) / safe], axis=1)
    return estimate, np.stack([d, a], axis=1) / safe[:, None], solvable
