"""Hot pixels as thermometers: how dark signals grow with temperature, and what they say; pure.

The dark current of a photosite doubles every few kelvins, so that the signals of many hot pixels
rise and fall together:

    y_ik = a_i s_k + noise,    s_k = 2^((T_k - T0) / Td)

with the amplitude a_i of defect i at the reference, the common scale s_k of frame or session k and
the doubling temperature Td. The exponential law is EMVA 1288's; its robust estimate from defects
is reconstructed. Offsets that do not depend on the exposure do not follow the temperature either:
the signals here are dark rates, or amplitudes less their offsets. Knows no files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from training.defects.errors import DefectError
from training.defects.fit import Floats, Series
from training.defects.frames import Cell
from training.defects.robust_scale import BISQUARE, FEWEST_DEFECTS, MAD_TO_SIGMA, fit_scale

WHOLE_DEGREES_ERROR_C = 0.29
"""Standard error of a temperature that was rounded to whole degrees."""

_ROUNDS = 20
_TOLERANCE = 1e-5
_LN2 = float(np.log(2.0))


@dataclass(frozen=True)
class Scales:
    """Common scales of the dark signals of several frames or sessions, each of shape (times,).

    Attributes
    ----------
    log2
        log2(s_k); NaN where no scale could be found.
    error
        Its standard error; NaN likewise.
    defects
        int64, how many defects say so.
    """

    log2: Floats
    error: Floats
    defects: NDArray[np.int64]


@dataclass(frozen=True)
class DoublingFit:
    """How many kelvins double the dark current.

    Attributes
    ----------
    doubling_c
        Kelvins that double it; None where the data cannot say, for the `reason`.
    error_c
        Its standard error.
    low_c, high_c
        Interval at `confidence`; `high_c` is None where it has no end.
    confidence
        Of the interval.
    spread_c
        Standard deviation of the single defects' doubling temperatures about the common one.
    span_c
        Range of the known temperatures.
    times, defects
        Frames or sessions with a known temperature, and defects seen in at least two of them.
    reason
        Why there is no result; None where there is one.
    """

    doubling_c: float | None
    error_c: float | None
    low_c: float | None
    high_c: float | None
    confidence: float
    spread_c: float | None
    span_c: float
    times: int
    defects: int
    reason: str | None


@dataclass(frozen=True)
class TemperatureChanges:
    """Temperatures relative to a reference, in kelvins, each of shape (times,); NaN if unknown."""

    change_c: Floats
    error_c: Floats


def frame_scales(
    series: Sequence[Series],
    cells: Sequence[Cell],
    dark_rate: Floats,
    offset: Floats,
    noise_dn: Floats,
) -> Scales:
    """Measure the common scale of every frame of a session against a fit of its hot pixels.

    The expected signal at the reference is ``gain D t_exp``; what is measured is the frame's
    signal less ``gain c``, so that frames of all exposures and ISOs are comparable.

    Parameters
    ----------
    series
        Signals of the same defects in each cell, from `read_series`; saturated ones are left out.
    cells
        The cells; their members number the frames.
    dark_rate, offset
        D and c of each defect, shape (defects,), as `fit_photosites` gives them; NaN is left out.
    noise_dn
        Temporal noise of each cell, shape (cells,).

    Returns
    -------
    Scales
        In the order of the frames' numbers; NaN where too few defects are bright enough.
    """
    count = 1 + max(member for cell in cells for member in cell.members)
    log2, error = np.full((2, count), np.nan)
    defects = np.zeros(count, np.int64)
    for one, cell, noise in zip(series, cells, noise_dn, strict=True):
        usable = ~one.saturated & np.isfinite(dark_rate) & np.isfinite(offset)
        expected = np.where(usable, cell.gain * dark_rate * cell.exposure_s, np.nan)
        for index, member in enumerate(cell.members):
            signal = one.values[:, index] - cell.gain * offset
            fit = fit_scale(signal, expected, np.full(len(signal), noise))
            defects[member] = fit.defects
            if fit.defects and fit.scale > 0:
                log2[member] = np.log2(fit.scale)
                error[member] = fit.error / (fit.scale * _LN2)
    return Scales(log2, error, defects)


def common_scales(amplitudes: ArrayLike, errors: ArrayLike) -> Scales:
    """Find the common scales of many defects' signals, their amplitudes being unknown.

    Weighted fits of the amplitudes given the scales and of the scales given the amplitudes take
    turns until they agree; a bisquare weight takes blinking and annealed defects out. Scales stay
    linear in the signals until the end, so that weak signals, negative ones too, do not bias them
    as their logarithms would. The mean of `log2` is zero.

    Parameters
    ----------
    amplitudes
        Signals, shape (defects, times), all for the same exposure and gain or as rates; NaN where
        a defect was not measured or could not be.
    errors
        Their standard errors, positive, of the same shape.

    Returns
    -------
    Scales
        NaN at times with fewer than five defects.

    Raises
    ------
    DefectError
        If the shapes differ.
    """
    y, sigma = _matrices(amplitudes, errors)
    known = np.isfinite(y) & np.isfinite(sigma) & (sigma > 0)
    weights = np.where(known, 1 / np.where(known, sigma, 1.0) ** 2, 0.0)
    y = np.where(known, y, 0.0)
    scale = np.ones(y.shape[1])
    errors_of_scale = np.full(y.shape[1], np.nan)
    used = np.zeros(y.shape[1], np.int64)
    trusted = np.ones_like(y)
    for _ in range(_ROUNDS):
        weighted = weights * trusted
        norm = weighted @ scale**2
        reference = np.where(norm > 0, (weighted * y) @ scale / np.where(norm > 0, norm, 1.0), 0.0)
        previous = scale
        scale = scale.copy()
        for time in range(y.shape[1]):
            expected = np.where(known[:, time], reference, np.nan)
            fit = fit_scale(y[:, time], expected, np.where(known[:, time], sigma[:, time], 1.0))
            used[time], trusted[:, time] = fit.defects, fit.weights
            if fit.defects and fit.scale > 0:
                scale[time], errors_of_scale[time] = fit.scale, fit.error
            else:
                errors_of_scale[time] = np.nan
        found_times = np.isfinite(errors_of_scale)
        if not found_times.any():
            break
        scale[found_times] /= np.exp(np.mean(np.log(scale[found_times])))
        if np.all(np.abs(scale - previous) <= _TOLERANCE * scale):
            break
    found_times = np.isfinite(errors_of_scale)
    log2 = np.where(found_times, np.log2(scale), np.nan)
    return Scales(log2, errors_of_scale / (scale * _LN2), used)


def doubling_fit(
    amplitudes: ArrayLike,
    errors: ArrayLike,
    temperatures_c: ArrayLike,
    *,
    temperature_error_c: float = WHOLE_DEGREES_ERROR_C,
    least_span_c: float = 4.0,
    confidence: float = 0.95,
) -> DoublingFit:
    """Fit the kelvins that double the dark current to defects at known temperatures.

    The line ``log2 s_k = const + T_k / Td`` is fitted to the common scales (`common_scales`, an
    amplitude of its own for each defect). The variance of its slope adds up from the errors of
    scales and thermometer or, where larger, the scatter about the line, and from the spread of the
    defects' own slopes (activation energies differ), after DerSimonian and Laird (1986). The
    interval of Td is that of the slope, inverted; Student's t where the scatter decides.

    Parameters
    ----------
    amplitudes, errors
        As for `common_scales`; not normalised to a reference temperature.
    temperatures_c
        Shape (times,); NaN where unknown, which leaves the time out.
    temperature_error_c
        Standard error of one temperature; the default is that of rounding to whole degrees.
    least_span_c
        Temperatures must differ by so many kelvins.
    confidence
        Of the interval.

    Returns
    -------
    DoublingFit
        Without a result, and with the reason, where temperatures or defects do not suffice or the
        signals do not rise with temperature.

    Raises
    ------
    DefectError
        If the shapes differ.
    """
    y, sigma = _matrices(amplitudes, errors)
    temperature = np.asarray(temperatures_c, float)
    if temperature.shape != y.shape[1:]:
        raise DefectError(
            f"{y.shape[1]} times have {temperature.size} temperatures: give one for each"
        )
    known = np.isfinite(temperature)
    y, sigma, temperature = y[:, known], sigma[:, known], temperature[known]
    often = (np.isfinite(y) & np.isfinite(sigma)).sum(axis=1) >= 2
    y, sigma = y[often], sigma[often]
    span = float(np.ptp(temperature)) if len(temperature) else 0.0
    times, defects = len(temperature), len(y)

    def refused(reason: str) -> DoublingFit:
        return DoublingFit(
            None, None, None, None, confidence, None, span, times, defects, reason
        )  # fmt: skip

    if times < 2:
        return refused(f"{times} of {len(known)} times have a known temperature, two are needed")
    if span < least_span_c:
        return refused(
            f"the temperatures span {span:.1f} K, {least_span_c:.1f} K are needed to tell"
        )
    if defects < FEWEST_DEFECTS:
        return refused(f"{defects} defects were measured twice, {FEWEST_DEFECTS} are needed")
    scales = common_scales(y, sigma)
    found = np.isfinite(scales.log2)
    if found.sum() < 2 or float(np.ptp(temperature[found])) < least_span_c:
        return refused("the defects are too weak to compare the temperatures by")
    slope, slope_error, freedom = _line(
        temperature[found], scales.log2[found], scales.error[found], temperature_error_c
    )
    shift, spread, spread_error = _own_slopes(
        y[:, found], sigma[:, found], scales.log2[found], temperature[found]
    )
    slope += shift
    total = float(np.hypot(slope_error, spread_error))
    quantile = float(stats.t.ppf(0.5 + confidence / 2, freedom))
    if slope <= quantile * total:
        return refused(
            f"the signals do not rise with temperature: {slope:.3f} ± {total:.3f} doublings per"
            " kelvin"
        )
    low, high = slope - quantile * total, slope + quantile * total
    return DoublingFit(
        doubling_c=1 / slope,
        error_c=total / slope**2,
        low_c=1 / high,
        high_c=1 / low if low > 0 else None,
        confidence=confidence,
        spread_c=spread / slope**2,
        span_c=span,
        times=times,
        defects=defects,
        reason=None,
    )


def temperature_changes(
    scales: Scales,
    doubling_c: float,
    *,
    doubling_error_c: float = 0.0,
    reference: int | None = None,
) -> TemperatureChanges:
    """Turn common scales into temperatures relative to a reference.

    ``change = Td (log2 s_k - log2 s_reference)``; its variance is
    ``Td^2 (e_k^2 + e_reference^2) + (change e_Td / Td)^2``.

    Parameters
    ----------
    scales
        From `common_scales` or `frame_scales`.
    doubling_c, doubling_error_c
        Kelvins that double the dark current, and their standard error.
    reference
        Number of the time to compare with, whose change is zero; where None, the zero of the
        scales: their mean, or the temperature that the fit of the hot pixels refers to.

    Raises
    ------
    DefectError
        If the doubling temperature is not positive or the reference has no scale.
    """
    if not doubling_c > 0:
        raise DefectError(f"dark current cannot double every {doubling_c} kelvins")
    zero, zero_error = 0.0, 0.0
    if reference is not None:
        zero, zero_error = float(scales.log2[reference]), float(scales.error[reference])
        if not np.isfinite(zero):
            raise DefectError(f"time {reference} has no scale to compare with: choose another")
    change = doubling_c * (scales.log2 - zero)
    error = np.hypot(
        doubling_c * np.hypot(scales.error, zero_error), change * doubling_error_c / doubling_c
    )
    if reference is not None:
        error[reference] = 0.0
    return TemperatureChanges(change, error)


def _matrices(amplitudes: ArrayLike, errors: ArrayLike) -> tuple[Floats, Floats]:
    y, sigma = np.asarray(amplitudes, float), np.asarray(errors, float)
    if y.ndim != 2 or y.shape != sigma.shape:
        raise DefectError(
            f"amplitudes of shape {y.shape} and errors of shape {sigma.shape} do not make a matrix"
            " of defects and times"
        )
    return y, sigma


def _line(x: Floats, y: Floats, error: Floats, error_of_x: float) -> tuple[float, float, float]:
    """Fit a line; return its slope, the slope's standard error and the degrees of freedom of it.

    The scatter about the line is taken for the points' own where it exceeds their errors.
    """
    error = np.hypot(error, np.polyfit(x, y, 1)[0] * error_of_x)
    freedom = len(x) - 2
    common2 = 0.0
    for _ in range(_ROUNDS):
        weight = 1 / (error**2 + common2)
        centre = float(np.sum(weight * x) / weight.sum())
        norm = float(np.sum(weight * (x - centre) ** 2))
        slope = float(np.sum(weight * (x - centre) * y)) / norm
        residual = y - np.sum(weight * y) / weight.sum() - slope * (x - centre)
        if freedom < 1:
            break
        excess = float(np.sum(weight * residual**2)) / freedom
        if excess <= 1.001:
            break
        common2 += (excess - 1) / float(np.mean(weight))
    if common2 == 0.0:
        return slope, 1 / np.sqrt(norm), np.inf
    return slope, 1 / np.sqrt(norm), float(freedom)


def _own_slopes(
    y: Floats, sigma: Floats, log2: Floats, temperature: Floats
) -> tuple[float, float, float]:
    """Return the mean of the defects' slopes less the common one, their spread, and its error.

    A defect whose slope differs by d from the common one deviates by
    ``a_i s_k ln 2 d (T_k - mean T)``, to first order. Where slopes differ, the brightest defect
    is not allowed to decide alone. The error is what the spread adds to that of the noise.
    """
    known = np.isfinite(y) & np.isfinite(sigma) & (sigma > 0)
    weight = np.where(known, 1 / np.where(known, sigma, 1.0) ** 2, 0.0)
    y = np.where(known, y, 0.0)
    scale = 2.0**log2
    reference = (weight * y) @ scale / np.maximum(weight @ scale**2, 1e-300)
    fitted = reference[:, None] * scale
    norm = np.maximum((weight * fitted**2).sum(axis=1, keepdims=True), 1e-300)
    mean = (weight * fitted**2 * temperature).sum(axis=1, keepdims=True) / norm
    direction = fitted * _LN2 * (temperature - mean)
    information = (weight * direction**2).sum(axis=1)
    usable = (reference > 0) & (information > 0)
    if np.count_nonzero(usable) < FEWEST_DEFECTS:
        return 0.0, 0.0, 0.0
    information = information[usable]
    slopes = (weight * (y - fitted) * direction)[usable].sum(axis=1) / information
    # blinking and annealed defects have no slope worth the name
    precise = information >= np.median(information)
    width = MAD_TO_SIGMA * float(np.median(np.abs(slopes[precise])))
    own = 1 / np.sqrt(information)
    known_spread = np.sqrt(max(width**2 - float(np.median(own[precise] ** 2)), 0.0))
    kept = np.abs(slopes) <= BISQUARE * np.hypot(own, known_spread)
    information, slopes = information[kept], slopes[kept]
    total = float(information.sum())
    centred = slopes - float(information @ slopes) / total
    excess = float(information @ centred**2) - (len(slopes) - 1)
    norm2 = total - float(np.sum(information**2)) / total
    variance = max(excess / norm2, 0.0) if norm2 > 0 else 0.0
    weight = 1 / (1 / information + variance)
    shift = float(weight @ slopes) / float(weight.sum())
    added = max(1 / float(weight.sum()) - 1 / total, 0.0)
    return shift, float(np.sqrt(variance)), float(np.sqrt(added))
