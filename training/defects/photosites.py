"""The photosites that a session found, measured one by one: fits, kinds, flags; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.defects.fit import (
    Fit,
    Floats,
    Series,
    fit_photosites,
    photon_gain,
    read_series,
    temporal_noise,
)
from training.defects.frames import Cell, Scratch
from training.defects.parameters import ExtractionParameters

KINDS = ("hot", "partially-stuck", "stuck", "blinking")
"""Kinds by code, as dark frames show them."""

_CONTROLS = 2000
_MAD_TO_SIGMA = 1.4826
_QUANTISATION = 1 / np.sqrt(12.0)
_BLINKING_TRANSIENTS = 2  # a cosmic ray strikes one photosite once


@dataclass(frozen=True)
class Measured:
    """What the repeats of some photosites say.

    Attributes
    ----------
    fit
        Of each photosite.
    offset_spread
        Robust standard deviation of the offsets of sound photosites, digital numbers.
    photon_gain
        Digital numbers per electron at ISO 100, 0 where no bright photosite tells.
    series
        The repeats, of each cell.
    noise_dn
        Temporal noise of each cell.
    """

    fit: Fit
    offset_spread: float
    photon_gain: float
    series: list[Series]
    noise_dn: Floats


def measure_photosites(
    scratch: Scratch,
    cells: Sequence[Cell],
    black_dn: Floats,
    spatial_noise: Floats,
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    period: int,
    saturation_dn: float,
    parameters: ExtractionParameters,
) -> Measured:
    """Fit photosites from their repeats, with sound ones beside them as the measure of noise.

    Parameters
    ----------
    scratch
        The decoded frames.
    cells
        The grid, least sensitive first.
    black_dn
        Black level of each frame and plane, shape (frames, planes).
    spatial_noise
        Noise of one frame by cell and plane, for cells of a single frame.
    rows, columns
        The photosites.
    period
        2 with colour filters, 1 without.
    saturation_dn
        Digital number from which a photosite is saturated.
    parameters
        Thresholds.
    """
    control_rows, control_columns = _controls(scratch.shape, rows, columns)
    all_rows = np.concatenate([rows, control_rows])
    all_columns = np.concatenate([columns, control_columns])
    series = [
        read_series(scratch, cell, black_dn, all_rows, all_columns, period, saturation_dn)
        for cell in cells
    ]
    split = len(rows)
    found = [Series(one.values[:split], one.saturated[:split]) for one in series]
    sound = [Series(one.values[split:], one.saturated[split:]) for one in series]
    noises = []
    for one, spatial in zip(sound, spatial_noise, strict=True):
        noise = temporal_noise(one) if len(control_rows) else None
        noises.append(float(np.mean(spatial)) if noise is None else max(noise, _QUANTISATION))
    noise_dn = np.array(noises)
    gain = photon_gain(found, cells, noise_dn)
    offsets = fit_photosites(sound, cells, noise_dn, 0.0, parameters).offset
    offsets = offsets[np.isfinite(offsets)]
    return Measured(
        fit=fit_photosites(found, cells, noise_dn, gain, parameters),
        offset_spread=_MAD_TO_SIGMA * float(np.median(np.abs(offsets))) if len(offsets) else 0.0,
        photon_gain=gain,
        series=found,
        noise_dn=noise_dn,
    )


def _controls(
    shape: tuple[int, int], rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return photosites spread evenly over the sensor that are not among the given ones."""
    size = shape[0] * shape[1]
    places = np.unique(np.linspace(0, size - 1, min(_CONTROLS, size)).astype(np.int64))
    places = np.setdiff1d(places, rows * shape[1] + columns)
    return places // shape[1], places % shape[1]


def kinds_of(
    measured: Measured, cell_count: int, parameters: ExtractionParameters
) -> NDArray[np.int64]:
    """Return the kind of each photosite as an index into `KINDS`."""
    fit = measured.fit
    spread = np.hypot(fit.offset_error, measured.offset_spread)
    offset = np.nan_to_num(fit.offset / spread)
    kind = np.where(offset >= parameters.offset_sigmas, KINDS.index("partially-stuck"), 0)
    blinking = (fit.scatter_probability < parameters.blinking_probability) | (
        fit.rejected >= _BLINKING_TRANSIENTS
    )
    kind[blinking] = KINDS.index("blinking")
    kind[fit.saturated_cells == cell_count] = KINDS.index("stuck")
    return kind.astype(np.int64)


def flags_of(fit: Fit, parameters: ExtractionParameters) -> tuple[tuple[str, ...], ...]:
    """Return the flags of each photosite by name."""
    judged = {
        "poor-fit": np.nan_to_num(fit.probability, nan=1.0) < parameters.fit_probability,
        "saturated": fit.saturated_cells > 0,
        "transients": fit.rejected > 0,
        "not-separable": np.isnan(fit.dark_rate),
    }
    return tuple(
        tuple(name for name, marks in judged.items() if marks[index])
        for index in range(len(fit.dark_rate))
    )
